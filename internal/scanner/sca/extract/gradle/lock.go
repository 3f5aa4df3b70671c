package gradle

import (
	"bytes"
	"slices"
	"strings"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/xmltree"
)

// formatRoot is the root element of verification metadata.
const formatRoot = "verification-metadata"

// readLock reads "group:artifact:version=configuration,…" lines.
func readLock(content []byte, build bool, g *collect.Graph, gaps *collect.Gaps) {
	line := 0
	for raw := range bytes.Lines(content) {
		line++
		text := string(bytes.TrimSpace(raw))
		if text == "" || text[0] == '#' || strings.HasPrefix(text, "empty=") {
			continue
		}
		coordinate, configurations, ok := strings.Cut(text, "=")
		parts := strings.Split(coordinate, ":")
		if !ok || len(parts) != 3 || slices.Contains(parts, "") || !collect.Sound(coordinate) {
			gaps.Add(line, "not a line of group:artifact:version=configurations")
			continue
		}
		scope := dependency.Development
		if !build {
			for c := range strings.SplitSeq(configurations, ",") {
				if !forDevelopment(c) {
					scope = dependency.Production
					break
				}
			}
		}
		g.Add(dependency.Package{
			Ecosystem: dependency.Maven, Name: parts[0] + ":" + parts[1], Version: parts[2], Scope: scope,
			Line: line, Column: 1, EndColumn: len(coordinate) + 1,
		})
	}
}

// forDevelopment reports whether what a configuration holds is not shipped, by
// the names that Gradle's own and the common plugins give. One that is not
// known counts as shipped.
func forDevelopment(name string) bool {
	for _, word := range []string{"Test", "AnnotationProcessor"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	for _, start := range []string{"test", "annotationProcessor", "kapt", "checkstyle", "spotbugs", "jacoco", "pmd", "ktlint", "detekt", "errorprone", "spotless"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// readVerification reads the components with the digests of their archive.
func readVerification(root *xmltree.Element, g *collect.Graph, gaps *collect.Gaps) {
	for _, c := range root.Child("components").All("component") {
		p := dependency.Package{
			Ecosystem: dependency.Maven, Name: c.Attr("group") + ":" + c.Attr("name"), Version: c.Attr("version"),
			Line: c.Line, Column: c.Column, EndColumn: c.EndColumn,
		}
		if c.Attr("group") == "" || c.Attr("name") == "" || p.Version == "" || !collect.Sound(p.Name) || !collect.Sound(p.Version) {
			gaps.Add(c.Line, "a component without group, name or version, or one that is too long")
			continue
		}
		archive := c.Attr("name") + "-" + p.Version + "."
		for _, a := range c.All("artifact") {
			end, ok := strings.CutPrefix(a.Attr("name"), archive)
			if !ok || end != "jar" && end != "aar" && end != "war" {
				continue
			}
			for _, h := range a.Children {
				if digest, ok := collect.Digest(h.Name, h.Attr("value")); ok && len(p.Hashes) < 8 {
					p.Hashes = append(p.Hashes, digest)
				}
			}
		}
		g.Add(p)
	}
}

package yarn

import (
	"fmt"
	"strconv"
	"strings"

	"bulwark/internal/scanner/sca/extract/yamltext"
)

// newest is the latest version of berry's lockfile that is known.
const newest = 10

// berry reads the YAML of Yarn 2 and later and returns the format's name.
func (r *reader) berry(content []byte) (format string, err error) {
	docs, err := yamltext.Parse(content)
	if err != nil {
		return "", err
	}
	if len(docs) != 1 {
		return "", fmt.Errorf("it holds %d YAML documents where one is expected", len(docs))
	}
	version := ""
	for n := range docs[0].Children() {
		if n.Key() == "__metadata" {
			version = n.Get("version").Text()
			continue
		}
		if n.Kind() != yamltext.Map {
			r.gaps.Add(n.Line(), "an entry without a package")
			continue
		}
		e := entry{line: n.Line()}
		e.column, e.end = n.Columns()
		for d := range strings.SplitSeq(n.Key(), ", ") {
			e.descriptors = append(e.descriptors, d)
		}
		optional := map[string]bool(nil)
		for f := range n.Children() {
			switch f.Key() {
			case "version":
				e.version = f.Text()
			case "resolution":
				e.resolution = f.Text()
			case "linkType":
				e.soft = f.Text() == "soft"
			case "dependencies":
				for dep := range f.Children() {
					e.needs = append(e.needs, need{name: dep.Key(), asked: dep.Text()})
				}
			case "optionalDependencies":
				for dep := range f.Children() {
					e.needs = append(e.needs, need{name: dep.Key(), asked: dep.Text(), optional: true})
				}
			case "dependenciesMeta":
				for dep := range f.Children() {
					if dep.Get("optional").Text() == "true" {
						if optional == nil {
							optional = map[string]bool{}
						}
						optional[dep.Key()] = true
					}
				}
			}
			// The checksum is that of Yarn's own cache file and not the archive's.
		}
		for i := range e.needs {
			if optional[e.needs[i].name] {
				e.needs[i].optional = true
			}
		}
		r.add(&e)
	}
	if v, err := strconv.Atoi(version); err != nil || v > newest {
		r.gaps.Add(1, fmt.Sprintf("version %q of the lockfile is not known, only those up to %d: parts of it may be missing here", version, newest))
	}
	return "yarn.lock (berry, version " + version + ")", nil
}

package imports

import "strings"

// java finds import declarations of Java, Kotlin, Scala and Groovy, which stand
// on lines of their own before the first type, and classes that are loaded by
// a computed name. Fully qualified names in code count as well, as far as they
// begin with a lower-case domain.
func java(src []byte, u *Used) {
	comment := false
	for line := range strings.SplitSeq(string(src), "\n") {
		line = strings.TrimSpace(line)
		if comment {
			_, rest, ends := strings.Cut(line, "*/")
			if !ends {
				continue
			}
			comment, line = false, strings.TrimSpace(rest)
		}
		if strings.HasPrefix(line, "//") {
			continue
		}
		if before, after, ok := strings.Cut(line, "/*"); ok {
			_, rest, ends := strings.Cut(after, "*/")
			comment = !ends
			line = strings.TrimSpace(before + " " + rest)
		}
		if strings.Contains(line, "Class.forName(") || strings.Contains(line, "ServiceLoader.load(") || strings.Contains(line, ".loadClass(") {
			u.Computed = true
		}
		if rest, ok := strings.CutPrefix(line, "import "); ok {
			rest = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest), "static "))
			if i := strings.IndexFunc(rest, func(r rune) bool { return !(r == '.' || r == '_' || r == '$' || r >= 0x80 || word(byte(r))) }); i >= 0 {
				rest = rest[:i]
			}
			u.add(strings.Trim(rest, "."))
			continue
		}
		qualified(line, u)
	}
}

// qualified finds names such as org.apache.commons.io.IOUtils in a line of code.
func qualified(line string, u *Used) {
	for _, domain := range []string{"org.", "com.", "io.", "net.", "javax.", "jakarta."} {
		rest := line
		for {
			i := strings.Index(rest, domain)
			if i < 0 {
				break
			}
			inside := i > 0 && (word(rest[i-1]) || rest[i-1] == '.')
			end := i
			for end < len(rest) && (word(rest[end]) || rest[end] == '.') {
				end++
			}
			if name := strings.Trim(rest[i:end], "."); !inside && strings.Count(name, ".") >= 2 {
				u.add(name)
			}
			rest = rest[end:]
		}
	}
}

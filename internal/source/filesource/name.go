package filesource

import "strings"

// safeName makes the path of an archive's entry relative and free of anything
// that would leave the archive: leading slashes, drive letters, "." and "..",
// backslashes, NUL bytes. It reports whether name was safe as it was. Bulwark
// extracts nothing, so an unsafe name endangers nobody here; but it is how
// archives attack whoever does extract them, and reports must not repeat it as
// if it were a path.
func safeName(name string) (clean string, safe bool) {
	safe = true
	if strings.ContainsAny(name, "\\\x00") {
		safe = false
		name = strings.NewReplacer("\\", "/", "\x00", "\uFFFD").Replace(name)
	}
	if len(name) >= 2 && name[1] == ':' && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z') {
		safe, name = false, name[2:]
	}
	if strings.HasPrefix(name, "/") {
		safe = false
	}
	var kept []string
	for s := range strings.SplitSeq(name, "/") {
		switch s {
		case "", ".":
		case "..":
			safe = false
		default:
			kept = append(kept, s)
		}
	}
	if len(kept) == 0 {
		return "unnamed", false
	}
	return strings.Join(kept, "/"), safe
}

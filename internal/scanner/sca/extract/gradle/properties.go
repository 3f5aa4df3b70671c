package gradle

import (
	"bytes"
	"strings"

	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect"
)

// readProperties reads of a gradle.properties what may be a version or a
// dependency. Such files hold passwords too: what does not have that shape, or
// is named like a secret, is not kept.
func readProperties(content []byte) map[string]string {
	out := map[string]string{}
	for raw := range bytes.Lines(content) {
		text := bytes.TrimSpace(raw)
		if len(text) == 0 || text[0] == '#' || text[0] == '!' || len(text) > 2*extract.MaxName {
			continue
		}
		cut := bytes.IndexAny(text, "=: \t")
		if cut <= 0 {
			continue
		}
		name := string(text[:cut])
		value := string(bytes.TrimSpace(bytes.TrimLeft(text[cut:], "=: \t")))
		if collect.Sound(name) && collect.Sound(value) && !secret(name) && mayServe(value) && len(out) < extract.MaxPackages {
			out[name] = value
		}
	}
	return out
}

func secret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "passwd", "secret", "token", "credential", "apikey", "api_key", "privatekey", "signing"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

package check

import (
	"encoding/base64"
	"strings"

	"bulwark/internal/finding"
)

// pemPrivateKey checks a private key in armor: PKCS#1, PKCS#8, SEC1, DSA,
// OpenSSH, PuTTY and OpenPGP, also as it stands in source code: indented, quoted
// line by line, on one line with \n escapes, commented out or inside a patch.
// An encrypted key is of lower severity: low if a slow key derivation protects
// it, medium if only the MD5 of traditional PEM does.
//
// A body that does not parse although it looks whole is Inapplicable and of
// tentative confidence.
func pemPrivateKey(secret []byte) Result {
	text := unescape(string(secret))
	if at := strings.Index(text, "PuTTY-User-Key-File-"); at >= 0 {
		return puttyKey(text[at:])
	}
	label, rest, ok := armorBegin(text)
	if !ok {
		return unknown()
	}
	body, _, closed := strings.Cut(rest, "-----END ")
	if !strings.Contains(label, "PRIVATE KEY") {
		return invalid("not a private key")
	}
	a := readArmor(body)
	switch {
	case a.template:
		return invalid("a placeholder instead of key material")
	case len(a.base64) < 32:
		return invalid("too short for a private key")
	case a.foreign:
		return unparsed()
	}
	data, ok := decodeArmor(a.base64)
	if !ok {
		return unparsed()
	}
	if monotonous(string(data[:min(len(data), 4096)])) {
		return invalid("repeated or counted characters")
	}
	r := parseKey(label, a, data)
	if r.Outcome == Invalid && !closed && len(secret) >= 3<<10 {
		return unparsed() // cut off by whoever called, not by its author
	}
	return r
}

func unparsed() Result {
	return unknown("does not parse as a private key").sure(finding.Tentative)
}

func parseKey(label string, a armor, data []byte) Result {
	switch label {
	case "PGP PRIVATE KEY BLOCK":
		return pgpKey(data, a.checksum)
	case "OPENSSH PRIVATE KEY":
		return opensshKey(data)
	case "ENCRYPTED PRIVATE KEY":
		return encryptedPKCS8(data)
	}
	if a.encrypted {
		if len(data)%8 != 0 {
			return invalid("truncated")
		}
		r := valid("encrypted with the traditional PEM scheme").with("key.encrypted", "true")
		if kind := map[string]string{"RSA PRIVATE KEY": "rsa", "EC PRIVATE KEY": "ec", "DSA PRIVATE KEY": "dsa"}[label]; kind != "" {
			r = r.with("key.type", kind)
		}
		return r.at(finding.Medium)
	}
	der, result := outerSequence(data)
	if der == nil {
		return result
	}
	switch label {
	case "RSA PRIVATE KEY":
		return rsaKey(der)
	case "EC PRIVATE KEY":
		return ecKey(der, nil)
	case "DSA PRIVATE KEY":
		return dsaKey(der)
	case "PRIVATE KEY":
		return pkcs8Key(der)
	}
	// Labels in the wild are sometimes wrong: the contents decide.
	for _, parse := range []func([]byte) Result{pkcs8Key, rsaKey, dsaKey} {
		if r := parse(der); r.Outcome == Valid {
			return r
		}
	}
	return unparsed()
}

// armorBegin finds the first BEGIN line. It returns its label and what follows.
func armorBegin(text string) (label, rest string, ok bool) {
	const begin = "-----BEGIN "
	at := strings.Index(text, begin)
	if at < 0 {
		return "", "", false
	}
	rest = text[at+len(begin):]
	end := strings.Index(rest, "-----")
	if end < 0 || end > 40 {
		return "", "", false
	}
	return rest[:end], rest[end+5:], true
}

// unescape turns the escapes \n, \r and \t of string literals, also escaped
// twice, and the character references of a line end into white space.
func unescape(s string) string {
	if !strings.ContainsAny(s, `\&`) {
		return s
	}
	return strings.NewReplacer(
		`\\n`, "\n", `\\r`, "", `\\t`, " ", `\n`, "\n", `\r`, "", `\t`, " ", `\/`, "/", `\u002b`, "+", `\u002f`, "/", `\u003d`, "=",
		"&#10;", "\n", "&#xA;", "\n", "&#xa;", "\n", "&#13;", "", "&#xD;", "", "&#xd;", "",
	).Replace(s)
}

// armor is the body between BEGIN and END.
type armor struct {
	base64    string // without white space
	checksum  string // of OpenPGP: four characters after "="
	encrypted bool   // Proc-Type: 4,ENCRYPTED
	template  bool   // holds dots, angle brackets or words where a key belongs
	foreign   bool   // holds something that is not understood
}

func readArmor(body string) armor {
	var a armor
	lines := strings.Split(body, "\n")
	patched := patchMarks(lines)
	var b strings.Builder
	for _, line := range lines {
		if patched && line != "" {
			line = line[1:]
		}
		line = bareLine(line)
		if line == "" {
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok && b.Len() == 0 {
			if strings.EqualFold(name, "Proc-Type") && strings.Contains(value, "ENCRYPTED") {
				a.encrypted = true
			}
			// A one-line key has its body behind the headers.
			if i := strings.LastIndexByte(line, ' '); len(line)-i > 64 {
				line = line[i+1:]
			} else {
				continue
			}
		}
		line = strings.Join(strings.Fields(line), "")
		if len(line) == 5 && line[0] == '=' {
			a.checksum = line[1:]
			continue
		}
		if i := strings.LastIndexByte(line, '='); i >= 0 && len(line)-i == 5 && len(line) > 64 { // OpenPGP on one line
			line, a.checksum = line[:i], line[i+1:]
		}
		if !all(strings.TrimRight(line, "="), base62+"+/") {
			if strings.ContainsAny(line, ".…*<>[]{}$%_#") || strings.Contains(strings.ToLower(line), "your") {
				a.template = true
			}
			a.foreign = true
			continue
		}
		b.WriteString(line)
	}
	a.base64 = b.String()
	return a
}

// patchMarks reports whether every line carries the mark of an added or removed
// line of a patch.
func patchMarks(lines []string) bool {
	n := 0
	for _, l := range lines[min(1, len(lines)):] {
		if strings.TrimSpace(l) == "" {
			continue
		}
		if l[0] != '+' && l[0] != '-' {
			return false
		}
		n++
	}
	return n >= 3
}

// bareLine removes what source code puts around a line of a key: indentation,
// comment marks, quotes, concatenation, continuation.
func bareLine(line string) string {
	line = strings.TrimSpace(line)
	if first := strings.IndexAny(line, quotes); first >= 0 {
		last := strings.LastIndexAny(line, quotes)
		switch inside, before, after := line[first:last], line[:first], line[last+1:]; {
		case last > first:
			line = inside[1:]
		case len(before) > len(after):
			line = before
		default:
			line = after
		}
	}
	line = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(line), `\`))
	if strings.Trim(line, "+.,;()#/*>|- ") == "" {
		return ""
	}
	for _, mark := range []string{"// ", "# ", "* ", "> ", "| ", "; ", "-- "} {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			return strings.TrimSpace(rest)
		}
	}
	return line
}

const quotes = "\"'`"

// decodeArmor decodes strictly padded base64, or unpadded.
func decodeArmor(s string) ([]byte, bool) {
	body := strings.TrimRight(s, "=")
	if strings.Contains(body, "=") {
		return nil, false
	}
	b, err := base64.RawStdEncoding.DecodeString(body)
	return b, err == nil
}

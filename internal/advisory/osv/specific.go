package osv

import (
	"encoding/json"
	"strings"
)

// The free-form objects differ between databases, and the same key may hold
// another type elsewhere. What does not have the expected shape is left out:
// nothing here decides whether a version is affected.

// limits on what is taken from free-form objects.
const (
	maxCWEs    = 256
	maxImports = 4096
	maxSymbols = 65536
	maxLabel   = 32
)

func (r *Record) readSpecific() {
	object := fields(r.Specific)
	for _, key := range [...]string{"cwe_ids", "cwes"} {
		for _, cwe := range stringsOf(object[key], maxCWEs) {
			cwe = strings.ToUpper(strings.TrimSpace(cwe))
			if number, found := strings.CutPrefix(cwe, "CWE-"); found && digits(number) {
				r.CWEs = append(r.CWEs, cwe)
			}
		}
	}
	r.Label = labelOf(object["severity"])
	r.License = stringOf(object["license"])
	if len(r.License) > MaxID || textFault(r.License, MaxID) != "" {
		r.License = ""
	}
	_, r.Malicious = object["malicious-packages-origins"]
	for i := range r.Affected {
		a := &r.Affected[i]
		if _, found := fields(a.Specific)["malicious-packages-origins"]; found {
			r.Malicious = true
		}
		ecosystem := fields(a.Ecosystem)
		if a.Label = labelOf(ecosystem["severity"]); a.Label == "" {
			a.Label = labelOf(fields(a.Specific)["severity"])
		}
		if raw, found := ecosystem["imports"]; found {
			a.Imports = importsOf(raw)
		}
	}
}

// fields are the members of an object, nil if raw is none.
func fields(raw json.RawMessage) map[string]json.RawMessage {
	if len(raw) < len(`{"a":0}`) || raw[0] != '{' {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

func stringOf(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// stringsOf is a list of strings, or of objects with a "cweId" as CVE records
// write them.
func stringsOf(raw json.RawMessage, limit int) []string {
	if len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var out []string
	for _, one := range list[:min(len(list), limit)] {
		s := stringOf(one)
		if s == "" {
			s = stringOf(fields(one)["cweId"])
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// labelOf is a severity in one word; databases that put a score or an object
// there give none.
func labelOf(raw json.RawMessage) string {
	s := strings.ToLower(strings.TrimSpace(stringOf(raw)))
	if s == "" || len(s) > maxLabel {
		return ""
	}
	for _, c := range s {
		if c < 'a' || c > 'z' {
			return ""
		}
	}
	return s
}

func importsOf(raw json.RawMessage) []Import {
	var list []Import
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	list = list[:min(len(list), maxImports)]
	left := maxSymbols
	for i := range list {
		n := min(len(list[i].Symbols), left)
		list[i].Symbols = list[i].Symbols[:n:n]
		left -= n
	}
	return list
}

func digits(s string) bool {
	if s == "" || len(s) > 9 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

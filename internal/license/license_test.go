package license

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"MIT": "MIT", "mit": "MIT", "(MIT OR Apache-2.0)": "MIT OR Apache-2.0", "mit or (isc)": "MIT OR ISC",
		"MIT AND (ISC OR Zlib)": "MIT AND (ISC OR Zlib)", "MIT AND ISC OR Zlib": "MIT AND ISC OR Zlib",
		"GPL-2.0": "GPL-2.0-only", "GPL-2.0+": "GPL-2.0-or-later", "lgpl-2.1+": "LGPL-2.1-or-later", "GPL-3.0-or-later": "GPL-3.0-or-later",
		"GPL-2.0-only+": "GPL-2.0-or-later", "Apache-2.0+": "Apache-2.0+", "MPL-1.1+": "MPL-1.1+",
		"GPL-2.0-with-classpath-exception":              "GPL-2.0-only WITH Classpath-exception-2.0",
		"GPL-2.0-or-later with classpath-EXCEPTION-2.0": "GPL-2.0-or-later WITH Classpath-exception-2.0",
		"LicenseRef-mine":                               "LicenseRef-mine", "DocumentRef-a:LicenseRef-b": "DocumentRef-a:LicenseRef-b", "MIT OR MIT": "MIT",
	} {
		e, err := Parse(text)
		if err != nil || e.String() != want {
			t.Errorf("%q: got %q, %v; want %q", text, e, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "at byte 1: a licence is missing", "MIT OR": "at byte 7", "(MIT": "is missing", "MIT)": "more than one expression",
		"MIT ISC": "more than one", "Nonsense-1.0": "no SPDX licence id", "MIT WITH cheese": "no SPDX exception id",
		"LicenseRef-": "no SPDX", strings.Repeat("(", 100) + "MIT" + strings.Repeat(")", 100): "nested",
		strings.Repeat("MIT OR ", 300) + "MIT": "more than 256 licences", strings.Repeat(" ", 5000): "longer than",
	} {
		if e, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %q, %v; want %q", text, e, err, want)
		}
	}
}

func catalog(t testing.TB) *Catalog {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNormalize(t *testing.T) {
	c := catalog(t)
	for _, tc := range []struct{ ecosystem, stated, want string }{
		{"npm", "MIT", "MIT"}, {"npm", "(MIT OR Apache-2.0)", "MIT OR Apache-2.0"}, {"npm", `{"type":"BSD-3-Clause","url":"x"}`, "BSD-3-Clause"},
		{"npm", "UNLICENSED", "LicenseRef-proprietary"}, {"npm", "SEE LICENSE IN LICENSE.md", "unknown"}, {"npm", "{", "unknown"},
		{"npm", "", "unknown"}, {"crates.io", "MIT/Apache-2.0", "MIT OR Apache-2.0"},
		{"Packagist", "MIT;;GPL-2.0-or-later", "MIT OR GPL-2.0-or-later"}, {"Maven", "MIT;;EPL-2.0", "MIT AND EPL-2.0"},
		{"Maven", "The Apache Software License, Version 2.0", "Apache-2.0"}, {"Maven", "Apache License 2.0", "Apache-2.0"},
		{"Maven", "Eclipse Public License - v 1.0", "EPL-1.0"}, {"Maven", "GNU Lesser General Public License, Version 2.1", "LGPL-2.1-only"},
		{"Maven", "CDDL + GPLv2 with classpath exception", "CDDL-1.1 OR GPL-2.0-only WITH Classpath-exception-2.0"},
		{"PyPI", "License :: OSI Approved :: MIT License", "MIT"}, {"PyPI", "License :: OSI Approved", "unknown"},
		{"PyPI", "License :: OSI Approved :: GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"},
		{"PyPI", "License :: OSI Approved :: BSD License", "LicenseRef-bsd"}, {"PyPI", "BSD 3-Clause License", "BSD-3-Clause"},
		{"PyPI", "MIT License, Apache License 2.0", "MIT AND Apache-2.0"}, {"PyPI", "my own", "unknown"},
		{"PyPI", strings.Repeat("text ", 1000), "unknown"}, {"RubyGems", "GPL-2.0+", "GPL-2.0-or-later"},
	} {
		got := c.Normalize(tc.ecosystem, strings.Split(tc.stated, ";;"))
		if got.String() != tc.want || (got.Unknown != "") != (tc.want == "unknown") {
			t.Errorf("%s %.60q: got %s (%s), want %s", tc.ecosystem, tc.stated, got, got.Unknown, tc.want)
		}
	}
}

func TestCheck(t *testing.T) {
	c := catalog(t)
	open := Policy{Deny: []string{"copyleft-strong", "copyleft-network"}}
	closed := Policy{Allow: []string{"permissive", "MPL-2.0"}, Unknown: "deny"}
	for _, tc := range []struct {
		name, stated string
		policy       Policy
		want         Outcome
		reason       string
	}{
		{"allowed by default", "MIT", open, Allowed, "Nothing stands against MIT."},
		{"group denied", "GPL-3.0-only", open, Denied, "GPL-3.0-only belongs to the group copyleft-strong, which the policy denies."},
		{"or later is in the group", "GPL-2.0-or-later", open, Denied, "GPL-2.0-or-later belongs to"},
		{"choice", "MIT OR GPL-3.0-only", open, Allowed, "MIT"},
		{"no choice", "GPL-2.0-only OR AGPL-3.0-only", open, Denied, "and so is every alternative."},
		{"both apply", "MIT AND AGPL-3.0-only", open, Denied, "AGPL-3.0-only belongs"},
		{"linking exception", "GPL-2.0-only WITH Classpath-exception-2.0", open, Allowed, ""},
		{"other exception", "GPL-2.0-only WITH Bootloader-exception", open, Denied, ""},
		{"id before group", "GPL-2.0-only", Policy{Allow: []string{"GPL-2.0-only"}, Deny: []string{"copyleft-strong"}}, Allowed, "The policy allows GPL-2.0-only."},
		{"denial before permission", "MIT", Policy{Allow: []string{"MIT"}, Deny: []string{"MIT"}}, Denied, "The policy denies MIT."},
		{"closed list", "LGPL-2.1-only", closed, Denied, "LGPL-2.1-only is not among the licences that the policy allows."},
		{"closed list, listed", "MPL-2.0", closed, Allowed, ""}, {"closed list, later version", "MPL-1.1+", closed, Allowed, "The policy allows MPL-2.0."},
		{"unknown", "my own", closed, Denied, `The licence is not known: "my own"`}, {"unknown, default", "my own", open, Warned, ""},
		{"reference", "LicenseRef-mine", open, Warned, "not on the SPDX list"},
		{"reference, listed", "LicenseRef-mine", Policy{Allow: []string{"LicenseRef-mine"}}, Allowed, ""},
		{"or later by version", "GPL-2.0-or-later", Policy{Allow: []string{"GPL-3.0-only"}}, Allowed, ""},
		{"excepted", "GPL-3.0-only", Policy{Deny: []string{"GPL-3.0-only"}, Except: []string{"left-pad"}}, Allowed, "excepts left-pad"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, err := c.Compile(tc.policy)
			if err != nil {
				t.Fatal(err)
			}
			got := k.Check("left-pad", c.Normalize("npm", []string{tc.stated}))
			if got.Outcome != tc.want || !strings.Contains(got.Reason, tc.reason) {
				t.Errorf("got %+v, want %s %q", got, tc.want, tc.reason)
			}
		})
	}
	for _, p := range []Policy{{Allow: []string{"copyleft"}}, {Deny: []string{"MIT OR ISC"}}, {Unknown: "maybe"}} {
		if _, err := c.Compile(p); err == nil {
			t.Errorf("%+v is no error", p)
		}
	}
}

// An expression that is accepted reads the same when written out.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"MIT", "(MIT OR Apache-2.0) AND ISC", "GPL-2.0+ WITH Classpath-exception-2.0", `{"type":"MIT"}`, "License :: X :: BSD", "MIT/ISC,Zlib", "The Apache License v2.0"} {
		f.Add(s)
	}
	c := catalog(f)
	k, err := c.Compile(Policy{Allow: []string{"permissive"}, Deny: []string{"copyleft-strong"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := c.Normalize("npm", []string{text})
		if k.Check("p", l).Reason == "" {
			t.Fatal("no reason")
		}
		if l.Unknown != "" {
			return
		}
		again, err := Parse(l.String())
		if err != nil || again.String() != l.String() {
			t.Fatalf("%q: %q reads as %q, %v", text, l, again, err)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNormalizeAndCheck(b *testing.B) {
	c := catalog(b)
	k, err := c.Compile(Policy{Deny: []string{"copyleft-strong"}})
	if err != nil {
		b.Fatal(err)
	}
	stated := []string{"(MIT OR Apache-2.0) AND BSD-3-Clause"}
	b.ReportAllocs()
	for b.Loop() {
		k.Check("p", c.Normalize("npm", stated))
	}
}

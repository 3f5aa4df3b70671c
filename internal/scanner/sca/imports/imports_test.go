package imports

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		want             []string
		computed         bool
	}{
		{"imports", "a.js", "import React from 'react'\nimport {x} from \"@scope/pkg/deep\";import 'side-effect'\nexport * from 'again'", []string{"@scope/pkg", "again", "react", "side-effect"}, false},
		{"require", "a.cjs", "const a = require('lodash/get'), b = require.resolve(\"b\")", []string{"b", "lodash"}, false},
		{"dynamic", "a.ts", "const m = await import('late'); import(`./${x}`); require(name)", []string{"late"}, true},
		{"not imports", "a.js", "// import x from 'comment'\n/* require('block') */ s = \"require('string')\"; t = `import 'template'`; r = /require('regexp')/; x.from('value')", nil, false},
		{"after a regular expression", "a.js", "x = a.replace(/['\"]/g, ''); const y = require('real')", []string{"real"}, false},
		{"inside a template", "a.js", "s = `${require('inner')}` ; require('outer')", []string{"inner", "outer"}, false},
		{"paths and builtins", "a.js", "import './a'; import '/b'; import 'node:fs'; import '#internal'; require('fs')", []string{"fs"}, false},
		{"division", "a.js", "a = b / c; d = require('x') / 2 / 3", []string{"x"}, false},
		{"long comment", "a.js", "/*" + strings.Repeat(" *", 5000) + "*/require('behind')", []string{"behind"}, false},
		{"python", "a.py", "import os, yaml.parser as p\nfrom PIL import Image\nfrom . import mine\nif x: import lxml\n", []string{"PIL", "lxml", "os", "yaml"}, false},
		{"python strings", "a.py", "'''\nimport fake\n'''\nx = \"import fake2\" # import fake3\nyield_from = 1\nm = importlib.import_module('named')\nn = __import__(x)", []string{"named"}, true},
		{"python continued", "a.py", "import a, \\\n    b\n", []string{"a", "b"}, false},
		{"java", "A.java", "package x;\nimport org.apache.logging.log4j.Logger;\nimport static com.google.common.base.Preconditions.*;\n/* import not.this.one; */\n// import nor.this;\nclass A { org.apache.commons.io.IOUtils u; }",
			[]string{"com.google.common.base.Preconditions", "org.apache.commons.io.IOUtils", "org.apache.logging.log4j.Logger"}, false},
		{"java by name", "A.java", "Object d = Class.forName(driver);", nil, true},
		{"other", "a.txt", "import x from 'y'", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Read(tt.file, []byte(tt.text))
			if d := cmp.Diff(tt.want, got.Names); d != "" || got.Computed != tt.computed {
				t.Errorf("computed %v, names (-want +got):\n%s", got.Computed, d)
			}
		})
	}
}

func TestWants(t *testing.T) {
	for name, want := range map[string]bool{
		"src/app.js": true, "src/app.test.js": false, "test/app.js": false, "lib/types.d.ts": false, "pkg/mod.py": true,
		"pkg/test_mod.py": false, "src/main/java/A.java": true, "src/test/java/A.java": false, "README.md": false, "node_modules/x/i.js": false,
	} {
		if got := Wants(name); got != want {
			t.Errorf("Wants(%q) = %v", name, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a.js", "import x from 'y'; `${`${require('z')}`}` /[/]/")
	f.Add("a.py", "import a, b as c\nfrom d import (e)\n'''")
	f.Add("A.java", "import static a.b.C.*; /*")
	f.Fuzz(func(t *testing.T, name, text string) {
		for _, n := range Read(name, []byte(text)).Names {
			if n == "" || len(n) > 256 {
				t.Errorf("the name %q", n)
			}
		}
	})
}

func BenchmarkJavaScript(b *testing.B) {
	text := []byte(strings.Repeat("import {a} from 'pkg';\nconst s = \"text\"; function f(x) { return x / 2; } // comment\n", 2000))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Read("a.js", text)
	}
}

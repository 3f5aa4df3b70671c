package python_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
	"bulwark/internal/scanner/sca/extract/python"
)

var samples = map[string]struct{ path, content string }{
	"requirements":          {"requirements.txt", requirementsPlain},
	"requirements compiled": {"requirements.txt", requirementsCompiled},
	"uv":                    {"uv.lock", uvLock},
	"poetry 1.1":            {"poetry.lock", poetryOld},
	"poetry 2.0":            {"poetry.lock", poetryNew},
	"pdm":                   {"pdm.lock", pdmLock},
	"Pipfile.lock":          {"Pipfile.lock", pipfileLock},
	"Pipfile":               {"Pipfile", pipfile},
	"pylock":                {"pylock.toml", pylock},
	"pyproject":             {"pyproject.toml", pep621},
	"setup.cfg":             {"setup.cfg", setupCfg},
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  string
	}{
		{"requirements", []string{"requirements.txt", requirementsPlain}, `requirements.txt: requirements.txt
5 flask-login@0.6.3 d p ~==0.6.3
6 acme d p ~>=2.19
7 wild d p ~==1.2.*
8 same@2024a d p ~===2024a
9 both@1.5 d p ~==1.5,>=1
10 two d p ~>=1,<2 #sha-256:aaaa
12 direct@3.1 d p @https://files.example/direct-3.1-py3-none-any.whl #sha-256:bbbb
13 tool d p @git+https://git.example/o/tool.git@v1
14 own d p @./libs/own local
16 held@1.0 d p @./wheels/held-1.0.tar.gz
gap 17 "?? what" is no requirement
gap 18 "--strange" is no option of a requirements file
gap 2 "base.txt", which is included here, was not looked at: it is absent, or its name is not that of a requirements file (requirements*.txt)
gap 3 "constraints.txt", which is included here, was not looked at: it is absent, or its name is not that of a requirements file (requirements*.txt)
gap 6 no exact version is stated of acme, wild, two, tool, and ranges cannot be checked: commit a lockfile or requirements pinned with ==
`},
		{"compiled", []string{"requirements.txt", requirementsCompiled, "pyproject.toml", pep621}, `requirements.txt: requirements.txt
4 asgiref@3.8.1 d p ~==3.8.1 #sha-256:aaaa #sha-256:bbbb
10 django@5.0.1 d p >asgiref@3.8.1,sqlparse@0.5.0 ~==5.0.1
12 sqlparse@0.5.0 t p <django@5.0.1 >deep@1 ~==0.5.0
13 deep@1 t p <django@5.0.1,sqlparse@0.5.0 ~==1
16 own@2 d p ~==2
`},
		{"uv", []string{"uv.lock", uvLock}, `uv.lock: uv.lock
8 site@0.1.0 - - >lib@0.2.0,pdfs@4,tester@5,web@2.1 @. local
29 lib@0.2.0 d p @lib local
34 web@2.1 d p >cacher@3,low@1.0 ~>=2,<3 #sha-256:aaaa #sha-256:bbbb
47 low@1.0 t p <web@2.1 @https://index.example/simple
52 low@2.0 t d <tester@5 @https://git.example/low#abc
57 cacher@3 t p <web@2.1
62 pdfs@4 d o
67 tester@5 d d >low@2.0
gap 70 tester needs "gone", which is not in this lockfile: lock anew and commit the lockfile
`},
		{"poetry 1.1", []string{"poetry.lock", poetryOld}, `poetry.lock: poetry.lock
2 web-kit@2.1 - p >low@1.0,mid@1.1 #sha-256:aaaa
15 low@1.0 - o
21 mid@1.1 - p #sha-256:bbbb
27 tester@5 - d >mid@1.1
`},
		{"poetry 2.0", []string{"poetry.lock", poetryNew, "pyproject.toml", poetryManifest, "part/pyproject.toml", pep621}, `poetry.lock: poetry.lock
2 web@2.1 d p >low@1.0 ~^2 #sha-256:aaaa
11 low@1.0 t p <web@2.1 @https://git.example/low.git#abc
23 tester@5 d d ~5
29 part@0.1 d p @part local
gap 0 line 10 of pyproject.toml asks for "missing", which is not in this lockfile: lock anew and commit the lockfile
`},
		{"poetry without lockfile", []string{"pyproject.toml", poetryManifest}, `pyproject.toml: pyproject.toml
8 web d p ~^2
9 part d p @part local
10 missing@1.0 d p ~1.0
13 tester@5 d d ~5
gap 8 no exact version is stated of web, and ranges cannot be checked: commit a lockfile
`},
		{"PEP 621", []string{"pyproject.toml", pep621}, `pyproject.toml: pyproject.toml
2 setuptools@68.0 d d ~==68.0
8 requests d p ~>=2.19
9 pinned@1.2.3 d p ~==1.2.3
10 wild d p ~==1.*
11 far d p @git+https://git.example/far.git@v1
15 pdfs d o ~~=4.0
18 tester d d
19 ruff@0.5 d d ~===0.5
20 gunicorn d o
gap 8 no exact version is stated of requests, wild, far, pdfs, tester and 1 more, and ranges cannot be checked: commit a lockfile
`},
		{"pdm", []string{"pdm.lock", pdmLock}, `pdm.lock: pdm.lock
6 web@2.1 - p >low@1.0,speed@7 #sha-256:aaaa
20 low@1.0 - p
25 speed@7 - p @https://git.example/speed.git#abc
32 tester@5 - d
`},
		{"Pipfile.lock", []string{"Pipfile.lock", pipfileLock}, `Pipfile.lock: Pipfile.lock
4 web@2.1 - p @https://index.example/simple #sha-256:aaaa
5 low@1.0 - p
6 code - p @https://git.example/code.git#abc
10 tester@5 - d
`},
		{"Pipfile and lockfile", []string{"a/Pipfile.lock", pipfileLock, "a/Pipfile", pipfile}, `a/Pipfile.lock: Pipfile.lock
4 web@2.1 d p ~* @https://index.example/simple #sha-256:aaaa
5 low@1.0 t p
6 code d p @https://git.example/code.git#abc
10 tester@5 d d ~==5
`},
		{"Pipfile", []string{"Pipfile", pipfile}, `Pipfile: Pipfile
6 web d p ~*
7 code d p @https://git.example/code.git#abc
10 tester@5 d d ~==5
gap 6 no exact version is stated of web, code, and ranges cannot be checked: commit a lockfile
`},
		{"pylock", []string{"pylock.toml", pylock}, `pylock.toml: pylock.toml
5 web@2.1 - - >low@1.0 #sha-256:aaaa
12 low@1.0 - - #sha-256:bbbb
17 tester@5 - d
22 pdfs@4 - o
27 code - - @https://git.example/code.git#abc
`},
		{"setup.cfg", []string{"setup.cfg", setupCfg}, `setup.cfg: setup.cfg
8 requests d p ~>=2.19
9 pinned@1.2.3 d p ~==1.2.3
10 tester d d
15 pdfs d o
gap 8 no exact version is stated of requests, tester, pdfs, and ranges cannot be checked: commit a lockfile
`},
		{"includes", []string{
			"requirements.txt", "-r requirements/base.txt\n-c constraints.txt\ndjango\nlonely\n",
			"constraints.txt", "django==4.2\nunused==1\n",
			"requirements/base.txt", "-r test.txt\nflask==3\n",
			"requirements/test.txt", "-r base.txt\npytest==8\n",
			"requirements/dev.txt", "-r ../../etc/passwd\n-r /etc/passwd\n-r https://u:p@x.example/r.txt\n-r missing.txt\n-r dev.txt\nblack==24\n",
		}, `constraints.txt: constraints.txt
1 django@4.2 d p ~==4.2
2 unused@1 - - ~==1
requirements.txt: requirements.txt
4 lonely d p
gap 4 no exact version is stated of lonely, and ranges cannot be checked: commit a lockfile or requirements pinned with ==
requirements/base.txt: requirements.txt
2 flask@3 d p ~==3
requirements/dev.txt: requirements.txt
6 black@24 d d ~==24
gap 1 "../../etc/passwd", which is included here, lies outside of the project and was not looked at: refer to a file of the project
gap 2 "/etc/passwd", which is included here, lies outside of the project and was not looked at: refer to a file of the project
gap 3 "https://x.example/r.txt", which is included here, is fetched from elsewhere and was not looked at: commit a copy
gap 4 "missing.txt", which is included here, was not looked at: it is absent, or its name is not that of a requirements file (requirements*.txt)
gap 5 "dev.txt", which is included here, includes this file in turn: take one of the two out
requirements/test.txt: requirements.txt
2 pytest@8 d p ~==8
gap 1 "base.txt", which is included here, includes this file in turn: take one of the two out
`},
	} {
		if diff := cmp.Diff(c.want, collecttest.Resolve(t, python.New(), c.files...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{
		"requirements.txt": true, "a/requirements-dev.txt": true, "dev_requirements.txt": true, "requirements/base.txt": true, "constraints.txt": true,
		"pylock.dev.toml": true, "a/Pipfile": true, "requirements/base.in": false, "notes.txt": false, "setup.py": false,
		".venv/lib/site-packages/x/pyproject.toml": false, "x.egg-info/requirements.txt": false, "node_modules/a/setup.cfg": false,
	} {
		if got := python.New().Wants(path); got != want {
			t.Errorf("Wants(%q) = %v", path, got)
		}
	}
}

func TestNotItsOwn(t *testing.T) {
	for path, content := range map[string]string{
		"pyproject.toml":          "[tool.black]\nline-length = 100\n",
		"setup.cfg":               "[flake8]\nmax-line-length = 100\n",
		"system-requirements.txt": "You need a machine with some memory.\n",
	} {
		m, err := python.New().Extract(context.Background(), extract.File{Path: path, Content: []byte(content)})
		if m != nil || err != nil {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ path, content, want string }{
		{"uv.lock", "version = 1\n<<<<<<< ours\n", "reading uv.lock: line 2"},
		{"uv.lock", "", "lock anew"},
		{"poetry.lock", "", "lock anew"},
		{"pdm.lock", "x = 1", "lock anew"},
		{"pylock.toml", "x = 1", "lock anew"},
		{"Pipfile.lock", "[]", "an object is expected"},
		{"Pipfile.lock", "{}", "lock anew"},
		{"pyproject.toml", "[project\n", "line 1"},
	} {
		_, err := python.New().Extract(context.Background(), extract.File{Path: c.path, Content: []byte(c.content)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := python.New().Extract(ctx, extract.File{Path: "uv.lock"}); err == nil {
		t.Error("a cancelled call succeeded")
	}
}

func TestHostile(t *testing.T) {
	for name, s := range samples {
		t.Run(name, func(t *testing.T) { collecttest.Hostile(t, python.New(), s.path, s.content) })
	}
}

func fuzz(f *testing.F, path string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) { collecttest.Check(t, python.New(), path, content) })
}

func FuzzRequirements(f *testing.F) {
	fuzz(f, "requirements.txt", requirementsPlain, requirementsCompiled)
}
func FuzzUV(f *testing.F)          { fuzz(f, "uv.lock", uvLock) }
func FuzzPoetry(f *testing.F)      { fuzz(f, "poetry.lock", poetryOld, poetryNew) }
func FuzzPDM(f *testing.F)         { fuzz(f, "pdm.lock", pdmLock) }
func FuzzPipfileLock(f *testing.F) { fuzz(f, "Pipfile.lock", pipfileLock) }
func FuzzPipfile(f *testing.F)     { fuzz(f, "Pipfile", pipfile) }
func FuzzPylock(f *testing.F)      { fuzz(f, "pylock.toml", pylock) }
func FuzzPyproject(f *testing.F)   { fuzz(f, "pyproject.toml", pep621, poetryManifest) }
func FuzzSetupCfg(f *testing.F)    { fuzz(f, "setup.cfg", setupCfg) }

func bench(b *testing.B, path, content string) {
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	e := python.New()
	for b.Loop() {
		if _, err := e.Extract(context.Background(), extract.File{Path: path, Content: []byte(content)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUV reads a lockfile of 1,000 packages with five digests each.
func BenchmarkUV(b *testing.B) {
	var s strings.Builder
	s.WriteString("version = 1\n")
	for i := range 1000 {
		fmt.Fprintf(&s, "\n[[package]]\nname = \"package-%d\"\nversion = \"1.%d\"\nsource = { registry = \"https://pypi.org/simple\" }\ndependencies = [{ name = \"package-%d\" }]\nwheels = [\n", i, i, (i*7+1)%1000)
		for w := range 5 {
			fmt.Fprintf(&s, "    { url = \"https://files.pythonhosted.org/p-%d-%d.whl\", hash = \"sha256:%064x\", size = %d },\n", i, w, i*w, w)
		}
		s.WriteString("]\n")
	}
	bench(b, "uv.lock", s.String())
}

func BenchmarkRequirements(b *testing.B) {
	var s strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&s, "package-%d==1.%d \\\n    --hash=sha256:%s \\\n    --hash=sha256:%s\n    # via package-%d\n", i, i, digest1, digest2, (i+1)%1000)
	}
	bench(b, "requirements.txt", s.String())
}

package fix

import (
	"errors"
	"strings"
	"testing"

	"bulwark/internal/dependency"
	"bulwark/internal/finding"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/gomod"
	"bulwark/internal/scanner/sca/extract/maven"
	"bulwark/internal/scanner/sca/extract/npm"
)

const packageJSON = `{
  "name": "shop",
  "dependencies": {
    "async": "^2.6.3",
    "lodash": "^4.17.15",
    "exact": "1.0.0",
    "range": ">=1 <3"
  },
  "devDependencies": {"lodash.get": "4.17.15"}
}
`

const goMod = `module example.com/shop

go 1.26.0

require (
	github.com/gin-gonic/gin v1.7.0 // indirect
	golang.org/x/text v0.3.0
	github.com/dgrijalva/jwt-go v3.2.0+incompatible
)
`

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>g</groupId><artifactId>a</artifactId><version>2.3</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-core</artifactId>
      <version>2.3</version>
    </dependency>
  </dependencies>
</project>
`

func TestEdit(t *testing.T) {
	for _, tt := range []struct {
		name, file, content string
		x                   extract.Extractor
		r                   Raise
		was, is             string
		err                 error
	}{
		{"npm range", "package.json", packageJSON, npm.New(), Raise{Ecosystem: dependency.NPM, Name: "lodash", To: "4.17.21"}, `"lodash": "^4.17.15"`, `"lodash": "^4.17.21"`, nil},
		{"npm exact", "package.json", packageJSON, npm.New(), Raise{Ecosystem: dependency.NPM, Name: "exact", To: "1.2.0"}, `"exact": "1.0.0"`, `"exact": "1.2.0"`, nil},
		{"npm two bounds", "package.json", packageJSON, npm.New(), Raise{Ecosystem: dependency.NPM, Name: "range", To: "2.2.0"}, "", "", ErrNotExact},
		{"npm absent", "package.json", packageJSON, npm.New(), Raise{Ecosystem: dependency.NPM, Name: "left-pad", To: "2.2.0"}, "", "", ErrNotThere},
		{"npm older", "package.json", packageJSON, npm.New(), Raise{Ecosystem: dependency.NPM, Name: "exact", To: "0.9.0"}, "", "", ErrUnchanged},
		{"go", "go.mod", goMod, gomod.New(), Raise{Ecosystem: dependency.Go, Name: "golang.org/x/text", To: "0.3.8"}, "golang.org/x/text v0.3.0", "golang.org/x/text v0.3.8", nil},
		{"go indirect", "go.mod", goMod, gomod.New(), Raise{Ecosystem: dependency.Go, Name: "github.com/gin-gonic/gin", To: "1.9.1"}, "gin v1.7.0 //", "gin v1.9.1 //", nil},
		{"go incompatible", "go.mod", goMod, gomod.New(), Raise{Ecosystem: dependency.Go, Name: "github.com/dgrijalva/jwt-go", To: "4.0.0"}, "v3.2.0+incompatible", "v4.0.0+incompatible", nil},
		{"maven", "pom.xml", pom, maven.New(), Raise{Ecosystem: dependency.Maven, Name: "org.apache.logging.log4j:log4j-core", To: "2.17.1"},
			"core</artifactId>\n      <version>2.3", "core</artifactId>\n      <version>2.17.1", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Edit(t.Context(), tt.x, tt.file, []byte(tt.content), tt.r)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if want := strings.Replace(tt.content, tt.was, tt.is, 1); string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestWanted(t *testing.T) {
	vuln := func(name, clear, fixed string, more map[string]string) finding.Finding {
		p := map[string]string{finding.PropVuln: "CVE-1", finding.PropEcosystem: "npm", finding.PropPackage: name, finding.PropVersion: "1.0.0",
			finding.PropClear: clear, finding.PropFixed: fixed}
		for k, v := range more {
			p[k] = v
		}
		return finding.Finding{RuleID: "vulnerable-dependency", Properties: p, Locations: []finding.Location{{Path: "web/package-lock.json"}}}
	}
	got := Wanted([]finding.Finding{
		vuln("b", "", "1.2.0", nil), vuln("b", "", "1.10.0", nil), vuln("b", "", "", nil),
		vuln("a", "2.0.0", "1.5.0", map[string]string{finding.PropRaise: "top@3"}),
		vuln("evil", "", "", map[string]string{finding.PropMalicious: "true"}),
		{RuleID: "jwt"},
	})
	if len(got) != 2 || got[0].Name != "a" || got[1].Name != "b" {
		t.Fatalf("%+v", got)
	}
	if a := got[0]; a.To != "2.0.0" || a.Clears != 1 || len(a.Through) != 1 || a.Folders[0] != "web" {
		t.Errorf("a: %+v", a)
	}
	if b := got[1]; b.To != "1.10.0" || b.Clears != 2 || b.Left != 1 {
		t.Errorf("b: %+v", b)
	}
}

func FuzzEdit(f *testing.F) {
	f.Add("package.json", packageJSON, "lodash", "4.17.21")
	f.Add("go.mod", goMod, "golang.org/x/text", "0.3.8")
	f.Add("pom.xml", pom, "org.apache.logging.log4j:log4j-core", "2.17.1")
	f.Fuzz(func(t *testing.T, file, content, name, to string) {
		var x extract.Extractor = npm.New()
		e := dependency.NPM
		switch {
		case strings.HasSuffix(file, ".mod"):
			x, e = gomod.New(), dependency.Go
		case strings.HasSuffix(file, ".xml"):
			x, e = maven.New(), dependency.Maven
		}
		got, err := Edit(t.Context(), x, file, []byte(content), Raise{Ecosystem: e, Name: name, To: to})
		if err == nil && string(got) == content {
			t.Error("changed without a change")
		}
	})
}

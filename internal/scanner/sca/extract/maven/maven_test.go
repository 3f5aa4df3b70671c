package maven

import (
	"strings"
	"testing"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

func read(t *testing.T, p, content string) *dependency.Manifest {
	t.Helper()
	m, err := New().Extract(t.Context(), extract.File{Path: p, Content: []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const child = "<project><parent><groupId>g</groupId><artifactId>p</artifactId><version>1</version></parent><artifactId>c</artifactId>\n<dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId></dependency></dependencies></project>"

func TestParentGivesVersion(t *testing.T) {
	p := read(t, "pom.xml", "<project><groupId>g</groupId><artifactId>p</artifactId><version>1</version><properties><v>2.5</v></properties><dependencyManagement><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>${v}</version><scope>test</scope></dependency></dependencies></dependencyManagement></project>")
	got := Extractor{}.Resolve(t.Context(), []*dependency.Manifest{read(t, "c/pom.xml", child), p})[0]
	if len(got.Packages) != 1 || got.Packages[0].ID() != "x:y@2.5" || got.Packages[0].Scope != dependency.Development || got.Packages[0].Line != 2 || len(got.Gaps) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestParentElsewhereIsGap(t *testing.T) {
	got := Extractor{}.Resolve(t.Context(), []*dependency.Manifest{read(t, "pom.xml", child)})[0]
	if len(got.Gaps) != 1 || !strings.Contains(got.Gaps[0].Message, "parent g:p:1") {
		t.Errorf("gaps: %v", got.Gaps)
	}
}

func TestHostile(t *testing.T) {
	loop := "<project><parent><groupId>g</groupId><artifactId>b</artifactId><version>1</version><relativePath>../b</relativePath></parent><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>"
	back := strings.NewReplacer("<artifactId>a", "<artifactId>b", "<artifactId>b", "<artifactId>a", "../b", "../a").Replace(loop)
	for _, m := range (Extractor{}).Resolve(t.Context(), []*dependency.Manifest{read(t, "a/pom.xml", loop), read(t, "b/pom.xml", back)}) {
		if len(m.Gaps) == 0 {
			t.Errorf("%s: a cycle of parents without a gap", m.Path)
		}
	}
	for name, content := range map[string]string{
		"entity": `<!DOCTYPE p [<!ENTITY a "x">]><project><artifactId>&a;</artifactId></project>`,
		"short":  "<project><dependencies>",
		"deep":   strings.Repeat("<project>", 100),
	} {
		if _, err := New().Extract(t.Context(), extract.File{Path: "pom.xml", Content: []byte(content)}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

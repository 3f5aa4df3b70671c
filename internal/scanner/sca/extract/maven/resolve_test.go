package maven

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

func dep(name, version, more string) string {
	group, artifact, _ := strings.Cut(name, ":")
	s := "<dependency><groupId>" + group + "</groupId><artifactId>" + artifact + "</artifactId>"
	if version != "" {
		s += "<version>" + version + "</version>"
	}
	return s + more + "</dependency>\n"
}

func deps(list ...string) string {
	return "<dependencies>\n" + strings.Join(list, "") + "</dependencies>\n"
}

func managed(list ...string) string {
	return "<dependencyManagement>" + deps(list...) + "</dependencyManagement>\n"
}

// pom writes a project; parent is "group:artifact:version[:path]" or "".
func pom(coordinates, parent string, body ...string) string {
	var b strings.Builder
	b.WriteString("<project>\n")
	if parent != "" {
		p := strings.SplitN(parent, ":", 4)
		fmt.Fprintf(&b, "<parent><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>", p[0], p[1], p[2])
		if len(p) > 3 {
			fmt.Fprintf(&b, "<relativePath>%s</relativePath>", p[3])
		}
		b.WriteString("</parent>\n")
	}
	c := strings.Split(coordinates, ":")
	for i, name := range []string{"groupId", "artifactId", "version"} {
		if i < len(c) && c[i] != "" {
			fmt.Fprintf(&b, "<%s>%s</%s>", name, c[i], name)
		}
	}
	b.WriteString("\n" + strings.Join(body, "") + "</project>\n")
	return b.String()
}

const bomImport = "<type>pom</type><scope>import</scope>"

func TestResolve(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"BOM of the repository", []string{
			"app/pom.xml", pom("g:app:1", "", managed(dep("g:bom", "1", bomImport)), deps(dep("x:y", "", ""), dep("x:z", "", ""))),
			"bom/pom.xml", pom("g:bom:1", "", "<properties><v>2.5</v></properties>\n", managed(dep("x:y", "${v}", "<scope>test</scope>"))),
		}, `app/pom.xml: Maven POM
8 x:y@2.5 d d
9 x:z d p
gap 9 dependencies without a known version: 1 (x:z); no pom of this repository manages them; scan an SBOM of the build to know them
bom/pom.xml: Maven POM
`},
		{"own management comes before the BOM's, the first BOM before the second", []string{
			"a/pom.xml", pom("g:a:1", "", managed(dep("g:one", "1", bomImport), dep("g:two", "1", bomImport), dep("x:y", "1", "")), deps(dep("x:y", "", ""), dep("x:z", "", ""))),
			"one/pom.xml", pom("g:one:1", "", managed(dep("x:y", "2", ""), dep("x:z", "2", ""))),
			"two/pom.xml", pom("g:two:1", "", managed(dep("x:z", "3", ""))),
		}, `a/pom.xml: Maven POM
10 x:y@1 d p
11 x:z@2 d p
one/pom.xml: Maven POM
two/pom.xml: Maven POM
`},
		{"BOM elsewhere", []string{
			"pom.xml", pom("g:a:1", "", managed(dep("far:bom", "3", bomImport)), deps(dep("x:y", "", ""))),
		}, `pom.xml: Maven POM
8 x:y d p
gap 8 dependencies without a known version: 1 (x:y); not in this repository: BOM far:bom:3; scan an SBOM of the build to know them
`},
		{"chain of parents", []string{
			"pom.xml", pom("g:root:1", "", "<properties><v>1</v><w>1</w></properties>\n", managed(dep("x:y", "${v}", "")), deps(dep("x:all", "1", ""))),
			"mid/pom.xml", pom(":mid", "g:root:1", "<properties><v>2</v></properties>\n"),
			"mid/leaf/pom.xml", pom(":leaf", "g:mid:1", "<properties><v>3</v></properties>\n", deps(dep("x:y", "", ""), dep("x:w", "${w}", ""))),
		}, `mid/leaf/pom.xml: Maven POM
6 x:y@3 d p
7 x:w@1 d p
mid/pom.xml: Maven POM
pom.xml: Maven POM
9 x:all@1 d p
`},
		{"inherited, but other in the child", []string{
			"pom.xml", pom("g:root:1", "", "<properties><v>1</v></properties>\n", deps(dep("x:y", "${v}", ""))),
			"c/pom.xml", pom(":c", "g:root:1", "<properties><v>2</v></properties>\n"),
		}, `c/pom.xml: Maven POM
2 x:y@2 d p
pom.xml: Maven POM
5 x:y@1 d p
`},
		{"parent with another relative path, and one found by name", []string{
			"a/pom.xml", pom(":a", "g:base:1:../base", deps(dep("x:y", "${v}", ""))),
			"b/pom.xml", pom(":b", "g:base:1:", deps(dep("x:y", "${v}", ""))),
			"base/pom.xml", pom("g:base:1", "", "<properties><v>4</v></properties>\n"),
		}, `a/pom.xml: Maven POM
5 x:y@4 d p
b/pom.xml: Maven POM
5 x:y@4 d p
base/pom.xml: Maven POM
`},
		{"same name, other version", []string{
			"a/pom.xml", pom("g:p:1", "", "<properties><v>1</v></properties>\n"),
			"b/pom.xml", pom("g:p:2", "", "<properties><v>2</v></properties>\n"),
			"c/pom.xml", pom(":c", "g:p:2:", deps(dep("x:y", "${v}", ""))),
		}, `a/pom.xml: Maven POM
b/pom.xml: Maven POM
c/pom.xml: Maven POM
5 x:y@2 d p
`},
		{"revision", []string{
			"pom.xml", pom("g:root:${revision}", "", "<properties><revision>7</revision></properties>\n"),
			"c/pom.xml", pom(":c", "g:root:${revision}", deps(dep("g:root", "${project.version}", ""), dep("x:y", "${project.parent.version}", ""))),
		}, `c/pom.xml: Maven POM
5 g:root@7 d p local
6 x:y@7 d p
pom.xml: Maven POM
`},
		{"a circle of properties", []string{
			"pom.xml", pom("g:a:1", "", "<properties><v>${w}</v><w>${v}</w></properties>\n", deps(dep("x:y", "${v}", ""), dep("${q}:z", "1", ""))),
		}, `pom.xml: Maven POM
5 x:y d p ~${v}
gap 5 the version of x:y is ${v}, which no pom of this repository sets
gap 6 the property "q" is not known, so that the dependency has no name
`},
		{"a circle of BOMs", []string{
			"a/pom.xml", pom("g:a:1", "", managed(dep("g:b", "1", bomImport)), deps(dep("x:y", "", ""))),
			"b/pom.xml", pom("g:b:1", "", managed(dep("g:a", "1", bomImport), dep("x:y", "1", ""))),
		}, `a/pom.xml: Maven POM
8 x:y@1 d p
b/pom.xml: Maven POM
`},
		{"scopes, ranges and profiles", []string{
			"pom.xml", pom("g:a:1", "", deps(dep("x:t", "1", "<scope>test</scope>"), dep("x:p", "1", "<scope>provided</scope>"), dep("x:o", "1", "<optional>true</optional>"), dep("x:r", "[1,2)", ""), dep("x:e", "[3]", "")),
				"<profiles><profile><activation><activeByDefault>true</activeByDefault></activation>"+deps(dep("x:on", "1", ""))+"</profile><profile>"+deps(dep("x:off", "1", ""))+"</profile></profiles>"),
		}, `pom.xml: Maven POM
4 x:t@1 d d
5 x:p@1 d p
6 x:o@1 d o
7 x:r d p ~[1,2)
8 x:e@3 d p
11 x:on@1 d p
gap 7 the version of x:r is the range [1,2); which one is used is known only where it is resolved
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, collecttest.Resolve(t, New(), tt.files...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDoubling: properties that each name another twice must not grow.
func TestDoubling(t *testing.T) {
	var b strings.Builder
	b.WriteString("<properties><v0>1</v0>")
	for i := range 60 {
		fmt.Fprintf(&b, "<v%d>${v%d}${v%d}</v%d>", i+1, i, i, i+1)
	}
	b.WriteString("</properties>")
	m := collecttest.Extract(t, New(), "pom.xml", pom("g:a:1", "", b.String(), deps(dep("x:y", "${v60}", ""))))
	if len(m.Packages) != 1 || len(m.Gaps) != 1 || m.Packages[0].Version != "" {
		t.Errorf("got %s", collecttest.Show(m))
	}
}

func TestEveryBeginning(t *testing.T) {
	collecttest.Hostile(t, New(), "pom.xml", pom("g:a:1", "g:p:1", "<properties><v>1</v></properties>", managed(dep("g:b", "1", bomImport)), deps(dep("x:y", "${v}", "<scope>test</scope>"))))
}

// repositoryOf is a parent with children, each with dependencies of their own;
// all inherit the parent's.
func repositoryOf(poms, inherited, own int) []extract.File {
	list := make([]string, inherited)
	for i := range list {
		list[i] = dep(fmt.Sprintf("x:in%d", i), "${v}", "")
	}
	root := pom("g:root:1", "", "<properties><v>1.0</v></properties>\n", deps(list...))
	out := []extract.File{{Path: "pom.xml", Content: []byte(root)}}
	for i := range poms - 1 {
		list := make([]string, own)
		for j := range list {
			list[j] = dep(fmt.Sprintf("x:own%d", j), "${v}", "")
		}
		// All have the same name, which is the worst for a search by name.
		out = append(out, extract.File{Path: fmt.Sprintf("m%d/pom.xml", i), Content: []byte(pom(fmt.Sprintf("g:same:%d", i), "g:root:1", deps(list...)))})
	}
	return out
}

func extractAll(b *testing.B, files []extract.File) []*dependency.Manifest {
	var all []*dependency.Manifest
	for _, f := range files {
		m, err := New().Extract(b.Context(), f)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// BenchmarkRepository reads and joins 300 poms: a parent with 100 dependencies,
// and children with 20 of their own.
func BenchmarkRepository(b *testing.B) {
	files := repositoryOf(300, 100, 20)
	size := 0
	for _, f := range files {
		size += len(f.Content)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		all := extractAll(b, files)
		if out := (Extractor{}).Resolve(b.Context(), all); len(out) != 300 || len(out[0].Packages) != 100 || len(out[1].Packages) != 20 {
			b.Fatal("not as many packages as there are")
		}
	}
}

// BenchmarkInherited shows that the time follows the number of the parent's
// dependencies and of the children, not their squares.
func BenchmarkInherited(b *testing.B) {
	for _, n := range []int{500, 1000, 2000} {
		b.Run(fmt.Sprintf("dependencies=%d", n), func(b *testing.B) {
			files := repositoryOf(20, n, 1)
			b.ReportAllocs()
			for b.Loop() {
				Extractor{}.Resolve(b.Context(), extractAll(b, files))
			}
		})
	}
	for _, n := range []int{500, 1000, 2000} {
		b.Run(fmt.Sprintf("poms=%d", n), func(b *testing.B) {
			files := repositoryOf(n, 1, 1)
			b.ReportAllocs()
			for b.Loop() {
				Extractor{}.Resolve(b.Context(), extractAll(b, files))
			}
		})
	}
}

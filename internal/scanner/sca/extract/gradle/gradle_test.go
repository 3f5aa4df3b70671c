package gradle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

func TestLockfileWithDigests(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	lock := collecttest.Extract(t, New(), "gradle.lockfile", "# made by Gradle\norg.example:web:1.2=compileClasspath,testCompileClasspath\norg.example:mock:3=testRuntimeClasspath\nbroken\nempty=kapt\n")
	verification := collecttest.Extract(t, New(), "gradle/verification-metadata.xml", `<verification-metadata><components><component group="org.example" name="web" version="1.2"><artifact name="web-1.2.jar"><sha256 value="`+digest+`"/></artifact></component></components></verification-metadata>`)
	got := Extractor{}.Resolve(t.Context(), []*dependency.Manifest{lock, verification})
	if len(got) != 1 || len(got[0].Packages) != 2 || len(got[0].Gaps) != 1 || got[0].Gaps[0].Line != 4 {
		t.Fatalf("got %+v", got)
	}
	web, mock := got[0].Packages[0], got[0].Packages[1]
	if web.ID() != "org.example:web@1.2" || web.Scope != dependency.Production || web.Line != 2 || len(web.Hashes) != 1 || web.Hashes[0].Value != digest || web.Relation != dependency.Undeclared {
		t.Errorf("web: %+v", web)
	}
	if mock.Scope != dependency.Development || mock.Line != 3 {
		t.Errorf("mock: %+v", mock)
	}
}

// TestScript shows each notation as "line id relation scope".
func TestScript(t *testing.T) {
	tests := []struct{ name, path, content, want string }{
		{"strings", "build.gradle", "dependencies {\n  implementation 'g:a:1.0'\n  testImplementation(\"g:b:2.0\") { exclude group: 'x', module: 'y' }\n  api 'g:c:3:linux@zip', 'g:d:4'\n}\n",
			"2 g:a@1.0 d p\n3 g:b@2.0 d d\n4 g:c@3 d p\n4 g:d@4 d p\n"},
		{"map notation", "build.gradle", "dependencies {\n  compileOnly group: 'g', name: 'a', version: '1'\n  runtimeOnly(group: 'g', name: 'b',\n     version: '2')\n  implementation([group: 'g', name: 'c', version: '3'], [group: 'g', name: 'd', version: '4'])\n}",
			"2 g:a@1 d p\n3 g:b@2 d p\n5 g:c@3 d p\n5 g:d@4 d p\n"},
		{"Kotlin", "build.gradle.kts", "val v = \"1.5\"\nval w: String by project\nval x by extra(\"7\")\ndependencies {\n  implementation(\"g:a:$v\")\n  implementation(group = \"g\", name = \"b\", version = v)\n  implementation(\"g\", \"c\", \"2\")\n  \"custom\"(\"g:d:${x}\")\n  add(\"testImplementation\", \"g:e:3\")\n  implementation(kotlin(\"stdlib\", \"2.0.0\"))\n  kapt(\"g:f:1\")\n}",
			"5 g:a@1.5 d p\n6 g:b@1.5 d p\n7 g:c@2 d p\n8 g:d@7 d p\n9 g:e@3 d d\n10 org.jetbrains.kotlin:kotlin-stdlib@2.0.0 d p\n11 g:f@1 d d\n"},
		{"variables", "build.gradle", "def one = '1'\next.two = '2'\next { three = '3'; set('four', '4')\n versions = [five: '5', 'six': \"${one}.6\"]\n libs = [seven: \"g:seven:$versions.five\"] }\next['eight'] = '8'\ndependencies {\n api \"g:one:$one\"\n api \"g:two:${two}\"\n api 'g:three:' + three\n api \"g:four:${rootProject.ext.four}\"\n api \"g:five:$versions.five\"\n api \"g:six:${versions['six']}\"\n api libs.seven\n api \"g:eight:${project.property('eight')}\"\n}",
			"8 g:one@1 d p\n9 g:two@2 d p\n10 g:three@3 d p\n11 g:four@4 d p\n12 g:five@5 d p\n13 g:six@1.6 d p\n14 g:seven@5 d p\n15 g:eight@8 d p\n"},
		{"build and plugins", "build.gradle", "buildscript {\n  dependencies {\n    classpath 'g:tool:1'\n  }\n}\nplugins {\n  id 'java'\n  id 'org.example.plug' version '2.1' apply false\n}\n",
			"3 g:tool@1 d d\n8 org.example.plug:org.example.plug.gradle.plugin@2.1 d d\n"},
		{"Kotlin plugins", "settings.gradle.kts", "pluginManagement { plugins {\n id(\"a.b\") version \"1\"\n kotlin(\"jvm\") version \"2.0\"\n id(\"c.d\").version(\"3\")\n} }",
			"2 a.b:a.b.gradle.plugin@1 d d\n3 org.jetbrains.kotlin.jvm:org.jetbrains.kotlin.jvm.gradle.plugin@2.0 d d\n4 c.d:c.d.gradle.plugin@3 d d\n"},
		{"platform and constraints", "build.gradle", "dependencies {\n api platform('g:bom:1')\n constraints {\n  api 'g:a:9'\n }\n api 'g:a'\n api 'g:b'\n}",
			"2 g:bom@1 d p\n6 g:a@9 d p\n7 g:b d p\ngap 7 dependencies without a known version: 1 (g:b); they are left to g:bom; write a gradle.lockfile, or scan an SBOM of the build, to know them\n"},
		{"management plugin", "build.gradle", "dependencyManagement {\n imports { mavenBom \"g:bom:1\" }\n dependencies {\n  dependency 'g:a:2'\n }\n}\ndependencies { implementation 'g:a' }",
			"2 g:bom@1 d p\n7 g:a@2 d p\n"},
		{"rich versions", "build.gradle", "dependencies {\n api('g:a') { version { strictly '[1,2)'; prefer '1.5' } }\n api('g:b') {\n  version { require '3' }\n  because 'x'\n }\n api 'g:c:4!!'\n}",
			"2 g:a d p ~[1,2)\n3 g:b@3 d p\n7 g:c@4 d p\ngap 2 the version of g:a is the range \"[1,2)\"; write a gradle.lockfile to fix it\n"},
		{"conditions and comments", "build.gradle", "/* dependencies { api 'g:no:1' } */\ndependencies {\n // api 'g:no:2'\n if (x > 1) { api 'g:a:1' } else {\n  api 'g:b:1' }\n}\n",
			"4 g:a@1 d p\n5 g:b@1 d p\n"},
		{"multiplatform", "build.gradle.kts", "kotlin { sourceSets { val commonMain by getting { dependencies {\n implementation(\"g:a:1\") } }\n commonTest.dependencies {\n implementation(\"g:b:1\") }\n} }",
			"2 g:a@1 d p\n4 g:b@1 d d\n"},
		{"test suites", "build.gradle", "testing { suites { test { dependencies {\n implementation 'g:a:1' } } } }", "2 g:a@1 d d\n"},
		{"build logic", "buildSrc/build.gradle", "dependencies { implementation 'g:a:1' }", "1 g:a@1 d d\n"},
		{"not dependencies", "build.gradle", "publishing { pom { name = 'x' } }\ntasks.register('a') { doLast { println \"g:a:1\" } }\nconfigurations { implementation { exclude group: 'g', module: 'm' } }\nimplementation 'g:x:1'\ndependencies { implementation project(':core')\n implementation projects.core\n implementation gradleApi() }\nrepositories { maven { url 'https://example.org' } }\next.v = '1'\n", ""},
		{"gaps", "build.gradle", "dependencies {\n implementation files('a.jar')\n implementation libs.unknown\n implementation \"g:a:$nowhere\"\n implementation compute('x')\n implementation \"$group:b:1\"\n api 'g:c:1.+'\n}",
			"4 g:a d p ~${nowhere}\n7 g:c d p ~1.+\ngap 2 archives of a folder are used; of which packages they are made is not known\ngap 5 a dependency of \"implementation\" comes from the function \"compute\", which is not read\ngap 3 what \"libs.unknown\" stands for is neither set here nor in a version catalogue of this repository\ngap 4 the version of g:a is \"${nowhere}\", which is set neither here nor in gradle.properties, ext or a version catalogue above\ngap 6 the name of a dependency holds \"${group}\", which is not set\ngap 7 the version of g:c is the range \"1.+\"; write a gradle.lockfile to fix it\n"},
		{"two meanings", "build.gradle", "def v = '1'\nif (x) {\n def v = '2'\n}\ndependencies { api \"g:a:$v\" }",
			"5 g:a d p ~${v}\ngap 5 the version of g:a is an expression, which is set neither here nor in gradle.properties, ext or a version catalogue above\n"},
		{"circle", "build.gradle", "def a = \"$b\"\ndef b = \"$a\"\ndependencies { api \"g:a:$a\" }",
			"3 g:a d p ~${a}\ngap 3 the version of g:a is \"${a}\", which is set neither here nor in gradle.properties, ext or a version catalogue above\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := collecttest.Extract(t, New(), tt.path, tt.content)
			if diff := cmp.Diff(formatScript+"\n"+tt.want, collecttest.Show(m)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPositionOfLiteral(t *testing.T) {
	m := collecttest.Extract(t, New(), "build.gradle", "dependencies {\n\tapi 'g:a:1.0'\n}")
	if p := m.Packages[0]; p.Line != 2 || p.Column != 7 || p.EndColumn != 14 {
		t.Errorf("got %d:%d-%d", p.Line, p.Column, p.EndColumn)
	}
}

const catalogue = `[metadata]
format.version = "1.1"
[versions]
web = "1.4"
strict = { strictly = "[1,2)", prefer = "1.7" }
dotted.strictly = "3.3"
[libraries]
web-core = { module = "org.example:web", version.ref = "web" }
web_extra = { group = "org.example", name = "extra", version = { ref = "strict" } }
short = "org.example:short:2.0"
dotted = { module = "org.example:dotted", version.ref = "dotted" }
managed.module = "org.example:managed"
range = { module = "org.example:range", version = { require = "4.+" } }
lost = { module = "org.example:lost", version.ref = "none" }
nothing = { version = "1" }
[libraries.table]
module = "org.example:table"
version.require = "5"
[bundles]
all = ["web-core", "short"]
[plugins]
tool = { id = "org.example.tool", version = "6" }
shorter = "org.example.shorter:7"
`

func TestCatalogue(t *testing.T) {
	got := collecttest.Show(collecttest.Extract(t, New(), "gradle/libs.versions.toml", catalogue))
	want := formatCatalog + `
8 org.example:web@1.4 - -
9 org.example:extra@1.7 - -
10 org.example:short@2.0 - -
11 org.example:dotted@3.3 - -
12 org.example:managed - -
13 org.example:range - - ~4.+
14 org.example:lost - -
16 org.example:table@5 - -
22 org.example.tool:org.example.tool.gradle.plugin@6 - d
23 org.example.shorter:org.example.shorter.gradle.plugin@7 - d
gap 13 the version of org.example:range is the range "4.+"; write a gradle.lockfile to fix it
gap 14 the version of org.example:lost is "versions.none", which the catalogue does not hold
gap 15 an entry without group, name or id, or one that is too long
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, content := range map[string]string{"cut short": "[libraries\n", "deep": "a = " + strings.Repeat("[", 100), "deeper": "a = '''\n'''\nb = " + strings.Repeat("{a=", 100)} {
		_, err := New().Extract(t.Context(), extract.File{Path: "gradle/libs.versions.toml", Content: []byte(content)})
		if err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"catalogue", []string{
			"gradle/libs.versions.toml", catalogue,
			"app/build.gradle.kts", "plugins { alias(libs.plugins.tool) }\ndependencies {\n implementation(libs.web.core)\n testImplementation(libs.bundles.all)\n api(platform(libs.table))\n api(libs.none)\n api(\"g:a:${libs.versions.web.get()}\")\n}\n",
		}, `app/build.gradle.kts: Gradle build script
1 org.example.tool:org.example.tool.gradle.plugin@6 d d
3 org.example:web@1.4 d p
4 org.example:short@2.0 d d
5 org.example:table@5 d p
7 g:a@1.4 d p
gap 6 what "libs.none" stands for is neither set here nor in a version catalogue of this repository
gradle/libs.versions.toml: Gradle version catalogue
8 org.example:web@1.4 d p
9 org.example:extra@1.7 - -
10 org.example:short@2.0 d d
11 org.example:dotted@3.3 - -
12 org.example:managed - -
13 org.example:range - - ~4.+
14 org.example:lost - -
16 org.example:table@5 d p
22 org.example.tool:org.example.tool.gradle.plugin@6 d d
23 org.example.shorter:org.example.shorter.gradle.plugin@7 - d
gap 13 the version of org.example:range is the range "4.+"; write a gradle.lockfile to fix it
gap 14 the version of org.example:lost is "versions.none", which the catalogue does not hold
gap 15 an entry without group, name or id, or one that is too long
`},
		{"properties, ext and applied scripts above", []string{
			"gradle.properties", "# all\none=1.1\nthree: 3\nsigning.password=abc.def\n",
			"app/gradle.properties", "three=3.3\n",
			"build.gradle", "apply from: \"$rootDir/gradle/versions.gradle\"\next { two = '2.2' }\n",
			"gradle/versions.gradle", "ext.four = '4.4'\n",
			"app/build.gradle", "dependencies { api \"g:one:$one\"\n api \"g:two:$two\"\n api \"g:three:$three\"\n api \"g:four:$four\" }",
		}, `app/build.gradle: Gradle build script
1 g:one@1.1 d p
2 g:two@2.2 d p
3 g:three@3.3 d p
4 g:four@4.4 d p
`},
		{"platform project", []string{
			"build.gradle", "allprojects {\n dependencies { management(enforcedPlatform(dependencies.project(path: ':bom'))) }\n}",
			"bom/bom.gradle", "dependencies {\n api(platform('g:far:1'))\n constraints { api('g:a:1.5') }\n}",
			"app/app.gradle", "dependencies {\n api('g:a')\n api('g:b')\n}",
		}, `app/app.gradle: Gradle build script
2 g:a@1.5 d p
3 g:b d p
gap 3 dependencies without a known version: 1 (g:b); they are left to g:far; write a gradle.lockfile, or scan an SBOM of the build, to know them
bom/bom.gradle: Gradle build script
2 g:far@1 d p
`},
		{"lockfile beside", []string{
			"app/build.gradle", "plugins { id 'p' version '1' }\ndependencies { implementation 'g:a:1.+'\n testImplementation 'g:t:1'\n optional 'g:o:1' }",
			"app/gradle.lockfile", "g:a:1.9=compileClasspath\ng:b:2=compileClasspath\ng:o:1=compileClasspath\ng:t:1=testCompileClasspath\nempty=\n",
			"lib/gradle.lockfile", "g:x:1=compileClasspath\n",
		}, `app/build.gradle: Gradle build script
1 p:p.gradle.plugin@1 d d
app/gradle.lockfile: Gradle lockfile
1 g:a@1.9 d p
2 g:b@2 t p
3 g:o@1 d o
4 g:t@1 d d
lib/gradle.lockfile: Gradle lockfile
1 g:x@1 - p
`},
		{"both lockfiles beside, catalogue not shown", []string{
			"build.gradle", "plugins { id 'p' version '1' }\ndependencies { implementation libs.short }",
			"buildscript-gradle.lockfile", "p:p.gradle.plugin:1=classpath\ng:z:1=classpath\n",
			"gradle.lockfile", "org.example:short:2.1=compileClasspath\n",
			"gradle/libs.versions.toml", "[libraries]\nshort='org.example:short:2.0'\nother='g:other:1'\n",
		}, `buildscript-gradle.lockfile: Gradle lockfile
1 p:p.gradle.plugin@1 d d
2 g:z@1 t d
gradle.lockfile: Gradle lockfile
1 org.example:short@2.1 d p
`},
		{"lockfile beside a script that is not understood", []string{
			"build.gradle", "dependencies { implementation libs.none\n implementation 'g:a:1' }",
			"gradle.lockfile", "g:a:1=compileClasspath\ng:b:1=compileClasspath\n",
		}, `gradle.lockfile: Gradle lockfile
1 g:a@1 d p
2 g:b@1 - p
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

// TestSecretsAreNotKept: what is kept of a file for others goes into a cache.
func TestSecretsAreNotKept(t *testing.T) {
	for _, f := range [][2]string{
		{"gradle.properties", "v=1.0\nsigning.password=1.hunter2\nossrhToken=1.hunter2\nplain=hunter2\n"},
		{"build.gradle", "def pass = 'hunter2'\next.v = '1.0'\n"},
	} {
		m := collecttest.Extract(t, New(), f[0], f[1])
		if strings.Contains(string(m.Extra), "hunter2") || !strings.Contains(string(m.Extra), "1.0") {
			t.Errorf("%s: kept %s", f[0], m.Extra)
		}
	}
}

func TestHostile(t *testing.T) {
	collecttest.Hostile(t, New(), "build.gradle", "ext { v = [a: '1'] }\ndependencies {\n api \"g:a:${v['a']}\", group: 'g', name: 'b'\n api(platform(libs.x)) { version { strictly '1' } }\n}\n")
	collecttest.Hostile(t, New(), "build.gradle.kts", "val v by extra { \"1\" }\nplugins { kotlin(\"jvm\") version \"1\" }\n")
	collecttest.Hostile(t, New(), "gradle/libs.versions.toml", "[versions]\na = { strictly = \"1\" }\n[libraries]\nb = { module = \"g:b\", version.ref = \"a\" }\nc = \"g:c:1\"\n")
	collecttest.Hostile(t, New(), "gradle.lockfile", "g:a:1=compileClasspath\n")
	collecttest.Hostile(t, New(), "gradle.properties", "v=1.0\n")
	collecttest.Hostile(t, New(), "gradle/verification-metadata.xml", "<verification-metadata><components><component group='g' name='a' version='1'/></components></verification-metadata>")
}

// TestDoubling: variables that each name another twice must not grow.
func TestDoubling(t *testing.T) {
	var b strings.Builder
	b.WriteString("def v0 = '1'\n")
	for i := range 60 {
		fmt.Fprintf(&b, "def v%d = \"${v%d}${v%d}\"\n", i+1, i, i)
	}
	b.WriteString("dependencies { api \"g:a:$v60\" }\n")
	if m := collecttest.Extract(t, New(), "build.gradle", b.String()); len(m.Packages) != 1 || len(m.Gaps) != 1 || m.Packages[0].Version != "" {
		t.Errorf("got %s", collecttest.Show(m))
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("gradle.lockfile", []byte("a:b:1=c\n"))
	f.Add("gradle/verification-metadata.xml", []byte("<verification-metadata/>"))
	f.Add("build.gradle", []byte("def v = '1'\ndependencies { api \"g:a:$v\"\n api(libs.b) { version { strictly '1' } } }"))
	f.Add("build.gradle.kts", []byte("val v by extra(\"1\")\nplugins { id(\"x\") version v }\ndependencies { add(\"api\", kotlin(\"x\")) }"))
	f.Add("gradle/libs.versions.toml", []byte(catalogue))
	f.Add("gradle.properties", []byte("a=1.0\n"))
	f.Fuzz(func(t *testing.T, p string, content []byte) {
		if New().Wants(p) {
			collecttest.Check(t, New(), p, content)
		}
	})
}

func benchFiles(n int) []extract.File {
	var toml, script strings.Builder
	toml.WriteString("[versions]\nv = \"1.0\"\n[libraries]\n")
	script.WriteString("def w = '2.0'\ndependencies {\n")
	for i := range n {
		fmt.Fprintf(&toml, "lib-%d = { module = \"org.example:lib%d\", version.ref = \"v\" }\n", i, i)
		fmt.Fprintf(&script, "    implementation libs.lib.%d\n    testImplementation(\"org.example:test%d:$w\") { exclude group: 'a' }\n", i, i)
	}
	script.WriteString("}\n")
	out := []extract.File{{Path: "gradle/libs.versions.toml", Content: []byte(toml.String())}}
	for i := range 20 {
		out = append(out, extract.File{Path: fmt.Sprintf("m%d/build.gradle", i), Content: []byte(script.String())})
	}
	return out
}

// BenchmarkRepository reads and joins 20 scripts of 200 dependencies each.
func BenchmarkRepository(b *testing.B) {
	files := benchFiles(100)
	size := 0
	for _, f := range files {
		size += len(f.Content)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		var all []*dependency.Manifest
		for _, f := range files {
			m, err := New().Extract(b.Context(), f)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, m)
		}
		if out := (Extractor{}).Resolve(b.Context(), all); len(out) != 21 {
			b.Fatal(len(out))
		}
	}
}

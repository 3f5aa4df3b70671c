package nuget

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

var digest = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xab", 64)))

var lockSample = `{
  "version": 1,
  "dependencies": {
    "net8.0": {
      "A.Web": {
        "type": "Direct",
        "requested": "[1.0.0, )",
        "resolved": "1.2.0",
        "contentHash": "` + digest + `",
        "dependencies": { "b.core": "2.0.0" }
      },
      "B.Core": { "type": "Transitive", "resolved": "2.0.0", "dependencies": { "C": "1.0.0", "Absent": "1" } },
      "C": { "type": "CentralTransitive", "requested": "[1.0.0, )", "resolved": "1.0.0" },
      "my.lib": { "type": "Project", "dependencies": { "D": "[4.0.0, )" } },
      "D": { "type": "Transitive", "resolved": "4.0.0" },
      "E": { "type": "Transitive" }
    },
    "net8.0/linux-x64": { "B.Core": { "type": "Transitive", "resolved": "2.0.1" } }
  }
}
`

func TestExtract(t *testing.T) {
	tests := []struct{ name, path, content, want string }{
		{"lockfile", "packages.lock.json", lockSample, formatLock + `
5 A.Web@1.2.0 d p >B.Core@2.0.0 ~[1.0.0, ) #sha-512:abab
12 B.Core@2.0.0 t p <A.Web@1.2.0 >C@1.0.0
13 C@1.0.0 t p <A.Web@1.2.0,B.Core@2.0.0 ~[1.0.0, )
14 my.lib d p >D@4.0.0 local
15 D@4.0.0 d p
16 E - p
18 B.Core@2.0.1 - p
gap 16 the package "E" has no resolved version
`},
		{"assets", "obj/project.assets.json", `{
  "version": 3,
  "targets": {
    "net8.0": {
      "A/1.0.0": { "type": "package", "dependencies": { "B": "2.0.0" } },
      "B/2.0.0": { "type": "package" }
    }
  },
  "libraries": {
    "A/1.0.0": { "type": "package", "sha512": "` + digest + `" },
    "B/2.0.0": { "type": "package" },
    "Mine/1.0.0": { "type": "project" }
  },
  "projectFileDependencyGroups": { "net8.0": ["A >= 1.0.0"] }
}`, formatAssets + `
10 A@1.0.0 d p >B@2.0.0 #sha-512:abab
11 B@2.0.0 t p <A@1.0.0
12 Mine@1.0.0 d p local
`},
		{"program", "bin/app.deps.json", `{
  "runtimeTarget": { "name": ".NETCoreApp,Version=v8.0" },
  "targets": {
    ".NETCoreApp,Version=v8.0": {
      "app/1.0.0": { "dependencies": { "A": "1.0.0" } },
      "A/1.0.0": { "dependencies": { "B": "2.0.0" } },
      "B/2.0.0": {}
    }
  },
  "libraries": {
    "app/1.0.0": { "type": "project", "sha512": "" },
    "A/1.0.0": { "type": "package", "sha512": "sha512-` + digest + `" },
    "B/2.0.0": { "type": "package" },
    "broken": { "type": "package" }
  }
}`, formatDeps + `
11 app@1.0.0 d p >A@1.0.0 local
12 A@1.0.0 d p >B@2.0.0 #sha-512:abab
13 B@2.0.0 t p <A@1.0.0
gap 14 a library without name or version, or one that is too long
`},
		{"packages.config", "packages.config", "<packages>\n  <package id='A' version='1.0.0' targetFramework='net48'/>\n  <package id='B' version='2.0.0' developmentDependency='true' allowedVersions='[2,3)'/>\n  <package id='C'/>\n</packages>", formatConfig + `
2 A@1.0.0 - p
3 B@2.0.0 - d ~[2,3)
gap 4 a package without id or version, or one that is too long
`},
		{"project", "app.csproj", `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><V>3.1.0</V><W>$(V)</W></PropertyGroup>
  <ItemGroup Condition="'$(X)' == '1'">
    <PackageReference Include="A" Version="1.0.0" />
    <PackageReference Include="B"><Version>[2.0.0]</Version><PrivateAssets>all</PrivateAssets></PackageReference>
    <PackageReference Include="C" Version="$(W)" />
    <PackageReference Include="D" Version="1.*" />
    <PackageReference Include="E" Version="$(Nowhere)" />
    <PackageReference Include="F" />
    <PackageReference Remove="G" />
    <ProjectReference Include="..\lib\lib.csproj" />
    <Compile Include="x.cs" />
  </ItemGroup>
</Project>`, formatProject + `
4 A@1.0.0 d p
5 B@2.0.0 d d
6 C@3.1.0 d p
7 D d p ~1.*
8 E d p ~$(Nowhere)
9 F d p
11 lib d p @../lib/lib.csproj local
gap 7 the version of "D" is the range "1.*"; commit a packages.lock.json to fix it
gap 8 the version of "E" is "$(Nowhere)", which is set neither here nor in properties above
gap 9 the version of "F" is stated neither here nor in a Directory.Packages.props above
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, collecttest.Show(collecttest.Extract(t, New(), tt.path, tt.content))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOthersFiles(t *testing.T) {
	for p, content := range map[string]string{
		"x.deps.json": `{"a": 1}`, "a.csproj": "<other/>",
	} {
		if m, err := New().Extract(t.Context(), extract.File{Path: p, Content: []byte(content)}); err != nil || m != nil {
			t.Errorf("%s: %+v, %v", p, m, err)
		}
	}
	for p, content := range map[string]string{
		"packages.lock.json": `{"version": 1}`, "obj/project.assets.json": `{"libraries": {`, "packages.config": "<packages>", "a.csproj": "<Project>", "b.fsproj": "",
	} {
		if _, err := New().Extract(t.Context(), extract.File{Path: p, Content: []byte(content)}); err == nil {
			t.Errorf("%s: no error", p)
		}
	}
}

func msbuild(lines ...string) string {
	return "<Project>\n<ItemGroup>\n" + strings.Join(lines, "\n") + "\n</ItemGroup>\n</Project>\n"
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"central versions", []string{
			"Directory.Packages.props", "<Project>\n<PropertyGroup><V>2.5</V></PropertyGroup>\n<ItemGroup>\n<PackageVersion Include=\"A\" Version=\"$(V)\"/>\n<GlobalPackageReference Include=\"Lint\" Version=\"1.0\"/>\n</ItemGroup></Project>",
			"Directory.Build.props", "<Project><PropertyGroup><W>4.0</W></PropertyGroup></Project>",
			"src/app.csproj", msbuild(`<PackageReference Include="a"/>`, `<PackageReference Include="B" Version="$(W)"/>`, `<PackageReference Include="A" VersionOverride="3.0"/>`),
		}, `Directory.Packages.props: MSBuild properties
5 Lint@1.0 d d
src/app.csproj: MSBuild project
3 a@2.5 d p
4 B@4.0 d p
5 A@3.0 d p
`},
		{"the nearest properties count", []string{
			"Directory.Packages.props", msbuild(`<PackageVersion Include="A" Version="1"/>`),
			"x/Directory.Packages.props", msbuild(`<PackageVersion Include="A" Version="2"/>`),
			"x/y/app.csproj", msbuild(`<PackageReference Include="A"/>`),
			"z/app.csproj", msbuild(`<PackageReference Include="A"/>`),
		}, `x/y/app.csproj: MSBuild project
3 A@2 d p
z/app.csproj: MSBuild project
3 A@1 d p
`},
		{"a lockfile comes before assets, both before the project", []string{
			"a/app.csproj", msbuild(`<PackageReference Include="A" Version="1.*"/>`),
			"a/packages.lock.json", `{"dependencies": {"net8.0": {"A": {"type": "Direct", "resolved": "1.3.0"}}}}`,
			"a/obj/project.assets.json", `{"libraries": {"A/1.2.0": {"type": "package"}}}`,
			"b/app.csproj", msbuild(`<PackageReference Include="A" Version="1.*"/>`),
			"b/obj/project.assets.json", `{"libraries": {"A/1.2.0": {"type": "package"}}, "projectFileDependencyGroups": {"net8.0": ["A >= 1.0"]}}`,
		}, `a/packages.lock.json: NuGet packages.lock.json
1 A@1.3.0 d p
b/obj/project.assets.json: NuGet project.assets.json
1 A@1.2.0 d p
`},
		{"references to projects", []string{
			"a/app.csproj", msbuild(`<ProjectReference Include="..\b\lib.csproj"/>`, `<ProjectReference Include="..\c\gone.csproj"/>`),
			"b/lib.csproj", msbuild(`<PackageReference Include="A" Version="1"/>`),
		}, `a/app.csproj: MSBuild project
3 lib d p @../b/lib.csproj local
4 gone d p @../c/gone.csproj local
gap 4 the project "../c/gone.csproj" that is referred to is not here
b/lib.csproj: MSBuild project
3 A@1 d p
`},
		{"a circle of properties", []string{
			"a.csproj", "<Project><PropertyGroup><V>$(W)</V><W>$(V)</W></PropertyGroup><ItemGroup><PackageReference Include='A' Version='$(V)'/></ItemGroup></Project>",
		}, `a.csproj: MSBuild project
1 A d p ~$(V)
gap 1 the version of "A" is "$(V)", which is set neither here nor in properties above
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

func TestHostile(t *testing.T) {
	collecttest.Hostile(t, New(), "packages.lock.json", `{"version":1,"dependencies":{"net8.0":{"A":{"type":"Direct","resolved":"1.0","dependencies":{"B":"1"}}}}}`)
	collecttest.Hostile(t, New(), "a.deps.json", `{"targets":{"t":{"A/1":{"dependencies":{"B":"1"}}}},"libraries":{"A/1":{"type":"project"},"B/1":{"type":"package"}}}`)
	collecttest.Hostile(t, New(), "packages.config", `<packages><package id="A" version="1"/></packages>`)
	collecttest.Hostile(t, New(), "a.csproj", `<Project><PropertyGroup><V>1</V></PropertyGroup><ItemGroup><PackageReference Include="A" Version="$(V)"/></ItemGroup></Project>`)
}

func BenchmarkLock(b *testing.B) {
	var content strings.Builder
	content.WriteString("{\n  \"version\": 1,\n  \"dependencies\": {\n    \"net8.0\": {\n")
	for i := range 500 {
		fmt.Fprintf(&content, "      \"Example.Package%d\": {\n        \"type\": \"Transitive\",\n        \"resolved\": \"1.%d.0\",\n        \"contentHash\": %q,\n        \"dependencies\": {\n          \"Example.Package%d\": \"1.0.0\"\n        }\n      }%s\n", i, i, digest, i+1, map[bool]string{true: ","}[i < 499])
	}
	content.WriteString("    }\n  }\n}\n")
	bench(b, []extract.File{{Path: "packages.lock.json", Content: []byte(content.String())}})
}

// BenchmarkProjects reads and joins 100 projects with central versions.
func BenchmarkProjects(b *testing.B) {
	var central, refs []string
	for i := range 100 {
		central = append(central, fmt.Sprintf(`  <PackageVersion Include="Example.Package%d" Version="1.%d.0" />`, i, i))
		refs = append(refs, fmt.Sprintf(`  <PackageReference Include="Example.Package%d" />`, i))
	}
	files := []extract.File{{Path: "Directory.Packages.props", Content: []byte(msbuild(central...))}}
	for i := range 100 {
		files = append(files, extract.File{Path: fmt.Sprintf("src/p%d/p%d.csproj", i, i), Content: []byte(msbuild(refs...))})
	}
	bench(b, files)
}

func bench(b *testing.B, files []extract.File) {
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
		if out := (Extractor{}).Resolve(b.Context(), all); len(out) == 0 || len(out[len(out)-1].Packages) < 100 {
			b.Fatal("not as many packages as there are")
		}
	}
}

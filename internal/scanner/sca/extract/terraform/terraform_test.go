package terraform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func read(t *testing.T, path, content string) *dependency.Manifest {
	t.Helper()
	m, err := New().Extract(t.Context(), extract.File{Path: path, Content: []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func show(m *dependency.Manifest) []string {
	if m == nil {
		return nil
	}
	var out []string
	for i := range m.Packages {
		p := &m.Packages[i]
		out = append(out, fmt.Sprintf("%d:%d-%d %s %s asks:%s from:%s local:%v %s hashes:%d", p.Line, p.Column, p.EndColumn, p.Ecosystem[10:13], p.ID(), p.Constraint, p.Origin, p.Local, p.Relation, len(p.Hashes)))
	}
	for _, g := range m.Gaps {
		message, _, _ := strings.Cut(g.Message, ":")
		out = append(out, fmt.Sprintf("gap %d: %s", g.Line, message))
	}
	return out
}

const lock = `# written by a tool
provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.1.0"
  constraints = "~> 5.0"
  hashes = [
    "h1:AAAA",
    "zh:` + sum + `",
  ]
}
provider "example.org/a/b" { version = "1.0.0" }
`

const conf = `terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
    old = "~> 2.0"
    own = { source = "example.org/a/b", version = "1.0.0" }
  }
}
/* module "no" { source = "a/b/c" } */
resource "x" "y" {
  user_data = <<-EOT
    module "no" { source = "a/b/c" }
  EOT
  name = "${var.a["module"]} {"
}
module "vpc" {
  source  = "terraform-aws-modules/vpc/aws//modules/x"
  version = "5.0.0" # exact
  tags = { version = "9" }
}
module "range" {
  version = "~> 1.0"
  source  = "app.example.org/ns/n/aws"
}
module "git" { source = "git::https://u:t@example.org/o/r.git//sub?ref=v1.2.0" }
module "hub" { source = "github.com/o/r?ref=main&sshkey=abc" }
module "here" { source = "./m" }
module "computed" { source = "${var.x}" }
`

func TestExtract(t *testing.T) {
	tests := []struct {
		name, path, text string
		want             []string
	}{
		{"lock", ".terraform.lock.hcl", lock, []string{
			"2:10-47 pro hashicorp/aws@5.1.0 asks:~> 5.0 from: local:false  hashes:1",
			"10:10-27 pro a/b@1.0.0 asks: from:example.org local:false  hashes:0"}},
		{"configuration", "main.tf", conf, []string{
			"4:5-8 pro hashicorp/aws asks:~> 5.0 from: local:false direct hashes:0",
			"8:5-8 pro hashicorp/old asks:~> 2.0 from: local:false direct hashes:0",
			"9:5-8 pro a/b@1.0.0 asks:1.0.0 from:example.org local:false direct hashes:0",
			"19:8-13 mod terraform-aws-modules/vpc/aws@5.0.0 asks:5.0.0 from: local:false direct hashes:0",
			"24:8-15 mod ns/n/aws asks:~> 1.0 from:app.example.org local:false direct hashes:0",
			"28:8-13 mod example.org/o/r@v1.2.0 asks:v1.2.0 from:git::https://example.org/o/r.git//sub local:false direct hashes:0",
			"29:8-13 mod github.com/o/r asks:main from:github.com/o/r local:false direct hashes:0",
			"30:8-14 mod ./m asks: from:./m local:true direct hashes:0",
			`gap 31: the source or version of the module "computed" is missing or computed, and cannot be checked`,
			"gap 0: ranges of versions cannot be checked"}},
		{"nothing of it", "x.tf", "variable \"a\" {}\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, show(read(t, tt.path, tt.text))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	all := []*dependency.Manifest{read(t, "a/.terraform.lock.hcl", lock), read(t, "a/main.tf", "terraform {\n required_providers {\n aws = \"~> 5.0\"\n }\n}\n"), read(t, "b/main.tf", conf)}
	all = New().(extract.Resolver).Resolve(t.Context(), all)
	if len(all) != 2 || all[1].Path != "b/main.tf" {
		t.Fatalf("%d manifests are left", len(all))
	}
	if all[0].Packages[0].Relation != dependency.Direct {
		t.Error("the provider is not direct")
	}
}

func TestRefuses(t *testing.T) {
	for _, text := range []string{
		"module \"a\" {", "module \"a\n", "module = <<EOT\nx", "module /* x", "module = \"${", "}module", "module = " + strings.Repeat("[", 1<<16),
		"module = " + strings.Repeat(`"${`, 1<<16), strings.Repeat("module {", 1<<16),
	} {
		if m, err := New().Extract(t.Context(), extract.File{Path: "a.tf", Content: []byte(text)}); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%.20q gives %+v, %v", text, m, err)
		}
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{"main.tf": true, "a/.terraform.lock.hcl": true, ".terraform/modules/a/main.tf": false, "a.tfvars": false} {
		if got := New().Wants(path); got != want {
			t.Errorf("Wants(%q) is %v", path, got)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(lock, conf)
	f.Add("provider \"a\" {}", "module \"a\" { source = \"${\"x\"}\" }")
	f.Fuzz(func(t *testing.T, lock, conf string) {
		var all []*dependency.Manifest
		for _, file := range []extract.File{{Path: ".terraform.lock.hcl", Content: []byte(lock)}, {Path: "a.tf", Content: []byte(conf)}} {
			if m, err := New().Extract(t.Context(), file); err == nil && m != nil {
				all = append(all, m)
			}
		}
		New().(extract.Resolver).Resolve(t.Context(), all)
	})
}

func BenchmarkExtract(b *testing.B) {
	text := []byte(strings.Repeat(conf[strings.Index(conf, "resource"):], 50))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().Extract(b.Context(), extract.File{Path: "a.tf", Content: text}); err != nil {
			b.Fatal(err)
		}
	}
}

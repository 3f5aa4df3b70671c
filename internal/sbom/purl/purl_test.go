package purl

import (
	"errors"
	"testing"

	"bulwark/internal/dependency"
)

// There and back: every ecosystem keeps its names.
func TestPURL(t *testing.T) {
	for _, c := range []struct {
		ecosystem     dependency.Ecosystem
		name, version string
		want          string
	}{
		{dependency.NPM, "lodash", "4.17.21", "pkg:npm/lodash@4.17.21"},
		{dependency.NPM, "@babel/core", "7.0.0", "pkg:npm/%40babel/core@7.0.0"},
		{dependency.Go, "github.com/BurntSushi/toml", "v1.6.0", "pkg:golang/github.com/BurntSushi/toml@v1.6.0"},
		{dependency.Go, "stdlib", "1.22.3", "pkg:golang/stdlib@1.22.3"},
		{dependency.Go, "gopkg.in/yaml.v3", "", "pkg:golang/gopkg.in/yaml.v3"},
		{dependency.Maven, "org.apache.logging.log4j:log4j-core", "2.14.1", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
		{dependency.PyPI, "zope-interface", "5.0", "pkg:pypi/zope-interface@5.0"},
		{dependency.Cargo, "serde_json", "1.0.0+x", "pkg:cargo/serde_json@1.0.0%2Bx"},
		{dependency.RubyGems, "rails", "7.1.0", "pkg:gem/rails@7.1.0"},
		{dependency.Packagist, "symfony/http-kernel", "5.4.0", "pkg:composer/symfony/http-kernel@5.4.0"},
		{dependency.NuGet, "Newtonsoft.Json", "12.0.1", "pkg:nuget/Newtonsoft.Json@12.0.1"},
		{dependency.Swift, "github.com/apple/swift-nio", "2.0.0", "pkg:swift/github.com/apple/swift-nio@2.0.0"},
		{dependency.Pub, "http", "1.0.0", "pkg:pub/http@1.0.0"},
		{dependency.Hex, "phoenix", "1.7.0", "pkg:hex/phoenix@1.7.0"},
		{dependency.Conan, "openssl", "3.0.3", "pkg:conan/openssl@3.0.3"},
		{dependency.Conan, "zlib@shop/stable", "1.3", "pkg:conan/shop/zlib@1.3?channel=stable&user=shop"},
		{dependency.GitHubActions, "actions/checkout", "v4", "pkg:github/actions/checkout@v4"},
		{dependency.Debian + ":12", "curl", "7.88.1-10+deb12u5", "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5?distro=debian-12"},
		{dependency.Debian + ":12", "bind9", "1:9.18.1-1", "pkg:deb/debian/bind9@1:9.18.1-1?distro=debian-12"},
		{dependency.Alpine + ":v3.20", "busybox", "1.36.1-r5", "pkg:apk/alpine/busybox@1.36.1-r5?distro=alpine-3.20"},
		{dependency.TerraformMod, "terraform-aws-modules/vpc/aws", "5.1.0", "pkg:terraform/terraform-aws-modules/vpc/aws@5.1.0?kind=module"},
		{dependency.TerraformProv, "registry.terraform.io/hashicorp/aws", "5.0.0", "pkg:terraform/registry.terraform.io/hashicorp/aws@5.0.0?kind=provider"},
	} {
		p := dependency.Package{Ecosystem: c.ecosystem, Name: c.name, Version: c.version}
		got := PURL(p)
		if got != c.want {
			t.Errorf("PURL(%s %s) = %s, want %s", c.ecosystem, p.ID(), got, c.want)
		}
		back, err := FromPURL(got)
		if err != nil || back.Ecosystem != c.ecosystem || back.Name != c.name || back.Version != c.version {
			t.Errorf("FromPURL(%s) = %s %s, %v; want %s %s", got, back.Ecosystem, back.ID(), err, c.ecosystem, p.ID())
		}
	}
}

func TestPURLOrigin(t *testing.T) {
	for origin, want := range map[string]string{
		"git+https://git.shop.example/a.git#1f2e":     "pkg:npm/a@1.0.0?vcs_url=git%2Bhttps:%2F%2Fgit.shop.example%2Fa.git%231f2e",
		"https://files.shop.example/a-1.0.0.tgz":      "pkg:npm/a@1.0.0?download_url=https:%2F%2Ffiles.shop.example%2Fa-1.0.0.tgz",
		"https://registry.shop.example":               "pkg:npm/a@1.0.0?repository_url=https:%2F%2Fregistry.shop.example",
		"https://robin:word@registry.shop.example/np": "pkg:npm/a@1.0.0",
		"../a": "pkg:npm/a@1.0.0",
	} {
		if got := PURL(dependency.Package{Ecosystem: dependency.NPM, Name: "a", Version: "1.0.0", Origin: origin}); got != want {
			t.Errorf("origin %s: %s, want %s", origin, got, want)
		}
	}
	if got := PURL(dependency.Package{Ecosystem: dependency.NPM, Name: "a", Local: true}); got != "" {
		t.Errorf("a local package has the purl %s", got)
	}
}

// What other tools write.
func TestFromPURL(t *testing.T) {
	for text, want := range map[string]struct {
		ecosystem     dependency.Ecosystem
		name, version string
	}{
		"pkg:npm/@babel/core@7.0.0":                                                       {dependency.NPM, "@babel/core", "7.0.0"},
		"pkg:pypi/Zope.Interface@5.0":                                                     {dependency.PyPI, "zope-interface", "5.0"},
		"pkg:golang/github.com/Masterminds/semver/v3@v3.2.0#subdir":                       {dependency.Go, "github.com/Masterminds/semver/v3", "v3.2.0"},
		"pkg:golang/golang.org/x/net@v0.1.0?type=module":                                  {dependency.Go, "golang.org/x/net", "v0.1.0"},
		"pkg:golang/stdlib@go1.22.3":                                                      {dependency.Go, "stdlib", "1.22.3"},
		"pkg:apk/alpine/libcrypto3@3.1.4-r5?arch=x86_64&upstream=openssl&distro=3.18.4":   {"Alpine:v3.18", "openssl", "3.1.4-r5"},
		"pkg:deb/debian/libc6@2.36-9?arch=amd64&upstream=glibc%402.36-8&distro=debian-12": {"Debian:12", "glibc", "2.36-8"},
		"pkg:deb/debian/curl@7?distro=bookworm":                                           {"Debian", "curl", "7"},
		"pkg:rpm/almalinux/bash@4.4?distro=almalinux-8.9":                                 {"AlmaLinux:8", "bash", "4.4"},
		"pkg:githubactions/Actions/Checkout@v4":                                           {dependency.GitHubActions, "actions/checkout", "v4"},
		"pkg:terraform/hashicorp/aws@5.0.0":                                               {dependency.TerraformProv, "hashicorp/aws", "5.0.0"},
		"pkg:terraform/app.terraform.io/shop/vpc/aws@1.0.0":                               {dependency.TerraformMod, "app.terraform.io/shop/vpc/aws", "1.0.0"},
		"pkg:maven/org.a/b@1?type=jar":                                                    {dependency.Maven, "org.a:b", "1"},
	} {
		got, err := FromPURL(text)
		if err != nil || got.Ecosystem != want.ecosystem || got.Name != want.name || got.Version != want.version {
			t.Errorf("FromPURL(%s) = %q %q %q, %v; want %v", text, got.Ecosystem, got.Name, got.Version, err, want)
		}
	}
	for _, text := range []string{"", "pkg:", "pkg:npm", "npm/a@1", "pkg:maven/a@1", "pkg:npm/%zz@1", "pkg:npm/"} {
		if got, err := FromPURL(text); err == nil {
			t.Errorf("FromPURL(%q) = %v, want an error", text, got)
		}
	}
	var unsupported *UnsupportedError
	if _, err := FromPURL("pkg:oci/debian@sha256:1"); !errors.As(err, &unsupported) {
		t.Errorf("an unknown type: %v", err)
	}
}

func FuzzFromPURL(f *testing.F) {
	f.Add("pkg:npm/%40babel/core@7.0.0?vcs_url=git%2Bhttps://a.example#b")
	f.Add("pkg:deb/debian/libc6@2.36-9?arch=amd64&upstream=glibc%402.36-8&distro=debian-12")
	f.Add("pkg:golang/a//b@c@d")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := FromPURL(text)
		if err != nil {
			return
		}
		if p.Name == "" || p.Ecosystem == "" {
			t.Fatalf("%q: no name or ecosystem without an error: %+v", text, p)
		}
		PURL(p)
	})
}

func BenchmarkPURL(b *testing.B) {
	b.ReportAllocs()
	p := dependency.Package{Ecosystem: dependency.NPM, Name: "@babel/core", Version: "7.0.0"}
	for b.Loop() {
		PURL(p)
	}
}

func BenchmarkFromPURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromPURL("pkg:npm/%40babel/core@7.0.0"); err != nil {
			b.Fatal(err)
		}
	}
}

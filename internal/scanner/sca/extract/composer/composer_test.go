package composer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract"
	"bulwark/internal/scanner/sca/extract/collect/collecttest"
	"bulwark/internal/scanner/sca/extract/composer"
)

const lock = `{
  "packages": [
    {
      "name": "acme/web",
      "version": "v2.1.0",
      "source": {"type": "git", "url": "https://git.example/acme/web.git", "reference": "abc"},
      "dist": {"type": "zip", "url": "https://git.example/zip", "shasum": "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      "require": {"php": ">=8", "ext-json": "*", "acme/log-api": "^1"},
      "license": ["MIT", "GPL-2.0-or-later WITH Classpath-exception-2.0"],
      "notification-url": "https://packagist.org/downloads/"
    },
    {"name": "acme/Log", "version": "1.0.0", "provide": {"acme/log-api": "1.0"}, "license": "MIT",
     "source": {"type": "git", "url": "https://user:pw@git.example/log.git", "reference": "def"}},
    {"name": "own/part", "version": "dev-main", "dist": {"type": "path", "url": "../part"}}
  ],
  "packages-dev": [
    {"name": "acme/test", "version": "9.0.0", "require": {"acme/web": "*"}, "notification-url": "https://packagist.org/downloads/"}
  ]
}`

const asks = `{
  "name": "acme/site",
  "require": {
    "php": "^8",
    "acme/web": "^2",
    "acme/gone": "1.2.3",
    "own/part": "*"
  },
  "require-dev": {"acme/test": "9.*"}
}`

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  string
	}{
		{"lockfile alone", []string{"a/composer.lock", lock}, `a/composer.lock: composer.lock
4 acme/web@v2.1.0 - p >acme/Log@1.0.0 (MIT OR (GPL-2.0-or-later WITH Classpath-exception-2.0)) #sha-1:da39
12 acme/Log@1.0.0 - p @https://git.example/log.git#def (MIT)
14 own/part@dev-main - p @../part local
17 acme/test@9.0.0 - d >acme/web@v2.1.0
`},
		{"with composer.json", []string{"composer.lock", lock, "composer.json", asks}, `composer.lock: composer.lock
4 acme/web@v2.1.0 d p >acme/Log@1.0.0 ~^2 (MIT OR (GPL-2.0-or-later WITH Classpath-exception-2.0)) #sha-1:da39
12 acme/Log@1.0.0 t p <acme/web@v2.1.0 @https://git.example/log.git#def (MIT)
14 own/part@dev-main d p ~* @../part local
17 acme/test@9.0.0 d d >acme/web@v2.1.0 ~9.*
gap 0 line 6 of composer.json asks for "acme/gone", which is not in this lockfile: run composer update and commit the lockfile
`},
		{"no lockfile", []string{"composer.json", asks}, `composer.json: composer.json
5 acme/web d p ~^2
6 acme/gone@1.2.3 d p ~1.2.3
7 own/part d p ~*
9 acme/test d d ~9.*
gap 0 composer.json asks for ranges and no lockfile is beside it: commit a lockfile so that exact versions can be checked
`},
	} {
		if diff := cmp.Diff(c.want, collecttest.Resolve(t, composer.New(), c.files...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestHostile(t *testing.T) {
	collecttest.Hostile(t, composer.New(), "composer.lock", lock)
	collecttest.Hostile(t, composer.New(), "composer.json", asks)
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte(lock), true)
	f.Add([]byte(asks), false)
	f.Fuzz(func(t *testing.T, content []byte, locked bool) {
		path := "composer.json"
		if locked {
			path = "composer.lock"
		}
		collecttest.Check(t, composer.New(), path, content)
	})
}

// BenchmarkExtract reads a lockfile of 1,000 packages, each needing two others.
func BenchmarkExtract(b *testing.B) {
	const n = 1000
	var s strings.Builder
	s.WriteString(`{"packages-dev": [], "packages": [`)
	for i := range n {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `
    {
      "name": "acme/p%d",
      "version": "v1.0.0",
      "source": {"type": "git", "url": "https://git.example/acme/p%d.git", "reference": "abc"},
      "dist": {"type": "zip", "url": "https://git.example/p%d.zip", "reference": "abc", "shasum": ""},
      "require": {"php": ">=8", "acme/p%d": "^1", "acme/p%d": "^1"},
      "notification-url": "https://packagist.org/downloads/",
      "license": ["MIT"],
      "description": "A package among many"
    }`, i, i, i, (i+1)%n, i*7%n)
	}
	s.WriteString("]}")
	content := []byte(s.String())
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := composer.New().Extract(context.Background(), extract.File{Path: "composer.lock", Content: content})
		if err != nil || len(m.Packages) != n {
			b.Fatal(err)
		}
	}
}

package npm_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulwark/internal/scanner/sca/extract/collect/collecttest"
	"bulwark/internal/scanner/sca/extract/npm"
)

// In Yarn 2 and later a resolution replaces what is asked for without a trace in
// the lockfile.
func TestResolutions(t *testing.T) {
	const lock = `__metadata:
  version: 8

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  dependencies:
    a: "npm:^1.0.0"
    "@s/b": "npm:^1.0.0"
  languageName: unknown
  linkType: soft

"a@npm:^1.0.0":
  version: 1.0.0
  resolution: "a@npm:1.0.0"
  dependencies:
    c: "npm:^1.0.0"

"@s/b@npm:^1.0.0":
  version: 1.1.0
  resolution: "@s/b@npm:1.1.0"
  dependencies:
    c: "npm:^1.0.0"
    d: "npm:^9.0.0"

"c@npm:2.0.0":
  version: 2.0.0
  resolution: "c@npm:2.0.0"

"c@npm:3.0.0":
  version: 3.0.0
  resolution: "c@npm:3.0.0"
`
	const asks = `{"name": "app", "dependencies": {"a": "^1.0.0", "@s/b": "^1.0.0"},
 "resolutions": {"@s/b/c": "3.0.0", "c@npm:^1.0.0": "npm:2.0.0", "**/x": "1", "": "", "/": "1", "@": "2"}}`
	const want = `yarn.lock: yarn.lock (berry, version 8)
4 app - - >@s/b@1.1.0,a@1.0.0 @. local
13 a@1.0.0 d p >c@2.0.0 ~^1.0.0
19 @s/b@1.1.0 d p >c@3.0.0 ~^1.0.0
26 c@2.0.0 t p <a@1.0.0
30 c@3.0.0 t p <@s/b@1.1.0
gap 0 packages that others need are not in the lockfile (1), the first is "d@npm:^9.0.0", needed by "@s/b@1.1.0": run yarn install and commit the lockfile
`
	if diff := cmp.Diff(want, collecttest.Resolve(t, npm.New(), "package.json", asks, "yarn.lock", lock)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNestedCost: the folders around a package must not be tried anew for each
// of its needs.
func TestNestedCost(t *testing.T) {
	deep := strings.Repeat("a/", 120)
	var needs strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&needs, `"n%d":"1",`, i)
	}
	for path, content := range map[string]string{
		"package-lock.json": `{"lockfileVersion":3,"packages":{"":{},"` + deep + `p":{"version":"1.0.0","dependencies":{` + needs.String() + `"z":"1"}}}}`,
		"bun.lock":          `{"lockfileVersion":1,"packages":{"` + deep + `p":["p@1.0.0","",{"dependencies":{` + needs.String() + `"z":"1"}}]}}`,
	} {
		start := time.Now()
		m := collecttest.Extract(t, npm.New(), path, content)
		if took := time.Since(start); took > 5*time.Second || len(m.Packages) != 1 {
			t.Errorf("%s: %d packages in %v", path, len(m.Packages), took)
		}
	}
}

// TestNotCovered: what is said of ranges must be true beside a lockfile that
// cannot be read, too.
func TestNotCovered(t *testing.T) {
	got := collecttest.Resolve(t, npm.New(), "package.json", `{"dependencies": {"a": "^1"}}`)
	if !strings.Contains(got, "no lockfile that can be read covers it") {
		t.Error(got)
	}
}

package laws

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// rooms says of every folder below internal/ which others it may import, and
// why no more. Adding a room means adding a line.
var rooms = map[string]struct {
	may []string
	why string
}{
	// The ground: plain values, no I/O, nothing of ours above them.
	"asset":      {nil, "it names what is examined and knows nothing of examining"},
	"identity":   {nil, "it derives keys and hashes; reading them from somewhere is for its callers"},
	"strictyaml": {nil, "it reads YAML of any meaning"},
	"dependency": {nil, "it is what extraction, advisories and SBOMs share, so it can depend on none"},
	"ssvc":       {nil, "it weighs facts by published tables and looks none up"},
	"license":    {nil, "it reads licence expressions and knows nothing of packages"},
	"finding":    {nil, "it is what every stage speaks, so it can depend on none"},
	"outcome":    {[]string{"asset", "finding"}, "it is what every stage speaks, so it can depend on none"},
	"config":     {[]string{"finding", "identity", "strictyaml"}, "it holds settings as values; whoever is configured reads them, not the other way round"},

	// The stages: each speaks finding and outcome, none knows its neighbour.
	"source":   {[]string{"asset", "finding", "outcome"}, "a source delivers bytes and does not care who looks at them"},
	"advisory": {[]string{"dependency"}, "it knows packages from outside; whether they matter to an asset is decided above it"},
	"sbom":     {[]string{"advisory", "dependency"}, "it writes down what software is made of and what became known of it later; it looks at no source"},
	"scanner":  {[]string{"advisory", "dependency", "finding", "identity", "license", "sbom"}, "a scanner sees content, not where it came from nor what is decided about it"},
	"triage":   {[]string{"finding", "identity", "outcome", "sbom", "ssvc", "strictyaml"}, "triage compares identities; it neither looks nor decides"},
	"policy":   {[]string{"finding", "outcome"}, "the decision point judges what it is told; it neither looks nor waives"},
	"report":   {[]string{"asset", "finding", "outcome", "sbom"}, "a report renders a run and must not be able to change it"},
	"verify":   {[]string{"finding", "identity"}, "it asks providers, and the less it knows the less it can tell them"},

	"callgraph": {nil, "it starts the go command on a stranger's module; the less it knows the less can go wrong"},
	"fix":       {[]string{"advisory", "dependency", "finding", "scanner"}, "it edits manifests as findings say and proves it by reading them again; it decides nothing"},

	// What composes them.
	"pipeline": {[]string{"asset", "finding", "identity", "outcome", "policy", "sbom", "scanner", "source", "ssvc", "triage"}, "it composes the stages; it does not know the command line, the configuration file or the reports"},
	"cli": {[]string{
		"advisory", "asset", "callgraph", "config", "dependency", "finding", "fix", "identity", "license", "outcome", "pipeline", "policy", "report", "sbom", "scanner", "source", "ssvc", "strictyaml", "triage", "verify",
	}, "it is the wiring and sits at the top"},
	"laws": {nil, "it looks at the tree from outside"},
}

// stages are the rooms that must not know one another.
var stages = []string{"source", "scanner", "triage", "policy", "report", "verify"}

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	tree := house(t)
	for _, f := range tree.code() {
		from := room(f.pkg)
		if from == "" {
			continue
		}
		law, ok := rooms[from]
		if !ok {
			t.Errorf("%s: the room internal/%s has no law: say in laws/imports_test.go what it may import and why, and describe it in ARCHITECTURE.md", f.path, from)
			continue
		}
		for _, imported := range f.imports {
			if !ours(imported) {
				continue
			}
			switch to := room(imported); {
			case to == "" && !strings.HasPrefix(imported, module+"/content/") && imported != module+"/deploy":
				t.Errorf("%s imports %s: internal/ is below it; imports never run upward", f.path, imported)
			case to == "" || to == from || slices.Contains(law.may, to):
			default:
				t.Errorf("%s imports %s: internal/%s may not, since %s", f.path, imported, from, law.why)
			}
		}
	}
}

// TestOnlyWiringSeesTwoStages guards the table above against a careless line.
func TestOnlyWiringSeesTwoStages(t *testing.T) {
	tree := house(t)
	seen := map[string]map[string]bool{}
	for _, f := range tree.code() {
		for _, imported := range f.imports {
			if to := room(imported); to != room(f.pkg) && slices.Contains(stages, to) {
				if seen[f.pkg] == nil {
					seen[f.pkg] = map[string]bool{}
				}
				seen[f.pkg][to] = true
			}
		}
	}
	for pkg, to := range seen {
		from := room(pkg)
		if from == "pipeline" || from == "cli" || !strings.HasPrefix(pkg, module+"/internal/") {
			continue
		}
		if len(to) > 1 {
			t.Errorf("%s imports the stages %s: only pipeline composes stages, and cli wires them", pkg, strings.Join(slices.Sorted(maps.Keys(to)), " and "))
		}
		if slices.Contains(stages, from) {
			t.Errorf("%s imports the stage %s: a stage never imports its neighbour; both speak finding or outcome", pkg, strings.Join(slices.Sorted(maps.Keys(to)), " and "))
		}
	}
}

func TestRoomsHaveNoCircle(t *testing.T) {
	state := map[string]int{} // 1: being visited, 2: done
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		way = append(way, name)
		switch state[name] {
		case 1:
			t.Errorf("the table of rooms allows a circle: %s", strings.Join(way, " → "))
			return
		case 2:
			return
		}
		state[name] = 1
		for _, to := range rooms[name].may {
			if _, ok := rooms[to]; !ok {
				t.Errorf("the room %s may import %s, which has no line", name, to)
			}
			visit(to, way)
		}
		state[name] = 2
	}
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		visit(name, nil)
	}
}

func TestScannersNeverImportOneAnother(t *testing.T) {
	which := func(pkg string) string {
		rest, ok := strings.CutPrefix(pkg, module+"/internal/scanner/")
		if !ok {
			return ""
		}
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	for _, f := range house(t).code() {
		from := which(f.pkg)
		for _, imported := range f.imports {
			if to := which(imported); to != "" && room(f.pkg) == "scanner" && to != from {
				t.Errorf("%s imports %s: a scanner never imports another; a new one must plug in, and an old one be removed, without touching the rest", f.path, imported)
			}
		}
	}
}

func TestContentImportsNothing(t *testing.T) {
	for _, f := range house(t).code() {
		if !within(f.pkg, module+"/content") && !within(f.pkg, module+"/deploy") {
			continue
		}
		for _, imported := range f.imports {
			if imported != "embed" && imported != "io/fs" {
				t.Errorf("%s imports %s: content and deploy are data that is edited without Go; they only embed it", f.path, imported)
			}
		}
	}
}

func TestMainIsWiring(t *testing.T) {
	for _, f := range house(t).code() {
		for _, imported := range f.imports {
			if within(f.pkg, module+"/cmd") && ours(imported) && imported != module+"/internal/cli" {
				t.Errorf("%s imports %s: main is one page that calls cli", f.path, imported)
			}
			if room(imported) == "cli" && !within(f.pkg, module+"/cmd") {
				t.Errorf("%s imports %s: only cmd does; nothing else knows of a command line", f.path, imported)
			}
		}
	}
}

// TestNothingReachesOut: neither itself nor by what it imports.
func TestNothingReachesOut(t *testing.T) {
	all, err := graph()
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{
		"net/http": "looking and deciding work offline and cannot send anything anywhere",
		"os/exec":  "what is examined is hostile, and Bulwark executes nothing",
	}
	for _, name := range []string{
		"asset", "config", "control", "dependency", "evidence", "finding", "fix", "identity", "license", "outcome", "report", "sbom", "scanner",
		"source", "ssvc", "strictyaml", "triage",
	} {
		for pkg := range all {
			if !within(pkg, module+"/internal/"+name) {
				continue
			}
			for _, target := range []string{"net/http", "os/exec"} {
				if way := chain(all, pkg, target); way != nil {
					t.Errorf("%s reaches %s: %s\n%s", pkg, target, why[target], strings.Join(way, " → "))
				}
			}
		}
	}
}

// TestOnlyTwoRoomsUseTheNetwork: policy cannot be in the test above, since OPA
// itself links net/http; its capabilities are cut down instead, see
// policy/capabilities.go.
func TestOnlyTwoRoomsUseTheNetwork(t *testing.T) {
	may := []string{"verify", "cli"}
	for _, f := range house(t).code() {
		if !strings.HasPrefix(f.pkg, module+"/internal/") || slices.Contains(may, room(f.pkg)) || f.pkg == module+"/internal/advisory/feed" {
			continue
		}
		for _, imported := range f.imports {
			if imported == "net/http" || imported == "net" || imported == "net/rpc" || imported == "net/smtp" {
				t.Errorf("%s imports %s: only verify (when --verify asks for it) and advisory/feed (for db update) talk to the network", f.path, imported)
			}
		}
	}
}

func TestNothingIsExecuted(t *testing.T) {
	for _, f := range house(t).code() {
		if within(f.pkg, module+"/bench") || within(f.pkg, module+"/tools") {
			continue // not part of the program
		}
		for _, imported := range f.imports {
			if imported == "os/exec" || imported == "plugin" {
				t.Errorf("%s imports %s: Bulwark executes nothing, least of all git in a repository whose configuration a stranger wrote", f.path, imported)
			}
			if imported == "golang.org/x/vuln/scan" && room(f.pkg) != "callgraph" {
				t.Errorf("%s imports %s: only callgraph has the go command started, and only on request", f.path, imported)
			}
		}
	}
}

func TestNoAliasesOfOurOwnPackages(t *testing.T) {
	tree := house(t)
	names := map[string]string{}
	for _, f := range tree.code() {
		names[f.pkg] = f.syntax.Name.Name
	}
	for _, f := range tree.files {
		for i, spec := range f.syntax.Imports {
			imported := f.imports[i]
			if !ours(imported) || spec.Name == nil || spec.Name.Name == names[imported] {
				continue
			}
			t.Errorf("%s imports %s as %s: a package whose name needs an alias has the wrong name", f.path, imported, spec.Name.Name)
		}
	}
}

func TestNoMeaninglessPackageNames(t *testing.T) {
	bad := []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "base", "lib", "shared", "x"}
	for _, f := range house(t).files {
		for _, name := range []string{strings.TrimSuffix(f.syntax.Name.Name, "_test"), path.Base(f.pkg)} {
			if slices.Contains(bad, name) {
				t.Errorf("%s: nobody can guess what belongs into a package called %s: put the function beside its caller, or name the noun", f.path, name)
			}
		}
	}
}

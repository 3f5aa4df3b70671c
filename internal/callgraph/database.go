package callgraph

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of the Go vulnerability database that the analysis reads
// (https://go.dev/security/vuln/database#api).
type (
	indexModule struct {
		Path  string      `json:"path"`
		Vulns []indexVuln `json:"vulns"`
	}
	indexVuln struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
	}
	entry struct {
		SchemaVersion string     `json:"schema_version"`
		ID            string     `json:"id"`
		Modified      time.Time  `json:"modified"`
		Affected      []affected `json:"affected"`
	}
	affected struct {
		Package   packageName `json:"package"`
		Ranges    []semver    `json:"ranges"`
		Ecosystem ecosystemGo `json:"ecosystem_specific"`
	}
	packageName struct {
		Name      string `json:"name"`
		Ecosystem string `json:"ecosystem"`
	}
	semver struct {
		Type   string  `json:"type"`
		Events []event `json:"events"`
	}
	event struct {
		Introduced string `json:"introduced,omitempty"`
	}
	ecosystemGo struct {
		Imports []imported `json:"imports,omitempty"`
	}
	imported struct {
		Path    string   `json:"path"`
		Symbols []string `json:"symbols,omitempty"`
	}
)

// writeDatabase makes a database of the vulnerabilities in the folder.
func writeDatabase(folder string, vulnerabilities []Vulnerability) error {
	var newest time.Time
	modules := map[string]*indexModule{}
	var order []string
	for _, dir := range []string{"index", "ID"} {
		if err := os.Mkdir(filepath.Join(folder, dir), 0o700); err != nil {
			return err
		}
	}
	write := func(name string, v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, name), b, 0o600)
	}
	for _, v := range vulnerabilities {
		if v.ID == "" || strings.ContainsAny(v.ID, `/\`) || strings.HasPrefix(v.ID, ".") || len(v.ID) > 128 {
			return fmt.Errorf("%q is no id of a vulnerability", v.ID)
		}
		if v.Modified.After(newest) {
			newest = v.Modified
		}
		a := affected{Package: packageName{v.Module, "Go"}}
		a.Ranges = []semver{{"SEMVER", []event{{Introduced: "0"}}}} // whatever version is in use
		for path, names := range v.Symbols {
			a.Ecosystem.Imports = append(a.Ecosystem.Imports, imported{path, names})
		}
		if err := write(filepath.Join("ID", v.ID+".json"), entry{"1.3.1", v.ID, v.Modified.UTC(), []affected{a}}); err != nil {
			return err
		}
		m := modules[v.Module]
		if m == nil {
			m = &indexModule{Path: v.Module}
			modules[v.Module], order = m, append(order, v.Module)
		}
		m.Vulns = append(m.Vulns, indexVuln{v.ID, v.Modified.UTC()})
	}
	all := []indexModule{}
	for _, path := range order {
		all = append(all, *modules[path])
	}
	if err := write(filepath.Join("index", "db.json"), map[string]time.Time{"modified": newest.UTC()}); err != nil {
		return err
	}
	return write(filepath.Join("index", "modules.json"), all)
}

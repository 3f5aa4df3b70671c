package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithout(t *testing.T) {
	theirs := []vulnerability{
		{"a/package-lock.json", "demo", []string{"1.0.0"}, []string{"GHSA-1"}},
		{"a/package-lock.json", "demo", []string{"2.0.0"}, []string{"GHSA-1"}},
		{"b/package-lock.json", "demo", []string{"1.0.0"}, []string{"GHSA-1"}},
		{"a/package-lock.json", "demo", []string{"1.0.0"}, []string{"GHSA-2"}},
	}
	ours := []vulnerability{{"a/package-lock.json", "Demo", []string{"1.0.0", "2.0.0"}, []string{"CVE-1", "GHSA-1"}}}
	var lost []string
	for _, v := range without(theirs, ours) {
		lost = append(lost, v.String())
	}
	want := []string{"b/package-lock.json: demo 1.0.0: GHSA-1", "a/package-lock.json: demo 1.0.0: GHSA-2"}
	if diff := cmp.Diff(want, lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	if left := without(ours, theirs); len(left) != 0 {
		t.Errorf("without = %v, want none", left)
	}
}

func TestReadVulnerabilities(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bulwark.json")
	report := `{"findings":[
{"properties":{},"locations":[{"path":"secret.txt"}]},
{"properties":{"vuln.id":"CVE-1","vuln.aliases":"GHSA-1 GHSA-2","package.name":"demo","package.version":"1.0.0 2.0.0"},
 "locations":[{"path":"a","notes":["demo@2.0.0 is pulled in by x@1"]},{"path":"a","notes":["demo@2.0.0 is pulled in by y@1"]},{"path":"b"}]}]}`
	if err := os.WriteFile(path, []byte(report), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readVulnerabilities(path)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"CVE-1", "GHSA-1", "GHSA-2"}
	want := []vulnerability{{"a", "demo", []string{"2.0.0"}, names}, {"b", "demo", []string{"1.0.0", "2.0.0"}, names}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(vulnerability{})); diff != "" {
		t.Errorf("readVulnerabilities (-want +got):\n%s", diff)
	}
}

func TestOverlap(t *testing.T) {
	if got := plain("pkg:golang/Example.com/Mod@v1.0.0?type=module#sub"); got != "pkg:golang/example.com/mod@v1.0.0" {
		t.Errorf("plain = %q", got)
	}
	both, only, more := overlap(map[string]bool{"pkg:npm/a@1": true, "pkg:npm/b@1": true, "pkg:gem/c@1": true}, map[string]bool{"pkg:npm/a@1": true, "pkg:npm/d@1": true})
	if both != 1 || byType(only) != "2 (gem 1, npm 1)" || byType(more) != "1 (npm 1)" || byType(nil) != "none" {
		t.Errorf("overlap = %d, %s, %s", both, byType(only), byType(more))
	}
}

func TestExports(t *testing.T) {
	dir := t.TempDir()
	for _, set := range []string{"one", "two"} {
		folder := filepath.Join(dir, set, "npm")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(folder, "all.zip"))
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		for _, name := range []string{"both.json", set + ".json"} {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(`{"affected":[{"package":{"ecosystem":"npm","name":"` + name + `"},"versions":["1.0.0","1.1.0"]}]}`)); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	exports, err := findExports(dir)
	if err != nil {
		t.Fatal(err)
	}
	merged := filepath.Join(dir, "merged")
	if err := mergeExports(exports, merged); err != nil {
		t.Fatal(err)
	}
	got, err := affected(map[string][]string{"npm": {filepath.Join(merged, "osv-scanner", "npm", "all.zip")}})
	if err != nil {
		t.Fatal(err)
	}
	want := []named{{"npm", "both.json", "1.1.0"}, {"npm", "one.json", "1.1.0"}, {"npm", "two.json", "1.1.0"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(named{})); diff != "" {
		t.Errorf("affected (-want +got):\n%s", diff)
	}
	if _, err := writeBill(filepath.Join(dir, "bill.json"), exports, 10, 2); err != nil {
		t.Fatal(err)
	}
	if bill, err := readBill(filepath.Join(dir, "bill.json")); err != nil || len(bill) != 8 {
		t.Errorf("a bill of 10 packages, 5 of them out of 3: %d different, %v", len(bill), err)
	}
	if _, err := findExports(t.TempDir()); err == nil {
		t.Error("a folder without exports is no error")
	}
}

package ssvc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	ssvctables "bulwark/content/ssvc"
)

const small = `# title: Umbrella
# version: 1
# date: 2026-01-01
# source: https://example.org/umbrella
# licence: CC0-1.0
# point rain: no yes
# point wind: calm storm
# outcome carry: leave take
# days: - 3
rain,wind,carry
no,calm,leave
no,storm,leave
yes,calm,take
yes,storm,leave
`

func TestLoadTable(t *testing.T) {
	table, err := LoadTable("umbrella.csv", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		rain, wind, want string
		days             int
	}{
		{"no", "calm", "leave", -1}, {"no", "storm", "leave", -1}, {"yes", "calm", "take", 3}, {"yes", "storm", "leave", -1},
	} {
		got, days, err := table.Lookup(tc.rain, tc.wind)
		if err != nil || got != tc.want || days != tc.days {
			t.Errorf("Lookup(%s, %s) = %s, %d, %v", tc.rain, tc.wind, got, days, err)
		}
	}
	if _, _, err := table.Lookup("yes"); err == nil {
		t.Error("one value for two points is no error")
	}
	if _, _, err := table.Lookup("yes", "breeze"); err == nil || !strings.Contains(err.Error(), `wind "breeze" is not one of calm, storm`) {
		t.Errorf("got %v", err)
	}
}

func TestLoadTableRefuses(t *testing.T) {
	for _, tc := range []struct{ name, old, new, want string }{
		{"missing row", "yes,calm,take\n", "", "the combination yes,calm has no row"},
		{"duplicate row", "yes,storm,leave", "yes,calm,leave", "line 14: yes,calm is there twice"},
		{"unknown value", "no,storm,", "no,gale,", `line 12: wind "gale" is not one of calm, storm`},
		{"unknown outcome", "no,storm,leave", "no,storm,swim", `line 12: carry "swim"`},
		{"too few columns", "no,storm,leave", "no,storm", "line 12: wrong number of fields"},
		{"columns swapped", "rain,wind,carry", "wind,rain,carry", `line 10: column 1 is named "wind"`},
		{"no source", "# source: https://example.org/umbrella\n", "", "source is missing"},
		{"unknown key", "# date:", "# dote:", `line 3: the key "dote" is not known`},
		{"no key", "# date: 2026-01-01", "# today", "line 3: want"},
		{"point twice", "# point wind: calm storm", "# point rain: a b", "line 7: the point rain is there twice"},
		{"value twice", "calm storm", "calm calm", "line 7: wind has the value calm twice"},
		{"no values", "calm storm", "", "line 7: wind has no values"},
		{"no outcome", "# outcome carry: leave take\n", "", "no outcome"},
		{"two outcomes", "# days: - 3", "# outcome other: a", "line 9: there are two outcomes"},
		{"days for one outcome", "- 3", "3", "1 days for 2 outcomes"},
		{"days in words", "- 3", "- three", "line 9:"},
		{"open quote", "no,storm,leave", "no,\"storm,leave", "line"},
		{"explosive", "calm storm", words(4000), "combinations"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(small, tc.old, tc.new, 1)
			if text == small {
				t.Fatal("the test changes nothing")
			}
			_, err := LoadTable("x.csv", []byte(text))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "x.csv") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// words are n different values.
func words(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "v%d ", i)
	}
	return b.String()
}

// The published tables in another form than the files have them, so that a slip
// in either shows: one line for each combination of all points but the last, the
// outcomes in the order of the last point's values.
func TestPublishedTables(t *testing.T) {
	for file, text := range map[string]string{
		"cisa-coordinator.csv": `
			none   no  partial: track  track  track
			none   no  total:   track  track  track*
			none   yes partial: track  track  attend
			none   yes total:   track  track  attend
			poc    no  partial: track  track  track*
			poc    no  total:   track  track* attend
			poc    yes partial: track  track  attend
			poc    yes total:   track  track* attend
			active no  partial: track  track  attend
			active no  total:   track  attend act
			active yes partial: attend attend act
			active yes total:   attend act    act`,
		"deployer.csv": `
			none   small      no:  defer        defer        scheduled    scheduled
			none   small      yes: defer        scheduled    scheduled    scheduled
			none   controlled no:  defer        scheduled    scheduled    scheduled
			none   controlled yes: scheduled    scheduled    scheduled    scheduled
			none   open       no:  defer        scheduled    scheduled    scheduled
			none   open       yes: scheduled    scheduled    scheduled    out-of-cycle
			poc    small      no:  defer        scheduled    scheduled    scheduled
			poc    small      yes: scheduled    scheduled    scheduled    scheduled
			poc    controlled no:  defer        scheduled    scheduled    scheduled
			poc    controlled yes: scheduled    scheduled    scheduled    out-of-cycle
			poc    open       no:  scheduled    scheduled    scheduled    out-of-cycle
			poc    open       yes: scheduled    scheduled    out-of-cycle out-of-cycle
			active small      no:  scheduled    scheduled    out-of-cycle out-of-cycle
			active small      yes: scheduled    out-of-cycle out-of-cycle out-of-cycle
			active controlled no:  scheduled    scheduled    out-of-cycle out-of-cycle
			active controlled yes: out-of-cycle out-of-cycle out-of-cycle out-of-cycle
			active open       no:  scheduled    out-of-cycle out-of-cycle immediate
			active open       yes: out-of-cycle out-of-cycle immediate    immediate`,
		"bod-26-04.csv": `
			no  no  no:  fix-on-upgrade fix-on-upgrade
			no  no  yes: 60-days        60-days
			no  yes no:  60-days        14-days
			no  yes yes: 14-days        3-days
			yes no  no:  14-days        14-days
			yes no  yes: 14-days        3-days-and-forensics
			yes yes no:  14-days        3-days-and-forensics
			yes yes yes: 3-days         3-days-and-forensics`,
	} {
		t.Run(file, func(t *testing.T) {
			data, err := ssvctables.FS.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			table, err := LoadTable(file, data)
			if err != nil {
				t.Fatal(err)
			}
			last := table.Points[len(table.Points)-1]
			n := 0
			for line := range strings.Lines(strings.TrimSpace(text)) {
				key, outcomes, _ := strings.Cut(line, ":")
				for i, want := range strings.Fields(outcomes) {
					n++
					values := append(strings.Fields(key), last.Values[i])
					got, days, err := table.Lookup(values...)
					if err != nil || got != want {
						t.Errorf("%v: got %s, %v; want %s", values, got, err, want)
					}
					if wantDays, ok := map[string]int{"60-days": 60, "14-days": 14, "3-days": 3, "3-days-and-forensics": 3}[want]; ok && days != wantDays {
						t.Errorf("%s allows %d days", want, days)
					}
				}
			}
			if n != len(table.Rows) || n != len(table.outcomes) {
				t.Errorf("%d rows checked, the table has %d", n, len(table.Rows))
			}
		})
	}
}

// A worse value of a point never makes a published decision milder.
func TestPublishedTablesAreMonotone(t *testing.T) {
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []*Table{m.Coordinator, m.Deployer, m.Deadlines} {
		for at, outcome := range table.outcomes {
			values := table.combination(at)
			for i, p := range table.Points {
				worse := append([]string(nil), values...)
				for v := indexOf(p.Values, values[i]) + 1; v < len(p.Values); v++ {
					worse[i] = p.Values[v]
					j, err := table.index(worse)
					if err != nil {
						t.Fatal(err)
					}
					if table.outcomes[j] < outcome {
						t.Errorf("%s: %v is milder than %v", table.Title, worse, values)
					}
				}
			}
		}
	}
}

func indexOf(all []string, v string) int {
	for i := range all {
		if all[i] == v {
			return i
		}
	}
	return -1
}

// A table that is accepted answers every combination.
func FuzzLoadTable(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("# point a: b\n# outcome c: d\na,c\nb,d\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := LoadTable("fuzz.csv", text)
		if err != nil {
			return
		}
		if len(table.Rows) != len(table.outcomes) {
			t.Fatalf("%d rows for %d combinations", len(table.Rows), len(table.outcomes))
		}
		for at := range table.outcomes {
			values := table.combination(at)
			if back, err := table.index(values); err != nil || back != at {
				t.Fatalf("%v: %d, %v, want %d", values, back, err, at)
			}
			if _, _, err := table.Lookup(values...); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRowsAreKept(t *testing.T) {
	table, err := LoadTable("umbrella.csv", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Row{Values: []string{"yes", "calm"}, Outcome: "take"}, table.Rows[2]); diff != "" {
		t.Error(diff)
	}
}

package db

import (
	"slices"
	"strings"
)

// groupRecords joins the records that tell of one vulnerability: those that
// share a name, where a record's names are its id and its aliases. "related"
// and "upstream" join nothing: an advisory of a distribution stands for a set of
// packages and often for many CVEs.
//
// Chains of aliases may be wrong: one mistaken alias would join two
// vulnerabilities, and through them whole families. CVE ids are the one kind of
// name that is given out once for each vulnerability. So two CVEs are joined
// only if one record names both; a chain over a third name does not join them,
// and the name that they have in common stays with the first that claims it, by
// order of strength: the CVE of the record that has this name as its id, then
// the smallest.
func groupRecords(records []*gathered) (names map[string]uint32, groups [][]string, kept int) {
	u := &unions{index: make(map[string]int32)}
	standing := make([]*gathered, 0, len(records))
	for _, r := range records {
		if !r.withdrawn {
			standing = append(standing, r)
		}
	}
	// CVEs that one record names.
	for _, r := range standing {
		first := ""
		for id := range r.names() {
			if !isCVE(id) {
				continue
			}
			if first == "" {
				first = id
			}
			u.join(first, id, true)
		}
	}
	// Records that name a CVE, first by their own id, then by their aliases.
	for _, own := range [...]bool{true, false} {
		for _, r := range standing {
			cve := r.cve()
			if cve == "" {
				continue
			}
			if own {
				u.join(cve, r.id, false)
				continue
			}
			for _, alias := range r.aliases {
				u.join(r.id, alias, false)
			}
		}
	}
	// Records that name none.
	for _, r := range standing {
		if r.cve() == "" {
			u.add(r.id)
			for _, alias := range r.aliases {
				u.join(r.id, alias, false)
			}
		}
	}
	// Withdrawn ones last: they may be withdrawn because they were mistaken.
	for _, r := range records {
		if r.withdrawn {
			u.add(r.id)
			for _, alias := range r.aliases {
				u.join(r.id, alias, false)
			}
		}
	}
	groups = u.groups()
	names = make(map[string]uint32, len(u.ids))
	for i, group := range groups {
		for _, id := range group {
			names[id] = uint32(i)
		}
	}
	return names, groups, u.kept
}

func isCVE(id string) bool { return strings.HasPrefix(id, "CVE-") }

// unions is a union-find over ids.
type unions struct {
	index  map[string]int32
	ids    []string
	parent []int32
	size   []int32
	cves   []bool // of a root: its set holds a CVE
	kept   int
}

func (u *unions) add(id string) int32 {
	if i, found := u.index[id]; found {
		return i
	}
	i := int32(len(u.ids))
	u.index[id] = i
	u.ids = append(u.ids, id)
	u.parent = append(u.parent, i)
	u.size = append(u.size, 1)
	u.cves = append(u.cves, isCVE(id))
	return i
}

func (u *unions) root(i int32) int32 {
	for u.parent[i] != i {
		u.parent[i] = u.parent[u.parent[i]]
		i = u.parent[i]
	}
	return i
}

// join makes one set of two, unless both hold CVEs that nobody said to be one.
func (u *unions) join(a, b string, stated bool) {
	i, j := u.root(u.add(a)), u.root(u.add(b))
	if i == j {
		return
	}
	if u.cves[i] && u.cves[j] && !stated {
		u.kept++
		return
	}
	if u.size[i] < u.size[j] {
		i, j = j, i
	}
	u.parent[j] = i
	u.size[i] += u.size[j]
	u.cves[i] = u.cves[i] || u.cves[j]
}

// groups are the sets, the best-known id of each first and the others sorted by
// text; the sets are sorted by their first id.
func (u *unions) groups() [][]string {
	sets := make(map[int32][]string)
	for i, id := range u.ids {
		root := u.root(int32(i))
		sets[root] = append(sets[root], id)
	}
	out := make([][]string, 0, len(sets))
	for _, set := range sets {
		main := slices.MinFunc(set, compareIDs)
		slices.SortFunc(set, func(a, b string) int {
			switch {
			case a == b:
				return 0
			case a == main:
				return -1
			case b == main:
				return 1
			}
			return strings.Compare(a, b)
		})
		out = append(out, set)
	}
	slices.SortFunc(out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return out
}

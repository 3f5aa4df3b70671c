package db

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"bulwark/internal/advisory"
)

// scale is what scores of EPSS are stored by: nine decimals, exactly.
const scale = 1e9

// The decision points of SSVC by number; the empty one is not stated.
var (
	ssvcExploitation = [...]string{"", "none", "poc", "active"}
	ssvcAutomatable  = [...]string{"", "no", "yes"}
	ssvcImpact       = [...]string{"", "partial", "total"}
)

// keyed sorts a table by CVE; of several entries for one the last stands.
func keyed[T any](b *builder, set string, list []T, cve func(*T) string, fault func(*T) string) ([]uint64, map[uint64]*T) {
	table := make(map[uint64]*T, len(list))
	keys := make([]uint64, 0, len(list))
	for i := range list {
		one := &list[i]
		key, ok := cveKey(cve(one))
		reason := "not a CVE id"
		if ok {
			reason = fault(one)
		}
		if reason != "" {
			b.report.refuse(Problem{set, cve(one), reason})
			continue
		}
		if _, found := table[key]; !found {
			keys = append(keys, key)
		}
		table[key] = one
	}
	slices.Sort(keys)
	return keys, table
}

// writeTables writes what is known by CVE.
func (b *builder) writeTables(context.Context) error {
	le := binary.LittleEndian
	keys, kev := keyed(b, "kev", b.in.KEV, func(k *advisory.KEV) string { return k.CVE }, func(k *advisory.KEV) string {
		return dayFault("added", k.Added) + dayFault("due", k.Due)
	})
	var index, data []byte
	for _, key := range keys {
		text, err := json.Marshal(kev[key])
		if err != nil {
			return fmt.Errorf("writing the KEV entry of %s: %w", kev[key].CVE, err)
		}
		index = le.AppendUint64(index, key)
		index = le.AppendUint32(index, uint32(len(data)))
		index = le.AppendUint32(index, uint32(len(text)))
		data = append(data, text...)
	}
	b.sections[secKEV], b.sections[secKEVData] = index, data

	keys, epss := keyed(b, "epss", b.in.EPSS, func(e *advisory.EPSS) string { return e.CVE }, func(e *advisory.EPSS) string {
		if !(e.Score >= 0 && e.Score <= 1 && e.Percentile >= 0 && e.Percentile <= 1) {
			return fmt.Sprintf("score %g or percentile %g is not between 0 and 1", e.Score, e.Percentile)
		}
		return dayFault("date", e.Date)
	})
	index = make([]byte, 0, len(keys)*epssSize)
	for _, key := range keys {
		e := epss[key]
		day, _ := dayKey(e.Date)
		index = le.AppendUint64(index, key)
		index = le.AppendUint32(index, uint32(math.Round(e.Score*scale)))
		index = le.AppendUint32(index, uint32(math.Round(e.Percentile*scale)))
		index = le.AppendUint32(index, day)
	}
	b.sections[secEPSS] = index

	keys, ssvc := keyed(b, "ssvc", b.in.SSVC, func(s *advisory.SSVC) string { return s.CVE }, func(s *advisory.SSVC) string {
		if slices.Index(ssvcExploitation[:], s.Exploitation) < 0 || slices.Index(ssvcAutomatable[:], s.Automatable) < 0 ||
			slices.Index(ssvcImpact[:], s.TechnicalImpact) < 0 {
			return fmt.Sprintf("unknown decision point among %q, %q, %q", s.Exploitation, s.Automatable, s.TechnicalImpact)
		}
		return dayFault("date", s.Date)
	})
	index = make([]byte, 0, len(keys)*ssvcSize)
	for _, key := range keys {
		s := ssvc[key]
		day, _ := dayKey(s.Date)
		index = le.AppendUint64(index, key)
		index = le.AppendUint32(index, day)
		index = append(index, byte(slices.Index(ssvcExploitation[:], s.Exploitation)),
			byte(slices.Index(ssvcAutomatable[:], s.Automatable)), byte(slices.Index(ssvcImpact[:], s.TechnicalImpact)), 0)
	}
	b.sections[secSSVC] = index
	return nil
}

func dayFault(field, day string) string {
	if _, ok := dayKey(day); ok {
		return ""
	}
	return fmt.Sprintf("%s: %q is not a day YYYY-MM-DD", field, day)
}

// writeProducts writes the products by package URL.
func (b *builder) writeProducts(context.Context) error {
	type row struct {
		key       string
		off, size uint32
	}
	var (
		rows []row
		data []byte
	)
	products := slices.Clone(b.in.Products)
	slices.SortStableFunc(products, func(a, b Product) int { return strings.Compare(a.Title, b.Title) })
	for _, p := range products {
		reason := ""
		for _, r := range p.Releases {
			reason = cmp.Or(reason, dayFault("released", r.Released), dayFault("ends", r.Ends))
		}
		var keys []string
		for _, purl := range p.Purls {
			key, ok := purlKeyOf(purl)
			if !ok {
				reason = cmp.Or(reason, fmt.Sprintf("%q is not a package URL", purl))
			}
			keys = append(keys, key)
		}
		if reason != "" {
			b.report.refuse(Problem{"eol", p.Title, reason})
			continue
		}
		if len(keys) == 0 {
			continue // it is no package that could be asked for
		}
		text, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("writing the releases of %s: %w", p.Title, err)
		}
		for _, key := range keys {
			rows = append(rows, row{key, uint32(len(data)), uint32(len(text))})
		}
		data = append(data, text...)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.key, b.key) })
	rows = slices.CompactFunc(rows, func(a, b row) bool { return a.key == b.key })
	le := binary.LittleEndian
	var index, names []byte
	for _, r := range rows {
		index = le.AppendUint32(index, uint32(len(names)))
		index = le.AppendUint32(index, uint32(len(r.key)))
		index = le.AppendUint32(index, r.off)
		index = le.AppendUint32(index, r.size)
		names = append(names, r.key...)
	}
	b.sections[secPurls], b.sections[secPurlText], b.sections[secProducts] = index, names, data
	return nil
}

// purlKey is what products are found by.
func purlKey(kind, namespace, name string) string {
	key := name
	if kind = strings.ToLower(kind); kind == "pypi" {
		key = pep503(name)
	}
	if namespace != "" {
		key = namespace + "/" + key
	}
	return kind + "/" + strings.ToLower(key)
}

// purlKeyOf reads a package URL (https://github.com/package-url/purl-spec),
// leaving out version, qualifiers and subpath.
func purlKeyOf(purl string) (string, bool) {
	rest, found := strings.CutPrefix(purl, "pkg:")
	if !found {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	rest = strings.Trim(rest, "/")
	if slash, at := strings.LastIndexByte(rest, '/'), strings.LastIndexByte(rest, '@'); at > slash+1 {
		rest = rest[:at]
	}
	kind, path, found := strings.Cut(rest, "/")
	path, err := url.PathUnescape(path)
	if !found || kind == "" || path == "" || err != nil {
		return "", false
	}
	slash := strings.LastIndexByte(path, '/')
	return purlKey(kind, path[:max(slash, 0)], path[slash+1:]), true
}

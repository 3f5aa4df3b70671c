package db

import (
	"bytes"
	"testing"
)

// FuzzRead alters the body and repairs the checksums: what is read must still be
// an answer or an error.
func FuzzRead(f *testing.F) {
	data, _ := build(f, sample())
	f.Add(uint32(0), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(uint32(700), []byte{0x80, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		im, err := openImage(data)
		if err != nil {
			t.Fatal(err)
		}
		altered := bytes.Clone(data)
		start := int(im.body) + int(at)%(len(data)-len(im.sums)-int(im.body))
		copy(altered[start:len(data)-len(im.sums)], patch)
		db := &DB{image: im}
		db.meta = db.readMeta
		im.data = altered
		for i := range im.seen {
			im.seen[i].Store(^uint32(0)) // as if every sum were right
		}
		readAll(t, db)
	})
}

// FuzzOpen opens any bytes.
func FuzzOpen(f *testing.F) {
	data, _ := build(f, sample())
	f.Add(data)
	f.Add(data[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		db, err := FromBytes(data)
		if err == nil {
			readAll(t, db)
		}
	})
}

// readAll asks everything and cares for no answer.
func readAll(t *testing.T, db *DB) {
	t.Helper()
	info, _ := db.Info()
	_ = info
	for p, err := range db.Packages() {
		if err != nil {
			break
		}
		for _, v := range []string{"1.1.0", "odd", "7.1-1", ""} {
			matches, err := db.Match(t.Context(), p.Ecosystem, p.Name, v)
			if err == nil && len(matches) > 0 && matches[0].ID == "" && len(matches[0].Proofs) == 0 {
				t.Error("an empty match")
			}
		}
	}
	for _, id := range []string{"GHSA-1", "CVE-2030-1111", "DEBIAN-CVE-2030-2222"} {
		if d, err := db.Detail(id); (d == nil) && err == nil {
			t.Error("neither detail nor error")
		}
	}
	if _, err := db.Exploits([]string{"CVE-2030-1111", "CVE-2030-2222"}); err != nil {
		return
	}
	if _, _, err := db.EndOfLife("pypi", "", "django", "4.2", "2030-01-01"); err != nil {
		return
	}
	for _, err := range db.Records() {
		if err != nil {
			return
		}
	}
	for _, err := range Compare(db, db) {
		if err != nil {
			return
		}
	}
}

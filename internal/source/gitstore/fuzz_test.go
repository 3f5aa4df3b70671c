package gitstore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

// FuzzPack reads every object of a pack by its index.
func FuzzPack(f *testing.F) {
	dir := initRepo(f)
	for i := range 5 {
		write(f, dir, "a", fmt.Sprint(bytes.Repeat([]byte("some text\n"), 50+i), i))
		commitAll(f, dir, "c")
	}
	for _, args := range [][]string{{"repack", "-adfq"}, {"-c", "pack.indexVersion=1", "-c", "repack.usedeltabaseoffset=false", "repack", "-adfq"}} {
		git(f, dir, args...)
		packs, err := filepath.Glob(filepath.Join(dir, ".git/objects/pack/*.pack"))
		if err != nil || len(packs) != 1 {
			f.Fatal(packs, err)
		}
		pack, err := os.ReadFile(packs[0])
		if err != nil {
			f.Fatal(err)
		}
		idx, err := os.ReadFile(packs[0][:len(packs[0])-4] + "idx")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pack, idx)
	}
	f.Fuzz(func(t *testing.T, packData, idxData []byte) {
		x, err := newIndex(memoryFile{bytes.NewReader(idxData)}, int64(len(idxData)), "idx", SHA1)
		if err != nil {
			return
		}
		p := &pack{path: "pack", idx: x}
		p.once.Do(func() { p.err = p.check(memoryFile{bytes.NewReader(packData)}, int64(len(packData))) })
		r := &Repo{packs: []*pack{p}, maxObject: 1 << 20, cache: newBaseCache(1 << 20)}
		for i := range min(x.count(), 64) {
			id, err := x.id(i)
			if err != nil {
				continue
			}
			if pl, ok, err := r.FindPacked(id.Raw()); err == nil && ok {
				r.Object(id)
				r.Size(id, pl)
				r.quickParent(p, pl)
			}
			if in, err := r.OpenBlob(id); err == nil {
				in.Close()
			}
		}
	})
}

func FuzzDelta(f *testing.F) {
	f.Add([]byte("base content"), []byte{12, 6, 0x90, 4, 2, 'x', 'y'})
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		if out, err := applyDelta(base, delta, 1<<20); err == nil && len(out) > 1<<20 {
			t.Fatal("the limit is exceeded")
		}
	})
}

func FuzzIndex(f *testing.F) {
	dir := initRepo(f)
	write(f, dir, "a/b", "x")
	write(f, dir, "a/c", "y")
	write(f, dir, "d", "z")
	commitAll(f, dir, "c")
	for _, v := range []string{"2", "3", "4"} {
		git(f, dir, "update-index", "--index-version", v)
		b, err := os.ReadFile(filepath.Join(dir, ".git/index"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIndex(b, SHA1)
		if err != nil {
			return
		}
		for i := 1; i < len(x.Entries); i++ {
			if x.Entries[i].Path < x.Entries[i-1].Path {
				t.Fatal("out of order")
			}
		}
	})
}

// FuzzText reads trees, commits, packed references, configuration and headers.
func FuzzText(f *testing.F) {
	id := "0123456789012345678901234567890123456789"
	f.Add([]byte("100644 a\x00" + id[:20] + "40000 b\x00" + id[20:]))
	f.Add([]byte("tree " + id + "\nparent " + id + "\nauthor A <a@b> 1700000000 +0100\ncommitter A <a@b> 1700000000 -0330\n\nsubject\n"))
	f.Add([]byte("# pack-refs with: peeled\n" + id + " refs/heads/main\n^" + id + "\n"))
	f.Add([]byte("[core]\n\tbare = false # no\n[remote \"a\\\"b\"]\n\turl = \"x;y\" \\\n z\n[extensions] objectFormat = sha256\n"))
	f.Add(deflated(f, []byte("blob 3\x00abc"), 6))
	f.Fuzz(func(t *testing.T, b []byte) {
		for tree := b; len(tree) > 0; {
			e, rest, err := NextEntry(tree, 20)
			if err != nil {
				break
			}
			if len(e.Name) == 0 || bytes.ContainsAny(e.Name, "/\x00") || len(e.Raw) != 20 {
				t.Fatalf("entry %+v", e)
			}
			tree = rest
		}
		parseCommit(b, SHA1)
		parseCommit(b, SHA256)
		parseCommitText(b)
		parsePackedRefs(b)
		parseConfig(b)
		parseLooseHeader(b)
		parseHeader(b, 1<<20, 20)
		parseCacheTree(b, 20, 0)
	})
}

func TestParseConfig(t *testing.T) {
	c := parseConfig([]byte("[core]\n\tbare = false # no\n[remote \"Ab.c\"]\n\turl = \"x;y\" ; z\n\tflag\n[Extensions] objectFormat = sha\\\n256\n"))
	for key, want := range map[string]string{"core.bare": "false", "remote.Ab.c.url": "x;y", "remote.Ab.c.flag": "true", "extensions.objectformat": "sha256"} {
		if c[key] != want {
			t.Errorf("%s = %q, want %q", key, c[key], want)
		}
	}
}

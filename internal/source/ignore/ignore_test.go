package ignore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		content, path string
		dir           bool
		want          Result
	}{
		{"*.log", "a/b.log", false, Ignored},
		{"*.log\n!b.log", "a/b.log", false, Included},
		{"/a", "b/a", false, Undecided},
		{"/a", "a", false, Ignored},
		{"a/b", "c/a/b", false, Undecided},
		{"**/a/b", "c/a/b", false, Ignored},
		{"a/**", "a", true, Undecided},
		{"a/**", "a/b/c", false, Ignored},
		{"a/**/z", "a/z", false, Ignored},
		{"a/**/z", "a/b/c/z", false, Ignored},
		{"a/**/z", "a/bz", false, Undecided},
		{"dir/", "dir", false, Undecided},
		{"dir/", "x/dir", true, Ignored},
		{"# no\n\\#yes", "#yes", false, Ignored},
		{"\\!bang", "!bang", false, Ignored},
		{"trail   ", "trail", false, Ignored},
		{"trail\\ ", "trail ", false, Ignored},
		{"cr\r\n", "cr", false, Ignored},
		{"[a-c]x", "bx", false, Ignored},
		{"[!a-c]x", "bx", false, Undecided},
		{"[[:digit:]]", "7", false, Ignored},
		{"[abc", "[abc", false, Undecided},
		{"a?c", "abc", false, Ignored},
		{"a*c/d", "abbc/d", false, Ignored},
		{"a*c/d", "ab/c/d", false, Undecided},
		{"\xef\xbb\xbfbom", "bom", false, Ignored},
		{"\xff*", "\xff\xfe", false, Ignored},
		{"foo/*\n!foo/keep", "foo/keep", false, Included},
	} {
		var l *List
		l = l.Add("", []byte(c.content))
		if got := l.Match(c.path, c.dir); got != c.want {
			t.Errorf("%q on %q (folder %v): %d, want %d", c.content, c.path, c.dir, got, c.want)
		}
	}
}

func TestNested(t *testing.T) {
	var l *List
	if l.Match("x", false) != Undecided || l.IgnoredPath("x/y", false) {
		t.Error("the empty list decides")
	}
	l = l.Add("", []byte("*.tmp\nout/\n"))
	l = l.Add("sub", []byte("!keep.tmp\n/here\n"))
	for path, want := range map[string]bool{
		"a.tmp": true, "keep.tmp": true, "sub/keep.tmp": false, "sub/deep/keep.tmp": false,
		"sub/here": true, "here": false, "sub/deep/here": false, "out/keep.tmp": true, "subway/keep.tmp": true,
	} {
		if got := l.IgnoredPath(path, false); got != want {
			t.Errorf("%s: ignored %v, want %v", path, got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	var l *List
	if !l.Add("", bytes.Repeat([]byte("a\n"), MaxPatterns+1)).Truncated() {
		t.Error("too many patterns go unnoticed")
	}
	if !l.Add("", bytes.Repeat([]byte("a"), MaxFile+1)).Truncated() {
		t.Error("too large a file goes unnoticed")
	}
	// Patterns that are exponential for a matcher that tries everything.
	l = l.Add("", []byte(strings.Repeat("a*", 200)+"b\n"+strings.Repeat("**/a*/", 200)+"b\n"))
	path := strings.TrimSuffix(strings.Repeat(strings.Repeat("a", 40)+"/", 500), "/")
	start := time.Now()
	l.Match(path, false)
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("one match took %v", d)
	}
}

// TestAgainstGit compares thousands of random patterns and paths with what
// git check-ignore says of them.
func TestAgainstGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "b"), 0o777); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(from []string, n int) string {
		var b strings.Builder
		for range 1 + r.IntN(n) {
			b.WriteString(from[r.IntN(len(from))])
		}
		return b.String()
	}
	patternBits := []string{"a", "b", "c", "ab", "a", "b", "c", "*", "*", "**", "?", "/", "/", "/**/", "**/", "[ab]", "[!a]", "[^b-c]", "[]a]", "[a-]", "[[:alpha:]]", "[[:upper:]-c]", "[a", "\\a", "\\*", "\\", "!", "#", " ", "[a/b]", "\\/", "***", "-", "]"}
	pathBits := []string{"a", "b", "c", "ab", "abc", "a", "b", "*", "/", "/", "/", "[a", "#", "]", "-", "B"}
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	compared := 0
	for range rounds {
		var root, nested strings.Builder
		for range 1 + r.IntN(4) {
			if r.IntN(4) == 0 {
				root.WriteByte('!')
			}
			root.WriteString(pick(patternBits, 5) + "\n")
			nested.WriteString(pick(patternBits, 4) + "\n")
		}
		for name, content := range map[string]string{".gitignore": root.String(), "b/.gitignore": nested.String()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		var paths []string
		for range 150 {
			p := pick(pathBits, 7)
			if strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || strings.Contains(p, "//") {
				continue
			}
			paths = append(paths, p)
		}
		cmd := exec.Command("git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z", "--stdin", "--verbose", "--non-matching")
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00") + "\x00")
		out, err := cmd.Output()
		if err != nil && len(out) == 0 {
			t.Fatalf("git check-ignore: %v", err)
		}
		fields := strings.Split(string(out), "\x00")
		var l *List
		l = l.Add("", []byte(root.String()))
		deep := l.Add("b", []byte(nested.String()))
		for i := 0; i+3 < len(fields); i += 4 {
			pattern, path := fields[i+2], fields[i+3]
			want := pattern != "" && pattern[0] != '!'
			// git stops at the first folder on the way that is decided; the
			// nested file is not read inside an ignored folder.
			use := l
			if strings.HasPrefix(path, "b/") && l.Match("b", true) != Ignored {
				use = deep
			}
			if got := use.IgnoredPath(path, path == "b"); got != want {
				t.Errorf("%q: ignored %v, git says %v by %q\nroot:\n%s\nnested:\n%s", path, got, want, pattern, root.String(), nested.String())
			}
			compared++
		}
	}
	t.Log(fmt.Sprint(compared, " paths compared"))
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte("a/**/b*[!c-d]\n!x"), "a/q/bz")
	f.Add([]byte("[[:alpha:]\\"), "a")
	f.Fuzz(func(t *testing.T, content []byte, path string) {
		var l *List
		l = l.Add("", content).Add("a", content)
		l.Match(path, true)
		l.IgnoredPath(path, false)
	})
}

func BenchmarkMatch(b *testing.B) {
	var l *List
	l = l.Add("", []byte("*.o\n*.a\n/_output/\nnode_modules\n.idea/\n**/vendor/tmp\nbuild/*/x\n*.swp\n[._]*.s[a-w][a-z]\n"))
	for b.Loop() {
		l.Match("pkg/kubelet/cm/cpumanager/policy_static.go", false)
	}
}

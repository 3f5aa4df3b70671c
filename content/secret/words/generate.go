//go:build ignore

// Generate writes words.txt and trigrams.txt from three sources: the identifiers
// and comments of the Go distribution in GOROOT (BSD-3-Clause); the small
// American list of SCOWL, as Debian's package wamerican-small has it (see
// LICENSE.scowl); and extra.txt, which is kept by hand. Run it in this folder:
//
//	go run generate.go /usr/share/dict/american-english-small
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"log"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

const minFiles = 5 // a word must occur in so many files

func main() {
	files := map[string]int{} // word → files that hold it
	root := filepath.Join(runtime.GOROOT(), "src")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" || strings.HasPrefix(d.Name(), "z") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for w := range words(src) {
			files[w]++
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	maps.DeleteFunc(files, func(w string, n int) bool {
		return n < minFiles || (len(w) == 3 && n < 60) || (len(w) == 4 && n < 15) || !strings.ContainsAny(w, "aeiouy")
	})
	if len(os.Args) != 2 {
		log.Fatal("want the word list as argument")
	}
	scowl, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	english := map[string]bool{}
	for _, w := range strings.Fields(string(scowl)) {
		if len(w) >= 4 && len(w) <= 20 && strings.IndexFunc(w, func(r rune) bool { return r < 'a' || r > 'z' }) < 0 {
			english[w] = true
		}
	}
	for w := range english {
		files[w] += 3
	}
	extra, err := os.ReadFile("extra.txt")
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range strings.Fields(string(extra)) {
		files[w] += minFiles
	}
	out := trigrams(files)
	// Inflected forms are looked up by their stem; long words are left to the
	// statistics, which know them well enough.
	maps.DeleteFunc(files, func(w string, n int) bool {
		if n > 3 {
			return false
		}
		for _, s := range []string{"s", "es", "ed", "d", "ing", "ly", "er", "r"} {
			if stem, ok := strings.CutSuffix(w, s); ok && len(stem) >= 4 && files[stem] > 0 {
				return true
			}
		}
		return len(w) > 9
	})
	list := slices.Sorted(maps.Keys(files))
	if err := os.WriteFile("words.txt", []byte(strings.Join(list, "\n")+"\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("trigrams.txt", out, 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(list), "words")
}

// words returns the words of all identifiers and comments, split where the
// case changes, in lower case.
func words(src []byte) map[string]bool {
	out := map[string]bool{}
	add := func(text string) {
		start := -1
		flush := func(end int) {
			if start >= 0 && end-start >= 3 && end-start <= 20 {
				out[strings.ToLower(text[start:end])] = true
			}
			start = -1
		}
		for i := range len(text) {
			c := rune(text[i])
			if c >= unicode.MaxASCII || !unicode.IsLetter(c) {
				flush(i)
				continue
			}
			if unicode.IsUpper(c) && i > 0 && unicode.IsLower(rune(text[i-1])) {
				flush(i)
			}
			if start < 0 {
				start = i
			}
		}
		flush(len(text))
	}
	var s scanner.Scanner
	fset := token.NewFileSet()
	s.Init(fset.AddFile("", fset.Base(), len(src)), src, func(token.Position, string) {}, scanner.ScanComments)
	for {
		_, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return out
		case token.IDENT:
			add(lit)
		case token.COMMENT:
			sc := bufio.NewScanner(bytes.NewReader([]byte(lit)))
			sc.Buffer(nil, 1<<20)
			for sc.Scan() {
				add(sc.Text())
			}
		}
	}
}

// trigrams returns, for each three of boundary, a, …, z, the cost of the third
// after the other two in quarters of a bit, as '0' plus the cost. Every word
// counts with the logarithm of its frequency.
func trigrams(files map[string]int) []byte {
	const n = 27
	var three [n][n][n]float64
	var two [n][n]float64
	var one [n]float64
	total := 0.0
	for _, w := range slices.SortedFunc(maps.Keys(files), cmp.Compare[string]) {
		weight := math.Log2(1 + float64(files[w]))
		a, b := 0, 0
		for i := 0; i <= len(w); i++ {
			c := 0
			if i < len(w) {
				c = int(w[i]-'a') + 1
			}
			three[a][b][c] += weight
			two[b][c] += weight
			one[c] += weight
			total += weight
			a, b = b, c
		}
	}
	var out []byte
	for a := range n {
		for b := range n {
			s3 := 0.0
			for c := range n {
				s3 += three[a][b][c]
			}
			s2 := 0.0
			for c := range n {
				s2 += two[b][c]
			}
			for c := range n {
				p1 := (one[c] + 1) / (total + n)
				p2 := (two[b][c] + 40*p1) / (s2 + 40)
				p3 := (three[a][b][c] + 15*p2) / (s3 + 15)
				out = append(out, byte('0'+min(60, int(math.Round(-4*math.Log2(p3))))))
			}
		}
	}
	return out
}

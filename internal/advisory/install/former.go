package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// formerInfix comes between a database's name and the beginning of its serial.
const (
	formerInfix  = ".former-"
	serialLetter = 16 // letters of a serial in a name
)

// Retain gives the present database a second name, by its serial, under which it
// stays when it is replaced; a delta can then be made against it.
func (l *Lock) Retain(serial string) error {
	name := formerName(l.path, serial)
	if name == "" {
		return fmt.Errorf("keeping the former database: %q is no serial", serial)
	}
	if err := os.Link(l.path, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keeping the former database: %w", err)
	}
	// Its age counts from here.
	now := time.Now()
	if err := os.Chtimes(name, now, now); err != nil {
		return fmt.Errorf("keeping the former database: %w", err)
	}
	return nil
}

// Prune removes all but the newest n former databases.
func (l *Lock) Prune(n int) error {
	all, err := filepath.Glob(escapeGlob(l.path) + formerInfix + "*")
	if err != nil {
		return err
	}
	type dated struct {
		path string
		when time.Time
	}
	var files []dated
	for _, path := range all {
		st, err := os.Lstat(path)
		if err != nil {
			return fmt.Errorf("removing former databases: %w", err)
		}
		if st.Mode().IsRegular() {
			files = append(files, dated{path, st.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b dated) int { return b.when.Compare(a.when) })
	for _, f := range files[min(n, len(files)):] {
		if err := os.Remove(f.path); err != nil {
			return fmt.Errorf("removing a former database: %w", err)
		}
	}
	return nil
}

// Former is the path of the former database with a serial, which may be
// shortened to its first 16 letters; empty if there is none.
func Former(path, serial string) string {
	name := formerName(path, serial)
	if name == "" {
		return ""
	}
	if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	return name
}

func formerName(path, serial string) string {
	if len(serial) < serialLetter || strings.Trim(serial, "0123456789abcdef") != "" {
		return ""
	}
	return path + formerInfix + serial[:serialLetter]
}

// escapeGlob makes a path a pattern that matches only itself.
func escapeGlob(path string) string {
	if filepath.Separator == '\\' {
		return path // there is no escape on Windows, and no * or ? in names
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

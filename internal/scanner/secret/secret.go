// Package secret is the scanner of leaked credentials. One pass over the bytes
// finds the keywords of all rules; expressions run only in windows around
// them; structure, context and plausibility decide what is a finding. Secret
// values never leave it: findings carry a masked excerpt and a keyed hash. It
// asks nobody whether a credential is live; that is what package verify is for.
package secret

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"bulwark/internal/finding"
	"bulwark/internal/identity"
	"bulwark/internal/scanner"
	"bulwark/internal/scanner/secret/rule"
)

// Version of the scanner. Raise it whenever equal rules and content give
// another result: the cache depends on it.
const Version = "1"

// Name of the scanner.
const Name = "secret"

// overlap is repeated between the chunks of very large files. No match is
// longer than half of it.
const overlap = 64 << 10

// File is a rule file.
type File struct {
	Name string
	Data []byte
	// Foreign files are a team's own gitleaks configuration: applied to the
	// letter, see rule.Parse.
	Foreign bool
}

// Config of a Scanner. The zero value but for Content and Key is the default.
type Config struct {
	// Content holds the built-in rule files, *.toml at its root.
	Content fs.FS
	// Key keys the fingerprints. It must not be zero.
	Key identity.Key
	// Files: Optional: further rule files.
	Files []File
	// Replace: Optional: leave out the built-in rules.
	Replace bool
	// Disable: Optional: ids of rules to leave out.
	Disable []string
	// Severity: Optional: severities by rule id that replace the rules' own.
	Severity map[string]finding.Severity
	// Keep: Optional: called with every found value, for verification. Values
	// come only from contents that are really scanned, not from the cache.
	Keep func(Credential)
}

// Credential is a found value with what is needed to verify it. It is handed
// out only to Config.Keep and never printed.
type Credential struct {
	RuleID      string
	Provider    string // of package verify; empty if none
	Fingerprint string
	Path        string
	Value       string
	// Companions are the values of the rules that a composite rule requires.
	Companions map[string]string
}

// String hides the value.
func (c Credential) String() string { return c.RuleID + " " + c.Fingerprint }

// GoString hides the value.
func (c Credential) GoString() string { return c.String() }

// Scanner finds credentials.
type Scanner struct {
	cfg     Config
	info    scanner.Info
	foreign bool // some file is foreign: it may have rules about any path

	// Reading the rules and compiling them are put off: a run that is answered
	// from the cache needs neither, or only the descriptions.
	set    func() (*rule.Set, error)
	engine func() (*engine, error)
}

var _ scanner.Scanner = (*Scanner)(nil)

// New prepares a scanner. Built-in rules are read when first needed, other
// files at once: an error in them is the caller's to report before scanning.
func New(cfg Config) (*Scanner, error) {
	if cfg.Key.IsZero() {
		return nil, errors.New("preparing the secret scanner: the identity key is missing")
	}
	s := &Scanner{cfg: cfg}
	s.set = sync.OnceValues(s.rules)
	s.engine = sync.OnceValues(func() (*engine, error) {
		set, err := s.set()
		if err != nil {
			return nil, err
		}
		return newEngine(set)
	})
	h := sha256.New()
	field := func(b []byte) {
		fmt.Fprintf(h, "%d:", len(b))
		h.Write(b)
	}
	field([]byte(identity.KeyID(cfg.Key)))
	if !cfg.Replace {
		if err := eachFile(cfg.Content, func(name string, data []byte) error {
			field([]byte(name))
			field(data)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, f := range cfg.Files {
		s.foreign = s.foreign || f.Foreign
		field([]byte(f.Name))
		field(f.Data)
	}
	for _, id := range slices.Sorted(slices.Values(cfg.Disable)) {
		field([]byte("-" + id))
	}
	for _, id := range slices.Sorted(mapKeys(cfg.Severity)) {
		field([]byte(id + "=" + cfg.Severity[id].String()))
	}
	s.info = scanner.Info{
		Name: Name, Version: Version, RuleSet: hex.EncodeToString(h.Sum(nil))[:32],
		ChunkOverlap: overlap,
	}
	if len(cfg.Files) > 0 || len(cfg.Disable) > 0 || len(cfg.Severity) > 0 {
		if _, err := s.engine(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func eachFile(content fs.FS, do func(name string, data []byte) error) error {
	names, err := fs.Glob(content, "*.toml")
	if err != nil {
		return fmt.Errorf("listing the built-in secret rules: %w", err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(content, name)
		if err != nil {
			return fmt.Errorf("reading the built-in secret rules: %w", err)
		}
		if err := do(name, data); err != nil {
			return err
		}
	}
	return nil
}

// Load reads the built-in rules of content into one set.
func Load(content fs.FS) (*rule.Set, error) {
	set := rule.NewSet()
	err := eachFile(content, func(name string, data []byte) error {
		one, err := rule.Parse(path.Join("content/secret", name), data, false)
		if err != nil {
			return err
		}
		if err := set.Add(one); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return set, err
}

// rules joins all rule files as configured.
func (s *Scanner) rules() (*rule.Set, error) {
	set := rule.NewSet()
	if !s.cfg.Replace {
		var err error
		if set, err = Load(s.cfg.Content); err != nil {
			return nil, err
		}
	}
	for _, f := range s.cfg.Files {
		own, err := rule.Parse(f.Name, f.Data, f.Foreign)
		if err != nil {
			return nil, err
		}
		if own.ExtendPath != "" {
			return nil, fmt.Errorf("%s: extend.path %q: name the extended file itself under secret.rules", f.Name, own.ExtendPath)
		}
		if own.UseDefault && s.cfg.Replace {
			base, err := Load(s.cfg.Content)
			if err != nil {
				return nil, err
			}
			set.Extend(base)
		}
		own.Extend(set)
		set = own
	}
	if err := set.Finish(); err != nil {
		return nil, err
	}
	for _, id := range s.cfg.Disable {
		if set.Rule(id) == nil {
			return nil, fmt.Errorf("secret.disable: there is no rule %q; `bulwark rules list` shows them", id)
		}
	}
	for id, sev := range s.cfg.Severity {
		r := set.Rule(id)
		if r == nil {
			return nil, fmt.Errorf("secret.severity: there is no rule %q; `bulwark rules list` shows them", id)
		}
		r.Severity = sev
	}
	set.Keep(func(r *rule.Rule) bool { return !slices.Contains(s.cfg.Disable, r.ID) })
	return set, nil
}

// Warnings are oddities of the configured rule files that did not keep them
// from being used.
func (s *Scanner) Warnings() []string {
	if len(s.cfg.Files) == 0 {
		return nil
	}
	set, err := s.set()
	if err != nil {
		return nil // reported by New
	}
	return set.Warnings
}

// Info describes the scanner.
func (s *Scanner) Info() scanner.Info { return s.info }

// Rules lists what the scanner tests for, ordered by id. A rule set that
// cannot be read gives none; Scan then reports why.
func (s *Scanner) Rules() []finding.Rule {
	set, err := s.set()
	if err != nil {
		return nil
	}
	var out []finding.Rule
	for _, r := range set.Rules {
		if !r.SkipReport {
			out = append(out, r.Describe())
		}
	}
	slices.SortFunc(out, func(a, b finding.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// opaque are extensions of formats that hold no readable text. Their names
// save opening them; anything else is recognised by its content.
var opaque = map[string]bool{
	".png": true, ".jpg": true, ".jpeg": true, ".gif": true, ".webp": true, ".ico": true, ".bmp": true, ".tif": true, ".tiff": true,
	".mp3": true, ".mp4": true, ".m4a": true, ".avi": true, ".mov": true, ".mkv": true, ".webm": true, ".ogg": true, ".wav": true, ".flac": true,
	".woff": true, ".woff2": true, ".ttf": true, ".otf": true, ".eot": true,
	".zip": true, ".gz": true, ".tgz": true, ".bz2": true, ".xz": true, ".zst": true, ".7z": true, ".rar": true, ".jar": true, ".war": true,
	".so": true, ".dll": true, ".dylib": true, ".exe": true, ".o": true, ".a": true, ".class": true, ".pyc": true, ".wasm": true,
	".pdf": true, ".psd": true, ".ai": true, ".sketch": true,
}

// Wants reports interest in every text, also of earlier commits, and in any
// path that a rule about paths alone names.
func (s *Scanner) Wants(m scanner.Meta) bool {
	if m.Type == scanner.Text || (m.Type == scanner.Undetermined && m.Size != 0 && !opaque[strings.ToLower(m.Ext)]) {
		return true
	}
	if !s.foreign {
		return false
	}
	e, err := s.engine()
	return err == nil && e.wantsPath(m.Path)
}

// Scan examines one chunk.
func (s *Scanner) Scan(ctx context.Context, c *scanner.Chunk) (scanner.Result, error) {
	e, err := s.engine()
	if err != nil {
		return scanner.Result{}, err
	}
	x := e.examine(ctx, c, s.cfg.Key)
	defer x.release()
	if err := x.run(); err != nil {
		return scanner.Result{}, err
	}
	res := scanner.Result{Findings: x.findings(s.cfg.Keep), Gap: x.gap}
	if x.left != nil {
		res.State = x.left
	}
	return res, nil
}

package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	secretrules "bulwark/content/secret"
	"bulwark/internal/config"
	"bulwark/internal/identity"
	"bulwark/internal/outcome"
	"bulwark/internal/pipeline"
	"bulwark/internal/policy"
	"bulwark/internal/sbom/vex"
	"bulwark/internal/scanner/secret"
	"bulwark/internal/triage"
	"bulwark/internal/verify"
)

// settings are flags, environment and configuration joined.
type settings struct {
	flags       *scanFlags
	now         time.Time
	cfg         config.Config
	root        string // folder that paths in the configuration are relative to; may be empty
	configFile  string // empty: none
	workers     int
	maxFileSize int64
	cacheSize   int64
	key         identity.Key
	keyID       string
	keySource   string
	waivers     []triage.Waiver
	baseline    *triage.Baseline
	vex         *vex.Index
	ruleFiles   []secret.File
	notices     []outcome.Notice
	// verifyEndpoints replace providers' addresses. From flags only: were it in
	// the configuration, a repository could have credentials sent elsewhere.
	verifyEndpoints map[string]string
}

// settings reads the configuration and everything that it names.
func (f *scanFlags) settings(ctx context.Context, p Process, at *location) (*settings, error) {
	s := &settings{flags: f, root: at.root, cfg: config.Default(), now: p.now()}
	if err := s.readConfig(); err != nil {
		return nil, err
	}
	s.workers, s.maxFileSize, s.cacheSize = s.cfg.Scan.Workers, int64(s.cfg.Scan.MaxFileSize), int64(s.cfg.Cache.MaxSize)
	if f.workers != 0 {
		s.workers = f.workers
	}
	if s.workers < 0 || s.workers > 1024 {
		return nil, usagef("--workers %d: want a number from 1 to 1024", s.workers)
	}
	if f.maxFileSize != "" {
		n, err := config.ParseSize(f.maxFileSize)
		if err != nil {
			return nil, usagef("--max-file-size %q: %w", f.maxFileSize, err)
		}
		s.maxFileSize = int64(n)
	}
	for _, e := range f.verifyEndpoints {
		provider, address, ok := strings.Cut(e, "=")
		if !ok || !verify.For(provider) {
			return nil, usagef("--verify-endpoint %q: want PROVIDER=URL, with a provider of %s", e, strings.Join(verify.Providers(), ", "))
		}
		if s.verifyEndpoints == nil {
			s.verifyEndpoints = map[string]string{}
		}
		s.verifyEndpoints[provider] = address
	}
	if err := s.resolveKey(ctx, p, at); err != nil {
		return nil, err
	}
	if err := s.readTriage(); err != nil {
		return nil, err
	}
	if err := s.readVEX(); err != nil {
		return nil, err
	}
	return s, s.readRules()
}

func (s *settings) readConfig() error {
	path, named := s.flags.config, s.flags.config != ""
	if !named {
		if s.root == "" {
			return nil
		}
		path = filepath.Join(s.root, config.FileName)
	}
	data, err := s.readInside(path, named, config.MaxFileSize)
	if err != nil || data == nil {
		return err
	}
	cfg, err := config.Parse(s.shown(path), data)
	if err != nil {
		return usage(err)
	}
	s.cfg, s.configFile = cfg, s.shown(path)
	return nil
}

// readInside reads a file of the project. One that was not named explicitly
// may be missing (nil), and must be a regular file inside the root: the
// repository may be hostile, and a link must not make Bulwark read elsewhere.
func (s *settings) readInside(path string, named bool, limit int64) ([]byte, error) {
	if !named {
		st, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, usagef("looking for %s: %w; the folder must be readable", path, err)
		}
		if !st.Mode().IsRegular() {
			return nil, usagef("reading %s: it is not a regular file; put the file itself there or name another one", path)
		}
	}
	data, err := readFile(path, limit)
	if err != nil {
		return nil, usage(err)
	}
	return data, nil
}

// inRoot joins a path of the configuration to the root and refuses one that
// leaves it, also by way of a link.
func (s *settings) inRoot(key, path string) (string, error) {
	if !filepath.IsLocal(path) {
		return "", usagef("%s: %s %q: the path must stay inside the repository", s.configFile, key, path)
	}
	full := filepath.Join(s.root, path)
	real, err := filepath.EvalSymlinks(full)
	if err != nil {
		return full, nil // missing: whoever reads it says so
	}
	root, err := filepath.EvalSymlinks(s.root)
	if err != nil {
		return "", usage(err)
	}
	if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
		return "", usagef("%s: %s %q: it is a link that leaves the repository", s.configFile, key, path)
	}
	return full, nil
}

// shown is a path as reports name it: relative to the root where possible.
func (s *settings) shown(path string) string {
	if rel, err := filepath.Rel(s.root, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}

func (s *settings) readTriage() error {
	read := func(key, flag, fromConfig string, explicit bool, limit int64) (string, []byte, error) {
		if flag != "" {
			data, err := s.readInside(flag, true, limit)
			return flag, data, err
		}
		if s.root == "" || fromConfig == "" {
			return "", nil, nil
		}
		path, err := s.inRoot(key, fromConfig)
		if err != nil {
			return "", nil, err
		}
		data, err := s.readInside(path, explicit, limit)
		return s.shown(path), data, err
	}
	def := config.Default().Triage
	name, data, err := read("triage.waivers", s.flags.waivers, s.cfg.Triage.Waivers, s.cfg.Triage.Waivers != def.Waivers, triage.MaxWaiverFile)
	if err != nil {
		return err
	}
	if data != nil {
		if s.waivers, err = triage.ParseWaivers(name, data, s.now, s.cfg.Triage.MaxWaiverDays); err != nil {
			return usage(err)
		}
	}
	if s.flags.writeBaseline != "" && s.flags.baseline == "" {
		return nil // a new baseline does not build on the old one
	}
	name, data, err = read("triage.baseline", s.flags.baseline, s.cfg.Triage.Baseline, s.cfg.Triage.Baseline != def.Baseline, triage.MaxBaselineFile)
	if err != nil {
		return err
	}
	if data != nil {
		if s.baseline, err = triage.ReadBaseline(name, data); err != nil {
			return usage(err)
		}
	}
	return nil
}

// readVEX reads the statements that the flags and the configuration name.
func (s *settings) readVEX() error {
	var documents []*vex.Document
	read := func(path, name string) error {
		data, err := readFile(path, vex.MaxBytes)
		if err != nil {
			return usage(err)
		}
		d, err := vex.Read(data)
		if err != nil {
			return usagef("%s: %w", name, err)
		}
		for _, gap := range d.Gaps {
			s.notices = append(s.notices, outcome.Notice{Kind: "vex", Path: name, Message: gap})
		}
		documents = append(documents, d)
		return nil
	}
	for _, name := range s.cfg.Dependency.VEX {
		path, err := s.inRoot("dependency.vex", name)
		if err != nil {
			return err
		}
		if err := read(path, name); err != nil {
			return err
		}
	}
	for _, path := range s.flags.vex {
		if err := read(path, path); err != nil {
			return err
		}
	}
	if len(documents) > 0 {
		s.vex = vex.NewIndex(documents...)
	}
	return nil
}

// gitleaksFile is a team's own rules, used where it stands.
const gitleaksFile = ".gitleaks.toml"

func (s *settings) readRules() error {
	add := func(path, name string) error {
		data, err := readFile(path, maxInputFile)
		if err != nil {
			return usage(err)
		}
		s.ruleFiles = append(s.ruleFiles, secret.File{Name: name, Data: data, Foreign: true})
		return nil
	}
	for _, path := range s.flags.rules {
		if err := add(path, path); err != nil {
			return err
		}
	}
	for _, name := range s.cfg.Secret.Rules {
		path, err := s.inRoot("secret.rules", name)
		if err != nil {
			return err
		}
		if err := add(path, name); err != nil {
			return err
		}
	}
	if s.root == "" || len(s.ruleFiles) > 0 {
		return nil
	}
	path := filepath.Join(s.root, gitleaksFile)
	data, err := s.readInside(path, false, maxInputFile)
	if err != nil || data == nil {
		return err
	}
	s.ruleFiles = append(s.ruleFiles, secret.File{Name: gitleaksFile, Data: data, Foreign: true})
	return nil
}

// secrets makes the secret scanner, and with verify the vault that its found
// values go to.
func (s *settings) secrets(verify bool) (*secret.Scanner, *vault, error) {
	c := secret.Config{
		Content: secretrules.FS, Key: s.key, Files: s.ruleFiles,
		Replace: s.cfg.Secret.Replace || s.flags.noDefaultRules,
		Disable: s.cfg.Secret.Disable, Severity: s.cfg.Secret.Severity,
	}
	var v *vault
	if verify {
		v = &vault{}
		c.Keep = v.keep
	}
	if c.Replace && len(c.Files) == 0 {
		return nil, nil, usagef("without the built-in rules there are none: name a file with --rules")
	}
	sc, err := secret.New(c)
	if err != nil {
		return nil, nil, usage(err)
	}
	for _, w := range sc.Warnings() {
		s.notices = append(s.notices, outcome.Notice{Kind: "rules", Message: w})
	}
	return sc, v, nil
}

func (s *settings) triage(knownRule func(string) bool) pipeline.Triage {
	return pipeline.Triage{
		Waivers: s.waivers, Baseline: s.baseline, VEX: s.vex,
		Options: triage.Options{
			Stage: s.flags.stage, Inline: triage.InlineMode(s.cfg.Triage.Inline),
			MaxDays: s.cfg.Triage.MaxWaiverDays, KnownRule: knownRule, KeyID: s.keyID,
		},
	}
}

// policy loads the decision point.
func (s *settings) policy(ctx context.Context) (*policy.Engine, error) {
	paths := append([]string(nil), s.flags.policyFiles...)
	for _, name := range s.cfg.Policy.Files {
		path, err := s.inRoot("policy.files", name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	files, bundles, err := policy.ReadPaths(paths, policy.Limits{})
	if err != nil {
		return nil, policyError(err)
	}
	o := policy.Options{Files: files, Bundles: bundles, Replace: s.cfg.Policy.Replace}
	bundle, key := s.flags.policyBundle, s.flags.bundleKeyFile
	if bundle == "" && s.cfg.Policy.Bundle != "" {
		if bundle, err = s.inRoot("policy.bundle", s.cfg.Policy.Bundle); err != nil {
			return nil, err
		}
	}
	if key == "" && s.cfg.Policy.BundleKey != "" {
		if key, err = s.inRoot("policy.bundle_key", s.cfg.Policy.BundleKey); err != nil {
			return nil, err
		}
	}
	if bundle != "" {
		data, err := readFile(bundle, maxInputFile)
		if err != nil {
			return nil, usage(err)
		}
		o.Bundles = append(o.Bundles, policy.Bundle{Name: bundle, Data: data})
	}
	if key != "" {
		data, err := readFile(key, 1<<20)
		if err != nil {
			return nil, usage(err)
		}
		o.Key = &policy.Key{PEM: data, Algorithm: algorithm(data)}
	}
	e, err := policy.Load(ctx, o)
	if err != nil {
		return nil, policyError(err)
	}
	return e, nil
}

// algorithm is the one that bundles are signed with by a key of this type.
func algorithm(pemKey []byte) string {
	block, _ := pem.Decode(pemKey)
	if block == nil {
		return ""
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return ""
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return ""
	}
	switch ec.Curve {
	case elliptic.P384():
		return "ES384"
	case elliptic.P521():
		return "ES512"
	}
	return "ES256"
}

// exclude is what the configuration leaves out, in gitignore's syntax.
func (s *settings) exclude() []byte { return []byte(strings.Join(s.cfg.Scan.Exclude, "\n")) }

// context is what policies should know beside the findings.
func (s *settings) context(now time.Time) policy.Context {
	rules := map[string]string{}
	for id, action := range s.cfg.Policy.Rules {
		rules[id] = string(action)
	}
	b := s.cfg.Policy.Block
	return policy.Context{
		Now:         now,
		Criticality: s.cfg.Asset.Criticality, Exposure: s.cfg.Asset.Exposure, DataClass: s.cfg.Asset.DataClass,
		Parameters: policy.Parameters{
			Block:   policy.Threshold{Severity: b.Severity.String(), Confidence: b.Confidence.String()},
			Partial: s.cfg.Policy.Partial, NotRun: s.cfg.Policy.NotRun,
			Rules: rules,
			Dependency: policy.Dependency{
				Development: s.cfg.Dependency.Development, Unreachable: s.cfg.Dependency.Unreachable, Overdue: s.cfg.Dependency.Overdue,
			},
		},
	}
}

// record is what configured the run, for the report.
func (s *settings) record() map[string]string {
	m := map[string]string{
		"stage":            s.flags.stage,
		"identity":         s.keySource,
		"max_file_size":    strconv.FormatInt(s.maxFileSize, 10),
		"block.severity":   s.cfg.Policy.Block.Severity.String(),
		"block.confidence": s.cfg.Policy.Block.Confidence.String(),
	}
	if s.configFile != "" {
		m["config"] = s.configFile
	}
	if s.flags.base != "" {
		m["base"] = s.flags.base
	}
	var names []string
	for _, f := range s.ruleFiles {
		names = append(names, f.Name)
	}
	if sort.Strings(names); len(names) > 0 {
		m["rules"] = strings.Join(names, ", ")
	}
	return m
}

// resolveKey finds the key of the fingerprints: the flag or environment, the
// configuration, the repository's first commit, or the user's own key.
func (s *settings) resolveKey(ctx context.Context, p Process, at *location) error {
	text, source := "", ""
	if s.flags.identityKeyFile != "" {
		data, err := readFile(s.flags.identityKeyFile, 4096)
		if err != nil {
			return usage(err)
		}
		text, source = string(data), "--identity-key-file"
	} else if v := p.Getenv("BULWARK_IDENTITY_KEY"); v != "" {
		text, source = v, "BULWARK_IDENTITY_KEY"
	}
	switch {
	case text != "":
		key, err := identity.KeyFromText(text)
		if err != nil {
			return usagef("%s: %w", source, err)
		}
		s.key, s.keySource = key, "given"
	case !s.cfg.IdentityKey.IsZero():
		s.key, s.keySource = s.cfg.IdentityKey, "configuration"
	default:
		folder, err := s.flags.cacheFolder(p)
		if err != nil {
			folder = "" // openCache says so
		}
		root, err := at.rootCommit(ctx, folder)
		if err == nil && root != "" {
			s.key, err = identity.KeyFromRootCommit(root)
			s.keySource = "root commit"
		}
		if err != nil || root == "" {
			if at.isGit() && err != nil {
				s.notices = append(s.notices, outcome.Notice{Kind: "identity", Message: "fingerprints are those of this user alone (" + err.Error() + "). Set identity_key in .bulwark.yaml (bulwark init writes one) or fetch the whole history"})
			}
			if s.key, err = userKey(p); err != nil {
				return err
			}
			s.keySource = "user"
		}
	}
	s.keyID = identity.KeyID(s.key)
	return nil
}

// userKey reads the user's own key, made when first needed.
func userKey(p Process) (identity.Key, error) {
	base := p.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		var err error
		if base, err = os.UserConfigDir(); err != nil {
			return identity.Key{}, fmt.Errorf("finding the folder of the identity key: %w; set BULWARK_IDENTITY_KEY", err)
		}
	}
	path := filepath.Join(base, "bulwark", "identity.key")
	data, err := readFile(path, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := identity.NewKey()
		if err != nil {
			return identity.Key{}, err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return identity.Key{}, fmt.Errorf("keeping the identity key: %w; set BULWARK_IDENTITY_KEY", err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) { // another run was faster
			return userKey(p)
		}
		if err != nil {
			return identity.Key{}, fmt.Errorf("keeping the identity key: %w; set BULWARK_IDENTITY_KEY", err)
		}
		_, err = f.WriteString(key.Text() + "\n")
		if err = errors.Join(err, f.Close()); err != nil {
			return identity.Key{}, errors.Join(fmt.Errorf("keeping the identity key in %s: %w", path, err), os.Remove(path))
		}
		return key, nil
	}
	if err != nil {
		return identity.Key{}, fmt.Errorf("reading the identity key: %w; make it readable, or set BULWARK_IDENTITY_KEY", err)
	}
	key, err := identity.KeyFromText(string(data))
	if err != nil {
		return identity.Key{}, usagef("%s: %w; remove the file to have a new key made", path, err)
	}
	return key, nil
}

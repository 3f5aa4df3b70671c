package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// Bundle is an OPA bundle: a gzip-compressed tar archive of policies and data.
type Bundle struct {
	Name string // for messages: the file's name
	Data []byte
}

// Key verifies bundle signatures.
type Key struct {
	// ID is the key's name. Optional: "default".
	ID string
	// PEM is the public key or certificate.
	PEM []byte
	// Algorithm is RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or
	// ES512. Optional: RS256.
	Algorithm string
	// Scope must equal the scope in the signature. Optional.
	Scope string
}

// Asymmetric algorithms only: with a shared secret whoever can verify could
// also sign, and a public key could be taken for a secret.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}

func (k *Key) verification() (*bundle.VerificationConfig, error) {
	if k == nil {
		return nil, nil
	}
	id := orDefault(k.ID, "default")
	alg := orDefault(k.Algorithm, "RS256")
	if !slices.Contains(algorithms, alg) {
		return nil, configurationf("reading the bundle key", "", "algorithm %q is not accepted: want one of %s", alg, strings.Join(algorithms, ", "))
	}
	if !bytes.Contains(k.PEM, []byte("-----BEGIN ")) || bytes.Contains(k.PEM, []byte("PRIVATE KEY")) {
		return nil, configurationf("reading the bundle key", "", "want a public key or certificate in PEM form")
	}
	kc := &bundle.KeyConfig{Key: string(k.PEM), Algorithm: alg, Scope: k.Scope}
	return bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{id: kc}, id, k.Scope, nil), nil
}

// addBundle adds the policies and data of a bundle.
func (s *sources) addBundle(b Bundle, key *Key, l Limits, tests bool) error {
	const op = "reading a policy bundle"
	if err := checkArchive(b.Data, l); err != nil {
		return configurationf(op, b.Name, "%v", err)
	}
	verify, err := key.verification()
	if err != nil {
		return err
	}
	read, err := bundle.NewCustomReader(bundle.NewTarballLoader(bytes.NewReader(b.Data)).WithSizeLimitBytes(l.FileBytes)).
		WithBundleVerificationConfig(verify).
		WithCapabilities(capabilities()).
		WithProcessAnnotations(true).
		WithRegoVersion(ast.RegoV1).
		WithSizeLimitBytes(l.FileBytes).
		WithLazyLoadingMode(false).
		Read()
	switch {
	case err != nil && key == nil && strings.Contains(err.Error(), "verification key not provided"):
		return configurationf(op, b.Name, "the bundle is signed, but no key was given to verify it; name the public key in the configuration")
	case err != nil:
		return bundleError(op, b.Name, err)
	case read.Type() == bundle.DeltaBundleType:
		return configurationf(op, b.Name, "this is a delta bundle; give a whole one")
	case len(read.WasmModules) > 0 || len(read.PlanModules) > 0:
		return configurationf(op, b.Name, "the bundle holds compiled policy, which cannot be checked or explained; build it without -t wasm or -t plan")
	}
	for _, m := range read.Modules {
		name := b.Name + "!/" + strings.TrimPrefix(m.Path, "/")
		if isTest(name) && !tests {
			continue
		}
		if s.modules[name] != nil {
			return configurationf(op, name, "there are two policy files of this name; rename one bundle")
		}
		rename(m.Parsed, name)
		if err := s.keep(name, m.Parsed); err != nil {
			return err
		}
		s.project = s.project || !isTest(name)
	}
	return s.mergeData(b.Name, read.Data)
}

// rename makes every location in m name the bundle beside the file.
func rename(m *ast.Module, name string) {
	seen := map[*ast.Location]bool{}
	ast.WalkNodes(m, func(n ast.Node) bool {
		if l := n.Loc(); l != nil && !seen[l] {
			seen[l] = true
			l.File = name
		}
		return false
	})
}

func bundleError(op, name string, err error) error {
	problems := problemsOf(err)
	for i := range problems {
		problems[i].File = strings.TrimSuffix(name+"!/"+strings.TrimPrefix(problems[i].File, "/"), "!/")
	}
	return &Error{Kind: Configuration, Op: op, Problems: problems, Err: err}
}

// checkArchive unpacks a bundle once without keeping it, and refuses what no
// honest bundle holds: names that leave it, links and devices, two entries of
// one name, more than l allows. OPA's reader runs only after that.
func checkArchive(b []byte, l Limits) error {
	if int64(len(b)) > l.TotalBytes {
		return fmt.Errorf("too large: %d bytes, the limit is %d", len(b), l.TotalBytes)
	}
	gz, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("not a gzip-compressed tar archive: %w", err)
	}
	// Headers and padding count as well: a million empty files unpack to much.
	counted := &counter{r: gz, left: l.TotalBytes + int64(l.Files)*4096}
	tr := tar.NewReader(counted)
	seen := map[string]bool{}
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("damaged archive: %w", err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(h.Name, "./"), "/")
		switch {
		case len(seen) >= l.Files:
			return fmt.Errorf("more than %d entries", l.Files)
		case h.Typeflag == tar.TypeDir:
			continue
		case h.Typeflag != tar.TypeReg:
			return fmt.Errorf("%q is a link or a device; a bundle holds plain files only", h.Name)
		case !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00"):
			return fmt.Errorf("%q is not a name inside the bundle", h.Name)
		case seen[name]:
			return fmt.Errorf("%q is there twice", h.Name)
		case strings.HasSuffix(name, bundle.SignaturesFile) && name != "."+bundle.SignaturesFile:
			return fmt.Errorf("%q: signatures belong at the top of the bundle", h.Name)
		case h.Size > l.FileBytes:
			return fmt.Errorf("%q is too large: %d bytes, the limit is %d", h.Name, h.Size, l.FileBytes)
		}
		seen[name] = true
		if _, err := io.Copy(io.Discard, tr); err != nil {
			return fmt.Errorf("reading %q: %w", h.Name, err)
		}
	}
	// What follows the archive's end is read by nobody; it still counts.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return err
	}
	return nil
}

// counter fails once more than left bytes were read.
type counter struct {
	r    io.Reader
	left int64
}

func (c *counter) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, errors.New("unpacks to more than the limit allows")
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, err
}

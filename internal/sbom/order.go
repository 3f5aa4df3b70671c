package sbom

import (
	"fmt"

	"bulwark/internal/advisory/version"
)

// Versions is the Order of each ecosystem's own rules.
func Versions(ecosystem, a, b string) (int, error) {
	order, ok := version.Of(ecosystem)
	if !ok {
		return 0, fmt.Errorf("the order of versions of %q is not known", ecosystem)
	}
	v, err := order.Parse(a)
	if err != nil {
		return 0, err
	}
	w, err := order.Parse(b)
	if err != nil {
		return 0, err
	}
	return v.Compare(&w)
}

var _ Order = Versions

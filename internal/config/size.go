package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written by people as 512MiB, 1.5GB or 4096.
type Size int64

var sizeUnits = []struct {
	name   string
	factor int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// ParseSize reads a positive number with an optional unit: B, kB, MB, GB, TB
// (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).
func ParseSize(text string) (Size, error) {
	fail := func() (Size, error) {
		return 0, fmt.Errorf("%q is not a size: write a number and a unit, such as 512MiB or 1GB", text)
	}
	number, factor := text, int64(1)
	for _, u := range sizeUnits {
		if cut, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = strings.TrimSuffix(cut, " "), u.factor
			break
		}
	}
	if number == "" || strings.Trim(number, "0123456789.") != "" {
		return fail()
	}
	if whole, err := strconv.ParseInt(number, 10, 64); err == nil {
		if whole <= 0 || whole > math.MaxInt64/factor {
			return 0, fmt.Errorf("the size %q is out of range: want 1 byte to 8 EiB", text)
		}
		return Size(whole * factor), nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return fail()
	}
	f *= float64(factor)
	if !(f >= 1 && f < math.MaxInt64) {
		return 0, fmt.Errorf("the size %q is out of range: want 1 byte to 8 EiB", text)
	}
	return Size(f), nil
}

// String writes the size as ParseSize reads it, in the largest binary unit that
// divides it.
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if s >= Size(u.factor) && s%Size(u.factor) == 0 {
			return strconv.FormatInt(int64(s)/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText writes String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

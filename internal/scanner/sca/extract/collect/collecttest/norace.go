//go:build !race

package collecttest

// scale divides the sizes of hostile inputs.
const scale = 1

//go:build race

package collecttest

// scale divides the sizes of hostile inputs: the race detector makes reading
// them ten times slower and finds nothing more in a longer one.
const scale = 10

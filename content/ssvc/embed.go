// Package ssvctables holds published decision tables as data, one CSV file
// each: the decision points, the decision, and in comment lines where the rows
// are from. It holds no code; reading them is the business of package ssvc.
package ssvctables

import "embed"

// FS holds the tables at its root.
//
//go:embed *.csv
var FS embed.FS

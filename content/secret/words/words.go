// Package words holds the dictionary, the letter statistics and the well-known
// examples by which passwords and tokens are told from words and identifiers. It
// holds data only; generate.go tells where the first two come from.
package words

import _ "embed"

// List is the dictionary: lower-case words, sorted, each followed by a line feed.
//
//go:embed words.txt
var List string

// Trigrams holds, for each three of boundary, a, …, z in order, the cost of the
// third letter after the other two, as '0' plus quarters of a bit.
//
//go:embed trigrams.txt
var Trigrams string

// Published lists values that standards print as examples, one on a line, each
// cut once by the mark of the rule files; lines with # are comments.
//
//go:embed published.txt
var Published string

package policy

import _ "embed"

// InputSchema is the JSON Schema (draft 7) of Input, version 1. The caller must
// not change it.
//
//go:embed schema/input-v1.schema.json
var InputSchema []byte

// OutputSchema is the JSON Schema (draft 7) of Output, version 1. The caller
// must not change it.
//
//go:embed schema/output-v1.schema.json
var OutputSchema []byte

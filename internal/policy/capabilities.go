package policy

import (
	"fmt"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// Why a built-in function is withheld, as a person is told.
const (
	noNetwork     = "policies cannot reach the network: a decision depends on the input document and the policy's own data alone"
	noHost        = "policies cannot see the process or its files: a decision depends on the input document and the policy's own data alone"
	noChance      = "policies must be deterministic: equal input gives an equal decision"
	noKeys        = "policies hold no keys and sign nothing"
	notStoppable  = "policies must be stoppable, and no limit could end this function"
	noMorePolicy  = "policies cannot load policies; add the file to the project's policy folder"
	withinSchemas = "a schema may refer to files and hosts, which policies cannot reach; write the conditions in Rego"
)

// withheld are the built-in functions of OPA that policies don't have.
var withheld = map[string]string{
	"http.send":          noNetwork,
	"net.lookup_ip_addr": noNetwork,
	"opa.runtime":        noHost,
	"rego.parse_module":  noMorePolicy,

	// allow_net keeps a "$ref" from hosts, but nothing keeps it from file://.
	"json.match_schema":  withinSchemas,
	"json.verify_schema": withinSchemas,

	// These ask the clock of the machine or a source of random numbers.
	"rand.intn":            noChance,
	"uuid.rfc4122":         noChance,
	"io.jwt.decode_verify": noChance,
	"crypto.x509.parse_and_verify_certificates":              noChance,
	"crypto.x509.parse_and_verify_certificates_with_options": noChance,

	"io.jwt.encode_sign":     noKeys,
	"io.jwt.encode_sign_raw": noKeys,
	"providers.aws.sign_req": noKeys,

	// A template loops within one call, and a shift asks for any amount of
	// memory at once; cancellation is looked at between calls only.
	"strings.render_template": notStoppable,
	"bits.lsh":                notStoppable,
	"graph.reachable_paths":   notStoppable,
}

// capabilities is what OPA offers, less what is withheld and whatever else
// declares itself non-deterministic, with no host to load remote schemas from.
// time.now_ns stays: its clock is the input's.
var capabilities = sync.OnceValue(func() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	kept := make([]*ast.Builtin, 0, len(all.Builtins))
	for _, b := range all.Builtins {
		if _, no := withheld[b.Name]; no || (b.Nondeterministic && b.Name != ast.NowNanos.Name) {
			continue
		}
		kept = append(kept, b)
	}
	return &ast.Capabilities{
		Builtins:       kept,
		FutureKeywords: all.FutureKeywords,
		Features:       all.Features,
		AllowNet:       []string{},
	}
})

// inputSchemas holds the schema of input in the form that the compiler checks
// every policy against.
func inputSchemas() (*ast.SchemaSet, error) {
	var schema any
	if err := util.UnmarshalJSON(InputSchema, &schema); err != nil {
		return nil, fmt.Errorf("reading the embedded input schema: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	return set, nil
}

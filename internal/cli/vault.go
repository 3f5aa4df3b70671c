package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"bulwark/internal/finding"
	"bulwark/internal/outcome"
	"bulwark/internal/scanner/secret"
	"bulwark/internal/verify"
)

// vault holds found values in memory, for as long as providers are asked about
// them.
type vault struct {
	mu   sync.Mutex
	held map[string]secret.Credential // by fingerprint
	// near are the values found in one file, by path: some credentials have two
	// halves.
	near map[string][]secret.Credential
}

func (v *vault) keep(c secret.Credential) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held == nil {
		v.held, v.near = map[string]secret.Credential{}, map[string][]secret.Credential{}
	}
	if _, known := v.held[c.Fingerprint]; !known || c.Provider != "" {
		v.held[c.Fingerprint] = c
	}
	v.near[c.Path] = append(v.near[c.Path], c)
}

// companions are what may belong to a credential: the parts of a composite
// rule, or else the other credentials of the provider in the same file.
func (v *vault) companions(c secret.Credential) map[string]verify.Redacted {
	all := map[string]verify.Redacted{}
	for id, value := range c.Companions {
		all[id] = verify.Redact(value)
	}
	if len(all) > 0 {
		return all
	}
	for _, other := range v.near[c.Path] {
		if other.Fingerprint != c.Fingerprint && strings.HasPrefix(other.RuleID, c.Provider+"-") {
			all[other.RuleID] = verify.Redact(other.Value)
		}
	}
	return all
}

// examine asks the providers about the findings whose values are held. A live
// credential becomes certain and critical. What was refused or cannot be asked
// stays as it is, and the report says so; a policy may look at the property
// "verified".
func (v *vault) examine(p Process, s *settings) func(context.Context, []finding.Finding) ([]outcome.Notice, error) {
	return func(ctx context.Context, findings []finding.Finding) ([]outcome.Notice, error) {
		log := slog.New(slog.NewTextHandler(p.Stderr, nil))
		verifier, err := verify.New(verify.Config{
			Allow: s.cfg.Verify.Providers, RatePerSecond: s.cfg.Verify.Rate, Log: log, Endpoints: s.verifyEndpoints,
		})
		if err != nil {
			return nil, usage(err)
		}
		var notices []outcome.Notice
		for i := range findings {
			f := &findings[i]
			c, ok := v.held[f.Fingerprint]
			if !ok || c.Provider == "" {
				continue
			}
			status, detail, err := verifier.Check(ctx, verify.Candidate{
				Provider: c.Provider, RuleID: f.RuleID, Fingerprint: f.Fingerprint,
				Value: verify.Redact(c.Value), Companions: v.companions(c),
			})
			if ctx.Err() != nil {
				return notices, fmt.Errorf("asking whether credentials are live: %w", ctx.Err())
			}
			if err != nil {
				notices = append(notices, outcome.Notice{Kind: "verify", Message: fmt.Sprintf("%s %s: %v", f.RuleID, f.Fingerprint, err)})
			}
			properties := map[string]string{"verified": string(status)}
			for k, val := range f.Properties {
				properties[k] = val
			}
			f.Properties = properties
			switch status {
			case verify.Live:
				f.Severity, f.Confidence = finding.Critical, finding.Certain
				f.Evidence = append(f.Evidence, "the provider accepts it: it is live")
			case verify.Revoked:
				// Not lowered: it may be alive at a self-hosted instance.
				f.Evidence = append(f.Evidence, "the provider refuses it: revoked, expired or of another instance")
			default:
				f.Evidence = append(f.Evidence, "whether it is live is unknown: "+detail)
			}
		}
		v.held, v.near = nil, nil
		return notices, nil
	}
}

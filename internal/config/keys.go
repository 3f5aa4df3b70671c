package config

import "bulwark/internal/strictyaml"

// rootKeys is the one table of everything that may stand in the file: Parse
// reads by it and the JSON Schema is made from it.
func rootKeys() []key {
	return []key{
		{
			name: "version", required: true,
			about:  "Version of the format of this file.",
			schema: schema{Type: "integer", Const: 1},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.int(n, &c.Version, 1, 1) },
		},
		{
			name:   "identity_key",
			about:  "Base64 of 32 random bytes that key the hashes of secrets in reports, waivers and baselines. Changing it renames every finding.",
			schema: schema{Type: "string", Pattern: "^([A-Za-z0-9+/_-]{43}=?|[0-9A-Fa-f]{64})$"},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.identityKey(n, &c.IdentityKey) },
		},
		{name: "asset", about: "The business context of this project, which policies may weigh.", keys: assetKeys()},
		{name: "scan", about: "What is looked at.", keys: scanKeys()},
		{name: "secret", about: "The secret scanner.", keys: secretKeys()},
		{name: "dependency", about: "The scanner of packages: vulnerabilities, malicious packages, ends of life, licences.", keys: dependencyKeys()},
		{name: "triage", about: "What has been accepted, by whom and until when.", keys: triageKeys()},
		{name: "policy", about: "What blocks a commit.", keys: policyKeys()},
		{name: "cache", about: "The cache of results in the user's cache folder.", keys: []key{{
			name:   "max_size",
			about:  "The size that the cache is kept under.",
			schema: sizeSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.size(n, &c.Cache.MaxSize) },
		}}},
		{name: "verify", about: "How `bulwark scan --verify` asks providers whether a credential is live. Nothing here turns verification on.", keys: []key{
			{
				name:   "providers",
				about:  "The providers that may be asked. Empty: all that are supported.",
				schema: namesSchema(),
				set:    func(p parser, n *strictyaml.Node, c *Config) { p.names(n, &c.Verify.Providers) },
			},
			{
				name:   "rate",
				about:  "Requests per second to one provider.",
				schema: schema{Type: "number", Minimum: number(0.01), Maximum: number(maxRate)},
				set:    func(p parser, n *strictyaml.Node, c *Config) { p.number(n, &c.Verify.Rate, 0.01, maxRate) },
			},
		}},
	}
}

func assetKeys() []key {
	return []key{
		{
			name:   "owner",
			about:  "The team that answers for this project.",
			schema: textSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.text(n, &c.Asset.Owner) },
		},
		{
			name:   "criticality",
			about:  "How much the business depends on it.",
			schema: schema{Enum: criticalities},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Asset.Criticality, criticalities...) },
		},
		{
			name:   "exposure",
			about:  "From where it can be reached when it runs.",
			schema: schema{Enum: exposures},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Asset.Exposure, exposures...) },
		},
		{
			name:   "data_class",
			about:  "The most sensitive class of data that it handles, in the words of your organisation.",
			schema: textSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.text(n, &c.Asset.DataClass) },
		},
	}
}

func scanKeys() []key {
	return []key{
		{
			name:   "exclude",
			about:  "Files and folders not to look at, as gitignore patterns.",
			schema: schema{Type: "array", Items: &schema{Type: "string", MinLength: 1}},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.patterns(n, &c.Scan.Exclude) },
		},
		{
			name:   "max_file_size",
			about:  "Larger files are reported as not looked at.",
			schema: sizeSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.size(n, &c.Scan.MaxFileSize) },
		},
		{
			name:   "workers",
			about:  "How many files are examined at once. 0: one for each core.",
			schema: schema{Type: "integer", Minimum: number(0), Maximum: number(maxWorkers)},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.int(n, &c.Scan.Workers, 0, maxWorkers) },
		},
		{
			name:   "archives",
			about:  "How many levels of archives inside the tree are opened. 0: none.",
			schema: schema{Type: "integer", Minimum: number(0), Maximum: number(maxArchives)},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.int(n, &c.Scan.Archives, 0, maxArchives) },
		},
	}
}

func secretKeys() []key {
	return []key{
		{
			name:   "rules",
			about:  "Files with more rules, in gitleaks' TOML format.",
			schema: pathsSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.paths(n, &c.Secret.Rules) },
		},
		{
			name:   "replace",
			about:  "Use only the rules named above, without the built-in ones.",
			schema: schema{Type: "boolean"},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.bool(n, &c.Secret.Replace) },
		},
		{
			name:   "disable",
			about:  "Ids of rules not to apply.",
			schema: namesSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.names(n, &c.Secret.Disable) },
		},
		{
			name:   "severity",
			about:  "Other severities, by rule id.",
			schema: byRuleSchema(severities),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.severitiesByRule(n, &c.Secret.Severity) },
		},
	}
}

func dependencyKeys() []key {
	return []key{
		{
			name:   "enabled",
			about:  "Whether packages are looked at.",
			schema: schema{Type: "boolean"},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.bool(n, &c.Dependency.Enabled) },
		},
		{
			name:   "max_age_days",
			about:  "How many days old the advisory database may be before the scanner counts as not run. 0: any age.",
			schema: schema{Type: "integer", Minimum: number(0), Maximum: number(maxAgeDays)},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.int(n, &c.Dependency.MaxAgeDays, 0, maxAgeDays) },
		},
		{
			name:   "vex",
			about:  "Files of VEX statements, OpenVEX or CycloneDX, that say which vulnerabilities do not affect this project.",
			schema: pathsSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.paths(n, &c.Dependency.VEX) },
		},
		{name: "licenses", about: "Which licences packages may state.", keys: []key{
			{
				name:   "allow",
				about:  "SPDX ids or groups that are allowed; everything else is denied. Empty: everything that is not denied.",
				schema: licensesSchema(),
				set:    func(p parser, n *strictyaml.Node, c *Config) { p.strings(n, &c.Dependency.Licenses.Allow) },
			},
			{
				name:   "deny",
				about:  "SPDX ids or groups that are denied.",
				schema: licensesSchema(),
				set:    func(p parser, n *strictyaml.Node, c *Config) { p.strings(n, &c.Dependency.Licenses.Deny) },
			},
			{
				name:   "unknown",
				about:  "What to do with a package that states a licence which SPDX does not know: allow, warn or deny.",
				schema: schema{Enum: unknownLicenses},
				set: func(p parser, n *strictyaml.Node, c *Config) {
					p.enum(n, &c.Dependency.Licenses.Unknown, unknownLicenses...)
				},
			},
			{
				name:   "except",
				about:  "Names of packages whose licence is not judged.",
				schema: licensesSchema(),
				set:    func(p parser, n *strictyaml.Node, c *Config) { p.strings(n, &c.Dependency.Licenses.Except) },
			},
		}},
		{
			name:   "development",
			about:  "Vulnerabilities of packages that do not ship: warn, or judge them like all others.",
			schema: schema{Enum: lowered},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Dependency.Development, lowered...) },
		},
		{
			name:   "unreachable",
			about:  "Vulnerabilities that the code cannot reach: warn, or judge them like all others.",
			schema: schema{Enum: lowered},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Dependency.Unreachable, lowered...) },
		},
		{
			name:   "overdue",
			about:  "Known vulnerabilities whose due date has passed: warn or block.",
			schema: schema{Enum: overdue},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Dependency.Overdue, overdue...) },
		},
	}
}

func triageKeys() []key {
	return []key{
		{
			name:   "waivers",
			about:  "The file of waivers.",
			schema: pathSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.path(n, &c.Triage.Waivers) },
		},
		{
			name:   "baseline",
			about:  "The file that lists what was there before Bulwark came.",
			schema: pathSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.path(n, &c.Triage.Baseline) },
		},
		{
			name:   "max_waiver_days",
			about:  "No waiver or directive may end later than this many days from today.",
			schema: schema{Type: "integer", Minimum: number(1), Maximum: number(maxWaiverDays)},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.int(n, &c.Triage.MaxWaiverDays, 1, maxWaiverDays) },
		},
		{
			name:   "inline",
			about:  "Whether bulwark:allow comments count: allow, require-owner (only with an owner) or forbid.",
			schema: schema{Enum: inlineModes},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Triage.Inline, inlineModes...) },
		},
	}
}

func policyKeys() []key {
	return []key{
		{name: "block", about: "The least that a new finding must have to block; the rest warns.", keys: []key{
			{
				name:   "severity",
				about:  "The least severity that blocks.",
				schema: schema{Enum: severities},
				set:    func(p parser, n *strictyaml.Node, c *Config) { p.severity(n, &c.Policy.Block.Severity) },
			},
			{
				name:   "confidence",
				about:  "The least confidence that blocks.",
				schema: schema{Enum: confidences},
				set:    func(p parser, n *strictyaml.Node, c *Config) { p.confidence(n, &c.Policy.Block.Confidence) },
			},
		}},
		{
			name:   "rules",
			about:  "What to do with the findings of single rules, by rule id.",
			schema: byRuleSchema(actions),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.actionsByRule(n, &c.Policy.Rules) },
		},
		{
			name:   "partial",
			about:  "The verdict when some content could not be read: unknown (the gate does not say yes) or warn.",
			schema: schema{Enum: partialVerdicts},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Policy.Partial, partialVerdicts...) },
		},
		{
			name:   "not_run",
			about:  "The verdict when a scanner did not start: unknown, warn or allow.",
			schema: schema{Enum: notRunVerdicts},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.enum(n, &c.Policy.NotRun, notRunVerdicts...) },
		},
		{
			name:   "files",
			about:  "Rego files or folders to add to the default policy.",
			schema: pathsSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.paths(n, &c.Policy.Files) },
		},
		{
			name:   "bundle",
			about:  "An OPA bundle to add to the default policy.",
			schema: pathSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.path(n, &c.Policy.Bundle) },
		},
		{
			name:   "bundle_key",
			about:  "The public key, in PEM, that the bundle must be signed with.",
			schema: pathSchema(),
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.path(n, &c.Policy.BundleKey) },
		},
		{
			name:   "replace",
			about:  "Use only the files and the bundle, without the default policy.",
			schema: schema{Type: "boolean"},
			set:    func(p parser, n *strictyaml.Node, c *Config) { p.bool(n, &c.Policy.Replace) },
		},
	}
}

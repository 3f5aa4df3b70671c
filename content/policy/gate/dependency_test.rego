# What the gate promises of packages, case by case.
package bulwark.gate_test

import data.bulwark.gate

flaw := object.union(leak, {
	"rule_id": "vulnerable-package",
	"scanner": "sca",
	"fingerprint": "sca/1:00",
	"severity": "low", "severity_rank": 1,
	"properties": {"vuln.id": "CVE-2026-1", "package.name": "left-pad", "package.scope": "production"},
})

with_flaw(changes, properties) := object.union(quiet, {"findings": [object.union(flaw, object.union(
	changes,
	{"properties": object.union(flaw.properties, properties)},
))]})

severe := {"severity": "critical", "severity_rank": 4}

test_packages[note] if {
	some note, tc in {
		"mild": {"changes": {}, "properties": {}, "want": ["below-threshold", "warn"]},
		"severe": {"changes": severe, "properties": {}, "want": ["new-severe", "block"]},
		"in KEV, mild": {"changes": {}, "properties": {"kev.added": "2026-08-07"}, "want": ["known-exploited", "block"]},
		"in KEV, not shipped": {
			"changes": {},
			"properties": {"kev.added": "2026-08-07", "package.scope": "development", "reachable": "no"},
			"want": ["known-exploited", "block"],
		},
		"in KEV, existing": {
			"changes": {"status": "existing"},
			"properties": {"kev.added": "2026-08-07"},
			"want": ["existing", "warn"],
		},
		"malicious": {
			"changes": {"confidence": "tentative", "confidence_rank": 0},
			"properties": {"malicious": "true", "package.scope": "development", "reachable": "no"},
			"want": ["malicious-package", "block"],
		},
		"malicious, existing": {
			"changes": {"status": "existing"},
			"properties": {"malicious": "true"},
			"want": ["existing", "warn"],
		},
		"unreachable": {"changes": severe, "properties": {"reachable": "no"}, "want": ["unreachable", "warn"]},
		"reachability unknown": {"changes": severe, "properties": {"reachable": "unknown"}, "want": ["new-severe", "block"]},
		"development": {
			"changes": severe,
			"properties": {"package.scope": "development"},
			"want": ["development-only", "warn"],
		},
		"overdue, new": {"changes": {}, "properties": {"due": "2026-11-01"}, "want": ["below-threshold", "warn"]},
		"overdue": {
			"changes": {"status": "existing"},
			"properties": {"due": "2026-11-22"},
			"want": ["overdue", "warn"],
		},
		"due today": {
			"changes": {"status": "existing"},
			"properties": {"due": "2026-11-23"},
			"want": ["existing", "warn"],
		},
		"due on no day": {
			"changes": {"status": "existing"},
			"properties": {"due": "soon"},
			"want": ["existing", "warn"],
		},
	}
	answers(with_flaw(tc.changes, tc.properties)) == {tc.want}
}

test_package_parameters[note] if {
	some note, tc in {
		"judge unreachable": {
			"parameters": {"unreachable": "judge"},
			"changes": severe,
			"properties": {"reachable": "no"},
			"want": ["new-severe", "block"],
		},
		"judge development": {
			"parameters": {"development": "judge"},
			"changes": severe,
			"properties": {"package.scope": "development"},
			"want": ["new-severe", "block"],
		},
		"overdue blocks": {
			"parameters": {"overdue": "block"},
			"changes": {"status": "existing"},
			"properties": {"due": "2026-11-01"},
			"want": ["overdue", "block"],
		},
		"overdue, but not shipped": {
			"parameters": {"overdue": "block"},
			"changes": {"status": "existing"},
			"properties": {"due": "2026-11-01", "package.scope": "development"},
			"want": ["existing", "warn"],
		},
		"overdue, but unreachable": {
			"parameters": {"overdue": "block"},
			"changes": {"status": "existing"},
			"properties": {"due": "2026-11-01", "reachable": "no"},
			"want": ["existing", "warn"],
		},
		"empty parameters": {
			"parameters": {"overdue": "", "development": "", "unreachable": ""},
			"changes": {"status": "existing"},
			"properties": {"due": "2026-11-01"},
			"want": ["overdue", "warn"],
		},
	}
	run := with_parameters(with_flaw(tc.changes, tc.properties), {"dependency": tc.parameters})
	answers(run) == {tc.want}
}

test_package_rules[note] if {
	some note, tc in {
		"off": {"setting": "off", "properties": {"malicious": "true"}, "want": ["rule-off", "allow"]},
		"malicious is not lowered": {
			"setting": "warn",
			"properties": {"malicious": "true"},
			"want": ["malicious-package", "block"],
		},
		"known exploited is lowered by its rule": {
			"setting": "warn",
			"properties": {"kev.added": "2026-08-07"},
			"want": ["rule-warn", "warn"],
		},
		"unreachable blocks by its rule": {
			"setting": "block",
			"properties": {"reachable": "no"},
			"want": ["rule-block", "block"],
		},
	}
	run := with_parameters(with_flaw({}, tc.properties), {"rules": {"vulnerable-package": tc.setting}})
	answers(run) == {tc.want}
}

# A licence has no vulnerability: neither scope nor reach lowers it.
test_licences_follow_their_severity if {
	denied := object.union(flaw, {"rule_id": "denied-license", "severity": "high", "severity_rank": 3})
	properties := {"license": "AGPL-3.0-only", "package.scope": "development", "reachable": "no"}
	finding := object.union(object.remove(denied, ["properties"]), {"properties": properties})
	answers(object.union(quiet, {"findings": [finding]})) == {["new-severe", "block"]}
}

overdue_reason(due) := d.reason if {
	run := with_flaw({"status": "existing"}, {"due": due})
	decided := gate.decisions with input as run
	some d in decided
}

test_overdue_days[note] if {
	some note, tc in {
		"days": {"due": "2026-11-01", "want": "It was there before, and it was due by 2026-11-01, 22 days ago."},
		"leap day": {"due": "2024-02-29", "want": "It was there before, and it was due by 2024-02-29."},
		"no such day": {"due": "2024-13-40", "want": "It was there before, and it was due by 2024-13-40."},
	}
	overdue_reason(tc.due) == tc.want
}

test_malicious_names_the_package[note] if {
	some note, tc in {
		"named": {"properties": {}, "want": "left-pad is a malicious package, and new."},
		"not named": {"properties": {"package.name": ""}, "want": "It is a malicious package, and new."},
	}
	some d in gate.decisions with input as with_flaw({}, object.union(tc.properties, {"malicious": "true"}))
	d.reason == tc.want
}

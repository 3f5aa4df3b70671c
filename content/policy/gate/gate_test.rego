# METADATA
# title: What the gate promises, case by case
package bulwark.gate_test

import data.bulwark.gate

# A run in which everything went well and nothing was found.
quiet := {
	"schema": "bulwark.policy.input/v1",
	"now": "2026-11-23T12:00:00Z",
	"stage": "commit",
	"mode": "full",
	"asset": {
		"kind": "repository", "name": "shop", "revision": "", "branch": "main", "base": "",
		"criticality": "", "exposure": "", "data_class": "",
	},
	"findings": [],
	"scanners": [{
		"name": "secret", "status": "complete", "reason": "",
		"files": 10, "skipped": 0, "findings": 0,
	}],
	"skips": [],
	"incomplete": "",
	"parameters": {"block": {"severity": "", "confidence": ""}, "partial": "", "not_run": "", "rules": {}},
}

# A new, grave and well-founded finding.
leak := {
	"rule_id": "github-pat",
	"scanner": "secret",
	"fingerprint": "secret/1:00",
	"severity": "high", "severity_rank": 3,
	"confidence": "firm", "confidence_rank": 1,
	"status": "new",
	"message": "GitHub personal access token",
	"masked": "",
	"tags": [], "cwe": [], "controls": [], "properties": {},
	"locations": [],
	"suppressed": false,
}

with_finding(changes) := object.union(quiet, {"findings": [object.union(leak, changes)]})

with_scanner(changes) := object.union(quiet, {"scanners": [object.union(quiet.scanners[0], changes)]})

with_parameters(run, parameters) := object.union(run, {"parameters": object.union(run.parameters, parameters)})

# What was decided, without the reasons: pairs of id and verdict.
answers(run) := {[d.id, d.verdict] | some d in decided} if {
	decided := gate.decisions with input as run
}

test_quiet if answers(quiet) == set()

test_every_decision_has_a_reason if {
	decided := gate.decisions with input as with_finding({})
	every d in decided {
		d.reason != ""
	}
}

test_a_decision_names_its_finding if {
	some d in gate.decisions with input as with_finding({})
	d.fingerprint == "secret/1:00"
	d.rule_id == "github-pat"
}

test_findings[note] if {
	some note, tc in {
		"new, high, firm": {"changes": {}, "want": ["new-severe", "block"]},
		"critical, certain": {
			"changes": {"severity": "critical", "severity_rank": 4, "confidence": "certain", "confidence_rank": 2},
			"want": ["new-severe", "block"],
		},
		"medium": {"changes": {"severity": "medium", "severity_rank": 2}, "want": ["below-threshold", "warn"]},
		"tentative": {
			"changes": {"confidence": "tentative", "confidence_rank": 0},
			"want": ["below-threshold", "warn"],
		},
		"existing": {"changes": {"status": "existing"}, "want": ["existing", "warn"]},
	}
	answers(with_finding(tc.changes)) == {tc.want}
}

test_suppressed_findings_get_no_decision if answers(with_finding({"suppressed": true})) == set()

test_thresholds[note] if {
	some note, tc in {
		"lower severity": {
			"block": {"severity": "medium", "confidence": ""},
			"changes": {"severity": "medium", "severity_rank": 2},
			"want": ["new-severe", "block"],
		},
		"higher severity": {
			"block": {"severity": "critical", "confidence": ""},
			"changes": {},
			"want": ["below-threshold", "warn"],
		},
		"lower confidence": {
			"block": {"severity": "", "confidence": "tentative"},
			"changes": {"confidence": "tentative", "confidence_rank": 0},
			"want": ["new-severe", "block"],
		},
		"higher confidence": {
			"block": {"severity": "", "confidence": "certain"},
			"changes": {},
			"want": ["below-threshold", "warn"],
		},
	}
	answers(with_parameters(with_finding(tc.changes), {"block": tc.block})) == {tc.want}
}

test_rules[note] if {
	some note, tc in {
		"off": {"setting": "off", "changes": {}, "want": ["rule-off", "allow"]},
		"warn": {"setting": "warn", "changes": {}, "want": ["rule-warn", "warn"]},
		"block": {
			"setting": "block",
			"changes": {"severity": "info", "severity_rank": 0, "confidence": "tentative", "confidence_rank": 0},
			"want": ["rule-block", "block"],
		},
		"block, but existing": {"setting": "block", "changes": {"status": "existing"}, "want": ["existing", "warn"]},
		"off and existing": {"setting": "off", "changes": {"status": "existing"}, "want": ["rule-off", "allow"]},
		"raised": {
			"setting": "critical",
			"changes": {"severity": "low", "severity_rank": 1},
			"want": ["new-severe", "block"],
		},
		"lowered": {"setting": "info", "changes": {}, "want": ["below-threshold", "warn"]},
	}
	run := with_parameters(with_finding(tc.changes), {"rules": {"github-pat": tc.setting}})
	answers(run) == {tc.want}
}

test_another_rule_is_not_touched if {
	run := with_parameters(with_finding({}), {"rules": {"aws-key": "off"}})
	answers(run) == {["new-severe", "block"]}
}

test_scanners[note] if {
	some note, tc in {
		"failed": {"changes": {"status": "failed", "reason": "out of memory"}, "want": {["scanner-failed", "unknown"]}},
		"failed, no reason": {"changes": {"status": "failed"}, "want": {["scanner-failed", "unknown"]}},
		"partial": {"changes": {"status": "partial"}, "want": {["scanner-partial", "unknown"]}},
		"could not start": {
			"changes": {"status": "not-run", "reason": "no rules"},
			"want": {["scanner-not-run", "unknown"], ["no-scanner", "unknown"]},
		},
		"turned off": {
			"changes": {"status": "not-run", "reason": "not asked"},
			"want": {["no-scanner", "unknown"]},
		},
	}
	answers(with_scanner(tc.changes)) == tc.want
}

test_partial_may_warn if {
	run := with_parameters(with_scanner({"status": "partial"}), {"partial": "warn"})
	answers(run) == {["scanner-partial", "warn"]}
}

test_not_run_may_be_allowed if {
	two := object.union(quiet, {"scanners": [
		quiet.scanners[0],
		object.union(quiet.scanners[0], {"name": "sca", "status": "not-run", "reason": "no database"}),
	]})
	answers(two) == {["scanner-not-run", "unknown"]}
	answers(with_parameters(two, {"not_run": "allow"})) == {["scanner-not-run", "allow"]}
}

test_no_scanner_at_all if answers(object.union(quiet, {"scanners": []})) == {["no-scanner", "unknown"]}

test_unread_content if {
	unread := object.union(quiet, {"skips": [{"reason": "I/O error", "count": 3, "failed": 2}]})
	answers(unread) == {["content-unread", "unknown"]}
	answers(with_parameters(unread, {"partial": "warn"})) == {["content-unread", "warn"]}
}

test_left_out_by_design if {
	answers(object.union(quiet, {"skips": [{"reason": "submodule", "count": 3, "failed": 0}]})) == set()
}

test_incomplete if answers(object.union(quiet, {"incomplete": "cancelled"})) == {["incomplete", "unknown"]}

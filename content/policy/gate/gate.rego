# METADATA
# title: The gate
# description: |
#   Decides what may pass. Every finding that nobody accepted gets exactly one
#   decision, and so does everything about the run that casts doubt on it.
#   The verdict of a run is the greatest of its decisions:
#
#       allow < warn < unknown < block
#
#   "unknown" means that Bulwark could not look or could not tell. It is not a
#   yes: somebody has to look again.
#
#   A project tunes this policy in its configuration:
#
#       policy:
#         block: {severity: high, confidence: firm}
#         partial: unknown        # or warn
#         not_run: unknown        # or warn, allow
#         rules:
#           generic-api-key: warn       # never block for this rule
#           example-test-key: off       # allow, whatever its severity
#           internal-hostname: high     # judge as if of this severity
#           github-pat: block           # block at any severity and confidence
#
#   and adds to it with packages of its own; docs/policy.md says how.
# authors:
#   - The Bulwark authors
package bulwark.gate

# ---------------------------------------------------------------------------
# Parameters. What the configuration leaves empty has its default here.
# ---------------------------------------------------------------------------

# The least severity and confidence that a new finding must both have to block.
default block_severity := "high"

block_severity := input.parameters.block.severity if input.parameters.block.severity != ""

default block_confidence := "firm"

block_confidence := input.parameters.block.confidence if input.parameters.block.confidence != ""

# What follows when a scanner could not read some of what it wanted.
default partial_verdict := "unknown"

partial_verdict := input.parameters.partial if input.parameters.partial != ""

# What follows when a scanner did not start although nobody turned it off.
default not_run_verdict := "unknown"

not_run_verdict := input.parameters.not_run if input.parameters.not_run != ""

# Ranks make severities and confidences comparable: input has them beside the
# names as severity_rank and confidence_rank.
severity_ranks := {"info": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}

confidence_ranks := {"tentative": 0, "firm": 1, "certain": 2}

# A scanner with status "not-run" and this reason was turned off on purpose.
turned_off := "not asked"

# ---------------------------------------------------------------------------
# Findings
# ---------------------------------------------------------------------------

# METADATA
# title: One decision for every finding that is not suppressed
# description: |
#   A finding is suppressed when every one of its places was accepted by an
#   inline directive, a waiver or a baseline.
decisions contains decision if {
	some finding in input.findings
	not finding.suppressed
	setting := object.get(input.parameters.rules, finding.rule_id, "")
	decision := object.union(answer(finding, setting), {
		"fingerprint": finding.fingerprint,
		"rule_id": finding.rule_id,
	})
}

# METADATA
# title: The answer to one finding
# description: |
#   The first of the cases below that holds decides. The setting is what the
#   configuration says of the finding's rule: off, warn, block, the name of a
#   severity, or "" when it says nothing.

# 1. The project turned the rule off.
answer(finding, setting) := {
	"id": "rule-off",
	"verdict": "allow",
	"reason": sprintf("The configuration turns rule %s off.", [finding.rule_id]),
} if {
	setting == "off"
}

# 2. A package was there before the change, and the day by which to act on it has
#    passed. The project says whether that blocks; unless it does, case 3 is the
#    same with other words.
else := {
	"id": "overdue",
	"verdict": overdue_verdict,
	"reason": sprintf("It was there before, and %s.", [overdue_by(finding)]),
} if {
	finding.status == "existing"
	is_overdue(finding)
	not is_lowered(finding)
}

# 3. It was there before the change. Only what a change introduces can block it.
#    The status is "existing" only when there was a base or a baseline to
#    compare with; without one every finding is "new".
else := {
	"id": "existing",
	"verdict": "warn",
	"reason": "It was there before: only what is new can block.",
} if {
	finding.status == "existing"
}

# 4. A package that was published to do harm blocks whatever else is known of it.
else := {
	"id": "malicious-package",
	"verdict": "block",
	"reason": sprintf("%s is a malicious package, and new.", [package_name(finding)]),
} if {
	is_malicious(finding)
}

# 5. The project wants this rule to block, or never to block.
else := {
	"id": "rule-block",
	"verdict": "block",
	"reason": sprintf("New, and the configuration lets every finding of rule %s block.", [finding.rule_id]),
} if {
	setting == "block"
}

else := {
	"id": "rule-warn",
	"verdict": "warn",
	"reason": sprintf("The configuration lets findings of rule %s warn only.", [finding.rule_id]),
} if {
	setting == "warn"
}

# 6. Attackers use the vulnerability, so its score does not matter, nor where in
#    the project the package is.
else := {
	"id": "known-exploited",
	"verdict": "block",
	"reason": sprintf(
		"New, and known to be exploited: in CISA's KEV catalogue since %s.",
		[brief(finding.properties["kev.added"])],
	),
} if {
	in_kev(finding)
}

# 7. A vulnerability that no code reaches, or in a package that is not shipped.
else := {
	"id": "unreachable",
	"verdict": "warn",
	"reason": "New, but no code of the project reaches it.",
} if {
	unreachable_verdict == "warn"
	is_unreachable(finding)
}

else := {
	"id": "development-only",
	"verdict": "warn",
	"reason": "New, but in a package that only development uses.",
} if {
	development_verdict == "warn"
	is_development(finding)
}

# 8. New, grave and well founded.
else := {
	"id": "new-severe",
	"verdict": "block",
	"reason": sprintf(
		"New, with severity %s and confidence %s; the gate blocks from %s and %s.",
		[severity(finding, setting), finding.confidence, block_severity, block_confidence],
	),
} if {
	severity_ranks[severity(finding, setting)] >= severity_ranks[block_severity]
	finding.confidence_rank >= confidence_ranks[block_confidence]
}

# 9. Everything else is worth a look, not worth stopping work.
else := {
	"id": "below-threshold",
	"verdict": "warn",
	"reason": sprintf(
		"New, with severity %s and confidence %s; the gate blocks from %s and %s.",
		[severity(finding, setting), finding.confidence, block_severity, block_confidence],
	),
}

# The severity to judge by: the configured one, else the finding's own.
severity(finding, setting) := setting if {
	severity_ranks[setting]
} else := finding.severity

# ---------------------------------------------------------------------------
# The run: a gate that could not look does not say yes.
# ---------------------------------------------------------------------------

# METADATA
# title: A scanner failed
# description: Its result must not be relied on, whatever it found.
decisions contains {
	"id": "scanner-failed",
	"verdict": "unknown",
	"reason": sprintf("Scanner %s failed (%s), so its findings cannot be relied on.", [scanner.name, why(scanner)]),
} if {
	some scanner in input.scanners
	scanner.status == "failed"
}

# METADATA
# title: A scanner could not read some of what it wanted
# description: |
#   This is about content that should have been examined and could not be. What
#   is left out by design, such as a submodule, does not count.
decisions contains {
	"id": "scanner-partial",
	"verdict": partial_verdict,
	"reason": sprintf("Scanner %s could not look at everything (%s).", [scanner.name, why(scanner)]),
} if {
	some scanner in input.scanners
	scanner.status == "partial"
}

# METADATA
# title: A scanner did not run
# description: A scanner that the project turned off is not mentioned.
decisions contains {
	"id": "scanner-not-run",
	"verdict": not_run_verdict,
	"reason": sprintf("Scanner %s did not run (%s).", [scanner.name, why(scanner)]),
} if {
	some scanner in input.scanners
	scanner.status == "not-run"
	scanner.reason != turned_off
}

# METADATA
# title: Content could not be read
# description: |
#   Said only when no scanner says so itself; the same gap is not reported twice.
decisions contains {
	"id": "content-unread",
	"verdict": partial_verdict,
	"reason": sprintf("%d files could not be read: %s.", [skip.failed, brief(skip.reason)]),
} if {
	every scanner in input.scanners {
		scanner.status in {"complete", "not-run"}
	}
	some skip in input.skips
	skip.failed > 0
}

# METADATA
# title: Nothing looked
decisions contains {
	"id": "no-scanner",
	"verdict": "unknown",
	"reason": "No scanner ran, so nothing is known.",
} if {
	every scanner in input.scanners {
		scanner.status == "not-run"
	}
}

# METADATA
# title: The run ended early
decisions contains {
	"id": "incomplete",
	"verdict": "unknown",
	"reason": sprintf("The run ended early: %s.", [brief(input.incomplete)]),
} if {
	input.incomplete != ""
}

# Why a scanner is not complete, in its own words.
why(scanner) := brief(scanner.reason) if {
	scanner.reason != ""
} else := "no reason given"

# A reason is for a person: the start of a long text is enough.
brief(text) := substring(text, 0, 400)

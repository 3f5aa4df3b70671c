# What the gate asks of findings about packages. The cases themselves stand in
# gate.rego, in the one chain that decides.
package bulwark.gate

# ---------------------------------------------------------------------------
# Parameters: input.parameters.dependency. What is empty has its default here.
# ---------------------------------------------------------------------------

# What follows for a vulnerability in a package that is not shipped, and in one
# that no code reaches: "warn", or "judge" as every other finding.
development_verdict := dependency_parameter("development", "warn")

unreachable_verdict := dependency_parameter("unreachable", "warn")

# What follows for a finding that was there before and is past its due date:
# "warn" or "block".
overdue_verdict := dependency_parameter("overdue", "warn")

dependency_parameter(name, standard) := value if {
	value := object.get(input.parameters, ["dependency", name], "")
	value != ""
} else := standard

# ---------------------------------------------------------------------------
# Facts about a finding
# ---------------------------------------------------------------------------

is_malicious(finding) if finding.properties.malicious == "true"

in_kev(finding) if object.get(finding.properties, "kev.added", "") != ""

# A flaw in an honest package, as opposed to a malicious package, a licence or
# an end of life.
is_vulnerability(finding) if {
	object.get(finding.properties, "vuln.id", "") != ""
	not is_malicious(finding)
}

is_unreachable(finding) if {
	is_vulnerability(finding)
	finding.properties.reachable == "no"
}

is_development(finding) if {
	is_vulnerability(finding)
	finding.properties["package.scope"] == "development"
}

# A project may lower what it does not ship or cannot reach; then neither its
# severity nor its due date counts.
is_lowered(finding) if {
	unreachable_verdict == "warn"
	is_unreachable(finding)
}

is_lowered(finding) if {
	development_verdict == "warn"
	is_development(finding)
}

# The due date is the last day on which all is well.
is_overdue(finding) if {
	due := object.get(finding.properties, "due", "")
	regex.match(`^\d{4}-\d\d-\d\d$`, due)
	due < substring(input.now, 0, 10)
}

# How long ago, if the day exists in the calendar; February 29 is told without.
overdue_by(finding) := sprintf("it was due by %s, %d days ago", [finding.properties.due, days]) if {
	regex.match(
		`^\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))$`,
		finding.properties.due,
	)
	then := time.parse_rfc3339_ns(concat("", [finding.properties.due, "T00:00:00Z"]))
	days := floor((time.parse_rfc3339_ns(input.now) - then) / ((24 * 3600) * 1000000000))
} else := sprintf("it was due by %s", [finding.properties.due])

# What the finding is about, for a sentence.
package_name(finding) := name if {
	name := object.get(finding.properties, "package.name", "")
	name != ""
} else := "It"

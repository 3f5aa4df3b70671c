#!/bin/sh
# Names what the build needs and is missing, and how to get it.
missing=0
need() {
	command -v "$1" >/dev/null 2>&1 && return
	echo "missing: $1. $2" >&2
	missing=1
}
need go "Get Go 1.26 or newer from https://go.dev/dl/ and put it on PATH."
need git "Get it with your package manager: apt-get install git, dnf install git, brew install git."
if ! command -v cc >/dev/null 2>&1 && ! command -v gcc >/dev/null 2>&1 && ! command -v clang >/dev/null 2>&1; then
	echo "missing: a C compiler, for the race detector. apt-get install gcc, dnf install gcc, xcode-select --install." >&2
	missing=1
fi
if [ "$missing" -eq 0 ]; then
	minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
	if [ -n "$minor" ] && [ "$minor" -lt 26 ] && [ "$(go env GOTOOLCHAIN)" = local ]; then
		echo "go $(go env GOVERSION) is older than 1.26, and GOTOOLCHAIN=local forbids fetching a newer one. Get it from https://go.dev/dl/." >&2
		missing=1
	fi
fi
exit "$missing"

#!/usr/bin/env bash
# Runs other scanners and Bulwark in turn on the same input and prints wall time,
# CPU time, memory, findings and the ratios; then checks that Bulwark finds what
# gitleaks finds with gitleaks' own rules. See docs/performance.md.
#
# gitleaks is built here. The cases about packages take syft and osv-scanner from
# the PATH, and say how to install them where they are missing.
#
#   BENCH_HISTORY  a git repository of 10,000 commits or more, for the history
#                  case; without it that case is left out
#   BENCH_RUNS     measurements of each thing, of which the median counts
#                  (default 3)
#   BENCH_CASES    comma-separated list of cases (default: all): version,
#                  goroot, kubernetes, history, warm, parity, packages,
#                  advisories
#   BENCH_REPOSITORIES  folders, with ":" between them, whose packages are
#                  extracted beside those of Kubernetes
#   BENCH_ADVISORIES  a folder of OSV exports (…/ECOSYSTEM/all.zip), for the case
#                  advisories; without it that case is left out
#   BENCH_LOCKFILES  a folder of lockfiles, for that case; without it only
#                  generated SBOMs are matched
#   BENCH_WORK     folder for what is built and made (default: a temporary one,
#                  removed at the end)
set -euo pipefail
cd "$(dirname "$0")/.."

gitleaks_module=github.com/zricethezav/gitleaks/v8
gitleaks_version=v8.30.1 # the newest 8.30
kubernetes_module=k8s.io/kubernetes
kubernetes_version=v1.33.0

work=${BENCH_WORK:-}
if [ -z "$work" ]; then
	work=$(mktemp -d)
	trap 'chmod -R u+w "$work" 2>/dev/null || true; rm -rf "$work"' EXIT
fi
mkdir -p "$work/bin"

# Prints the folder of an unpacked module, downloading it when needed.
module() {
	(cd "$work" && GOFLAGS=-mod=mod GOWORK=off go mod download -json "$1@$2") |
		sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p'
}

echo "building gitleaks $gitleaks_version and bulwark" >&2
GOBIN="$work/bin" GOFLAGS=-mod=mod go install "$gitleaks_module@$gitleaks_version"
CGO_ENABLED=0 go build -trimpath -o "$work/bin/bulwark" ./cmd/bulwark
go build -o "$work/bin/compare" ./bench/compare

kubernetes=$(module "$kubernetes_module" "$kubernetes_version")
gitleaks_dir=$(module "$gitleaks_module" "$gitleaks_version")

"$work/bin/compare" \
	-gitleaks "$work/bin/gitleaks" -gitleaks-version "$gitleaks_version" \
	-gitleaks-rules "$gitleaks_dir/config/gitleaks.toml" -gitleaks-source "$gitleaks_dir" \
	-bulwark "$work/bin/bulwark" \
	-goroot "$(go env GOROOT)/src" \
	-kubernetes "$kubernetes" -kubernetes-version "$kubernetes_version" \
	-history "${BENCH_HISTORY:-}" \
	-repositories "${BENCH_REPOSITORIES:-}" \
	-advisories "${BENCH_ADVISORIES:-}" -lockfiles "${BENCH_LOCKFILES:-}" \
	-runs "${BENCH_RUNS:-3}" -cases "${BENCH_CASES:-}" -work "$work"

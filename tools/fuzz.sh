#!/usr/bin/env bash
# Runs every fuzz target of the tree for the given time each.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
grep -rl --include='*_test.go' '^func Fuzz' internal | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -ho '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | sed 's/func //' | while read -r name; do
		echo "$dir $name"
		go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$time" -parallel 2
	done
done

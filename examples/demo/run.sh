#!/usr/bin/env bash
# The main job on a small repository that this script creates: a change with
# planted faults is blocked, with reasons; the fixed change passes. First faults
# are leaked credentials, then a package with a known vulnerability. Neither the
# network nor npm is needed.
set -euo pipefail
records=$(cd "$(dirname "$0")/advisories" && pwd)
bulwark=$(cd "$(dirname "${1:?usage: run.sh BULWARK}")" && pwd)/$(basename "$1")
demo=$(mktemp -d)
trap 'rm -rf "$demo"' EXIT
cd "$demo"

# Neither the user's git configuration nor their cache takes part.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Robin GIT_AUTHOR_EMAIL=robin@shop.example GIT_AUTHOR_DATE=2026-01-05T09:00:00Z
export GIT_COMMITTER_NAME=Robin GIT_COMMITTER_EMAIL=robin@shop.example GIT_COMMITTER_DATE=2026-01-05T09:00:00Z

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
	printf '$ bulwark %s\n' "$*"
	local code=0
	"$bulwark" "$@" || code=$?
	printf '(exit code %s)\n' "$code"
	[ "$code" = "$expect" ] || { echo "the demo expected exit code $expect" >&2; exit 1; }
}

# The credentials are put together here, so that none stands in this file.
aws_id=AKIA$(printf 'QYLPMN5H%s' 'HHFPZAM2')
aws_secret=$(printf 'k7Zt1qXw9%s' 'Bv3LmR8sNp2Yc6Hd4Gf0Je5Ua+Ki/Ox')
slack=xoxb-$(printf '2783905416%s' '27-5093381724406-Qm4cZt8vKp2XrW7yLb9NdF3h')

git init -q -b main shop
cd shop
mkdir -p app
cat >app/settings.py <<'EOF'
import os

DATABASE_URL = os.environ["DATABASE_URL"]
PAGE_SIZE = 50
EOF
git add . && git commit -qm "Start the shop"

git checkout -qb export-orders
cat >app/export.py <<EOF
import boto3

client = boto3.client(
    "s3",
    aws_access_key_id="$aws_id",
    aws_secret_access_key="$aws_secret",
)
EOF
git add . && git commit -qm "Export orders to S3"
printf 'SLACK_TOKEN = "%s"\n' "$slack" >>app/settings.py
git commit -qam "Tell the channel when an export is done"
# Removed again, but whoever fetches the branch still gets it.
printf 'import os\n\nDATABASE_URL = os.environ["DATABASE_URL"]\nPAGE_SIZE = 50\nSLACK_TOKEN = os.environ["SLACK_TOKEN"]\n' >app/settings.py
git commit -qam "Read the Slack token from the environment"

say "1. What does the branch introduce? Two leaks, one of them only in its history."
expect=3 run scan --base main --no-cache

say "2. Why is that so bad?"
expect=0
"$bulwark" explain slack-bot-token

say "3. The fix: credentials come from the environment, the branch's commits are made anew."
git reset -q --soft main
printf 'import boto3\n\n# Credentials come from the workload identity.\nclient = boto3.client("s3")\n' >app/export.py
git add . && git commit -qm "Export orders to S3, tell the channel when done"
expect=0 run scan --base main --no-cache

say "4. A database of advisories, built from a folder: here two that are invented."
# An OSV export is ECOSYSTEM/all.zip.
git init -q "$demo/export"
cp "$records"/npm/*.json "$demo/export"
git -C "$demo/export" add . && git -C "$demo/export" commit -qm "Records"
mkdir -p "$demo/feed/npm"
git -C "$demo/export" archive --format=zip --output="$demo/feed/npm/all.zip" HEAD
export BULWARK_DB=$demo/advisories.db
expect=0 run db update --from ../feed

# What the shop uses already, with a vulnerability that was there before.
git checkout -q main && git merge -q export-orders
cat >package.json <<'EOF'
{
  "name": "shop",
  "private": true,
  "dependencies": {
    "bulwark-demo-parser": "1.9.0"
  }
}
EOF
cat >package-lock.json <<'EOF'
{
  "name": "shop",
  "lockfileVersion": 3,
  "packages": {
    "": {
      "name": "shop",
      "dependencies": {
        "bulwark-demo-parser": "1.9.0"
      }
    },
    "node_modules/bulwark-demo-parser": {
      "version": "1.9.0"
    }
  }
}
EOF
git add . && git commit -qm "Show the catalogue"

git checkout -qb search
sed -i.old 's|"bulwark-demo-parser": "1.9.0"|&,\
    "bulwark-demo-search": "1.2.0"|' package.json
sed -i.old 's|^        "bulwark-demo-parser": "1.9.0"|&,\
        "bulwark-demo-search": "1.2.0"|
s|^    "node_modules/bulwark-demo-parser": {|    "node_modules/bulwark-demo-search": {\
      "version": "1.2.0"\
    },\
&|' package-lock.json
rm -- *.old
git add . && git commit -qm "Search the catalogue"

say "5. What does this branch bring in? A vulnerable package; the one that main has does not block it."
expect=3 run scan --base main --no-cache

say "6. Raise it to the smallest version that no advisory affects."
expect=0 run fix --write --no-cache --only bulwark-demo-search
# What npm install would do to the lockfile.
sed -i.old '/bulwark-demo-search/,/}/s|1\.2\.0|1.2.5|' package-lock.json
rm -- *.old
git commit -qam "Raise bulwark-demo-search"
expect=0 run scan --base main --no-cache

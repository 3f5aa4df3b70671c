#!/usr/bin/env bash
# Builds static, reproducible binaries into dist/, with an SBOM and checksums.
# The same commit and Go version give the same bytes on any machine.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: release.sh VERSION}
rm -rf dist
mkdir dist
# PLATFORMS limits what is built, such as PLATFORMS=linux/amd64.
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
	os=${platform%/*} arch=${platform#*/}
	out="dist/bulwark_${version}_${os}_${arch}"
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch GOFLAGS= go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X bulwark/internal/cli.release=${version}" -o "$out" ./cmd/bulwark
done
# The serial number and the time would differ between two builds.
go tool -modfile=tools/go.mod cyclonedx-gomod app -json -noserial -licenses=false -main cmd/bulwark -output "dist/bulwark_${version}.cdx.json" .
sed -i.bak '/"timestamp":/d' "dist/bulwark_${version}.cdx.json" && rm dist/*.bak
(cd dist && sha256sum -- * >SHA256SUMS)
cat dist/SHA256SUMS

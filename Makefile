# Two commands do everything: `make demo` and `make test`. The others are parts
# of them, or of a release.
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

.PHONY: conformance demo test lint build release bench fuzz clean tools-present

demo: build ## the main job on a small repository with planted faults
	@./examples/demo/run.sh ./bin/bulwark

test: tools-present ## every test, with the race detector
	$(GO) test -race -timeout 20m ./...

build: tools-present
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/bulwark ./cmd/bulwark

lint: tools-present
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt'ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	$(GO) tool -modfile=tools/go.mod errcheck -ignoretests -exclude tools/errcheck.txt ./...

release: tools-present ## static, reproducible binaries with SBOM and checksums, in dist/
	./tools/release.sh "$(VERSION)"

conformance: ## matching against rows of osv-scanner: make conformance DATA=folder of advisories/ and lockfiles/
	BULWARK_ADVISORY_DATA="$(abspath $(DATA))" $(GO) test -count=1 ./internal/advisory/db

bench: build ## gitleaks and Bulwark in turn on the same input, with the ratio
	./bench/run.sh

fuzz: tools-present ## every fuzz target for a short while
	./tools/fuzz.sh 10s

clean:
	rm -rf bin dist .demo

tools-present:
	@./tools/present.sh

package plausible

import "strings"

// Class is what a path says of the file's purpose.
type Class uint8

// The classes.
const (
	Production Class = iota
	Test
	Example
	Documentation
	Vendored
	Generated
	LockFile
	Localisation
	Minified
)

var classNames = [...]string{"production", "test", "example", "documentation", "vendored", "generated", "lock file", "localisation", "minified"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// PathClass tells the purpose of a file from its slash-separated path.
func PathClass(path string) Class {
	low := strings.ToLower(path)
	name := low[strings.LastIndexByte(low, '/')+1:]
	switch name {
	case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "go.sum", "go.work.sum", "cargo.lock", "poetry.lock",
		"pipfile.lock", "composer.lock", "gemfile.lock", "packages.lock.json", "mix.lock", "podfile.lock", "pubspec.lock", "flake.lock", "bun.lock",
		".terraform.lock.hcl", "deno.lock", "uv.lock", "conan.lock", "package.resolved", "cartfile.resolved", "gradle.lockfile", "buf.lock", "modules.txt", "bazel.lock", "module.bazel.lock", "requirements.lock":
		return LockFile
	}
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		ext = name[i+1:]
	}
	switch ext {
	case "po", "pot", "arb", "strings", "xliff", "xlf", "resx", "ftl", "stringsdict", "lproj":
		return Localisation
	case "map":
		return Minified
	case "snap":
		return Test
	}
	if strings.Contains(name, ".min.") || strings.HasSuffix(name, "-min.js") || strings.Contains(name, ".bundle.") || strings.Contains(name, ".chunk.") {
		return Minified
	}
	dir := low[:len(low)-len(name)]
	class := Production
	for len(dir) > 0 {
		i := strings.IndexByte(dir, '/')
		part := dir[:i]
		dir = dir[i+1:]
		switch c := folderClass(part); {
		case c == Localisation && (ext == "json" || ext == "yml" || ext == "yaml" || ext == "properties" || ext == "js" || ext == "ts" || ext == "php" || ext == "xml" || ext == "toml" || ext == "txt" || ext == "py" || ext == "rb"):
			return Localisation
		case c == Vendored:
			return Vendored
		case c != Production && c != Localisation && class == Production:
			class = c
		}
	}
	if class != Production {
		return class
	}
	return nameClass(name, ext)
}

func folderClass(part string) Class {
	switch part {
	case "vendor", "node_modules", "third_party", "thirdparty", "third-party", "bower_components", "site-packages", "jspm_packages", "pods", "carthage", "external", "deps":
		return Vendored
	case "locale", "locales", "i18n", "l10n", "lang", "langs", "languages", "translations", "translation", "lproj", "nls":
		return Localisation
	case "test", "tests", "testing", "spec", "specs", "__tests__", "__mocks__", "mocks", "mock", "fixtures", "fixture", "testdata", "test-data", "test_data", "e2e", "unittest", "unittests",
		"integration", "integration-tests", "integration_tests", "testsuite", "cypress", "itest", "androidtest", "__snapshots__", "cassettes", "stubs", "testutil", "testutils", "testresources", "test-resources", "testcases", "qa":
		return Test
	case "example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials", "quickstart", "playground", "showcase", "_examples", "snippets", "getting-started":
		return Example
	case "doc", "docs", "documentation", "website", "site", "wiki", "guides", "guide", "manual", "blog", "_posts", "javadoc", "man", "rfcs":
		return Documentation
	case "generated", "gen", "autogen", "dist", "__generated__", "zz_generated":
		return Generated
	}
	switch {
	case strings.HasPrefix(part, "test-"), strings.HasPrefix(part, "test_"), strings.HasSuffix(part, "-test"), strings.HasSuffix(part, "_test"), strings.HasSuffix(part, "-tests"), strings.HasSuffix(part, "_tests"), strings.HasSuffix(part, ".tests"), strings.HasSuffix(part, ".test"), strings.HasSuffix(part, ".integrationtests"), strings.HasSuffix(part, "unittests"), strings.HasSuffix(part, "unittest"), strings.HasSuffix(part, "integrationtest"), strings.HasSuffix(part, "functionaltest"):
		return Test
	case strings.HasPrefix(part, "example-"), strings.HasSuffix(part, "-example"), strings.HasSuffix(part, "-examples"), strings.HasSuffix(part, "-sample"), strings.HasSuffix(part, "-samples"), strings.HasSuffix(part, "-demo"), strings.HasSuffix(part, "_examples"):
		return Example
	}
	return Production
}

func nameClass(name, ext string) Class {
	stem := strings.TrimSuffix(name, "."+ext)
	switch {
	case strings.HasSuffix(stem, "_test"), strings.HasSuffix(stem, "_tests"), strings.HasSuffix(stem, ".test"), strings.HasSuffix(stem, ".spec"), strings.HasSuffix(stem, "_spec"), strings.HasSuffix(stem, "-test"), strings.HasSuffix(stem, "-spec"),
		strings.HasPrefix(stem, "test_"), strings.HasPrefix(stem, "test-"), strings.HasPrefix(stem, "test."), stem == "test", stem == "tests", stem == "conftest", strings.Contains(name, ".test."), strings.Contains(name, ".spec."), strings.Contains(name, "_test."), strings.HasSuffix(stem, ".e2e"), strings.HasSuffix(stem, ".stories"):
		return Test
	case (ext == "java" || ext == "kt" || ext == "cs" || ext == "scala" || ext == "php" || ext == "swift" || ext == "groovy") && (strings.HasSuffix(stem, "test") || strings.HasSuffix(stem, "tests") || strings.HasSuffix(stem, "spec")):
		return Test
	case ext == "example", ext == "sample", ext == "dist", ext == "tmpl", ext == "template", strings.Contains(name, ".example."), strings.Contains(name, ".sample."), strings.HasSuffix(stem, "-example"), strings.HasSuffix(stem, "_example"), strings.HasSuffix(stem, ".example"), strings.HasSuffix(stem, "-sample"), strings.HasSuffix(stem, ".sample"), strings.HasPrefix(stem, "example"), strings.HasPrefix(stem, "sample"):
		return Example
	case ext == "md", ext == "rst", ext == "adoc", ext == "asciidoc", ext == "mdx", ext == "markdown", ext == "rdoc", strings.HasPrefix(stem, "readme"), strings.HasPrefix(stem, "changelog"), strings.HasPrefix(stem, "license"):
		return Documentation
	case strings.HasSuffix(stem, ".pb"), strings.HasSuffix(stem, "_pb2"), strings.HasSuffix(stem, "_generated"), strings.HasPrefix(stem, "zz_generated"), strings.HasSuffix(stem, ".g"), strings.HasSuffix(stem, ".designer"), strings.HasSuffix(stem, ".gen"):
		return Generated
	}
	return Production
}

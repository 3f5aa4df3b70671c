package assign

import "strings"

// Syntax groups languages by how a literal value is told from an expression.
type Syntax uint8

// The groups.
const (
	Unknown Syntax = iota
	Code           // literal strings stand in quotes: Go, Python, JavaScript, Java
	Config         // a value reaches to the end of the line: env, ini, properties, TOML
	YAML
	JSON
	Markup // XML, HTML, plist
	Shell
	Prose // Markdown, reStructuredText, plain text
	SQL
)

var syntaxNames = [...]string{"unknown", "code", "config", "yaml", "json", "markup", "shell", "prose", "sql"}

func (s Syntax) String() string {
	if int(s) < len(syntaxNames) {
		return syntaxNames[s]
	}
	return "unknown"
}

// SyntaxOf tells the syntax of a file from its path.
func SyntaxOf(path string) Syntax {
	name := path[strings.LastIndexByte(path, '/')+1:]
	var buf [64]byte
	if len(name) > len(buf) {
		name = name[len(name)-len(buf):]
	}
	low := lower(buf[:0], name)
	if s, ok := byName(string(low)); ok {
		return s
	}
	for {
		dot := strings.LastIndexByte(string(low), '.')
		if dot < 0 {
			return Unknown
		}
		ext := string(low[dot+1:])
		if isCovering(ext) { // settings.py.example
			low = low[:dot]
			continue
		}
		return byExtension(ext)
	}
}

func lower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// isCovering tells extensions that are put behind another one.
func isCovering(ext string) bool {
	switch ext {
	case "example", "sample", "dist", "default", "template", "tmpl", "tpl", "bak", "orig", "old", "in", "j2", "erb", "swp", "save", "test", "local", "production", "development", "staging", "snap":
		return true
	}
	return false
}

func byName(name string) (Syntax, bool) {
	switch name {
	case ".env", ".npmrc", ".pypirc", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".gitconfig", ".git-credentials", ".htpasswd",
		".yarnrc", ".boto", ".s3cfg", ".editorconfig", "credentials", "config", ".dockercfg":
		return Config, true
	case "dockerfile", "containerfile", "makefile", "gnumakefile", "jenkinsfile", "procfile", ".bashrc", ".zshrc", ".profile",
		".bash_profile", ".bash_history", ".zsh_history", ".envrc", "vagrantfile.sh":
		return Shell, true
	case "gemfile", "rakefile", "vagrantfile", "podfile", "fastfile", "brewfile", "capfile", "guardfile", "sconstruct", "build", "workspace":
		return Code, true
	case "readme", "license", "licence", "changelog", "changes", "authors", "notice", "copying", "todo", "news", "install", "contributing":
		return Prose, true
	}
	if strings.HasPrefix(name, ".env.") || strings.HasPrefix(name, "dockerfile.") && !strings.HasSuffix(name, ".md") {
		if name[1] == 'e' {
			return Config, true
		}
		return Shell, true
	}
	return Unknown, false
}

func byExtension(ext string) Syntax {
	switch ext {
	case "go", "py", "pyi", "pyx", "pyw", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "java", "kt", "kts", "scala", "groovy", "gradle",
		"c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "m", "mm", "cs", "fs", "fsx", "vb", "swift", "rs", "rb", "rake", "php", "phtml", "php3",
		"php5", "inc", "pl", "pm", "t", "lua", "r", "jl", "dart", "ex", "exs", "erl", "hrl", "clj", "cljs", "cljc", "edn", "hs", "lhs", "ml", "mli", "elm", "nim", "zig",
		"v", "sv", "vhd", "d", "pas", "pp", "f90", "asm", "s", "coffee", "vue", "svelte", "astro", "ipynb", "proto", "thrift", "graphql", "gql", "sol",
		"el", "lisp", "scm", "rkt", "tcl", "as", "hx", "cr", "ps1", "psm1", "psd1", "css", "scss", "less", "sass", "styl", "bzl", "bazel", "star",
		"rego", "cue", "jsonnet", "libsonnet", "dhall", "robot", "feature", "jsp", "jspx", "ejs", "pug", "jade", "haml", "slim", "razor", "cshtml", "aspx", "ascx", "asp", "cfm", "mustache", "hbs":
		return Code
	case "env", "ini", "properties", "prop", "props", "toml", "conf", "cfg", "config", "cnf", "tf", "tfvars", "hcl", "nomad", "rsp", "reg", "desktop",
		"service", "editorconfig", "gitconfig", "npmrc", "netrc", "ovpn", "inf", "url", "rc", "settings", "creds", "credentials", "pgpass":
		return Config
	case "yml", "yaml", "raml", "sls", "eyaml":
		return YAML
	case "json", "jsonc", "json5", "ndjson", "jsonl", "har", "tfstate", "geojson", "webmanifest", "avsc", "map", "lock", "code-workspace", "postman_collection", "arb":
		return JSON
	case "xml", "html", "htm", "xhtml", "plist", "xsl", "xslt", "xsd", "wsdl", "svg", "csproj", "vbproj", "fsproj", "targets", "pom", "nuspec", "xaml", "axaml", "resx", "rss", "atom", "storyboard", "xib", "jmx", "launch", "iml", "dtd", "wxs", "jelly", "xliff", "xlf":
		return Markup
	case "sh", "bash", "zsh", "ksh", "fish", "csh", "bat", "cmd", "dockerfile", "mk", "mak", "make", "command", "envrc", "bats":
		return Shell
	case "md", "markdown", "mdx", "rst", "txt", "text", "adoc", "asciidoc", "org", "tex", "log", "out", "rdoc", "textile", "wiki", "mkd", "pod", "man", "1", "5", "8", "eml", "csv", "tsv", "diff", "patch":
		return Prose
	case "sql", "ddl", "pgsql", "plsql", "pls", "pks", "pkb", "mysql", "psql", "cql", "hql":
		return SQL
	}
	return Unknown
}

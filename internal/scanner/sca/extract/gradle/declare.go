package gradle

import (
	"strings"

	"bulwark/internal/scanner/sca/extract/collect"
)

// call takes up a call. It returns the number of the declaration that it made
// + 1, which a block behind it completes; 0 if it made none or several.
func (p *parser) call(name string, args []argument, at token) int {
	b := p.in()
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == "apply":
		p.apply(args)
	case b.extra && last == "set" && len(args) == 2 && args[0].isText:
		p.assign(plain(args[0].text), &args[1].value, 0)
	case strings.HasSuffix(name, "extra.set") && len(args) == 2 && args[0].isText:
		p.assign(plain(args[0].text), &args[1].value, 0)
	case b.rich && len(args) == 1:
		d := &p.out.Declarations[b.declared-1]
		switch text := args[0].template(); last {
		case "strictly", "require":
			d.Version = text
		case "prefer":
			if d.Version == "" {
				d.Version = text
			}
		}
	case b.declared > 0 && last == "version" && len(args) == 1:
		p.out.Declarations[b.declared-1].Version = args[0].template()
	case b.plugins:
		return p.plugin(last, args)
	case b.imports && last == "mavenBom" && len(args) == 1:
		return p.add(declaration{Use: platform, Configuration: "mavenBom", Notation: args[0].template()}, args[0].at)
	case b.dependencies && strings.IndexByte(name, '.') < 0:
		return p.dependencies(name, args, at)
	}
	return 0
}

func (p *parser) add(d declaration, at token) int {
	if d.Notation == "" || !collect.Sound(d.Notation) || !collect.Sound(d.Version) || !collect.Sound(d.Configuration) {
		p.gaps.Add(int(at.line), "a dependency that is not written as a literal, or is too long")
		return 0
	}
	d.Build, d.Test = d.Build || p.in().build, p.in().test
	d.Line, d.Column, d.End = at.line, at.column, at.column+at.end-at.start
	if d.End < d.Column || strings.IndexByte(p.textOf(at), '\n') >= 0 {
		d.Column, d.End = 0, 0
	}
	p.out.Declarations = append(p.out.Declarations, d)
	return len(p.out.Declarations)
}

// plugin takes up id("…"), kotlin("…") and alias(libs.plugins.…).
func (p *parser) plugin(name string, args []argument) int {
	if len(args) == 0 {
		return 0
	}
	d := declaration{Use: plugin, Notation: args[0].template(), Build: true}
	switch name {
	case "id", "alias":
	case "kotlin":
		d.Notation = "org.jetbrains.kotlin." + d.Notation
	default:
		return 0
	}
	return p.add(d, args[0].at)
}

// ignored are the names in a block of dependencies that declare none.
func ignored(name string) bool {
	switch name {
	case "exclude", "because", "println", "print", "modules", "module", "components", "if", "else", "for", "while", "when", "return",
		"registerTransform", "attributesSchema", "artifactTypes", "create", "project", "attribute", "dependencySet", "entry", "import", "throw", "logger":
		return true
	}
	return false
}

// dependencies takes up what a call in a block of dependencies declares.
func (p *parser) dependencies(configuration string, args []argument, at token) int {
	if configuration == "add" && len(args) > 1 && args[0].isText {
		configuration, args = args[0].text, args[1:]
	}
	if ignored(configuration) || len(args) == 0 {
		return 0
	}
	known := isConfiguration(configuration) || p.in().constraints
	base := declaration{Configuration: configuration}
	if p.in().constraints {
		base.Use = constraint
	}
	if g := named(args, "group"); g != "" || named(args, "name") != "" {
		return p.coordinates(base, args, known, args[0].at)
	}
	// Kotlin: implementation("group", "artifact", "version")
	if texts := allTexts(args); p.kotlin && len(args) >= 2 && len(args) <= 5 && texts && !strings.Contains(args[0].text, ":") {
		base.Notation = notation(args[0].text, args[1].text, "")
		if len(args) > 2 && args[2].name == "" {
			base.Version = args[2].text
		}
		return p.add(base, args[0].at)
	}
	made := 0
	for i := range args {
		if n := p.notation(base, &args[i].value, known, 0); n > 0 {
			made = n
		}
	}
	return made
}

func allTexts(args []argument) bool {
	for i := range args {
		if !args[i].isText {
			return false
		}
	}
	return true
}

func notation(group, name, version string) string {
	if group == "" || name == "" {
		return ""
	}
	s := group + ":" + name
	if version != "" {
		s += ":" + version
	}
	return s
}

// coordinates takes up group: "g", name: "a", version: "v".
func (p *parser) coordinates(base declaration, args []argument, known bool, at token) int {
	base.Notation = notation(named(args, "group"), named(args, "name"), "")
	base.Version = named(args, "version")
	if base.Notation == "" && !known {
		return 0
	}
	return p.add(base, at)
}

// notation takes up one argument.
func (p *parser) notation(d declaration, v *value, known bool, depth int) int {
	at := v.at
	switch {
	case v.isText:
		if !known && strings.Count(v.text, ":") < 1 {
			return 0
		}
		d.Notation = v.text
		return p.add(d, at)
	case v.ref != "":
		if !known && !strings.HasPrefix(v.ref, "libs.") {
			return 0
		}
		if strings.HasPrefix(v.ref, "projects.") {
			return 0 // a project of this build
		}
		d.Notation = "${" + v.ref + "}"
		at.end = at.start // the name may go on over dots
		n := p.add(d, at)
		if n > 0 {
			p.out.Declarations[n-1].Column, p.out.Declarations[n-1].End = 0, 0
		}
		return n
	case v.isList && depth < 8:
		if named(v.args, "name") != "" {
			return p.coordinates(d, v.args, known, at)
		}
		for i := range v.args {
			p.notation(d, &v.args[i].value, known, depth+1)
		}
		return 0
	case v.call != "":
		return p.wrapped(d, v, known, depth)
	}
	if known {
		p.gaps.Add(int(at.line), "a dependency of "+collect.Show(d.Configuration)+" is worked out by the script; only literals, variables and aliases can be read")
	}
	return 0
}

// wrapped takes up a function around a notation.
func (p *parser) wrapped(d declaration, v *value, known bool, depth int) int {
	switch v.call {
	case "platform", "enforcedPlatform":
		if d.Use == library {
			d.Use = platform
		}
		fallthrough
	case "testFixtures", "variantOf", "create", "dependency", "enforce", "api", "optional", "provided", "compile":
		if len(v.args) == 0 || depth >= 8 {
			return 0
		}
		if of := &v.args[0]; d.Use == platform && of.call == "project" && len(of.args) > 0 {
			if name := of.args[0].template(); collect.Sound(name) && len(p.out.Platforms) < 100 {
				p.out.Platforms = append(p.out.Platforms, name)
			}
			return 0
		}
		if named(v.args, "name") != "" {
			return p.coordinates(d, v.args, known, v.at)
		}
		return p.notation(d, &v.args[0].value, known, depth+1)
	case "kotlin":
		if len(v.args) > 0 {
			d.Notation = "org.jetbrains.kotlin:kotlin-" + v.args[0].template()
			if len(v.args) > 1 {
				d.Version = v.args[1].template()
			}
			return p.add(d, v.args[0].at)
		}
	case "project", "gradleApi", "localGroovy", "gradleKotlinDsl", "gradleTestKit", "embeddedKotlin", "sourceSets", "output":
		return 0 // parts of this build or of Gradle itself
	case "files", "fileTree", "file":
		if known {
			p.gaps.Add(int(v.at.line), "archives of a folder are used; of which packages they are made is not known")
		}
		return 0
	}
	if known {
		p.gaps.Add(int(v.at.line), "a dependency of "+collect.Show(d.Configuration)+" comes from the function "+collect.Show(v.call)+", which is not read")
	}
	return 0
}

// isConfiguration reports whether a name in a block of dependencies is that of a
// configuration that Gradle or a common plugin makes.
func isConfiguration(name string) bool {
	lower := strings.ToLower(name)
	for _, end := range []string{"implementation", "api", "compile", "compileonly", "compileonlyapi", "runtime", "runtimeonly", "processor", "kapt", "ksp", "classpath", "developmentonly", "desugaring", "optional", "provided", "providedcompile", "providedruntime"} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	return false
}

package maven

import (
	"fmt"

	"bulwark/internal/dependency"
	"bulwark/internal/scanner/sca/extract/collect"
	"bulwark/internal/scanner/sca/extract/xmltree"
)

// model is what one pom says, nothing put in yet.
type model struct {
	coordinates
	Line       int               `json:"line,omitempty"` // of its artifactId
	Parent     *parent           `json:"parent,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
	Managed    []declaration     `json:"managed,omitempty"`
	Deps       []declaration     `json:"deps,omitempty"`
	Licenses   []string          `json:"licenses,omitempty"`
	Gaps       []dependency.Gap  `json:"gaps,omitempty"`
}

// coordinates name an artifact; each part may hold ${properties}.
type coordinates struct {
	Group    string `json:"g,omitempty"`
	Artifact string `json:"a,omitempty"`
	Version  string `json:"v,omitempty"`
}

func (c coordinates) String() string {
	s := c.Group + ":" + c.Artifact
	if c.Version != "" {
		s += ":" + c.Version
	}
	return s
}

// parent is the <parent> of a pom. Path is its relativePath, "" if the pom says
// that the parent does not lie in the repository.
type parent struct {
	coordinates
	Path string `json:"path,omitempty"`
	Line int    `json:"line,omitempty"`
}

// declaration is one <dependency>.
type declaration struct {
	coordinates
	Type       string `json:"t,omitempty"`
	Classifier string `json:"c,omitempty"`
	Scope      string `json:"s,omitempty"`
	Optional   string `json:"o,omitempty"`
	SystemPath string `json:"p,omitempty"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"col,omitempty"`
	End        int    `json:"end,omitempty"`
}

// key is what makes a management entry the one of a dependency.
type key struct{ group, artifact, kind, classifier string }

func (d *declaration) key() key {
	kind := d.Type
	if kind == "" {
		kind = "jar"
	}
	return key{d.Group, d.Artifact, kind, d.Classifier}
}

func readModel(root *xmltree.Element, gaps *collect.Gaps) *model {
	m := &model{
		coordinates: coordinates{root.Value("groupId"), root.Value("artifactId"), root.Value("version")},
		Properties:  map[string]string{},
	}
	if a := root.Child("artifactId"); a != nil {
		m.Line = a.Line
	}
	if p := root.Child("parent"); p != nil {
		m.Parent = &parent{
			coordinates: coordinates{p.Value("groupId"), p.Value("artifactId"), p.Value("version")},
			Path:        "../pom.xml",
			Line:        p.Line,
		}
		if rel := p.Child("relativePath"); rel != nil {
			m.Parent.Path = rel.Text
		}
	}
	for _, l := range root.Child("licenses").All("license") {
		if name := l.Value("name"); name != "" && collect.Sound(name) && len(m.Licenses) < 20 {
			m.Licenses = append(m.Licenses, name)
		}
	}
	m.read(root, gaps)
	for _, profile := range root.Child("profiles").All("profile") {
		if profile.Child("activation").Value("activeByDefault") == "true" {
			m.read(profile, gaps)
		}
	}
	return m
}

// read takes up what a project and a profile have alike.
func (m *model) read(e *xmltree.Element, gaps *collect.Gaps) {
	if properties := e.Child("properties"); properties != nil {
		for _, p := range properties.Children {
			if !collect.Sound(p.Text) || !collect.Sound(p.Name) {
				gaps.Add(p.Line, fmt.Sprintf("the property %s is too long or holds control characters", collect.Show(p.Name)))
				continue
			}
			m.Properties[p.Name] = p.Text
		}
	}
	m.Managed = readDependencies(m.Managed, e.Child("dependencyManagement").Child("dependencies"), gaps)
	m.Deps = readDependencies(m.Deps, e.Child("dependencies"), gaps)
}

func readDependencies(list []declaration, e *xmltree.Element, gaps *collect.Gaps) []declaration {
	for _, d := range e.All("dependency") {
		dep := declaration{Line: d.Line, Column: d.Column, End: d.EndColumn}
		sound := true
		for _, c := range d.Children {
			field := dep.field(c.Name)
			if field == nil {
				continue
			}
			sound = sound && collect.Sound(c.Text)
			*field = c.Text
			// The version is what is edited; without one the name is shown.
			if c.TextLine > 0 && (c.Name == "version" || c.Name == "artifactId" && d.Child("version") == nil) {
				dep.Line, dep.Column, dep.End = c.TextLine, c.TextColumn, c.TextEnd
			}
		}
		if !sound || dep.Group == "" || dep.Artifact == "" {
			gaps.Add(d.Line, "a dependency without groupId or artifactId, or one that is too long")
			continue
		}
		list = append(list, dep)
	}
	return list
}

func (d *declaration) field(name string) *string {
	switch name {
	case "groupId":
		return &d.Group
	case "artifactId":
		return &d.Artifact
	case "version":
		return &d.Version
	case "type":
		return &d.Type
	case "classifier":
		return &d.Classifier
	case "scope":
		return &d.Scope
	case "optional":
		return &d.Optional
	case "systemPath":
		return &d.SystemPath
	}
	return nil
}

package manifest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"infsh/envvar"
)

// Parse reads a manifest from memory; name stands for it in messages. Every
// error is an *Error.
//
// Two forms are read, also together: "secrets" and "integrations" under
// "requirements", or at the top level. Requirements without a value (null) are
// none.
func Parse(name string, data []byte) (*Manifest, error) {
	r := reader{path: name}
	root, err := r.syntaxTree(data)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Path: name}
	if err := r.identity(m, fieldsOf(root)); err != nil {
		return nil, err
	}
	for _, level := range []*yaml.Node{root, fieldsOf(root)["requirements"]} {
		if err := r.misspelt(level); err != nil {
			return nil, err
		}
		if err := r.requirements(m, level); err != nil {
			return nil, err
		}
	}
	if err := r.checkTogether(m); err != nil {
		return nil, err
	}
	return m, nil
}

// misspelt refuses a field that was probably meant to be one of those that
// declare something. Other fields that are not known stay out of the way; this
// one would leave the app without its secrets, and nobody would see why.
func (r reader) misspelt(level *yaml.Node) error {
	if level == nil || level.Kind != yaml.MappingNode {
		return nil
	}
	present := fieldsOf(level)
	for i := 0; i+1 < len(level.Content); i += 2 {
		field := level.Content[i]
		for _, meant := range []string{"requirements", "secrets", "integrations"} {
			if _, there := present[meant]; !there && field.Kind == yaml.ScalarNode && envvar.AlmostSame(field.Value, meant) {
				return r.errorf(field.Line, "the field %s is not read; did you mean %s?", quote(field.Value), meant)
			}
		}
	}
	return nil
}

// reader knows the file only for its messages.
type reader struct{ path string }

func (r reader) errorf(line int, format string, args ...any) error {
	return &Error{Path: r.path, Line: max(line, 1), Msg: fmt.Sprintf(format, args...)}
}

// fieldsOf gives the values of a mapping by the names of its fields, of which
// none occurs twice (checkTree).
func fieldsOf(mapping *yaml.Node) map[string]*yaml.Node {
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Kind == yaml.ScalarNode {
			fields[mapping.Content[i].Value] = mapping.Content[i+1]
		}
	}
	return fields
}

var (
	slugPattern        = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A[a-z0-9][a-z0-9._-]{0,63}\z`) })
	integrationPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*\z`) })
)

const maxIntegrationKey = 128

func (r reader) identity(m *Manifest, fields map[string]*yaml.Node) (err error) {
	if m.Namespace, err = r.slug("namespace", fields["namespace"]); err != nil {
		return err
	}
	if m.Name, err = r.slug("name", fields["name"]); err != nil {
		return err
	}
	m.Description, err = r.description(fields["description"], MaxAppDescription)
	return err
}

// slug reads a name of an app or namespace, "" where there is none.
func (r reader) slug(field string, n *yaml.Node) (string, error) {
	if n == nil || isNull(n) {
		return "", nil
	}
	s, err := r.text(field, n)
	if err != nil || s == "" {
		return "", err
	}
	if !slugPattern().MatchString(s) {
		return "", r.errorf(n.Line, "%s %s is not allowed; use 1 to 64 lower-case letters, digits, dots, hyphens and underscores, and start with a letter or digit", field, quote(s))
	}
	return s, nil
}

// requirements reads the two lists of one level and adds them to m.
func (r reader) requirements(m *Manifest, level *yaml.Node) error {
	if level == nil || isNull(level) {
		return nil
	}
	if level.Kind != yaml.MappingNode {
		return r.errorf(level.Line, "requirements is %s; it must have the fields \"secrets\" or \"integrations\"", kindOf(level))
	}
	fields := fieldsOf(level)
	for _, list := range []struct {
		field, example string
		read           func(*Manifest, *yaml.Node) error
	}{
		{"secrets", "OPENAI_API_KEY", r.secret},
		{"integrations", "google.sheets", r.integration},
	} {
		items, err := r.items(list.field, fields[list.field])
		if err != nil {
			return err
		}
		for _, item := range items {
			if item.Kind != yaml.MappingNode {
				return r.errorf(item.Line, "the entry is %s; write it as \"- key: %s\"", kindOf(item), list.example)
			}
			if len(m.Secrets)+len(m.Integrations) == MaxRequirements {
				return r.errorf(item.Line, "this is requirement number %d; an app can have %d", MaxRequirements+1, MaxRequirements)
			}
			if err := list.read(m, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r reader) secret(m *Manifest, item *yaml.Node) error {
	fields := fieldsOf(item)
	if n := fields["value"]; n != nil {
		return r.errorf(n.Line, "a manifest never holds a secret's value; delete this line, and if the file was ever shared, replace the secret at its service")
	}
	n := fields["key"]
	name, err := r.requiredText(item, "key", n)
	if err != nil {
		return err
	}
	key, err := r.envKey(n.Line, name)
	if err != nil {
		return err
	}
	if err := r.delivery(key, fields["delivery"]); err != nil {
		return err
	}
	s := SecretRequirement{Key: key, Line: n.Line}
	if s.Description, err = r.description(fields["description"], MaxDescription); err != nil {
		return err
	}
	if s.Optional, err = r.optional(fields["optional"]); err != nil {
		return err
	}
	m.Secrets = append(m.Secrets, s)
	return nil
}

// envKey accepts the name of a variable that may be set after confirmation.
func (r reader) envKey(line int, name string) (envvar.Key, error) {
	key, err := envvar.ParseKey(name)
	if err == nil {
		err = key.Permit(true)
	}
	if err != nil {
		return "", r.errorf(line, "%s", err)
	}
	return key, nil
}

// delivery reads how a secret reaches the app. The environment is the only way
// so far; the names of the others are reserved, so that a manifest which needs
// one fails here and not in the app.
func (r reader) delivery(key envvar.Key, n *yaml.Node) error {
	if n == nil {
		return nil
	}
	how, err := r.text("delivery", n)
	if err != nil {
		return err
	}
	switch how {
	case "env":
		return nil
	case "file", "broker":
		return r.errorf(n.Line, "%s: delivery %q is not supported yet; write \"delivery: env\" or delete the line", key, how)
	default:
		return r.errorf(n.Line, "%s: delivery %s is unknown; write \"delivery: env\" or delete the line", key, quote(how))
	}
}

func (r reader) integration(m *Manifest, item *yaml.Node) error {
	fields := fieldsOf(item)
	n := fields["key"]
	key, err := r.requiredText(item, "key", n)
	if err != nil {
		return err
	}
	if len(key) > maxIntegrationKey || !integrationPattern().MatchString(key) {
		return r.errorf(n.Line, "%s names no integration; write one such as google.sheets, in at most %d lower-case letters, digits, dots, hyphens and underscores", quote(key), maxIntegrationKey)
	}
	req := IntegrationRequirement{Key: key, Line: n.Line}
	if req.Description, err = r.description(fields["description"], MaxDescription); err != nil {
		return err
	}
	if req.Optional, err = r.optional(fields["optional"]); err != nil {
		return err
	}
	if req.Secrets, err = r.secretNames(fields["secrets"]); err != nil {
		return err
	}
	if req.Scopes, err = r.scopes(fields["scopes"]); err != nil {
		return err
	}
	m.Integrations = append(m.Integrations, req)
	return nil
}

// checkTogether puts the requirements of both forms into the order of the file
// and refuses those that are declared twice.
func (r reader) checkTogether(m *Manifest) error {
	slices.SortStableFunc(m.Secrets, func(a, b SecretRequirement) int { return cmp.Compare(a.Line, b.Line) })
	slices.SortStableFunc(m.Integrations, func(a, b IntegrationRequirement) int { return cmp.Compare(a.Line, b.Line) })

	lineOf := map[string]int{}
	once := func(key string, line int) error {
		if first, twice := lineOf[key]; twice {
			return r.errorf(line, "%s is declared twice, on lines %d and %d; delete one of the two", key, first, line)
		}
		lineOf[key] = line
		return nil
	}
	for _, s := range m.Secrets {
		if err := once(string(s.Key), s.Line); err != nil {
			return err
		}
	}
	clear(lineOf)
	for _, i := range m.Integrations {
		if err := once(i.Key, i.Line); err != nil {
			return err
		}
	}
	return nil
}

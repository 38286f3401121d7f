package openapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Outline is the description in the order in which a person reads it.
type Outline struct {
	// About is paragraphs.
	About  []string
	Groups []Group
}

// Group is the operations on one kind of object.
type Group struct {
	Name, Anchor string
	Operations   []Operation
}

// Operation is a call.
type Operation struct {
	Anchor, Method, Path, Summary, About string
	// Scope is what a key needs; Public needs no key.
	Scope  string
	Public bool
	// Parameters are those of the address, Body those of the request's object.
	Parameters, Body []Field
	BodyOptional     bool
	Answers          []Answer
}

// Answer is one that is no error.
type Answer struct {
	Status, Type string
	Fields       []Field
}

// Field is a member of an object, or a parameter.
type Field struct {
	Name, Type, About string
	Required          bool
}

type document struct {
	Info  struct{ Description string }
	Paths map[string]map[string]struct {
		Tags                              []string
		Summary, Description, OperationID string
		Parameters                        []parameter
		Security                          []map[string][]string
		RequestBody                       *struct {
			Required bool
			Content  map[string]struct{ Schema schema }
		}
		Responses map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct {
		Schemas    map[string]schema
		Parameters map[string]parameter
	}
}

type parameter struct {
	Ref                   string `json:"$ref"`
	Name, In, Description string
	Required              bool
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Format, Description  string
	Enum                 []any
	Properties           map[string]schema
	Required             []string
	Items                *schema
	AllOf, AnyOf         []schema
	AdditionalProperties any
}

// Ignored is what the description says of a field that is taken and not used.
const Ignored = "Taken because the official SDK sends it, and ignored."

// groups is the order of the groups; others follow by name.
var groups = []string{"Secrets", "Apps", "Grants", "Runners", "API keys", "Teams", "Webhooks", "Account", "Integrations", "Command line login", "Description"}

// ReadOutline reads the outline of [Document].
func ReadOutline() (Outline, error) {
	var d document
	if err := json.Unmarshal(Document, &d); err != nil {
		return Outline{}, fmt.Errorf("read the description of the API: %w", err)
	}
	out := Outline{About: strings.Split(d.Info.Description, "\n\n")}
	byTag := map[string][]Operation{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			o := Operation{
				Anchor: op.OperationID, Method: strings.ToUpper(method), Path: path, Summary: op.Summary, About: op.Description, Public: len(op.Security) == 0,
			}
			for _, need := range op.Security {
				o.Scope = strings.Join(need["key"], ", ")
			}
			for _, p := range op.Parameters {
				if ref := strings.TrimPrefix(p.Ref, "#/components/parameters/"); ref != "" {
					p = d.Components.Parameters[ref]
				}
				if p.Name != "X-Infsh-Team" { // That one stands in the introduction.
					o.Parameters = append(o.Parameters, Field{Name: p.Name, Type: "text, in the " + p.In, About: p.Description, Required: p.Required})
				}
			}
			if op.RequestBody != nil {
				o.Body, o.BodyOptional = d.fields(op.RequestBody.Content["application/json"].Schema, nil), !op.RequestBody.Required
			}
			for status, r := range op.Responses {
				if status == "default" {
					continue
				}
				a := Answer{Status: status}
				var files []string
				for media, content := range r.Content {
					a.Type, a.Fields = d.typeOf(content.Schema), d.fields(content.Schema, nil)
					if media != "application/json" {
						files = append(files, media)
					}
				}
				if slices.Sort(files); len(files) > 0 {
					a.Type = strings.Join(files, " or ")
				}
				o.Answers = append(o.Answers, a)
			}
			slices.SortFunc(o.Answers, func(a, b Answer) int { return strings.Compare(a.Status, b.Status) })
			byTag[op.Tags[0]] = append(byTag[op.Tags[0]], o)
		}
	}
	for tag, operations := range byTag {
		slices.SortFunc(operations, func(a, b Operation) int {
			return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
		})
		out.Groups = append(out.Groups, Group{Name: tag, Anchor: strings.ToLower(strings.ReplaceAll(tag, " ", "-")), Operations: operations})
	}
	rank := func(g Group) int {
		if i := slices.Index(groups, g.Name); i >= 0 {
			return i
		}
		return len(groups)
	}
	slices.SortFunc(out.Groups, func(a, b Group) int {
		if ra, rb := rank(a), rank(b); ra != rb {
			return ra - rb
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

func (d document) resolve(s schema) schema {
	if s.Ref != "" {
		return d.Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	return s
}

// fields are those of an object, or of the objects in a list. What is ignored is
// left out.
func (d document) fields(s schema, required []string) []Field {
	if len(s.AllOf) == 1 {
		return d.fields(s.AllOf[0], s.Required)
	}
	s = d.resolve(s)
	if s.Items != nil {
		return d.fields(*s.Items, nil)
	}
	var out []Field
	for name, p := range s.Properties {
		if p.Description == Ignored {
			continue
		}
		out = append(out, Field{
			Name: name, Type: d.typeOf(p), About: p.Description,
			Required: slices.Contains(s.Required, name) || slices.Contains(required, name),
		})
	}
	slices.SortFunc(out, func(a, b Field) int {
		if a.Required != b.Required {
			return map[bool]int{true: -1, false: 1}[a.Required]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// typeOf says a type in words.
func (d document) typeOf(s schema) string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case len(s.AllOf) == 1:
		return d.typeOf(s.AllOf[0])
	case len(s.AnyOf) == 2:
		return d.typeOf(s.AnyOf[0]) + " or null"
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprint(v)
		}
		return strings.Join(words, ", ")
	case s.Format == "date-time":
		return "time" + orNull(s)
	case s.Items != nil:
		return "list of " + d.typeOf(*s.Items) + orNull(s)
	}
	t, _ := s.Type.(string)
	if list, isList := s.Type.([]any); isList {
		t, _ = list[0].(string)
	}
	switch t {
	case "string":
		t = "text"
	case "":
		t = "any"
	}
	return t + orNull(s)
}

func orNull(s schema) string {
	if _, isList := s.Type.([]any); isList {
		return " or null"
	}
	return ""
}

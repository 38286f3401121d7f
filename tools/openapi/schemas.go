package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"infsh/api"
)

type object map[string]any

// schemas makes JSON schemas of the types of package api.
type schemas struct {
	comments comments
	// made are the named ones: those of answers, then those of requests.
	made object
	// inputs are the names of requests' schemas.
	inputs map[reflect.Type]string
}

func typeOf(v any) reflect.Type { return reflect.TypeOf(v) }

var (
	timeType      = typeOf(time.Time{})
	plaintextType = typeOf(api.Plaintext{})
	ignoredType   = typeOf(api.Ignored{})
)

// of returns the schema of a type as it is answered, or as it is requested: a
// request may leave fields out, say null for what may be missing, and has no
// other fields than the schema says.
func (s *schemas) of(t reflect.Type, input bool) object {
	switch t {
	case timeType:
		return object{"type": "string", "format": "date-time"}
	case plaintextType:
		return object{"type": "string"}
	case ignoredType:
		return object{"description": "Taken because the official SDK sends it, and ignored."}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), input)
	case reflect.String:
		if values := s.comments.constants[t.Name()]; len(values) > 0 {
			return object{"type": "string", "enum": values}
		}
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem(), input)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem(), input)}
	case reflect.Interface:
		return object{}
	case reflect.Struct:
		if t.NumField() == 0 {
			return object{"type": "object", "additionalProperties": false}
		}
		return s.ref(t, input)
	}
	panic(fmt.Sprintf("no schema for %s", t))
}

func (s *schemas) ref(t reflect.Type, input bool) object {
	name := schemaName(t)
	if input {
		if s.inputs == nil {
			s.inputs = map[reflect.Type]string{}
		}
		if s.inputs[t] == "" {
			if s.made[name] != nil {
				name += "Input"
			}
			s.inputs[t] = name
		}
		name = s.inputs[t]
	}
	if s.made[name] == nil {
		out := object{"type": "object"}
		s.made[name] = out // before its fields, which may hold it
		s.fill(out, t, input)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// schemaName is the type's name; a List[api.Secret] is a SecretList.
func schemaName(t reflect.Type) string {
	name, param, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return name
	}
	param = strings.TrimSuffix(param, "]")
	return param[strings.LastIndex(param, ".")+1:] + name
}

func (s *schemas) fill(out object, t reflect.Type, input bool) {
	base, _, _ := strings.Cut(t.Name(), "[")
	if text := s.comments.types[base]; text != "" {
		out["description"] = text
	}
	properties := object{}
	var required []string
	for _, f := range fields(t) {
		schema := s.of(f.Type, input)
		if text := s.comments.fields[f.owner+"."+f.Name]; text != "" {
			if rest, named := strings.CutPrefix(text, f.Name+" "); named {
				text = "`" + f.json + "` " + rest
			}
			schema = with(schema, "description", text)
		}
		nullable := f.Type.Kind() == reflect.Pointer && (input || !f.omitempty) || input && f.Type.Kind() == reflect.Slice
		if nullable {
			schema = orNull(schema)
		}
		properties[f.json] = schema
		if !input && !f.omitempty {
			required = append(required, f.json)
		}
	}
	out["properties"] = properties
	if input {
		out["additionalProperties"] = false
		required = nested[base]
	}
	if len(required) > 0 {
		out["required"] = required
	}
}

func with(schema object, key string, value any) object {
	out := maps.Clone(schema)
	out[key] = value
	return out
}

func orNull(schema object) object {
	if t, ok := schema["type"].(string); ok {
		out := with(schema, "type", []string{t, "null"})
		if values, ok := schema["enum"].([]string); ok {
			return object{"anyOf": []object{{"type": t, "enum": values}, {"type": "null"}}}
		}
		return out
	}
	if ref, ok := schema["$ref"]; ok {
		out := object{"anyOf": []object{{"$ref": ref}, {"type": "null"}}}
		if text, ok := schema["description"]; ok {
			out["description"] = text
		}
		return out
	}
	return schema
}

type field struct {
	reflect.StructField
	// owner is the type in whose declaration it stands.
	owner     string
	json      string
	omitempty bool
}

// fields are those that encoding/json sees: of two with one name the outer one.
func fields(t reflect.Type) []field {
	var out []field
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			embedded = append(embedded, f.Type)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			panic(fmt.Sprintf("%s.%s has no JSON name", t, f.Name))
		}
		base, _, _ := strings.Cut(t.Name(), "[")
		out = append(out, field{f, base, name, strings.Contains(options, "omit")})
	}
	for _, e := range embedded {
		for _, f := range fields(e) {
			if !slices.ContainsFunc(out, func(have field) bool { return have.json == f.json }) {
				out = append(out, f)
			}
		}
	}
	return out
}

// problem describes errors. api.Problem encodes itself, so that its schema is
// written here.
func (s *schemas) problem() object {
	fieldError, requirement := s.of(typeOf(api.FieldError{}), false), s.of(typeOf(api.RequirementError{}), false)
	s.made["Problem"] = object{
		"type": "object", "description": "A problem document (RFC 9457).",
		"properties": object{
			"type":              object{"type": "string", "const": "about:blank"},
			"title":             object{"type": "string", "enum": s.comments.titles, "description": "The class of the problem, which a program may rely on."},
			"status":            object{"type": "integer", "description": "The HTTP status."},
			"detail":            object{"type": "string", "description": "What is wrong and what to do next, for a person."},
			"instance":          object{"type": "string", "description": "The id of the request, for the operator."},
			"error":             object{"type": "string", "description": "Where a token is exchanged: the code of RFC 6749, section 5.2."},
			"error_description": object{"type": "string", "description": "The same as detail, for clients of OAuth."},
			"errors": object{
				"description": "With 412 what the app lacks, else what is wrong with fields of the request.",
				"type":        "array", "items": object{"anyOf": []object{fieldError, requirement}},
			},
		},
		"required": []string{"type", "title", "status", "detail", "instance"},
	}
	return object{
		"description": "It was refused, or failed.",
		"content": object{
			api.ProblemMediaType: object{"schema": object{"$ref": "#/components/schemas/Problem"}},
			// Of POST /internal/v1/token, as RFC 6749 wants it.
			"application/json": object{"schema": object{"$ref": "#/components/schemas/Problem"}},
		},
	}
}

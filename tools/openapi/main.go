// The program openapi writes the description of the JSON API (OpenAPI 3.1) from
// the types of package api, their comments, and the table of operations beside
// it. Run it by `make generate`.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"infsh/api"
)

// operation describes a route.
type operation struct {
	route          string
	tag            string
	summary, about string
	// scope is what an API key needs; public asks for no credential.
	scope  string
	public bool
	query  []parameter
	// creates takes an Idempotency-Key, and versioned an If-Match.
	creates, versioned bool
	// list is a POST …/list.
	list   bool
	body   *body
	answer answer
}

type parameter struct {
	name, meaning string
	optional      bool
}

type body struct {
	value    any
	required []string
	// optional is a request that may have no body.
	optional bool
	// form is no JSON.
	form bool
}

// need is a body, and the fields that it must have.
func need(value any, required ...string) *body { return &body{value: value, required: required} }

// form is a form, and the fields that it must have.
func form(value any, required ...string) *body {
	return &body{value: value, required: required, form: true}
}

// may is a body that may be left out.
func may(value any) *body { return &body{value: value, optional: true} }

// answer is what follows if nothing is wrong.
type answer struct {
	statuses []string
	// value is JSON, unless there are other media types.
	value any
	media []string
}

func ok(v any) answer       { return answer{statuses: []string{"200"}, value: v} }
func created(v any) answer  { return answer{statuses: []string{"201"}, value: v} }
func accepted(v any) answer { return answer{statuses: []string{"202"}, value: v} }
func either(v any) answer   { return answer{statuses: []string{"200", "201"}, value: v} }
func stream(media ...string) answer {
	return answer{statuses: []string{"200"}, media: media}
}
func empty() answer { return answer{statuses: []string{"204"}} }
func never() answer { return answer{} }

func concat(parts ...[]operation) []operation { return slices.Concat(parts...) }

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: openapi FOLDER-OF-PACKAGE-API FILE")
	}
	comments, err := readComments(os.Args[1])
	if err != nil {
		return err
	}
	document, err := describe(comments)
	if err != nil {
		return err
	}
	return os.WriteFile(os.Args[2], document, 0o644) //nolint:gosec // It is no secret.
}

func describe(comments comments) ([]byte, error) {
	s := &schemas{comments: comments, made: object{}}
	paths := object{}
	// Answers come first: a type that stands in both keeps its name there.
	for _, op := range operations {
		if op.answer.value != nil {
			s.of(typeOf(op.answer.value), false)
		}
	}
	problem := s.problem()
	for _, op := range operations {
		method, path, _ := strings.Cut(op.route, " ")
		item, _ := paths[path].(object)
		if item == nil {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(method)] = s.operation(op, method, path)
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "infsh", "version": "2", "description": about,
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers": []object{{"url": "/"}},
		"paths":   paths,
		"components": object{
			"schemas":         s.made,
			"responses":       object{"Problem": problem},
			"securitySchemes": object{"key": object{"type": "http", "scheme": "bearer", "description": "An API key, or a command line's login."}},
			"parameters": object{
				"Team":           header("X-Infsh-Team", "The username of the team to act in. A key may name its own team alone."),
				"IdempotencyKey": header("Idempotency-Key", "A name of the caller's for this call. The same call again with the same name is answered as the first time, and makes nothing twice."),
				"IfMatch":        header("If-Match", "The version that the change is meant for, as the ETag of an answer has it. 412 if another one is in use."),
			},
		},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	err := enc.Encode(doc)
	return out.Bytes(), err
}

func header(name, meaning string) object {
	return object{"name": name, "in": "header", "schema": object{"type": "string"}, "description": meaning}
}

func (s *schemas) operation(op operation, method, path string) object {
	out := object{"tags": []string{op.tag}, "summary": op.summary, "operationId": operationID(method, path)}
	text := op.about
	if op.scope != "" {
		text = strings.TrimSpace(text + " A key needs the scope `" + op.scope + "`.")
	}
	if text != "" {
		out["description"] = text
	}
	var params []object
	for _, segment := range strings.Split(path, "/") {
		if name, isParam := strings.CutPrefix(segment, "{"); isParam {
			name = strings.TrimSuffix(name, "}")
			params = append(params, object{"name": name, "in": "path", "required": true, "description": parameters[name], "schema": object{"type": "string"}})
		}
	}
	for _, q := range op.query {
		params = append(params, object{"name": q.name, "in": "query", "required": !q.optional, "description": q.meaning, "schema": object{"type": "string"}})
	}
	if op.public {
		out["security"] = []object{}
	} else {
		scopes := []string{}
		if op.scope != "" {
			scopes = append(scopes, op.scope)
		}
		out["security"] = []object{{"key": scopes}}
		params = append(params, object{"$ref": "#/components/parameters/Team"})
	}
	if op.creates {
		params = append(params, object{"$ref": "#/components/parameters/IdempotencyKey"})
	}
	if op.versioned {
		params = append(params, object{"$ref": "#/components/parameters/IfMatch"})
	}
	if len(params) > 0 {
		out["parameters"] = params
	}
	b := op.body
	if op.list {
		b = may(api.ListBody{})
	}
	if b != nil {
		schema := s.of(typeOf(b.value), true)
		if len(b.required) > 0 {
			schema = object{"allOf": []object{schema}, "required": b.required}
		}
		media := "application/json"
		if b.form {
			media = "application/x-www-form-urlencoded"
		}
		out["requestBody"] = object{"required": !b.optional, "content": object{media: object{"schema": schema}}}
	}
	responses := object{"default": object{"$ref": "#/components/responses/Problem"}}
	for _, status := range op.answer.statuses {
		r := object{"description": map[string]string{"200": "It is so.", "201": "It was made.", "202": "It will be done.", "204": "It is done; there is nothing to say."}[status]}
		if op.answer.value != nil {
			r["content"] = object{"application/json": object{"schema": s.of(typeOf(op.answer.value), false)}}
		}
		content := object{}
		for _, media := range op.answer.media {
			content[media] = object{"schema": object{"type": "string"}}
		}
		if len(content) > 0 {
			r["content"] = content
		}
		responses[status] = r
	}
	out["responses"] = responses
	return out
}

// operationID is the route as a name: GET /api/secrets/{key} is get_secrets_key.
func operationID(method, path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/api"), "/internal/v1")
	return strings.ToLower(method) + strings.NewReplacer("/", "_", "{", "", "}", "", "-", "_", ".", "_").Replace(path)
}

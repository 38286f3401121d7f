package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"infsh/api"
	"infsh/openapi"
)

// contract is the description of the JSON API, ready to hold requests and
// answers against.
type contract struct {
	document map[string]any
	// routes find the operation of a request.
	routes   *http.ServeMux
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
	// answered are the operations of which an answer was seen that was no error.
	answered map[string]bool
}

const formType = "application/x-www-form-urlencoded"

const documentURL = "urn:openapi"

var described = sync.OnceValues(readContract)

func readContract() (*contract, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.Document))
	if err != nil {
		return nil, err
	}
	document, _ := parsed.(map[string]any)
	// A client must bear fields that it does not know; here none may be missing
	// from the description.
	components, _ := document["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	for _, s := range schemas {
		if s, isObject := s.(map[string]any); isObject && s["properties"] != nil && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
	}
	c := &contract{document: document, routes: http.NewServeMux(), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, answered: map[string]bool{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	paths, _ := c.at("paths")
	for path := range paths {
		operations, _ := c.at("paths", path)
		for method := range operations {
			c.routes.Handle(strings.ToUpper(method)+" "+path, http.NotFoundHandler())
		}
	}
	return c, c.compiler.AddResource(documentURL, parsed)
}

// at follows a path of names into the document, and the references on its way.
func (c *contract) at(names ...string) (found map[string]any, pointer string) {
	found, pointer = c.document, ""
	for _, name := range names {
		found, _ = found[name].(map[string]any)
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if ref, isRef := found["$ref"].(string); isRef {
			return c.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return found, pointer
}

func (c *contract) schema(pointer string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.schemas[pointer]; s != nil {
		return s, nil
	}
	s, err := c.compiler.Compile(documentURL + "#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	c.schemas[pointer] = s
	return s, err
}

// check holds an exchange against the description.
func (c *contract) check(r *http.Request, body string, res *httptest.ResponseRecorder) error {
	_, pattern := c.routes.Handler(r)
	path := strings.TrimPrefix(pattern, r.Method+" ")
	method := strings.ToLower(r.Method)
	response := res.Code < 300
	status := fmt.Sprint(res.Code)
	var answer map[string]any
	var pointer string
	if response {
		if answer, pointer = c.at("paths", path, method, "responses", status); answer == nil {
			return fmt.Errorf("it has no answer %s", status)
		}
	} else {
		// Also where there is no such operation: nothing answers otherwise.
		answer, pointer = c.at("components", "responses", "Problem")
	}
	content, _ := answer["content"].(map[string]any)
	if content == nil {
		if res.Body.Len() > 0 {
			return fmt.Errorf("its answer %s has no body, and this one has", status)
		}
	} else {
		media, _, err := mime.ParseMediaType(res.Header().Get("Content-Type"))
		if err != nil || content[media] == nil {
			return fmt.Errorf("its answer %s is not of type %q", status, res.Header().Get("Content-Type"))
		}
		text := res.Body.String()
		if !strings.HasSuffix(media, "json") {
			text = strconv.Quote(text)
		}
		if err := c.validate(pointer+"/content/"+strings.ReplaceAll(media, "/", "~1")+"/schema", text); err != nil {
			return fmt.Errorf("its answer %s: %w", status, err)
		}
	}
	if !response {
		return nil
	}
	c.mu.Lock()
	c.answered[r.Method+" "+path] = true
	c.mu.Unlock()
	request, pointer := c.at("paths", path, method, "requestBody")
	switch {
	case body == "" && request["required"] == true:
		return fmt.Errorf("it needs a body, and was answered without")
	case body != "" && request != nil && r.Header.Get("Content-Type") == formType:
		typed := map[string]string{}
		values, err := url.ParseQuery(body)
		if err != nil {
			return err
		}
		for name := range values {
			typed[name] = values.Get(name)
		}
		text, err := json.Marshal(typed)
		if err != nil {
			return err
		}
		if err := c.validate(pointer+"/content/application~1x-www-form-urlencoded/schema", string(text)); err != nil {
			return fmt.Errorf("its request: %w", err)
		}
	case body != "" && request != nil:
		if err := c.validate(pointer+"/content/application~1json/schema", body); err != nil {
			return fmt.Errorf("its request: %w", err)
		}
	case body != "" && r.Method != http.MethodDelete: // What a DELETE holds means nothing.
		return fmt.Errorf("it takes no body, and got one")
	}
	return nil
}

func (c *contract) validate(pointer, text string) error {
	s, err := c.schema(pointer)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// Each route below /api and /internal is described, and nothing else is.
func TestTheDescriptionHasEachRoute(t *testing.T) {
	c, err := described()
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, r := range (&server{}).routes() {
		if strings.HasPrefix(r.path, "/api/") || strings.HasPrefix(r.path, "/internal/") {
			want = append(want, r.method+" "+r.path)
		}
	}
	paths, _ := c.at("paths")
	ids := map[string]string{}
	for path := range paths {
		operations, _ := c.at("paths", path)
		for method, op := range operations {
			route := strings.ToUpper(method) + " " + path
			have = append(have, route)
			op, _ := op.(map[string]any)
			id, _ := op["operationId"].(string)
			if other := ids[id]; id == "" || other != "" {
				t.Errorf("%s and %s have the id %q", route, other, id)
			}
			ids[id] = route
		}
	}
	for _, r := range want {
		if !slices.Contains(have, r) {
			t.Errorf("%s is not described: add a line to tools/openapi/operations.go, run `make generate`, and commit openapi/openapi.json", r)
		}
	}
	for _, r := range have {
		if !slices.Contains(want, r) {
			t.Errorf("%s is described in tools/openapi/operations.go and is no route", r)
		}
	}
}

// The description says of each route's credential what the route asks.
func TestTheDescriptionSaysWhatIsPublic(t *testing.T) {
	c, err := described()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range (&server{}).routes() {
		if !strings.HasPrefix(r.path, "/api/") && !strings.HasPrefix(r.path, "/internal/") {
			continue
		}
		op, _ := c.at("paths", r.path, strings.ToLower(r.method))
		if text := fmt.Sprint(op["parameters"]); strings.Contains(text, "/IdempotencyKey") != r.creates {
			t.Errorf("%s %s: that it takes an Idempotency-Key is %v in the description", r.method, r.path, !r.creates)
		}
		security, _ := op["security"].([]any)
		if isPublic := len(security) == 0; isPublic != (r.access == public) {
			t.Errorf("%s %s: public is %v in the description", r.method, r.path, isPublic)
		}
	}
}

// checkAnswered fails for an operation of which no test before has seen an
// answer: a description that nothing was held against is not known to be true.
func (w *world) checkAnswered() {
	w.t.Helper()
	c, err := described()
	if err != nil {
		w.t.Fatal(err)
	}
	paths, _ := c.at("paths")
	for path := range paths {
		operations, _ := c.at("paths", path)
		for method := range operations {
			responses, _ := c.at("paths", path, method, "responses")
			if route := strings.ToUpper(method) + " " + path; len(responses) > 1 && !c.answered[route] {
				w.t.Errorf("%s: no answer was held against its description", route)
			}
		}
	}
}

// A program may rely on a problem's title, so each of them is described.
func TestTheDescriptionHasEachTitle(t *testing.T) {
	c, err := described()
	if err != nil {
		t.Fatal(err)
	}
	title, _ := c.at("components", "schemas", "Problem", "properties", "title")
	titles, _ := title["enum"].([]any)
	for code := range statuses {
		if !slices.Contains(titles, any(string(code))) {
			t.Errorf("%s is not among the titles in api/problem.go", code)
		}
	}
}

// Each schema of the description is one of JSON Schema 2020-12, which is what
// OpenAPI 3.1 has; the document around them is looked at with the SDK's tests.
func TestTheDescriptionsSchemasAreSchemas(t *testing.T) {
	c, err := described()
	if err != nil {
		t.Fatal(err)
	}
	schemas, _ := c.at("components", "schemas")
	if len(schemas) < 20 {
		t.Fatalf("it has %d schemas", len(schemas))
	}
	for name := range schemas {
		_, pointer := c.at("components", "schemas", name)
		if _, err := c.schema(pointer); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong := jsonschema.NewCompiler()
	wrong.DefaultDraft(jsonschema.Draft2020)
	if err := wrong.AddResource("urn:wrong", map[string]any{"properties": map[string]any{"key": map[string]any{"type": "text"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Compile("urn:wrong"); err == nil {
		t.Error("a schema with the type text is taken for one")
	}
}

// Anybody may read the description.
func TestTheDescriptionIsServed(t *testing.T) {
	w := newWorld(t)
	res := w.do(request("GET", "/api/openapi.json", ""))
	var d struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]any
	}
	if err := json.Unmarshal(res.Body.Bytes(), &d); err != nil || res.Code != http.StatusOK || !strings.HasPrefix(d.OpenAPI, "3.1") || d.Paths["/api/secrets"] == nil {
		t.Errorf("%d %v %.200s", res.Code, err, res.Body)
	}
}

// holdToContract fails the test if an exchange with the JSON API is not as it is
// described. Each test of this package goes through it.
func (w *world) holdToContract(r *http.Request, body string, res *httptest.ResponseRecorder) {
	w.t.Helper()
	if !isMachine(r) {
		return
	}
	c, err := described()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.check(r, body, res); err != nil {
		w.t.Errorf("%s %s is not as it is described: %v\n%.300s", r.Method, r.URL.Path, err, res.Body)
	}
	if r.URL.Path == "/api/openapi.json" {
		return
	}
	var answer any
	if json.Unmarshal(res.Body.Bytes(), &answer) == nil {
		for _, wrong := range checkObjects("the answer", answer) {
			w.t.Errorf("%s %s: %s", r.Method, r.URL.Path, wrong)
		}
	}
	if res.Header().Get("Content-Type") == "application/json" && strings.HasPrefix(strings.TrimSpace(res.Body.String()), "{") {
		// The SDK takes a member data for an envelope, and drops the rest.
		var envelope map[string]json.RawMessage
		if json.Unmarshal(res.Body.Bytes(), &envelope) == nil && envelope["data"] != nil {
			w.t.Errorf("%s %s: the answer has a member data", r.Method, r.URL.Path)
		}
	}
}

// checkObjects looks for objects, wherever they stand in an answer: what has an
// id and a birth has what each object has, and what belongs to a team says so.
func checkObjects(at string, v any) (wrong []string) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			wrong = append(wrong, checkObjects(fmt.Sprintf("%s[%d]", at, i), item)...)
		}
	case map[string]any:
		// A delivery is a line of a log, and no object that can be asked for.
		_, isLine := v["attempts"]
		if _, isObject := v["created_at"]; isObject && v["id"] != nil && !isLine {
			for _, name := range []string{"id", "short_id", "created_at", "updated_at"} {
				if s, _ := v[name].(string); s == "" {
					wrong = append(wrong, at+" has no "+name)
				}
			}
			owned := []string{"user_id", "team_id", "visibility"}
			has := slices.ContainsFunc(owned[:2], func(name string) bool { return v[name] != nil })
			for _, name := range owned {
				if s, _ := v[name].(string); has && s == "" {
					wrong = append(wrong, at+" has no "+name)
				}
			}
			if has && v["visibility"] != api.VisibilityPrivate {
				wrong = append(wrong, fmt.Sprintf("%s has the visibility %v", at, v["visibility"]))
			}
		}
		for name, inner := range v {
			wrong = append(wrong, checkObjects(at+"."+name, inner)...)
		}
	}
	return wrong
}

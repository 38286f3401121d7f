package openapi

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The committed description is what the generator makes of package api.
func TestDocumentIsUpToDate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "openapi.json")
	cmd := exec.Command("go", "run", "./tools/openapi", "api", file)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, Document) {
		t.Error("openapi/openapi.json is of another state than package api and tools/openapi: run `make generate` and commit it")
	}
}

// The outline has each operation once, with its fields.
func TestOutline(t *testing.T) {
	outline, err := ReadOutline()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]Operation{}
	for _, g := range outline.Groups {
		for _, op := range g.Operations {
			route := op.Method + " " + op.Path
			if _, twice := seen[route]; twice || op.Summary == "" || op.Anchor == "" {
				t.Errorf("%s: %+v", route, op)
			}
			seen[route] = op
			for _, p := range op.Parameters {
				if p.About == "" {
					t.Errorf("%s: nothing is said of the parameter %s", route, p.Name)
				}
			}
		}
	}
	create := seen["POST /api/secrets"]
	if len(create.Body) < 4 || create.Body[0] != (Field{Name: "key", Type: "text", Required: true}) || create.Scope != "secrets:write" {
		t.Errorf("POST /api/secrets: %+v", create)
	}
	for _, f := range create.Body {
		if f.Name == "team_id" {
			t.Error("what is ignored stands among the fields")
		}
	}
	if list := seen["POST /api/secrets/list"]; !list.BodyOptional || list.Answers[0].Type != "SecretList" {
		t.Errorf("POST /api/secrets/list: %+v", list)
	}
}

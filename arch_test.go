package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// imports says which packages of ours a package may import, tests aside. What
// is not listed is forbidden, and a package without a row fails the test.
var imports = map[string][]string{
	// Leaves.
	"problem":  {},
	"backup":   {},
	"conns":    {},
	"envelope": {},
	"redact":   {},
	"static":   {},
	"openapi":  {},
	"team":     {"problem"},
	"envvar":   {"redact"},
	"manifest": {"envvar"},
	"scan":     {"redact"},
	"feed":     {},
	"listing":  {"problem"},
	"sso":      {"publicnet", "redact"},
	// Which addresses may be called.
	"publicnet": {},
	// The domain.
	"audit":       {"problem", "team"},
	"secret":      {"audit", "envelope", "envvar", "integration", "listing", "problem", "redact", "scan", "team"},
	"app":         {"audit", "envvar", "integration", "problem", "secret", "team"},
	"account":     {"audit", "problem", "redact", "team"},
	"auth":        {"account", "audit", "envelope", "problem", "redact", "sso", "team"},
	"integration": {"audit", "envelope", "envvar", "problem", "publicnet", "redact", "team"},
	"federation":  {"account", "audit", "auth", "problem", "publicnet", "redact", "secret", "team"},
	"issuer":      {"audit", "envelope", "problem", "redact", "team"},
	"webhook":     {"audit", "envelope", "problem", "publicnet", "redact", "team"},
	"rotation":    {"audit", "envelope", "envvar", "problem", "team"},
	// The server's outside.
	"db":       {"account", "app", "audit", "auth", "backup", "envvar", "federation", "integration", "issuer", "listing", "problem", "rotation", "secret", "team", "webhook"},
	"views":    {"openapi", "static"},
	"handlers": {"account", "api", "app", "audit", "auth", "envvar", "federation", "feed", "integration", "issuer", "listing", "openapi", "problem", "redact", "scan", "secret", "static", "team", "views", "webhook"},
	// The client.
	"api":    {"envvar", "redact"},
	"runner": {"envvar", "redact", "runner/monitor"},
	"cli":    {"api", "envvar", "manifest", "redact", "runner", "scan"},
	// Early in the order of initialisation: see its documentation.
	"runner/monitor": {},
	// The wiring.
	"": {"account", "app", "audit", "auth", "backup", "cli", "conns", "db", "envelope", "federation", "feed", "handlers", "integration", "issuer", "redact", "rotation", "runner", "secret", "sso", "webhook"},
	// Tests' own.
	"db/dbtest":             {"db", "envelope", "team"},
	"sso/ssotest":           {},
	"integration/oauthtest": {},
	"federation/issuertest": {},
	"bench":                 {},
	"e2e":                   {},
	// Makes openapi/openapi.json.
	"tools/openapi": {"api"},
}

// Dependencies point one way.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "infsh"), "/")
		allowed, ok := imports[name]
		if !ok {
			t.Errorf("package %q has no row in the table", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, "infsh/")
			if isOurs && !slices.Contains(allowed, ours) {
				t.Errorf("package %q may not import %q", name, ours)
			}
		}
	}
}

// drivers are imported by db alone: nothing else knows which database it is.
func TestOnlyDBImportsADriver(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, imported := range p.Imports {
			if (imported == "github.com/lib/pq" || strings.HasPrefix(imported, "modernc.org/sqlite")) && p.ImportPath != "infsh/db" {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// revealers are the places that may open a secret value or a credential, each
// with the reason. A new one is a decision, not an accident.
var revealers = map[string]string{
	"account/password.go":            "checks the rules of a new password",
	"account/setup.go":               "hashes the codes of the setup link and of invites",
	"admin_password.go":              "prints a generated password, once",
	"admin.go":                       "prints a new account's credentials, once",
	"api/client.go":                  "checks the form of a credential before it is sent",
	"api/forward.go":                 "sends an agent's credential in the Authorization header",
	"api/trusts.go":                  "sends a platform's token to be exchanged",
	"api/transport.go":               "sends the credential in the Authorization header, and takes values out of error texts",
	"api/stream.go":                  "sends the credential in the Authorization header",
	"api/wire.go":                    "encodes the messages that carry a value, by name",
	"cli/platform.go":                "sends what GitHub gave a job to ask for its token with",
	"auth/app.go":                    "reads a code as a person types it",
	"auth/device.go":                 "hashes the device code",
	"auth/passwords.go":              "hashes and verifies a password",
	"auth/token.go":                  "parses and hashes a credential",
	"cli/apikeys.go":                 "prints a new API key, once",
	"cli/credentials.go":             "writes the login to its 0600 file",
	"cli/env.go":                     "prints an app's values for programs that read a file",
	"cli/offline.go":                 "derives the key of the kept answers from the credential",
	"cli/keyring.go":                 "hands the login to the system's keyring",
	"cli/invites.go":                 "prints the link of a new invite, once",
	"cli/secrets.go":                 "prints a value for `get --reveal`",
	"handlers/api_secrets.go":        "answers GET /api/secrets/reveal, which is audited",
	"runner/environment.go":          "puts the values into the child's environment",
	"runner/mount_linux.go":          "puts the values into the files that the child reads",
	"handlers/invite_link.go":        "puts the code of a new invite into its link",
	"handlers/page_invites.go":       "shows the link of a new invite, once",
	"handlers/page_apikeys.go":       "shows a new API key, once",
	"handlers/page_factors.go":       "shows the seed of a new authenticator app, and recovery codes, once",
	"secret/mask.go":                 "makes the mask",
	"secret/scan.go":                 "chooses the window of a value by which files are searched for it",
	"secret/seal.go":                 "encrypts the value",
	"secret/service.go":              "checks the value that is to be set",
	"secret/twins.go":                "makes the fingerprint of a value",
	"federation/token.go":            "reads and verifies a platform's token",
	"integration/material.go":        "encrypts what a connection holds, and puts an access token with its end into JSON",
	"integration/provider_client.go": "sends codes and tokens to their own provider",
	"integration/federation.go":      "sends what it signed for a provider to that provider, and puts the names of a pool into addresses",
	"integration/service.go":         "reads the form of a key, of which it checks the look",
	"integration/flow.go":            "hashes the state of an authorization",
	"handlers/page_integrations.go":  "hands the answer of a provider on to the command line that asked for it",
	"cli/webhooks.go":                "prints a new signing secret, once",
	"webhook/service.go":             "encrypts a signing secret",
	"webhook/sign.go":                "signs messages",
	"handlers/page_reveal.go":        "shows a value for half a minute to who may see it and has proved who they are",
	"handlers/page_webhooks.go":      "shows a new signing secret, once",
	"sso/provider.go":                "hands the client secret to what sends it to the provider",
	"serve.go":                       "prints the setup link",
}

// Only the listed files call Reveal, or make an actor.
func TestWhoOpensValues(t *testing.T) {
	seen := map[string]bool{}
	walkCalls(t, func(file, _, method string) {
		if method != "Reveal" || strings.HasPrefix(file, "redact/") {
			return
		}
		seen[file] = true
		if revealers[file] == "" {
			t.Errorf("%s opens a value; if it must, give the reason in the table", file)
		}
	})
	for file := range revealers {
		if !seen[file] {
			t.Errorf("%s is in the table and opens nothing", file)
		}
	}
}

// An actor is made by authentication alone.
func TestWhoMakesActors(t *testing.T) {
	walkCalls(t, func(file, pkg, method string) {
		if pkg == "team" && method == "NewActor" && !strings.HasPrefix(file, "auth/") && !strings.HasPrefix(file, "db/dbtest/") {
			t.Errorf("%s makes an actor; only package auth does", file)
		}
		if method == "Unconfirmed" && file != "secret/resolve.go" {
			t.Errorf("%s acts for an actor as it once was; only a run, which compares the revision of the team, may", file)
		}
	})
}

// walkCalls visits each call of a selector in the program's own Go files.
func walkCalls(t *testing.T, visit func(file, receiver, method string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				receiver := ""
				if id, ok := sel.X.(*ast.Ident); ok {
					receiver = id.Name
				}
				visit(filepath.ToSlash(path), receiver, sel.Sel.Name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

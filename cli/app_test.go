package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The manifest of the documentation.
const seedManifest = `name: summarizer
requirements:
  secrets:
    - key: OPENAI_API_KEY
      description: For GPT-4 API calls
    - key: DATABASE_URL
      description: PostgreSQL connection string
      optional: true
`

func writeManifest(t *testing.T, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "app.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

const missingCheck = `{"satisfied":false,"errors":[],"items":[
	{"key":"OPENAI_API_KEY","kind":"secret","optional":false,"state":"missing","near_misses":[{"key":"openai_api_key","reason":"differs only in case"},{"key":"OPENAI_API_KEY","reason":"","team":"beta"}],
	 "url":"/settings/secrets?add=OPENAI_API_KEY&description=For+GPT-4+API+calls"},
	{"key":"DATABASE_URL","kind":"secret","optional":true,"state":"missing_optional",
	 "message":"DATABASE_URL is optional and not set in team acme. DATABASE_URI is set (spelled almost the same).",
	 "near_misses":[{"key":"DATABASE_URI","reason":"spelled almost the same"}]},
	{"key":"HF_TOKEN","kind":"secret","optional":false,"state":"set","version":2},
	{"key":"google.sheets","kind":"integration","optional":true,"state":"unavailable"},
	{"key":"gcp.storage","kind":"integration","optional":true,"state":"not_connected","message":"gcp.storage is optional.","command":"infsh integrations connect gcp --type service_account --field project_number=PROJECT_NUMBER < key.json"},
	{"key":"x.post","kind":"integration","optional":true,"state":"expired","message":"x.post is optional.","command":"infsh integrations connect x; true"}],
	"unused":["OLD_KEY"]}`

func TestCheckSaysKeyByKeyWhatToDo(t *testing.T) {
	var sent map[string]any
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = body(t, r)
		reply(w, missingCheck)
	}))
	folder := writeManifest(t, seedManifest)
	r := w.run("app", "check", folder)
	r.want(t, ExitRequirements, "requirements not met")
	want := `KEY             NEEDED    STATE
OPENAI_API_KEY  required  missing
DATABASE_URL    optional  missing
HF_TOKEN        required  set, version 2
google.sheets   optional  not available
gcp.storage     optional  not connected
x.post          optional  connect again

OPENAI_API_KEY: not set; the app can't run without it
  openai_api_key is set: differs only in case
  OPENAI_API_KEY is set in your team beta
  infsh secrets set OPENAI_API_KEY
  ` + w.env["INFSH_URL"] + `/settings/secrets?add=OPENAI_API_KEY&description=For+GPT-4+API+calls
DATABASE_URL is optional and not set in team acme. DATABASE_URI is set (spelled almost the same).
  infsh secrets set DATABASE_URL
google.sheets: this server does not offer it
gcp.storage is optional.
  infsh integrations connect gcp --type service_account --field project_number=PROJECT_NUMBER < key.json
x.post is optional.

unused (set in the team, declared by no app): OLD_KEY
`
	if r.out != want {
		t.Errorf("got\n%s\nwant\n%s", r.out, want)
	}
	secrets, _ := json.Marshal(sent["secrets"])
	if got := string(secrets); got != `[{"description":"For GPT-4 API calls","key":"OPENAI_API_KEY","optional":false},`+
		`{"description":"PostgreSQL connection string","key":"DATABASE_URL","optional":true}]` {
		t.Errorf("sent %s", got)
	}

	r = w.run("app", "check", folder, "--json")
	r.want(t, ExitRequirements)
	var got, answered map[string]any
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(missingCheck), &answered); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(answered)
	if string(a) != string(b) {
		t.Errorf("got %s\nwant the server's answer %s", a, b)
	}
}

func TestACheckThatIsSatisfiedExitsWithZero(t *testing.T) {
	w := newWorld(t, serve(t, routes{"POST /api/apps/check": `{"satisfied":true,"errors":[],"items":[{"key":"K","kind":"secret","state":"set"}],"unused":[]}`}))
	w.run("app", "check", writeManifest(t, "secrets:\n  - key: K\n")).want(t, ExitOK, "Everything that is required is set.")
}

func TestAManifestThatIsWrongIsNamedByLine(t *testing.T) {
	w := newWorld(t, serve(t, nil))
	for _, command := range [][]string{{"app", "check"}, {"app", "deploy"}, {"run", "-f"}} {
		args := append(command, writeManifest(t, "secrets:\n  - key: not-a-key\n"))
		if command[0] == "run" {
			args = append(args, "--", "true")
		}
		w.run(args...).want(t, ExitFailure, "app.yaml:2")
	}
	w.run("app", "check", t.TempDir()).want(t, ExitFailure, "app.yaml")
}

func TestDeploySaysTheVersionAndWhatIsMissing(t *testing.T) {
	var sent map[string]any
	for status, says := range map[string]string{"201": "Registered", "200": "has not changed since version 3"} {
		w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/apps/check" {
				reply(w, missingCheck)
				return
			}
			sent = body(t, r)
			reply(w, status+` {"namespace":"acme","name":"summarizer","version":{"number":3}}`)
		}))
		r := w.run("app", "deploy", writeManifest(t, seedManifest))
		r.want(t, ExitOK, says, "openai_api_key is set: differs only in case", "infsh secrets set OPENAI_API_KEY",
			w.env["INFSH_URL"]+"/settings/secrets?add=OPENAI_API_KEY")
		if want := "acme/summarizer version 3\n"; r.out != want {
			t.Errorf("stdout %q, want %q", r.out, want)
		}
		if _, ok := sent["namespace"]; ok || sent["name"] != "summarizer" {
			t.Errorf("sent %v", sent)
		}
	}
}

func TestAppListIsATable(t *testing.T) {
	w := newWorld(t, serve(t, routes{"POST /api/apps/list": `{"items":[{"namespace":"acme","name":"summarizer","description":"Sums up",
		"updated_at":"2026-01-02T03:04:05Z","version":{"number":3,"required_secrets":[{"key":"A"},{"key":"B"}]}}]}`}))
	r := w.run("app", "list")
	r.want(t, ExitOK)
	const want = `APP              VERSION  SECRETS  UPDATED (UTC)     DESCRIPTION
acme/summarizer  3        2        2026-01-02 03:04  Sums up
`
	if r.out != want {
		t.Errorf("got\n%s\nwant\n%s", r.out, want)
	}
}

func TestAKeyThatIsNoNameGivesNoCommandToCopy(t *testing.T) {
	for _, key := range []string{"X; rm -rf ~", "$(id)", "`id`", "A B", "", "google.sheets"} {
		if got := setCommand(key); got != "" {
			t.Errorf("%q: %q", key, got)
		}
	}
	if got := setCommand("OPENAI_API_KEY"); !strings.HasSuffix(got, " OPENAI_API_KEY") {
		t.Errorf("got %q", got)
	}
}

// Who approves an integration is told that the app receives the whole token.
func TestApproveTellsOfTheWholeToken(t *testing.T) {
	const grants = `{"app":{"namespace":"acme","name":"diary"},"items":[{"key":"google.*","source_key":"google.*","state":"granted","whole":"It gives the app the whole token of ada@acme.example."},{"key":"A_KEY","source_key":"A_KEY","state":"granted"}]}`
	w := newWorld(t, serve(t, routes{
		"POST /api/apps/list":               `{"items":[{"id":"a-1","namespace":"acme","name":"diary"}]}`,
		"POST /api/apps/a-1/grants/approve": grants,
	}))
	r := w.run("app", "approve", "diary", "google", "A_KEY")
	r.want(t, ExitOK, "It gives the app the whole token of ada@acme.example. For an app that you trust less")
	if !strings.Contains(r.err, "infsh app approve acme/diary --bind google=ACCOUNT") || strings.Count(r.err, "whole token") != 1 {
		t.Errorf("it says\n%s", r.err)
	}
}

package cli

import (
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

const resolved = `{"app":"acme/summarizer","version":"v3","env":{"OPENAI_API_KEY":"` + canary + `","PIN":"1234"},
	"secrets":[{"key":"OPENAI_API_KEY","version":1}],"missing_optional":["DATABASE_URL"]}`

// runServer answers deployments and resolves, and keeps the resolve requests.
func runServer(t *testing.T, deployed, answer string, asked *[]map[string]any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/apps":
			reply(w, deployed)
		case "/api/me":
			reply(w, `{"team":{"username":"acme"}}`)
		case "/internal/v1/resolve":
			*asked = append(*asked, body(t, r))
			reply(w, answer)
		case "/internal/v1/findings":
			*asked = append(*asked, body(t, r))
			reply(w, "204 ")
		default:
			t.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
		}
	})
}

const deployed = `201 {"namespace":"acme","name":"summarizer","version_id":"v3","version":{"number":3}}`

func TestRunStartsTheCommandWithWhatItsAppDeclares(t *testing.T) {
	var asked []map[string]any
	w := newWorld(t, runServer(t, deployed, resolved, &asked))
	w.exit = 17
	r := w.run("run", "-f", writeManifest(t, seedManifest), "--", "python", "main.py", "--verbose", "-f", "x")
	r.want(t, 17, "Registered")
	if r.out != "" || strings.Contains(r.err, canary) || strings.Contains(r.err, "1234") || strings.Contains(r.err, "DATABASE_URL") {
		t.Errorf("stdout %q, stderr %q", r.out, r.err)
	}
	if len(w.launched) != 1 {
		t.Fatalf("started %d times", len(w.launched))
	}
	spec := w.launched[0]
	if !slices.Equal(spec.Argv, []string{"python", "main.py", "--verbose", "-f", "x"}) {
		t.Errorf("started %q", spec.Argv)
	}
	if len(spec.Secrets) != 2 || spec.Secrets[0].Key != "OPENAI_API_KEY" || spec.Secrets[0].Value.Reveal() != canary {
		t.Errorf("with %v", spec.Secrets)
	}
	if spec.Credential.Reveal() != testKey || spec.Pristine || spec.MaskWithKeys {
		t.Error("started in another way than asked")
	}
	// The run is of the version that this manifest is, and has an id of its own.
	if asked[0]["app"] != "acme/summarizer" || asked[0]["version"] != "v3" {
		t.Errorf("asked for %v", asked[0])
	}
	w.run("run", "-f", writeManifest(t, seedManifest), "--pristine", "--redact-keys", "--verbose", "true").want(t, 17, "DATABASE_URL is optional")
	if spec := w.launched[1]; !spec.Pristine || !spec.MaskWithKeys || !slices.Equal(spec.Argv, []string{"true"}) {
		t.Errorf("started with %+v", spec)
	}
	ids := map[any]bool{}
	for _, request := range asked {
		id, _ := request["run_id"].(string)
		if _, err := uuid.Parse(id); err != nil || ids[id] {
			t.Errorf("run id %q: %v", id, err)
		}
		ids[id] = true
	}
}

func TestRunOfARegisteredApp(t *testing.T) {
	for arg, version := range map[string]any{"acme/summarizer": nil, "acme/summarizer@v2": "v2"} {
		var asked []map[string]any
		w := newWorld(t, runServer(t, "500 {}", resolved, &asked))
		w.run("run", "--app", arg, "--", "true").want(t, ExitOK)
		if asked[0]["app"] != "acme/summarizer" || asked[0]["version"] != version {
			t.Errorf("%s: asked for %v", arg, asked[0])
		}
	}
}

func TestAKeyThatMayNotRegisterRunsWhatIsRegistered(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		code   int
		asked  int
		says   string
	}{
		"no scope":     {problem(403, "scope_required", "no apps:write"), ExitOK, 1, "running summarizer as it is registered"},
		"wrong team":   {problem(403, "wrong_team", "of team beta"), ExitDenied, 0, "of team beta"},
		"not accepted": {problem(401, "not_signed_in", "revoked"), ExitDenied, 0, "revoked"},
		"invalid":      {problem(422, "invalid_field", "name: too long"), ExitFailure, 0, "too long"},
	} {
		var asked []map[string]any
		w := newWorld(t, runServer(t, test.answer, resolved, &asked))
		w.run("run", "-f", writeManifest(t, seedManifest), "--", "true").want(t, test.code, test.says)
		if len(asked) != test.asked || len(w.launched) != test.asked {
			t.Errorf("%s: asked %d times, started %d times", name, len(asked), len(w.launched))
		}
	}
}

func TestNothingStartsWithoutWhatIsRequired(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		code   int
		says   []string
	}{
		"missing": {
			`412 {"title":"requirements_not_met","status":412,"detail":"OPENAI_API_KEY is not set","errors":[
			{"type":"secret","key":"OPENAI_API_KEY","message":"openai_api_key is set, which differs in case","action":
			{"type":"add_secret","url":"http://127.0.0.1:8080/settings/secrets?add=OPENAI_API_KEY"}}]}`,
			ExitRequirements, []string{
				"requirements not met", "openai_api_key is set, which differs in case",
				"infsh secrets set OPENAI_API_KEY", "http://127.0.0.1:8080/settings/secrets?add=OPENAI_API_KEY",
			},
		},
		"unknown app": {problem(404, "not_found", "no such app"), ExitNotFound, []string{"acme/summarizer", "infsh app deploy"}},
		"forbidden":   {problem(403, "scope_required", "no apps:execute"), ExitDenied, []string{"Permission denied: no apps:execute"}},
		"no value":    {`{"env":{"A":null}}`, ExitFailure, []string{"no value"}},
	} {
		var asked []map[string]any
		w := newWorld(t, runServer(t, deployed, test.answer, &asked))
		r := w.run("run", "-f", writeManifest(t, seedManifest), "--", "true")
		r.want(t, test.code, test.says...)
		if len(w.launched) != 0 || strings.Contains(r.err, canary) {
			t.Errorf("%s: started %d times, stderr %q", name, len(w.launched), r.err)
		}
	}
}

// The whole way through the runner: the command has the secrets and not our
// credential, and neither can be read in what it prints.
func TestACommandGetsItsSecretsAndNotOurs(t *testing.T) {
	var asked []map[string]any
	w := newWorld(t, runServer(t, deployed, resolved, &asked))
	w.real = true
	w.environ = []string{"PATH=" + os.Getenv("PATH"), "INFSH_API_KEY=" + testKey, "infsh_url=x", "COPY=" + testKey, "KEPT=kept"}
	w.stdin = "input"
	const script = `test "$OPENAI_API_KEY" = "$1" && test "$PIN" = 1234 && echo same; echo "[$OPENAI_API_KEY] [$2] [$KEPT]"
env | grep -ic infsh_; env | grep -c COPY; cat; echo "$OPENAI_API_KEY" >&2; exit 9`
	r := w.run("run", "-f", writeManifest(t, seedManifest), "--", "sh", "-c", script, "sh", canary, testKey)
	r.want(t, 9, "[redacted]\n", "warning: PIN is not masked", "warning: COPY is not passed on")
	if want := "same\n[[redacted]] [[redacted]] [kept]\n0\n0\ninput"; r.out != want {
		t.Errorf("got %q, want %q", r.out, want)
	}
	if strings.Contains(r.err, canary) || strings.Contains(r.err, testKey) {
		t.Errorf("stderr: %s", r.err)
	}
	// The team is told in counts, of the version and the run that printed it.
	run, report := asked[0], asked[1]
	want := []any{
		map[string]any{"key": "INFSH_API_KEY", "form": "raw", "count": 1.0},
		map[string]any{"key": "OPENAI_API_KEY", "form": "raw", "count": 2.0},
	}
	if report["app"] != "acme/summarizer" || report["version"] != "v3" || report["run_id"] == "" || run["app"] != report["app"] || !reflect.DeepEqual(report["findings"], want) {
		t.Errorf("reported %v", report)
	}
	w.run("run", "--app", "a/b", "--", "no-such-command-here").want(t, 127, "no-such-command-here")
	w.run("run", "--app", "a/b", "--", "sh", "-c", "kill -TERM $$").want(t, 128+15)
}

// A name that changes how a process starts is refused wherever it comes from.
func TestADangerousNameFromAServerIsRefused(t *testing.T) {
	for _, name := range []string{"LD_PRELOAD", "PATH", "INFSH_URL", "A=B"} {
		var asked []map[string]any
		w := newWorld(t, runServer(t, deployed, `{"env":{"`+name+`":"`+canary+`"}}`, &asked))
		w.real = true
		r := w.run("run", "--app", "a/b", "--", "echo", "started")
		if r.code != ExitFailure || r.out != "" || strings.Contains(r.err, canary) || r.err == "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", name, r.code, r.out, r.err)
		}
	}
}

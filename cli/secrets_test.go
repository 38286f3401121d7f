package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const listed = `{"items":[
	{"key":"OPENAI_API_KEY","team_id":"t1","masked_value":"••••••••here","description":"For GPT-4 API calls","version":3,"updated_by":"ada@example.com","updated_at":"2026-01-02T03:04:05Z"},
	{"key":"PIN","masked_value":"••••••••","description":"","version":1,"updated_by":"bo@example.com","updated_at":"2026-01-03T10:00:00+02:00"}]}`

func TestListIsATable(t *testing.T) {
	w := newWorld(t, serve(t, routes{"POST /api/secrets/list": listed, "GET /api/teams/t1/expected-keys": `[{"key":"FAL_KEY","description":"Pictures"}]`}))
	r := w.run("secrets", "list")
	r.want(t, ExitOK)
	const want = `KEY             VALUE         VERSION  UPDATED (UTC)     BY               DESCRIPTION
OPENAI_API_KEY  ••••••••here  3        2026-01-02 03:04  ada@example.com  For GPT-4 API calls
PIN             ••••••••      1        2026-01-03 08:00  bo@example.com
FAL_KEY         not set yet   -                                           Pictures
`
	if r.out != want {
		t.Errorf("got\n%s\nwant\n%s", r.out, want)
	}
	if r.err != "" {
		t.Errorf("stderr: %s", r.err)
	}
}

func TestListAsJSONIsAnArrayOfTheAPIsSecrets(t *testing.T) {
	for answer, want := range map[string]int{listed: 2, `{"items":[]}`: 0} {
		w := newWorld(t, serve(t, routes{"POST /api/secrets/list": answer}))
		r := w.run("secrets", "list", "--json")
		r.want(t, ExitOK)
		var secrets []map[string]any
		if err := json.Unmarshal([]byte(r.out), &secrets); err != nil || len(secrets) != want || secrets == nil {
			t.Fatalf("%v: %s", err, r.out)
		}
		for _, secret := range secrets {
			for _, field := range []string{"id", "key", "masked_value", "description", "scope", "version", "updated_at"} {
				if _, ok := secret[field]; !ok {
					t.Errorf("no %q in %v", field, secret)
				}
			}
			if _, ok := secret["value"]; ok {
				t.Errorf("a masked secret has a value: %v", secret)
			}
		}
	}
}

func TestAnEmptyTeamIsToldTheFirstStep(t *testing.T) {
	for name, more := range map[string]routes{
		"a key that may ask who it is":   {"GET /api/me": `{"team":{"id":"t1"}}`, "GET /api/teams/t1/expected-keys": `[]`},
		"a server without expected keys": {"GET /api/me": `{"team":{"id":"t1"}}`, "GET /api/teams/t1/expected-keys": problem(404, "not_found", "There is nothing at this address.")},
		"a key that lists and no more":   {"GET /api/me": problem(403, "permission_denied", "The key needs the scope user:read.")},
	} {
		more["POST /api/secrets/list"] = `{"items":[]}`
		r := newWorld(t, serve(t, more)).run("secrets", "list")
		r.want(t, ExitOK, "infsh secrets set OPENAI_API_KEY")
		if r.out != "" {
			t.Errorf("%s: stdout: %q", name, r.out)
		}
	}
}

func TestGetPrintsTheMaskAndRevealTheValue(t *testing.T) {
	w := newWorld(t, serve(t, routes{
		"GET /api/secrets/K":        `{"key":"K","masked_value":"••••••••here"}`,
		"GET /api/secrets/reveal/K": `{"key":"K","masked_value":"••••••••here","value":"line 1\n\tline 2 <&> é\n"}`,
	}))
	const value = "line 1\n\tline 2 <&> é\n"
	expect := func(want string, args ...string) {
		t.Helper()
		r := w.run(append([]string{"secrets", "get", "K"}, args...)...)
		if r.want(t, ExitOK); r.out != want || r.err != "" {
			t.Errorf("%q: stdout %q, want %q, stderr %q", args, r.out, want, r.err)
		}
	}
	expect("••••••••here\n")
	expect(value, "--reveal")
	w.terminal.out = true
	expect(value+"\n", "--reveal")

	var secret map[string]any
	r := w.run("secrets", "get", "K", "--json", "--reveal")
	if err := json.Unmarshal([]byte(r.out), &secret); err != nil || secret["value"] != value {
		t.Errorf("%v: %s", err, r.out)
	}
	secret = nil
	r = w.run("secrets", "get", "K", "--json")
	if err := json.Unmarshal([]byte(r.out), &secret); err != nil || secret["masked_value"] != "••••••••here" || secret["value"] != nil {
		t.Errorf("%v: %s", err, r.out)
	}
}

// fullDisk takes no byte.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestASecretThatCouldNotBeWrittenIsNoSuccess(t *testing.T) {
	w := newWorld(t, serve(t, routes{"GET /api/secrets/reveal/K": `{"key":"K","value":"` + canary + `"}`}))
	var errs strings.Builder
	code := Main(t.Context(), []string{"secrets", "get", "K", "--reveal"}, Options{
		In: strings.NewReader(""), Out: fullDisk{}, Err: &errs,
		LookupEnv: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
	})
	result{code, "", errs.String()}.want(t, ExitFailure, "writing the output")
}

// setServer keeps what was set.
func setServer(t *testing.T, there bool, got *map[string]any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && !there {
			reply(w, problem(404, "secret_not_found", "it is not set"))
			return
		}
		*got = body(t, r)
		(*got)["method"] = r.Method
		reply(w, `{"key":"OPENAI_API_KEY","masked_value":"••••••••","version":1,"warnings":["KEY1 says nothing"]}`)
	})
}

func TestAValueComesFromArgumentsPromptOrStandardInput(t *testing.T) {
	const visible = "visible in the shell's history"
	for name, test := range map[string]struct {
		args   []string
		stdin  string
		hidden string
		want   string
		says   string
	}{
		"argument":                   {args: []string{"sk-your-key-here"}, want: "sk-your-key-here", says: visible},
		"argument with $ and quotes": {args: []string{`a$(b)"c'`}, want: `a$(b)"c'`, says: visible},
		"argument with a dash":       {args: []string{"--", "-begins"}, want: "-begins", says: visible},
		"standard input":             {stdin: "sk-1", want: "sk-1"},
		"echo":                       {stdin: "sk-1\n", want: "sk-1", says: "the line break at the end"},
		"echo on Windows":            {stdin: "sk-1\r\n", want: "sk-1", says: "the line break at the end"},
		"dash":                       {args: []string{"-"}, stdin: "-x", want: "-x"},
		"several lines":              {stdin: "-----BEGIN\nabc\n-----END\n", want: "-----BEGIN\nabc\n-----END\n"},
		"verbatim":                   {args: []string{"--verbatim"}, stdin: " x \n", want: " x \n"},
		"prompt":                     {hidden: "typed-value", want: "typed-value", says: "Value of OPENAI_API_KEY (not shown): "},
	} {
		for _, there := range []bool{true, false} {
			var got map[string]any
			w := newWorld(t, setServer(t, there, &got))
			w.stdin = test.stdin
			if test.hidden != "" {
				w.terminal = hiddenTerminal(test.hidden)
			}
			r := w.run(append([]string{"secrets", "set", "OPENAI_API_KEY"}, test.args...)...)
			r.want(t, ExitOK, test.says, "warning: KEY1 says nothing")
			if got["value"] != test.want {
				t.Errorf("%s: sent %q, want %q", name, got["value"], test.want)
			}
			if strings.Contains(r.err, visible) != (test.says == visible) {
				t.Errorf("%s: stderr: %s", name, r.err)
			}
			if strings.Contains(r.out+r.err, test.want) {
				t.Errorf("%s: the value was shown: %s%s", name, r.out, r.err)
			}
			if want := "Set OPENAI_API_KEY to ••••••••, version 1.\n"; r.out != want {
				t.Errorf("%s: stdout %q, want %q", name, r.out, want)
			}
			_, described := got["description"]
			if described || got["allow_risky_name"] != nil || (got["method"] == "PUT") != there {
				t.Errorf("%s: sent %v", name, got)
			}
		}
	}
}

func TestADescriptionIsSentWhereItIsGiven(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-d", "For GPT-4 API calls"}, "For GPT-4 API calls"},
		{[]string{"--description=x"}, "x"},
		{[]string{"-d", ""}, ""},
	} {
		var got map[string]any
		w := newWorld(t, setServer(t, true, &got))
		w.run(append([]string{"secrets", "set", "OPENAI_API_KEY", "sk-your-key-here"}, test.args...)...).want(t, ExitOK)
		if got["description"] != test.want {
			t.Errorf("%q: sent %v", test.args, got["description"])
		}
	}
}

func TestAValueThatCantBeIsRefusedHereAndNotShown(t *testing.T) {
	for _, test := range []struct{ name, stdin string }{
		{"empty", ""}, {"a line break alone", "\n"}, {"leading space", " " + canary}, {"NUL", canary + "\x00"},
		{"not UTF-8", canary + "\xff"}, {"too long", canary + strings.Repeat("x", 70000)}, {"no-break space", canary + "\u00a0"},
	} {
		w := newWorld(t, serve(t, nil)) // Nothing is sent.
		w.stdin = test.stdin
		r := w.run("secrets", "set", "K")
		if r.code != ExitFailure || r.err == "" || strings.Contains(r.err, canary) {
			t.Errorf("%s: exit code %d, stderr %q", test.name, r.code, r.err)
		}
	}
}

// Whatever is mistyped, the message does not repeat what may be the value.
func TestAMistypedSetDoesNotShowTheValue(t *testing.T) {
	w := newWorld(t, serve(t, nil))
	for _, args := range [][]string{
		{"KEY", "-" + canary}, {"KEY", "--" + canary}, {"KEY", "--" + canary + "=x"}, {"KEY", "--x=" + canary}, {"KEY", "--verbatim=" + canary},
		{"KEY=" + canary}, {canary, "KEY"}, {"KEY", "two", canary}, {canary},
	} {
		r := w.run(append([]string{"secrets", "set"}, args...)...)
		r.want(t, ExitUsage)
		if strings.Contains(r.err+r.out, canary) {
			t.Errorf("%q: the value was shown: %s", args, r.err)
		}
	}
	w.run("secrets", "set", "KEY", "-value").want(t, ExitUsage, `after "--"`)
}

func TestARiskyNameNeedsLeave(t *testing.T) {
	var got map[string]any
	w := newWorld(t, setServer(t, true, &got))
	w.run("secrets", "set", "HTTPS_PROXY", "http://proxy:3128").want(t, ExitUsage, "--allow-risky-name")
	if got != nil {
		t.Errorf("it was sent: %v", got)
	}
	w.run("secrets", "set", "HTTPS_PROXY", "http://proxy:3128", "--allow-risky-name").want(t, ExitOK)
	if got["allow_risky_name"] != true {
		t.Errorf("sent %v", got)
	}
	for _, key := range []string{"PATH", "LD_PRELOAD", "INFSH_X", "infsh_x"} {
		w.run("secrets", "set", key, "v", "--allow-risky-name").want(t, ExitUsage, key)
	}
}

func TestDeleteAsksByName(t *testing.T) {
	deleted := 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodDelete:
			deleted++
			w.WriteHeader(http.StatusNoContent)
		default:
			reply(w, `{"key":"OPENAI_API_KEY"}`)
		}
	})
	for _, test := range []struct {
		args     []string
		terminal bool
		answer   string
		code     int
		deleted  int
		says     string
	}{
		{nil, false, "y\n", ExitUsage, 0, "--yes"},
		{[]string{"--yes"}, false, "", ExitOK, 1, "Deleted OPENAI_API_KEY."},
		{[]string{"-y"}, true, "", ExitOK, 1, "Deleted OPENAI_API_KEY."},
		{nil, true, "y\n", ExitOK, 1, "Delete OPENAI_API_KEY"},
		{nil, true, "YES\n", ExitOK, 1, "Delete OPENAI_API_KEY"},
		{nil, true, "\n", ExitFailure, 0, "was not deleted"},
		{nil, true, "n\n", ExitFailure, 0, "was not deleted"},
		{nil, true, "", ExitFailure, 0, "was not deleted"},
		{nil, true, "yikes\n", ExitFailure, 0, "was not deleted"},
	} {
		deleted = 0
		w := newWorld(t, handler)
		w.terminal.in, w.stdin = test.terminal, test.answer
		r := w.run(append([]string{"secrets", "delete", "OPENAI_API_KEY"}, test.args...)...)
		r.want(t, test.code, test.says)
		if deleted != test.deleted || r.out != "" {
			t.Errorf("%+v: %d deleted, stdout %q", test, deleted, r.out)
		}
	}
}

func TestHistoryAndRollback(t *testing.T) {
	w := newWorld(t, serve(t, routes{
		"GET /api/secrets/versions/K": `{"items":[
			{"version":11,"masked_value":"••••••••","created_at":"2026-01-03T03:04:05Z","created_by":"ada@example.com","state":"staged"},
			{"version":10,"masked_value":"••••••••here","created_at":"2026-01-02T03:04:05Z","created_by":"ada@example.com","state":"active","current":true},
			{"version":9,"masked_value":"••••••••","created_at":"2026-01-01T03:04:05Z","created_by":"bo@example.com","state":"superseded"}]}`,
		"POST /api/secrets/rollback/K": `{"key":"K","masked_value":"••••••••","version":11}`,
	}))
	r := w.run("secrets", "history", "K")
	r.want(t, ExitOK)
	const want = `VERSION  STATE       VALUE         CREATED (UTC)     BY
11       staged      ••••••••      2026-01-03 03:04  ada@example.com
10       active      ••••••••here  2026-01-02 03:04  ada@example.com
9        superseded  ••••••••      2026-01-01 03:04  bo@example.com
`
	if r.out != want {
		t.Errorf("got\n%s\nwant\n%s", r.out, want)
	}
	r = w.run("secrets", "rollback", "K", "--to", "9")
	r.want(t, ExitOK)
	if want := "Set K to ••••••••, version 11, as it was in version 9.\n"; r.out != want {
		t.Errorf("got %q, want %q", r.out, want)
	}
}

func TestImport(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("# keys\nexport A_KEY="+canary+"\nB_KEY='$HOME "+canary+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		answer string
		code   int
		out    string
		says   string
	}{
		{
			nil, `{"items":[{"key":"A_KEY","status":"new"},{"key":"B_KEY","status":"unchanged"}],"written":true}`,
			ExitOK, "KEY    STATUS     REASON\nA_KEY  new\nB_KEY  unchanged\n", "1 secret written.",
		},
		{
			[]string{"--dry-run"}, `{"items":[{"key":"A_KEY","status":"new"},{"key":"B_KEY","status":"changed"}],"written":false}`,
			ExitOK, "KEY    STATUS   REASON\nA_KEY  new\nB_KEY  changed\n", "2 secrets would be written. This was a dry run",
		},
		{
			nil, `{"items":[{"key":"A_KEY","status":"exists"},{"key":"B_KEY","status":"refused","detail":"it changes how a process starts"}],"written":false}`,
			ExitFailure, "KEY    STATUS   REASON\nA_KEY  exists\nB_KEY  refused  it changes how a process starts\n", "--overwrite",
		},
		{
			[]string{"--dry-run"}, `{"items":[{"key":"A_KEY","status":"exists"}],"written":false}`,
			ExitFailure, "KEY    STATUS  REASON\nA_KEY  exists\n", "Nothing would be written",
		},
		{
			nil, `{"items":[{"key":"A_KEY","status":"unchanged"}],"written":false}`,
			ExitOK, "KEY    STATUS     REASON\nA_KEY  unchanged\n", "0 secrets written.",
		},
	} {
		var sent map[string]any
		w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = body(t, r)
			reply(w, test.answer)
		}))
		r := w.run(append([]string{"secrets", "import", file}, test.args...)...)
		r.want(t, test.code, test.says)
		if r.out != test.out {
			t.Errorf("%v: got\n%s\nwant\n%s", test.args, r.out, test.out)
		}
		if strings.Contains(r.out+r.err, canary) {
			t.Errorf("a value was shown: %s%s", r.out, r.err)
		}
		items, _ := json.Marshal(sent["items"])
		want := `[{"key":"A_KEY","value":"` + canary + `"},{"key":"B_KEY","value":"$HOME ` + canary + `"}]`
		if string(items) != want || sent["dry_run"] != (len(test.args) > 0) || sent["overwrite"] != false {
			t.Errorf("sent %v", sent)
		}
	}
}

func TestAFileThatCantBeImportedIsNamedByLine(t *testing.T) {
	w := newWorld(t, serve(t, nil))
	for _, stdin := range []string{"A=" + canary + "\nnot a line " + canary + "\n", "A=" + canary + "\nA=" + canary + "\n", "", "# nothing\n"} {
		w.stdin = stdin
		r := w.run("secrets", "import", "-")
		if r.code != ExitFailure || strings.Contains(r.err, canary) || r.err == "" {
			t.Errorf("%q: exit code %d, stderr %q", stdin, r.code, r.err)
		}
		if strings.Count(stdin, "\n") == 2 && !strings.Contains(r.err, "line 2") {
			t.Errorf("%q: stderr %q", stdin, r.err)
		}
	}
	w.run("secrets", "import", filepath.Join(t.TempDir(), "none.env")).want(t, ExitFailure, "none.env")
}

package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A town is a server with two teams: acme, with an owner and a member, and
// beta, which has nothing to do with it.
type town struct {
	*server
	t             *testing.T
	ada, mia, eve user
}

func newTown(t *testing.T, args ...string) *town {
	t.Helper()
	s := start(t, filepath.Join(t.TempDir(), "data"), args...)
	return &town{
		server: s, t: t,
		ada: s.createUser("ada@example.com", "acme"), mia: s.createUser("mia@example.com", "acme"), eve: s.createUser("eve@example.com", "beta"),
	}
}

// want calls the API, and fails the test unless the status is the wanted one.
func (w *town) want(status int, key, method, path string, body any) answer {
	w.t.Helper()
	a := w.call(key, method, path, body)
	if a.StatusCode != status {
		w.t.Errorf("%s %s: %d, want %d: %.300s", method, path, a.StatusCode, status, a.Body)
	}
	return a
}

// set sets a secret.
func (w *town) set(key, name, value string) {
	w.t.Helper()
	w.want(http.StatusCreated, key, "POST", "/api/secrets", map[string]any{"key": name, "value": value})
}

// reveal returns a secret's value.
func (w *town) reveal(key, name string) string {
	w.t.Helper()
	var s struct{ Value string }
	w.want(http.StatusOK, key, "GET", "/api/secrets/reveal/"+name, nil).json(w.t, &s)
	return s.Value
}

// everything is what the API shows of a team: what a refused write leaves alone.
func (w *town) everything(key string) string {
	w.t.Helper()
	var all strings.Builder
	for _, path := range []string{"secrets/list", "apps/list", "apikeys/list"} {
		a := w.call(key, "POST", "/api/"+path, map[string]any{"limit": 200})
		var list struct{ Items []map[string]any }
		a.json(w.t, &list)
		for _, item := range list.Items {
			delete(item, "last_used_at")
		}
		b, err := json.Marshal(list.Items)
		if err != nil {
			w.t.Fatal(err)
		}
		all.Write(b)
	}
	all.WriteString(w.call(key, "GET", "/api/teams", nil).Body)
	return all.String()
}

// deploy registers an app that declares the keys.
func (w *town) deploy(key, name string, keys ...string) (id, version string) {
	w.t.Helper()
	var declared []map[string]any
	for _, k := range keys {
		declared = append(declared, map[string]any{"key": k})
	}
	a := w.call(key, "POST", "/api/apps", map[string]any{"name": name, "version": map[string]any{"required_secrets": declared}})
	var app struct {
		ID        string
		VersionID string `json:"version_id"`
	}
	a.json(w.t, &app)
	if app.ID == "" {
		w.t.Fatalf("deploy: %d %.300s", a.StatusCode, a.Body)
	}
	return app.ID, app.VersionID
}

// wrongValue stands in bodies that are refused, and in no answer.
const wrongValue = "sk-refused-9fQ2xL7vT4"

// V8: JSON that two parsers might read in two ways, or that is not what the
// endpoint asks for, is 400 with the field's name, never with the value, and
// nothing is written.
func TestJSONIsReadStrictly(t *testing.T) {
	w := newTown(t)
	w.set(w.ada.APIKey, "OPENAI_API_KEY", "sk-that-stays-1")
	w.want(http.StatusOK, w.ada.APIKey, "PUT", "/api/secrets/OPENAI_API_KEY", map[string]any{"value": "sk-that-stays-2"})
	_, version := w.deploy(w.ada.APIKey, "summarizer", "OPENAI_API_KEY")

	// One valid body for each endpoint that takes one. A field marked as text
	// is replaced by what is no text, and so on.
	endpoints := []struct {
		route   string
		valid   string
		text    string // a field that holds text
		boolean string // a field that is a boolean, or a list
		sdk     string // what the official SDK sends too, and is ignored
		public  bool
	}{
		{route: "POST /api/secrets", valid: `{"key":"NEW_KEY","value":"$V"}`, text: "value", boolean: "verbatim", sdk: `"id":"x","short_id":"x","created_at":"2026-01-01T00:00:00Z","updated_at":null,"user_id":"x","team_id":"x","team":{"id":"x"},"visibility":"public","provider":"openai","connection_scope":"team","provider_name":"x","provider_website":"x"`},
		{route: "PUT /api/secrets/OPENAI_API_KEY", valid: `{"value":"$V"}`, text: "value", boolean: "verbatim", sdk: `"id":"x","short_id":"x","created_at":"2026-01-01T00:00:00Z","updated_at":null,"user_id":"x","team_id":"x","team":{"id":"x"},"visibility":"public","masked_value":"x","scope":"team","version":99,"updated_by":"eve@example.com","credential_id":""`},
		{route: "POST /api/secrets/import", valid: `{"items":[{"key":"NEW_KEY","value":"$V"}],"overwrite":true}`, text: "items/0/value", boolean: "overwrite"},
		{route: "POST /api/secrets/rollback/OPENAI_API_KEY", valid: `{"version":1}`, boolean: "version"},
		{route: "POST /api/secrets/activate/OPENAI_API_KEY", valid: `{"version":1}`, boolean: "version"},
		{route: "POST /api/teams", valid: `{"username":"gamma","name":"$V"}`, text: "username", sdk: `"id":"x","short_id":"x","created_at":"2026-01-01T00:00:00Z","updated_at":null,"user_id":"x","team_id":"x","team":{"id":"x"},"visibility":"public","type":"team","avatar_url":"","setup_completed":true,"role":"owner"`},
		{route: "POST /api/apikeys", valid: `{"name":"$V"}`, text: "name", boolean: "scopes"},
		{route: "POST /api/apps", valid: `{"name":"painter","description":"$V"}`, text: "description", boolean: "version", sdk: `"id":"x","short_id":"x","created_at":"2026-01-01T00:00:00Z","updated_at":null,"user_id":"x","team_id":"x","team":{"id":"x"},"visibility":"public","title":"x","agent_description":"","category":"chat","images":{},"version_id":"x","status":"active","preserve_current_version":false`},
		{route: "POST /api/apps/check", valid: `{"secrets":[{"key":"FAL_KEY","description":"$V"}],"integrations":[]}`, text: "secrets/0/description", boolean: "secrets"},
		{route: "POST /api/integrations/check", valid: `{"secrets":[{"key":"FAL_KEY","description":"$V"}],"integrations":[]}`, text: "secrets/0/description", boolean: "secrets"},
		{route: "POST /api/secrets/list", valid: `{"cursor":"","search":{"term":"$V"}}`, text: "search/term", boolean: "limit", sdk: `"page":1,"direction":"","preloads":[],"fields":[],"permissions":[],"include_others":false,"include_private":true`},
		{route: "POST /api/apps/list", valid: `{"search":{"term":"$V"}}`, text: "search/term", boolean: "sort", sdk: `"page":1,"direction":"","preloads":[],"fields":[],"permissions":[],"include_others":false,"include_private":true`},
		{route: "POST /api/apikeys/list", valid: `{"search":{"term":"$V"}}`, text: "search/term", boolean: "filters", sdk: `"page":1,"direction":"","preloads":[],"fields":[],"permissions":[],"include_others":false,"include_private":true`},
		{route: "POST /api/device/code", valid: `{"client_name":"$V"}`, text: "client_name", public: true},
		{route: "POST /api/device/token", valid: `{"device_code":"$V"}`, text: "device_code", public: true},
		{route: "POST /internal/v1/resolve", valid: `{"app":"acme/summarizer","version":"` + version + `","run_id":"$V"}`, text: "run_id"},
		{route: "POST /internal/v1/findings", valid: `{"app":"acme/summarizer","version":"` + version + `","run_id":"$V","findings":[{"key":"OPENAI_API_KEY","form":"raw","count":1}]}`, text: "run_id"},
	}
	for _, e := range endpoints {
		valid := strings.ReplaceAll(e.valid, "$V", wrongValue)
		first, _, _ := strings.Cut(strings.TrimPrefix(valid, `{"`), `"`) // the first field's name
		cases := []struct{ name, body, field string }{
			{"a name twice", `{"` + first + `":"` + wrongValue + `",` + valid[1:], first},
			{"a name twice, in two spellings", `{"` + strings.ToUpper(first) + `":"` + wrongValue + `",` + valid[1:], "?"},
			{"a name twice in a nested object", `{"extra":{"a":1,"a":2},` + valid[1:], "?"},
			{"data after the value", valid + ` {"key":"OTHER_KEY"}`, ""},
			{"a comma too many", strings.TrimSuffix(valid, "}") + ",}", ""},
			{"a comment", valid + " // comment", ""},
			{"a byte order mark", "\ufeff" + valid, ""},
			{"a list", "[" + valid + "]", ""},
			{"text", `"` + wrongValue + `"`, ""},
			{"null", "null", ""},
			{"cut off", strings.TrimSuffix(valid, "}"), ""},
			{"not JSON", "key=NEW_KEY&value=" + wrongValue, ""},
		}
		if e.text != "" {
			old := `"` + wrongValue + `"`
			if e.text == "username" {
				old = `"gamma"`
			}
			replace := func(with string) string { return strings.Replace(valid, old, with, 1) }
			cases = append(cases, []struct{ name, body, field string }{
				{"a number for text", replace("12345"), e.text},
				{"a boolean for text", replace("true"), e.text},
				{"an object for text", replace(`{"` + wrongValue + `":"` + wrongValue + `"}`), e.text},
				{"a list for text", replace(`["` + wrongValue + `"]`), e.text},
				{"invalid UTF-8", replace("\"" + wrongValue + "\xff\""), e.text},
				{"UTF-16 surrogates in UTF-8", replace("\"" + wrongValue + "\xed\xa0\x80\""), e.text},
				{"a lone surrogate", replace(`"` + wrongValue + `\ud800"`), e.text},
				{"surrogates in the wrong order", replace(`"` + wrongValue + `\udc00\ud800"`), e.text},
				{"a control character that is not escaped", replace("\"" + wrongValue + "\x01\""), e.text},
			}...)
		}
		if e.boolean != "" {
			rest := valid[1:]
			if first == e.boolean {
				_, rest, _ = strings.Cut(rest, ":")
				rest = `"overwrite":` + rest
			}
			body := `{"` + e.boolean + `":"` + wrongValue + `",` + rest
			cases = append(cases, struct{ name, body, field string }{"text for what is none", body, e.boolean})
		}
		unknown := "team_id"
		if e.sdk != "" {
			unknown = "key_id"
		}
		cases = append(cases,
			struct{ name, body, field string }{"an unknown name", `{"` + unknown + `":"` + wrongValue + `",` + valid[1:], unknown},
			struct{ name, body, field string }{"a name in another case", strings.Replace(valid, `"`+first+`"`, `"`+strings.ToUpper(first)+`"`, 1), "?"},
			struct{ name, body, field string }{"an empty body, and a query", "", ""},
		)
		method, path, _ := strings.Cut(e.route, " ")
		key := w.ada.APIKey
		if e.public {
			key = ""
		}
		before := w.everything(w.ada.APIKey)
		query := "?key=NEW_KEY&value=" + wrongValue + "&name=x&username=gamma&app=acme/summarizer"
		for _, c := range cases {
			if c.body == "" && strings.HasSuffix(path, "/list") {
				continue // It asks for the first page.
			}
			path := path
			if c.body == "" {
				path += query // V10
			}
			at := "V8 " + e.route + ": " + c.name
			a := w.call(key, method, path, c.body)
			if a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d, want 400: %.200s\n%q", at, a.StatusCode, a.Body, c.body)
				continue
			}
			p := a.problem(t)
			if strings.Contains(a.Body, wrongValue) {
				t.Errorf("%s: the answer holds the value: %s", at, a.Body)
			}
			if (p.Title != "bad_request" && p.Title != "invalid_field") || p.Detail == "" {
				t.Errorf("%s: %s", at, a.Body)
			}
			if c.field != "" && (len(p.Errors) != 1 || c.field != "?" && p.Errors[0].Field != c.field) {
				t.Errorf("%s: the error is at %v, want at %s", at, p.Errors, c.field)
			}
		}
		if after := w.everything(w.ada.APIKey); after != before {
			t.Errorf("%s: something was written:\n%s\nbefore:\n%s", e.route, after, before)
		}
		for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
			req, err := http.NewRequest(method, w.URL+path, strings.NewReader(valid))
			if err != nil {
				t.Fatal(err)
			}
			setHeaders(req, []string{"Authorization", "Bearer " + w.ada.APIKey, "Content-Type", media})
			if a := send(t, http.DefaultClient, req); a.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("%s as %q: %d, want 415", e.route, media, a.StatusCode)
			}
		}
	}
	if got := w.reveal(w.ada.APIKey, "OPENAI_API_KEY"); got != "sk-that-stays-2" {
		t.Errorf("the value has become %q", got)
	}
	// What the SDK sends beyond that is ignored: nothing of it is taken (Z7).
	for _, e := range endpoints {
		if e.sdk == "" {
			continue
		}
		method, path, _ := strings.Cut(e.route, " ")
		a := w.call(w.ada.APIKey, method, path, strings.Replace(e.valid, "{", "{"+e.sdk+",", 1))
		if a.StatusCode >= 300 || strings.Contains(a.Body, `"id":"x"`) || strings.Contains(a.Body, `"team_id":"x"`) || strings.Contains(a.Body, `"public"`) {
			t.Errorf("%s, with what the SDK sends: %d: %s", e.route, a.StatusCode, a.Body)
		}
	}
}

// A problem document, with the errors of fields.
type fieldProblem struct {
	Title, Detail string
	Errors        []struct{ Field, Message string }
}

func (a answer) problem(t *testing.T) (p fieldProblem) {
	t.Helper()
	a.title(t)
	a.json(t, &p)
	return p
}

// What a name and a value may be holds on every way in: the API, its import,
// and the page's form.
func TestNamesAndValues(t *testing.T) {
	w := newTown(t)
	ada := w.signIn(w.ada)
	w.set(w.ada.APIKey, "OPENAI_API_KEY", "sk-set-already-1")

	ways := map[string]func(key, value string) (status int, body string){
		"API": func(key, value string) (int, string) {
			a := w.call(w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": key, "value": value})
			return a.StatusCode, a.Body
		},
		"import": func(key, value string) (int, string) {
			a := w.call(w.ada.APIKey, "POST", "/api/secrets/import", map[string]any{"items": []any{map[string]any{"key": key, "value": value}}})
			if a.StatusCode == http.StatusOK {
				var out struct {
					Items   []struct{ Status, Detail string }
					Written bool
				}
				a.json(t, &out)
				if out.Written || len(out.Items) != 1 || out.Items[0].Status != "refused" || out.Items[0].Detail == "" {
					return http.StatusOK, a.Body
				}
				return http.StatusBadRequest, a.Body
			}
			return a.StatusCode, a.Body
		},
		"page": func(key, value string) (int, string) {
			a := ada.post("/settings/secrets", form("key", key, "value", value))
			if a.StatusCode == http.StatusUnprocessableEntity {
				return http.StatusBadRequest, a.Body
			}
			return a.StatusCode, a.Body
		},
	}
	refused := func(t *testing.T, what, key, value string, except ...string) {
		t.Helper()
		for way, send := range ways {
			if slices.Contains(except, way) {
				continue
			}
			if status, body := send(key, value); status != http.StatusBadRequest {
				t.Errorf("%s: by the %s, %q is answered with %d: %.200s", what, way, key, status, body)
			} else if len(value) >= 8 && strings.Contains(body, value) {
				t.Errorf("%s: by the %s, the refusal holds the value", what, way)
			}
		}
	}
	before := w.everything(w.ada.APIKey)

	t.Run("V1 a name is a letter or underscore, then up to 127 letters, digits and underscores", func(t *testing.T) {
		for _, name := range []string{
			"", "1KEY", "9", "A-B", "A.B", "A=B", "A B", "KÉY", "é", "ОPENAI_API_KEY", "OPENAI\u202eAPI_KEY", "BASH_FUNC_x%%", "KEY\u0000", "KEY\u200b",
			"ＫＥＹ", "KEY\x7f", "a/b", "..", "%41", "K\u0130Y", strings.Repeat("A", 129), strings.Repeat("A", 256), strings.Repeat("A", 5000),
		} {
			refused(t, "V1", name, wrongValue)
		}
		// The page trims what one pastes with a line break; the API does not.
		for _, name := range []string{"KEY\n", " KEY", "KEY\r\n", "\tKEY"} {
			refused(t, "V1", name, wrongValue, "page")
		}
	})

	t.Run("V2 INFSH_ is reserved in any case, and so are the names that change how a program starts", func(t *testing.T) {
		for _, name := range []string{
			"INFSH_API_KEY", "infsh_token", "Infsh_X", "iNFSH_", "PATH", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "NODE_OPTIONS", "PYTHONPATH",
			"BASH_ENV", "ENV", "IFS", "PERL5OPT", "GIT_SSH_COMMAND", "JAVA_TOOL_OPTIONS", "TMPDIR", "HOME",
		} {
			refused(t, "V2", name, wrongValue)
			a := w.call(w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": name, "value": wrongValue, "allow_risky_name": true})
			if a.StatusCode != http.StatusBadRequest {
				t.Errorf("an acknowledgement opens %s: %d", name, a.StatusCode)
			}
		}
		for _, name := range []string{"HTTPS_PROXY", "OPENAI_BASE_URL", "SSL_CERT_FILE", "KUBECONFIG"} {
			refused(t, "V2 without an acknowledgement", name, wrongValue)
		}
	})

	t.Run("V4 white space around a value is refused with the reason", func(t *testing.T) {
		for name, value := range map[string]string{
			"a leading space": " " + wrongValue, "a trailing space": wrongValue + " ", "a tab": "\t" + wrongValue,
			"a byte order mark": "\ufeff" + wrongValue, "a no-break space": wrongValue + "\u00a0", "a zero-width space": wrongValue + "\u200b",
			"only spaces": "   ",
		} {
			refused(t, "V4 "+name, "NEW_KEY", value)
		}
		refused(t, "V4 a line break", "NEW_KEY", wrongValue+"\n", "page")
		a := w.call(w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "NEW_KEY", "value": " " + wrongValue})
		if p := a.problem(t); len(p.Errors) != 1 || p.Errors[0].Field != "value" || !strings.Contains(p.Errors[0].Message, "space") {
			t.Errorf("the refusal gives no reason: %s", a.Body)
		}
	})

	t.Run("V6 a NUL is refused when it is set, wherever it stands", func(t *testing.T) {
		refused(t, "V6", "NEW_KEY", "before\x00"+wrongValue)
		refused(t, "V6", "NEW\x00KEY", wrongValue)
		for _, body := range []string{
			`{"key":"NEW_KEY","value":"` + wrongValue + `","description":"a\u0000b"}`,
			`{"key":"NEW_KEY","value":"a\u0000` + wrongValue + `","verbatim":true}`,
		} {
			if a := w.call(w.ada.APIKey, "POST", "/api/secrets", body); a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d", body, a.StatusCode)
			}
		}
		for _, c := range []struct{ path, body string }{
			{"/api/apps", `{"name":"app","description":"a\u0000b"}`},
			{"/api/apps", `{"name":"app","version":{"required_secrets":[{"key":"A\u0000"}]}}`},
			{"/api/apps", `{"name":"app","version":{"required_secrets":[{"key":"A_KEY","description":"\u0000"}]}}`},
			{"/api/apps", `{"name":"app","version":{"required_integrations":[{"key":"google\u0000"}]}}`},
			{"/api/apps", `{"name":"app","version":{"required_integrations":[{"key":"google","scopes":["a\u0000b"]}]}}`},
			{"/api/apps", `{"name":"app","version":{"required_integrations":[{"key":"google","secrets":["A\u0000"]}]}}`},
			{"/api/apps", `{"name":"app\u0000"}`},
			{"/api/apps", `{"namespace":"acme\u0000","name":"app"}`},
			{"/api/apikeys", `{"name":"a\u0000b"}`},
			{"/api/apikeys", `{"name":"b","scopes":["apps:read\u0000"]}`},
			{"/api/teams", `{"username":"gamma","name":"a\u0000b"}`},
			{"/api/teams", `{"username":"gam\u0000ma"}`},
			{"/api/device/code", `{"client_name":"a\u0000b"}`},
			{"/internal/v1/resolve", `{"app":"acme/app\u0000"}`},
			{"/internal/v1/resolve", `{"app":"acme/app","run_id":"a\u0000b"}`},
		} {
			if a := w.call(w.ada.APIKey, "POST", c.path, c.body); a.StatusCode != http.StatusBadRequest {
				t.Errorf("V6 %s %s: %d %.200s", c.path, c.body, a.StatusCode, a.Body)
			}
		}
		for _, path := range []string{"/api/secrets/A%00B", "/api/secrets/reveal/A%00B", "/api/apps/%00", "/api/apps/acme/%00", "/api/teams/%00"} {
			w.want(http.StatusNotFound, w.ada.APIKey, "GET", path, nil)
		}
		for _, path := range []string{"/settings/secrets/A%00B", "/settings/apps/acme/%00", "/settings/secrets/..%2f..%2fapikeys"} {
			if a := ada.get(path); a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	})

	if after := w.everything(w.ada.APIKey); after != before {
		t.Errorf("something that was refused was written:\n%s\nbefore:\n%s", after, before)
	}

	t.Run("V2 two names that differ only in case are told apart, with a warning", func(t *testing.T) {
		var s struct{ Warnings []string }
		w.want(http.StatusCreated, w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "openai_api_key", "value": "sk-lower-case-2"}).json(t, &s)
		if !strings.Contains(strings.Join(s.Warnings, "\n"), "openai_api_key differs from OPENAI_API_KEY only in case") {
			t.Errorf("warnings: %q", s.Warnings)
		}
		if w.reveal(w.ada.APIKey, "openai_api_key") != "sk-lower-case-2" || w.reveal(w.ada.APIKey, "OPENAI_API_KEY") != "sk-set-already-1" {
			t.Error("the two are one")
		}
	})

	t.Run("V4 verbatim keeps white space, byte for byte", func(t *testing.T) {
		value := "\ufeff \tvalue\u00a0\r\n\n"
		w.want(http.StatusCreated, w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "VERBATIM_KEY", "value": value, "verbatim": true})
		if got := w.reveal(w.ada.APIKey, "VERBATIM_KEY"); got != value {
			t.Errorf("%q came out of %q", got, value)
		}
	})

	t.Run("V10 what stands in the query is no field", func(t *testing.T) {
		query := "?" + url.Values{"key": {"QUERY_KEY"}, "value": {wrongValue}, "description": {"from the query"}}.Encode()
		if a := ada.post("/settings/secrets"+query, nil); a.StatusCode != http.StatusUnprocessableEntity || strings.Contains(a.Body, wrongValue) {
			t.Errorf("a form without a body: %d", a.StatusCode)
		}
		if a := ada.post("/settings/secrets/OPENAI_API_KEY"+query, form("_method", "PUT", "description", "changed")); a.StatusCode != http.StatusSeeOther {
			t.Errorf("a change of the description: %d", a.StatusCode)
		}
		if got := w.reveal(w.ada.APIKey, "OPENAI_API_KEY"); got != "sk-set-already-1" {
			t.Errorf("the query's value was stored: %q", got)
		}
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/secrets"+query, "")
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/secrets"+query, "{}")
		if strings.Contains(w.everything(w.ada.APIKey), "QUERY_KEY") {
			t.Error("the query's key was stored")
		}
	})

	t.Run("V10 a form of several parts is not read, and leaves nothing in the folder of temporary files", func(t *testing.T) {
		body := "--x\r\nContent-Disposition: form-data; name=\"value\"; filename=\"a\"\r\n\r\n" + strings.Repeat(wrongValue, 10000) + "\r\n--x--\r\n"
		req, err := http.NewRequest("POST", w.URL+"/settings/secrets", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		setHeaders(req, []string{"Content-Type", "multipart/form-data; boundary=x", "Origin", w.URL, "Cookie", ada.cookie()})
		if a := send(t, ada.client, req); a.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%d", a.StatusCode)
		}
		left, err := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})

	t.Run("V10 an import is literal", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "team.env")
		write(t, file, "export FIRST='single $X'\r\nSECOND=\"a $HOME and \\\"quotes\\\"\"\r\n# comment\r\nTHIRD=plain$Y\r\nPEM=\"line 1\nline 2\n\"\r\n", 0o600)
		before := w.everything(w.ada.APIKey)
		env := []string{"INFSH_URL=" + w.URL, "INFSH_API_KEY=" + w.ada.APIKey, "INFSH_CONFIG_DIR=" + t.TempDir()}
		if out, code := runInfsh(t, []string{"secrets", "import", file, "--dry-run"}, env...); code != 0 || w.everything(w.ada.APIKey) != before {
			t.Errorf("the preview ended with %d, or wrote: %s", code, out)
		}
		if out, code := runInfsh(t, []string{"secrets", "import", file}, env...); code != 0 || strings.Contains(out, "single") {
			t.Fatalf("import ended with %d: %s", code, out)
		}
		for key, want := range map[string]string{"FIRST": "single $X", "SECOND": `a $HOME and "quotes"`, "THIRD": "plain$Y", "PEM": "line 1\nline 2\n"} {
			if got := w.reveal(w.ada.APIKey, key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
	})
}

// Another team's object answers as one that does not exist, by each of its
// addresses, and in the same words but for the name that was asked for (Z6).
func TestForeignObjectsDoNotExist(t *testing.T) {
	w := newTown(t)
	w.set(w.ada.APIKey, "OPENAI_API_KEY", "sk-first-of-acme-1")
	w.want(http.StatusOK, w.ada.APIKey, "PUT", "/api/secrets/OPENAI_API_KEY", map[string]any{"value": "sk-second-of-acme-2"})
	w.set(w.eve.APIKey, "BETA_KEY", "sk-of-beta")
	appID, version := w.deploy(w.ada.APIKey, "summarizer", "OPENAI_API_KEY")
	w.deploy(w.eve.APIKey, "painter", "BETA_KEY")
	var me struct{ Key struct{ ID string } }
	w.want(http.StatusOK, w.ada.APIKey, "GET", "/api/me", nil).json(t, &me)
	eve := w.signIn(w.eve)
	before := w.everything(w.ada.APIKey)

	const nobody = "00000000-0000-4000-8000-000000000000"
	for _, c := range []struct{ method, foreign, missing, body string }{
		{"GET", "/api/secrets/OPENAI_API_KEY", "/api/secrets/NO_SUCH_KEY", ""},
		{"PUT", "/api/secrets/OPENAI_API_KEY", "/api/secrets/NO_SUCH_KEY", `{"value":"sk-of-mallory"}`},
		{"DELETE", "/api/secrets/OPENAI_API_KEY", "/api/secrets/NO_SUCH_KEY", ""},
		{"GET", "/api/secrets/reveal/OPENAI_API_KEY", "/api/secrets/reveal/NO_SUCH_KEY", ""},
		{"GET", "/api/secrets/versions/OPENAI_API_KEY", "/api/secrets/versions/NO_SUCH_KEY", ""},
		{"GET", "/api/secrets/uses/OPENAI_API_KEY", "/api/secrets/uses/NO_SUCH_KEY", ""},
		{"POST", "/api/secrets/rollback/OPENAI_API_KEY", "/api/secrets/rollback/NO_SUCH_KEY", `{"version":1}`},
		{"POST", "/api/secrets/activate/OPENAI_API_KEY", "/api/secrets/activate/NO_SUCH_KEY", `{"version":1}`},
		{"GET", "/api/apps/" + appID, "/api/apps/" + nobody, ""},
		{"GET", "/api/apps/acme/summarizer", "/api/apps/acme/no-such-app", ""},
		{"GET", "/api/teams/" + w.ada.TeamID, "/api/teams/" + nobody, ""},
		{"DELETE", "/api/teams/" + w.ada.TeamID, "/api/teams/" + nobody, ""},
		{"DELETE", "/api/apikeys/" + me.Key.ID, "/api/apikeys/" + nobody, ""},
		{"POST", "/api/apikeys/" + me.Key.ID + "/service", "/api/apikeys/" + nobody + "/service", "{}"},
	} {
		foreign, missing := w.want(http.StatusNotFound, w.eve.APIKey, c.method, c.foreign, c.body), w.want(http.StatusNotFound, w.eve.APIKey, c.method, c.missing, c.body)
		a, b := foreign.problem(t), missing.problem(t)
		a.Detail = strings.NewReplacer("OPENAI_API_KEY", "NO_SUCH_KEY", "summarizer", "no-such-app").Replace(a.Detail)
		if a.Title != b.Title || a.Detail != b.Detail {
			t.Errorf("Z6 %s %s tells that it exists:\n%s\n%s", c.method, c.foreign, foreign.Body, missing.Body)
		}
	}
	for _, version := range []string{"", version} {
		foreign := w.want(http.StatusNotFound, w.eve.APIKey, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/summarizer", "version": version})
		missing := w.want(http.StatusNotFound, w.eve.APIKey, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/no-such-app", "version": version})
		if a, b := foreign.problem(t), missing.problem(t); strings.ReplaceAll(a.Detail, "summarizer", "no-such-app") != b.Detail {
			t.Errorf("Z6 resolve tells that it exists:\n%s\n%s", a.Detail, b.Detail)
		}
	}
	for _, c := range []struct {
		path string
		form url.Values
	}{
		{"/settings/secrets/OPENAI_API_KEY", form("_method", "PUT", "value", "sk-of-mallory")},
		{"/settings/secrets/OPENAI_API_KEY", form("_method", "DELETE")},
		{"/settings/secrets/OPENAI_API_KEY/rollback", form("version", "1")},
		{"/settings/secrets/OPENAI_API_KEY/activate", form("version", "1")},
		{"/settings/apikeys/" + me.Key.ID, form("_method", "DELETE")},
		{"/settings/members/" + w.mia.UserID + "/role", form("role", "owner")},
		{"/settings/members/" + w.mia.UserID + "/remove", nil},
		{"/settings/members/" + w.ada.UserID + "/remove", nil},
		{"/teams/switch", form("team_id", w.ada.TeamID)},
		{"/teams/switch", form("team_id", nobody)},
	} {
		for _, header := range [][]string{nil, {"HX-Request", "true"}, {"HX-Request", "true", "HX-Target", "dialog"}} {
			if a := eve.post(c.path, c.form, header...); a.StatusCode != http.StatusNotFound {
				t.Errorf("Z6 %s %v: %d", c.path, header, a.StatusCode)
			}
		}
	}
	// Z3: the fragments have the same rights as the pages.
	for _, path := range []string{
		"/settings/secrets/OPENAI_API_KEY?edit=1", "/settings/secrets/OPENAI_API_KEY?delete=1", "/settings/apps/acme/summarizer",
		"/settings/members?role=" + w.mia.UserID, "/settings/members?remove=" + w.mia.UserID, "/settings/apikeys?revoke=" + me.Key.ID,
	} {
		for _, target := range []string{"", "dialog", "app-check", "secrets-table"} {
			a := eve.get(path, "HX-Request", "true", "HX-Target", target, "HX-Current-URL", w.URL+"/settings/secrets", "X-Team-Id", w.ada.TeamID, "X-Infsh-Team", "acme")
			if a.StatusCode != http.StatusNotFound || strings.Contains(a.Body, "mia@") {
				t.Errorf("Z3 %s into %q: %d %.200s", path, target, a.StatusCode, a.Body)
			}
		}
	}
	if after := w.everything(w.ada.APIKey); after != before {
		t.Errorf("Z6: acme was changed:\n%s\nbefore:\n%s", after, before)
	}
	if a := w.signIn(w.ada).get("/settings/members"); strings.Count(a.Body, `data-testid="member-row"`) != 2 {
		t.Error("Z6: acme's members were changed")
	}
}

// Z7: fields that a client has no business with are ignored or refused, and
// never believed.
func TestFieldsThatAreNotTheClients(t *testing.T) {
	w := newTown(t)
	// What the official client sends of an object is ignored; all else is refused.
	sent := `"id":"` + w.eve.UserID + `","team_id":"` + w.eve.TeamID + `","user_id":"` + w.eve.UserID + `","visibility":"public"`
	for _, forged := range []string{`"role":"owner"`, `"created_by":"eve@example.com"`, `"key_id":"x"`, `"kind":"login"`, `"members_may_edit":true`} {
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/secrets", `{"key":"OPENAI_API_KEY","value":"sk-some-value",`+forged+`}`)
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/apikeys", `{"name":"laptop",`+forged+`}`)
	}
	for _, c := range []struct{ path, body string }{
		{"/api/secrets", `{"key":"OPENAI_API_KEY","value":"sk-some-value",` + sent + `,"version":9,"scope":"public","masked_value":"none"}`},
	} {
		var got struct {
			ID, Visibility, Scope string
			TeamID                string `json:"team_id"`
			UserID                string `json:"user_id"`
			Version               int
			UpdatedBy             string `json:"updated_by"`
		}
		w.want(http.StatusCreated, w.ada.APIKey, "POST", c.path, c.body).json(t, &got)
		if got.TeamID != w.ada.TeamID || got.UserID != w.ada.UserID || got.ID == w.eve.UserID || got.Visibility != "private" || got.Scope == "public" || got.Version > 1 {
			t.Errorf("Z7 %s believed the client: %+v", c.path, got)
		}
	}
	var made struct {
		Role           string
		MembersMayEdit bool `json:"members_may_edit"`
	}
	w.want(http.StatusCreated, w.ada.APIKey, "POST", "/api/teams", `{"username":"gamma","role":"member","members_may_edit":true}`).json(t, &made)
	if made.Role != "owner" || made.MembersMayEdit {
		t.Errorf("Z7 a team was made as the client says: %+v", made)
	}
	for path, body := range map[string]string{
		"/api/secrets/import":                  `{"items":[{"key":"NEW_KEY","value":"v","team_id":"` + w.eve.TeamID + `"}]}`,
		"/api/secrets/rollback/OPENAI_API_KEY": `{"version":1,"team_id":"` + w.eve.TeamID + `"}`,
		"/api/secrets/activate/OPENAI_API_KEY": `{"version":1,"team_id":"` + w.eve.TeamID + `"}`,
		"/api/apps/check":                      `{"secrets":[],"integrations":[],"team_id":"` + w.eve.TeamID + `"}`,
		"/internal/v1/resolve":                 `{"app":"acme/summarizer","team":"beta"}`,
		"/internal/v1/findings":                `{"app":"acme/summarizer","team":"beta","findings":[{"key":"OPENAI_API_KEY","form":"raw","count":1}]}`,
	} {
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", path, body)
	}
	mia := w.signIn(w.mia)
	if a := mia.post("/settings/secrets", form("key", "MEMBERS_KEY", "value", "v", "role", "owner", "members_may_edit", "on", "team_id", w.eve.TeamID)); a.StatusCode != http.StatusForbidden {
		t.Errorf("Z7 a member's form: %d", a.StatusCode)
	}
	if a := mia.post("/settings/members/"+w.mia.UserID+"/role", form("role", "owner")); a.StatusCode != http.StatusForbidden {
		t.Errorf("Z7 a member makes themselves owner: %d", a.StatusCode)
	}
	var list struct{ Items []struct{ Key string } }
	w.want(http.StatusOK, w.eve.APIKey, "POST", "/api/secrets/list", nil).json(t, &list)
	if len(list.Items) != 0 {
		t.Errorf("Z7 beta has got %v", list.Items)
	}
}

// Z8: no name of a team or role matches a privilege or a route.
func TestNamesThatLookLikePrivileges(t *testing.T) {
	w := newTown(t)
	ada := w.signIn(w.ada)
	for _, name := range []string{
		"root", "ROOT ", "Owner", "owner", "admin", "internal", "..", ".", "new", "%", "%2e%2e", "api", "settings", "switch/", "acme ", " acme", "ACME", "acme\x00",
		"-acme", "acme-", "ａcme", "аcme", "a/b", "a\\b", "check-username", "null", "undefined", "true", "", strings.Repeat("a", 33),
	} {
		a := w.call(w.ada.APIKey, "POST", "/api/teams", map[string]any{"username": name})
		if a.StatusCode != http.StatusBadRequest && name != "check-username" {
			t.Errorf("Z8 a team %q: %d %.200s", name, a.StatusCode, a.Body)
		}
		if a := ada.post("/teams/new", form("username", name)); a.StatusCode == http.StatusSeeOther && name != "check-username" {
			t.Errorf("Z8 a team %q by the page", name)
		}
	}
	w.want(http.StatusConflict, w.eve.APIKey, "POST", "/api/teams", map[string]any{"username": "acme"})
	for _, role := range []string{"root", "Owner", "OWNER", "owner ", " owner", "owner\x00", "оwner", "superuser", "*", "", "operator", "admin,owner"} {
		if a := ada.post("/settings/members/"+w.mia.UserID+"/role", form("role", role)); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("Z8 the role %q: %d", role, a.StatusCode)
		}
	}
	for _, scope := range []string{"root", "*:*", "secrets:*", "SECRETS", "secrets:read ", "session", "secrets:", ":", "", "apps:execute,secrets:read"} {
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/apikeys", map[string]any{"name": "k", "scopes": []string{scope}})
	}
	var me struct{ Team struct{ Role string } }
	w.want(http.StatusOK, w.mia.APIKey, "GET", "/api/me", nil).json(t, &me)
	if me.Team.Role != "member" {
		t.Errorf("Z8 mia has become %s", me.Team.Role)
	}
}

// Z10: what belonged to a team is not revived by a team of the same name, and
// a team keeps an owner.
func TestTeamsEnd(t *testing.T) {
	w := newTown(t)
	ada := w.signIn(w.ada)
	login := w.cliToken(ada)

	t.Run("Z10 the last owner can't go or step down", func(t *testing.T) {
		for path, body := range map[string]url.Values{
			"/settings/members/" + w.ada.UserID + "/role":   form("role", "member"),
			"/settings/members/" + w.ada.UserID + "/remove": nil,
		} {
			if a := ada.post(path, body); a.StatusCode != http.StatusConflict {
				t.Errorf("%s: %d %.200s", path, a.StatusCode, a.Body)
			}
		}
	})

	t.Run("Z10 an admin makes and unmakes no owner", func(t *testing.T) {
		if a := ada.post("/settings/members/"+w.mia.UserID+"/role", form("role", "admin")); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%d", a.StatusCode)
		}
		mia := w.signIn(w.mia)
		for path, body := range map[string]url.Values{
			"/settings/members/" + w.ada.UserID + "/role":   form("role", "member"),
			"/settings/members/" + w.ada.UserID + "/remove": nil,
			"/settings/members/" + w.mia.UserID + "/role":   form("role", "owner"),
		} {
			if a := mia.post(path, body); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	})

	t.Run("Z10 a team of the same name has nothing of the one before", func(t *testing.T) {
		inTeam := func(method, path string, body any) answer {
			t.Helper()
			return w.callIn(login, "gamma", method, path, body)
		}
		var first, second struct{ ID string }
		w.want(http.StatusCreated, login, "POST", "/api/teams", map[string]any{"username": "gamma"}).json(t, &first)
		if a := inTeam("POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": "sk-of-the-first-gamma"}); a.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", a.StatusCode, a.Body)
		}
		inTeam("POST", "/api/apps", map[string]any{"name": "summarizer", "version": map[string]any{"required_secrets": []any{map[string]any{"key": "OPENAI_API_KEY"}}}})
		var key struct{ Key string }
		inTeam("POST", "/api/apikeys", map[string]any{"name": "of the first gamma"}).json(t, &key)
		w.want(http.StatusOK, key.Key, "GET", "/api/me", nil)
		if a := ada.post("/teams/switch", form("team_id", first.ID)); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("switch: %d", a.StatusCode)
		}

		w.want(http.StatusNoContent, login, "DELETE", "/api/teams/"+first.ID, nil)
		for _, gone := range []func(){
			func() { w.want(http.StatusUnauthorized, key.Key, "GET", "/api/me", nil) },
			func() { w.want(http.StatusNotFound, login, "GET", "/api/teams/"+first.ID, nil) },
			func() { w.want(http.StatusNotFound, login, "DELETE", "/api/teams/"+first.ID, nil) },
		} {
			gone()
		}
		w.want(http.StatusCreated, login, "POST", "/api/teams", map[string]any{"username": "gamma"}).json(t, &second)
		if first.ID == second.ID || first.ID == "" {
			t.Error("the new team has the old one's id")
		}
		w.want(http.StatusUnauthorized, key.Key, "GET", "/api/me", nil)
		for _, path := range []string{"secrets/list", "apps/list", "apikeys/list"} {
			var list struct{ Items []any }
			inTeam("POST", "/api/"+path, nil).json(t, &list)
			if len(list.Items) != 0 {
				t.Errorf("%s of the new team: %v", path, list.Items)
			}
		}
		if a := inTeam("POST", "/internal/v1/resolve", map[string]any{"app": "gamma/summarizer"}); a.StatusCode != http.StatusNotFound {
			t.Errorf("the old app resolves: %d", a.StatusCode)
		}
		// The browser that was in the team is in another one, not in its heir.
		if a := ada.get("/settings/secrets"); a.StatusCode != http.StatusOK || !strings.Contains(a.Body, w.ada.TeamID) {
			t.Errorf("the session of the deleted team: %d", a.StatusCode)
		}
	})

	t.Run("Z10 who comes back into a team has nothing of before", func(t *testing.T) {
		if a := ada.post("/settings/members/"+w.mia.UserID+"/remove", nil); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("remove: %d %.200s", a.StatusCode, a.Body)
		}
		w.want(http.StatusUnauthorized, w.mia.APIKey, "GET", "/api/me", nil)
		again := w.createUser("mia@example.com", "acme")
		if again.UserID != w.mia.UserID {
			t.Fatal("mia is another person now")
		}
		w.want(http.StatusUnauthorized, w.mia.APIKey, "GET", "/api/me", nil)
		var me struct{ Team struct{ Role string } }
		w.want(http.StatusOK, again.APIKey, "GET", "/api/me", nil).json(t, &me)
		if me.Team.Role != "member" {
			t.Errorf("mia, an admin before, is %s again", me.Team.Role)
		}
	})
}

// callIn sends a request in a team of the credential's.
func (s *server) callIn(key, team, method, path string, body any) answer {
	s.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(string(encoded)))
	if err != nil {
		s.t.Fatal(err)
	}
	setHeaders(req, []string{"Authorization", "Bearer " + key, "X-Infsh-Team", team, "Content-Type", "application/json"})
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	return send(s.t, http.DefaultClient, req)
}

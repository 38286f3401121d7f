package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"infsh/api"
	"infsh/integration/oauthtest"
)

// call sends a call of the API as an actor.
func (w *world) call(actor, method, path, body string, into any) *httptest.ResponseRecorder {
	w.t.Helper()
	r := request(method, path, body)
	w.present(r, credentials{bearer: w.actors[actor].bearer})
	res := w.do(r)
	if into != nil && res.Code < 300 {
		if err := json.Unmarshal(res.Body.Bytes(), into); err != nil {
			w.t.Fatal(err)
		}
	}
	return res
}

// form posts a form of a page as the owner.
func (w *world) form(path, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := request("POST", path, body)
	w.present(r, credentials{cookie: w.actors["owner"].cookie})
	return w.do(r)
}

func (w *world) setTestClient() {
	w.t.Helper()
	if res := w.form("/settings/integrations/test", url.Values{"do": {"client"}, "client_id": {oauthtest.ClientID}, "client_secret": {oauthtest.ClientSecret}}.Encode()); res.Code != http.StatusSeeOther {
		w.t.Fatalf("the client: %d", res.Code)
	}
}

// connectOverTheAPI connects an account with an API key, as a command line does
// that waits for a pasted code.
func (w *world) connectOverTheAPI() {
	t := w.t
	t.Helper()
	w.setTestClient()
	var begun api.IntegrationConnected
	if res := w.call("full", "POST", "/api/integrations", `{"provider":"test","type":"oauth","capabilities":["test.notes.read"]}`, &begun); res.Code != http.StatusOK {
		t.Fatalf("begin: %d %s", res.Code, res.Body)
	}
	back := w.outside.Allow(t, begun.AuthURL)
	r := request("GET", back.RequestURI(), "")
	page := w.do(r)
	shown := regexp.MustCompile(`code=[^<"]+`).FindString(page.Body.String())
	q, err := url.ParseQuery(strings.ReplaceAll(shown, "&amp;", "&"))
	if page.Code != http.StatusOK || err != nil || q.Get("code") != back.Query().Get("code") {
		t.Fatalf("the page for the command line: %d, %v", page.Code, err)
	}
	body, _ := json.Marshal(map[string]string{"state": begun.State, "code": q.Get("code"), "iss": q.Get("iss")})
	for _, base := range []string{"/api/credentials", "/api/integrations"} {
		if res := w.call("login", "POST", base+"/complete", string(body), nil); res.Code != http.StatusNotFound {
			t.Errorf("another credential of the same person: %d", res.Code)
		}
	}
	var made api.Integration
	if res := w.call("full", "POST", "/api/integrations/complete", string(body), &made); res.Code != http.StatusOK || made.Provider != "test" || made.Status != "connected" || made.Type != "oauth" || made.Scope != "team" || !made.IsPrimary || made.ExpiresAt == nil {
		t.Errorf("complete: %d %s", res.Code, res.Body)
	}
	// By its other name too, for the description.
	if res := w.call("full", "POST", "/api/credentials", `{"provider":"test"}`, &begun); res.Code != http.StatusOK {
		t.Fatalf("begin: %d %s", res.Code, res.Body)
	}
	body, _ = json.Marshal(map[string]string{"state": begun.State, "code": w.outside.Allow(t, begun.AuthURL).Query().Get("code")})
	if res := w.call("full", "POST", "/api/credentials/complete", string(body), &made); res.Code != http.StatusOK {
		t.Errorf("complete: %d %s", res.Code, res.Body)
	}
}

// An account is connected on the pages, by plain forms and one link, by the
// session that began it and no other; the page says who depends on it.
func TestConnectOnThePages(t *testing.T) {
	w := newWorld(t)
	owner := credentials{cookie: w.actors["owner"].cookie}
	get := func(c credentials, path string) (*httptest.ResponseRecorder, *goquery.Document) {
		t.Helper()
		r := request("GET", path, "", "Sec-Fetch-Site", "cross-site", "Origin", "")
		w.present(r, c)
		res := w.do(r)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(res.Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		return res, doc
	}
	var deployed api.App
	if res := w.call("owner", "POST", "/api/apps", `{"name":"notes","version":{"required_integrations":[{"key":"test.notes.write","description":"Writes down what it found"}]}}`, &deployed); res.Code != http.StatusCreated {
		t.Fatalf("deploy: %d", res.Code)
	}
	var unmet struct {
		Errors []api.RequirementError `json:"errors"`
	}
	res := w.call("runner", "POST", "/internal/v1/resolve", `{"app":"acme/notes"}`, nil)
	if err := json.Unmarshal(res.Body.Bytes(), &unmet); err != nil || res.Code != http.StatusPreconditionFailed || len(unmet.Errors) != 1 || unmet.Errors[0].Action.Type != api.ActionConnect || unmet.Errors[0].Action.Provider != "test" {
		t.Fatalf("a run before: %d %s", res.Code, res.Body)
	}
	_, doc := get(owner, "/settings/integrations")
	if doc.Find("[data-testid=need][data-key='test.notes.write']").Length() != 1 {
		t.Error("the page does not say what an app lacks")
	}

	// The link of the error opens the page, with what is needed ticked.
	w.setTestClient()
	_, doc = get(owner, unmet.Errors[0].Action.URL)
	if doc.Find("[data-testid=connect-form] input[value='test.notes.write'][checked]").Length() != 1 || doc.Find("[data-testid=connect-form] input[value='test.notes.read'][checked]").Length() != 0 {
		t.Error("not what the app needs is ticked")
	}
	begin := func(values string) string {
		t.Helper()
		res := w.form("/settings/integrations/test", "do=begin&kind=oauth"+values)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(res.Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		to := doc.Find("[data-testid=continue]").AttrOr("href", "")
		if res.Code != http.StatusOK || !strings.HasPrefix(to, w.outside.URL) {
			t.Fatalf("begin: %d, the link leads to %q", res.Code, to)
		}
		return to
	}
	back := w.outside.Allow(t, begin("&capability=test.notes.read")).RequestURI()
	for who, c := range map[string]credentials{"nobody": {}, "a colleague": {cookie: w.actors["admin"].cookie}, "another team": {cookie: w.actors["other"].cookie}} {
		if res, _ := get(c, back); res.Code != http.StatusNotFound {
			t.Errorf("%s brings it back: %d", who, res.Code)
		}
	}
	if res, _ := get(owner, back); res.Code != http.StatusSeeOther || res.Header().Get("Referrer-Policy") != "no-referrer" || res.Header().Get("Location") != "/settings/integrations/test" {
		t.Fatalf("who began it: %d to %s", res.Code, res.Header().Get("Location"))
	}
	if res, _ := get(owner, back); res.Code != http.StatusNotFound {
		t.Errorf("a second time: %d", res.Code)
	}

	res = w.call("runner", "POST", "/internal/v1/resolve", `{"app":"acme/notes"}`, nil)
	if err := json.Unmarshal(res.Body.Bytes(), &unmet); err != nil || res.Code != http.StatusPreconditionFailed || unmet.Errors[0].Type != api.RequirementScope || unmet.Errors[0].Action.Type != api.ActionAddScopes || unmet.Errors[0].Action.ScopeDescriptions["notes.write"] != "Write your notes" {
		t.Fatalf("a run without the scope: %d %s", res.Code, res.Body)
	}
	_, doc = get(owner, unmet.Errors[0].Action.URL)
	form := doc.Find("[data-testid=add-permissions]")
	if form.Find("input[value='test.notes.write'][checked]").Length() != 1 {
		t.Error("what is lacking is not ticked")
	}
	if res, _ := get(owner, w.outside.Allow(t, begin("&capability=test.notes.write&account="+form.Find("input[name=account]").AttrOr("value", ""))).RequestURI()); res.Code != http.StatusSeeOther {
		t.Fatalf("more scopes: %d", res.Code)
	}
	var resolved struct {
		Env          map[string]string         `json:"env"`
		Integrations []api.ResolvedIntegration `json:"integrations"`
	}
	res = w.call("runner", "POST", "/internal/v1/resolve", `{"app":"acme/notes"}`, &resolved)
	if _, ok := w.outside.Knows(resolved.Env["TEST_ACCESS_TOKEN"]); res.Code != http.StatusOK || !ok || len(resolved.Integrations) != 1 || resolved.Integrations[0].Key != "test.notes.write" {
		t.Errorf("a run: %d, %+v", res.Code, resolved.Integrations)
	}

	res, doc = get(owner, "/settings/integrations/test")
	if strings.Contains(res.Body.String(), resolved.Env["TEST_ACCESS_TOKEN"]) || strings.Contains(res.Body.String(), oauthtest.ClientSecret) {
		t.Error("the page shows a token, or the client's secret")
	}
	if text := doc.Find("[data-testid=stops]").Text(); !strings.Contains(text, "acme/notes") {
		t.Errorf("the page says that these would stop: %q", text)
	}
	// Who decides is told what the whole token can do, not only what is declared.
	_, page := get(owner, "/settings/apps/acme/notes")
	if text := page.Find("[data-testid=whole]").Text(); !strings.Contains(text, "the whole token of ada@provider.example") || !strings.Contains(text, "Read your notes; Write your notes") {
		t.Errorf("the app's page says %q", text)
	}
	// Where there are several accounts, one is chosen on the app's page.
	if page.Find("[data-testid=choose-account]").Length() != 0 {
		t.Error("an account can be chosen where there is one")
	}
	if res := w.form("/settings/integrations/test", "do=connect&kind=api_key&field_bot_token="+oauthtest.BotToken); res.Code != http.StatusSeeOther {
		t.Fatalf("a second account: %d", res.Code)
	}
	_, page = get(owner, "/settings/apps/acme/notes")
	choices := page.Find("[data-testid=choose-account] option")
	if choices.Length() != 3 || choices.Filter("[selected]").Text() != "the primary account" {
		t.Fatalf("to choose from are %q", choices.Text())
	}
	for _, source := range []string{choices.Last().AttrOr("value", ""), "test.notes.write"} {
		if res := w.form("/settings/apps/acme/notes/grants", url.Values{"key": {"test.notes.write"}, "act": {"bind"}, "source_key": {source}}.Encode()); res.Code != http.StatusSeeOther {
			t.Fatalf("choose %s: %d %s", source, res.Code, res.Body)
		}
		_, page = get(owner, "/settings/apps/acme/notes")
		if chosen := page.Find("[data-testid=choose-account] option[selected]").AttrOr("value", ""); chosen != source {
			t.Errorf("chosen is %q, want %q", chosen, source)
		}
	}
	var decided api.GrantDecision
	w.call("full", "POST", "/api/apps/"+deployed.ID+"/grants/revoke", `{"keys":["test.notes.write"]}`, nil)
	if res := w.call("full", "POST", "/api/apps/"+deployed.ID+"/grants/approve", `{"keys":["test.notes.write"]}`, &decided); res.Code != http.StatusOK || len(decided.Items) != 1 || !strings.Contains(decided.Items[0].Whole, "Read your notes") {
		t.Errorf("an approval: %d %s", res.Code, res.Body)
	}
	account := doc.Find("[data-testid=account] input[name=account]").AttrOr("value", "")
	if res := w.form("/settings/integrations/test/disconnect", "account="+account); res.Code != http.StatusSeeOther || w.outside.Count("revoke") != 1 {
		t.Errorf("disconnect: %d, revoked %d", res.Code, w.outside.Count("revoke"))
	}
	if res := w.call("runner", "POST", "/internal/v1/resolve", `{"app":"acme/notes"}`, nil); res.Code != http.StatusPreconditionFailed {
		t.Errorf("a run afterwards: %d", res.Code)
	}
	// A key that the provider does not accept is told at its field.
	if res := w.form("/settings/integrations/test", "do=connect&kind=api_key&field_bot_token=wrong"); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "does not accept it") {
		t.Errorf("a wrong key: %d", res.Code)
	}
}

// A command line that waits on the person's machine is led to there, whoever's
// browser it is, and with nothing that is of use elsewhere.
func TestAnswerIsHandedOnToTheCommandLine(t *testing.T) {
	w := newWorld(t)
	w.setTestClient()
	var begun api.IntegrationConnected
	w.call("login", "POST", "/api/integrations", `{"provider":"test","type":"oauth","port":4711}`, &begun)
	r := request("GET", w.outside.Deny(t, begun.AuthURL).RequestURI(), "")
	res := w.do(r)
	to, err := res.Result().Location()
	if err != nil || res.Code != http.StatusSeeOther || to.Host != "127.0.0.1:4711" || to.Query().Get("error") != "access_denied" || to.Query().Get("state") != begun.State {
		t.Fatalf("it is led to %v: %v", to, err)
	}
	body, _ := json.Marshal(map[string]string{"state": begun.State, "error": "access_denied"})
	if res := w.call("login", "POST", "/api/integrations/complete", string(body), nil); res.Code != http.StatusBadRequest {
		t.Errorf("declined: %d %s", res.Code, res.Body)
	}
}

// The page says what to set at a cloud that trusts the server, with what was
// typed; its keys can be had before anything is connected, and a refusal is said
// in the form.
func TestFederationOnThePage(t *testing.T) {
	w := newWorld(t)
	subject := "team:" + w.ids.Replace("$team")
	form := func(do string, fields ...string) (*httptest.ResponseRecorder, *goquery.Selection) {
		t.Helper()
		body := url.Values{"do": {do}, "kind": {"workload_identity"}, "field_project_number": {oauthtest.ProjectNumber}, "field_pool": {oauthtest.Pool}, "field_provider": {oauthtest.PoolProvider}}
		for i := 1; i < len(fields); i += 2 {
			body.Set("field_"+fields[i-1], fields[i])
		}
		res := w.form("/settings/integrations/test", body.Encode())
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(res.Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		return res, doc.Find("[data-type=workload_identity]")
	}
	res, card := form("commands", "pool", "pool-of-ours", "service_account", "a@b.c")
	setup := card.Find("[data-testid=setup]").Text()
	if res.Code != http.StatusOK || !strings.Contains(setup, "cloud trust pool-of-ours/infsh --issuer="+origin+" --subject="+subject) || !strings.Contains(setup, "cloud bind a@b.c "+subject) {
		t.Errorf("%d, the commands are %s", res.Code, setup)
	}
	if value, _ := card.Find("input[name=field_pool]").Last().Attr("value"); value != "pool-of-ours" {
		t.Errorf("the form has %q", value)
	}
	if got := w.do(request("GET", "/.well-known/jwks.json", "")); got.Body.String() != `{"keys":[]}` || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the keys before: %s, kept %s", got.Body, got.Header().Get("Cache-Control"))
	}
	if card.Find("[data-testid=make-keys]").Length() != 1 {
		t.Error("the keys can't be made")
	}
	_, card = form("keys")
	public := card.Find("[data-testid=public-keys][open]").Text()
	if !strings.Contains(public, `"kty": "RSA"`) || !strings.Contains(public, "cloud upload infsh-pool/infsh jwks.json") || strings.Contains(public, `"d"`) {
		t.Errorf("the keys are %s", public)
	}
	got := w.do(request("GET", "/.well-known/jwks.json", ""))
	if got.Code != http.StatusOK || strings.Count(got.Body.String(), `"kid"`) != 2 || got.Header().Get("Cache-Control") != "public, max-age=900" {
		t.Errorf("the keys after: %d %s", got.Code, got.Body)
	}
	w.outside.Trust("", "")
	res, card = form("connect")
	if said := card.Find("[data-testid=connect-form]").Text(); res.Code != http.StatusUnprocessableEntity || !strings.Contains(said, "The issuer is to be "+origin) {
		t.Errorf("refused: %d %s", res.Code, said)
	}
	w.outside.Fail(http.StatusBadGateway)
	res, card = form("connect", "pool", "pool-of-ours")
	w.outside.Fail(0)
	if value, _ := card.Find("input[name=field_pool]").Last().Attr("value"); res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") == "" || value != "pool-of-ours" ||
		!strings.Contains(card.Find("[data-testid=form-error][autofocus]").Text(), "try again") {
		t.Errorf("out of order: %d %s", res.Code, card.Text())
	}
	for _, do := range []string{"connect", "commands"} {
		res, card := form(do, "pool", "a/b")
		if res.Code != http.StatusUnprocessableEntity || card.Find("input[name=field_pool][aria-invalid=true][autofocus]").Length() != 1 {
			t.Errorf("%s with a pool with a slash: %d", do, res.Code)
		}
		if setup := card.Find("[data-testid=setup]").Text(); !strings.Contains(setup, "cloud trust POOL/infsh ") {
			t.Errorf("%s: the commands are for another pool: %s", do, setup)
		}
	}
	var configs []api.IntegrationConfig
	w.call("full", "GET", "/api/integrations/configs", "", &configs)
	told := false
	for _, c := range configs {
		told = told || c.Type == api.IntegrationFederation && c.Command == "infsh integrations connect test --type workload_identity --field project_number=PROJECT_NUMBER" && c.Issuer == origin && c.Subject == subject && len(c.Setup) > 0
	}
	if !told {
		t.Error("the API does not say what to set")
	}
	const one = "/api/integrations/configs?provider=test&type=workload_identity&field="
	w.call("full", "GET", one+"pool%3Dpool-of-ours&field=service_account%3Da@b.c", "", &configs)
	if len(configs) != 1 || !strings.Contains(fmt.Sprint(configs[0].Setup, configs[0].Upload), "cloud trust pool-of-ours/infsh") || !strings.Contains(fmt.Sprint(configs[0].Setup, configs[0].Upload), "cloud bind a@b.c") || configs[0].Upload != "cloud upload pool-of-ours/infsh jwks.json" {
		t.Errorf("the API's commands for what was typed are %+v", configs)
	}
	for _, wrong := range []string{"pool%3Da/b", "pol%3Dours", "pool"} {
		if res := w.call("full", "GET", one+wrong, "", nil); res.Code != http.StatusBadRequest {
			t.Errorf("a field %s: %d %s", wrong, res.Code, res.Body)
		}
	}
	for body, want := range map[string]string{
		`{"provider":"test","type":"api_key","api_key":"` + oauthtest.BotToken + `","metadata":{"foo":"bar"}}`: "its fields are bot_token",
		`{"provider":"test","type":"api_key","metadata":{"A value":"bar"}}`:                                    "metadata",
		`{"provider":"test","type":"oauth","metadata":{"foo":"bar"}}`:                                          "it has no fields",
		`{"provider":"test","type":"foo"}`:                                                                     "is connected by oauth or",
	} {
		if res := w.call("full", "POST", "/api/integrations", body, nil); res.Code != http.StatusBadRequest || !strings.Contains(res.Body.String(), want) || strings.Contains(res.Body.String(), "A value") {
			t.Errorf("%s: %d %s", body, res.Code, res.Body)
		}
	}
	if res := w.call("full", "POST", "/api/integrations", `{"provider":"test","type":"workload_identity","metadata":{"project_number":"123456789012"}}`, nil); res.Code != http.StatusBadRequest || !strings.Contains(res.Body.String(), "The issuer is to be") {
		t.Errorf("by the API: %d %s", res.Code, res.Body)
	}
}

package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"infsh/account"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/sso/ssotest"
)

// toOkta sends a form that leads to the provider, and returns where to.
func (b *opened) toOkta(path, body string) string {
	b.w.t.Helper()
	res := b.send("POST", path, body)
	to, ok := strings.CutPrefix(res.Header().Get("Refresh"), "0; url=")
	if res.Code != http.StatusOK || !ok || !strings.HasPrefix(to, b.w.at.URL+"/authorize?") {
		b.w.t.Fatalf("%s answered %d and leads to %q: %.300s", path, res.Code, to, res.Body)
	}
	if !strings.Contains(res.Body.String(), "Going on to Okta") {
		b.w.t.Errorf("without Refresh there is no way on: %.300s", res.Body)
	}
	return to
}

// fromOkta comes back as somebody.
func (b *opened) fromOkta(to string, who ssotest.Person) *httptest.ResponseRecorder {
	b.w.t.Helper()
	back := b.w.at.SignIn(b.w.t, to, who)
	if back.Host != b.w.publicURL.Host || back.Scheme != "https" {
		b.w.t.Fatalf("the provider leads back to %s", back)
	}
	res := b.send("GET", back.RequestURI(), "")
	if h := res.Header(); h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
		b.w.t.Errorf("the answer's page has %v", h)
	}
	if text := res.Body.String() + res.Header().Get("Location"); strings.Contains(text, back.Query().Get("code")) || strings.Contains(text, back.Query().Get("state")) {
		b.w.t.Errorf("the page repeats its address: %.300s", text)
	}
	return res
}

func leadsTo(t *testing.T, res *httptest.ResponseRecorder, to string) {
	t.Helper()
	if res.Code != http.StatusSeeOther || res.Header().Get("Location") != to {
		t.Errorf("%d to %q, want %q: %.600s", res.Code, res.Header().Get("Location"), to, res.Body)
	}
}

func (w *world) browserOf(name string) *opened {
	b := &opened{w: w, cookies: map[string]*http.Cookie{}}
	if name != "" {
		session := w.services.Sessions.CookieName()
		b.cookies[session] = &http.Cookie{Name: session, Value: w.actors[name].cookie}
	}
	return b
}

var adaAtOkta = ssotest.Person{Subject: "ada", Email: "ada@example.com", Verified: true}

// A person connects the provider on the account page, signs in by it, proves by
// it who they are, and disconnects it.
func TestSignOnPages(t *testing.T) {
	w := newWorld(t)
	b := w.browserOf("owner")
	wantPage(t, b.send("GET", accountHome, ""), 200, "Connect Okta")
	leadsTo(t, b.fromOkta(b.toOkta("/settings/account/sso", ""), adaAtOkta), accountHome)
	page := b.send("GET", accountHome, "")
	wantPage(t, page, 200, "Okta signs you in now.")
	wantPage(t, page, 200, "ada@example.com")
	taken := w.browserOf("member")
	wantPage(t, taken.fromOkta(taken.toOkta("/settings/account/sso", ""), adaAtOkta), 409, "Not connected")

	b = w.browserOf("")
	wantPage(t, b.send("GET", "/login?next=/settings/apps", ""), 200, "Continue with Okta")
	for _, next := range []struct{ asked, to string }{
		{"/settings/apps?q=a", "/settings/apps?q=a"}, {"", settingsHome}, {"//evil.example", settingsHome}, {"/\\evil.example", settingsHome}, {"https://evil.example", settingsHome},
	} {
		leadsTo(t, b.fromOkta(b.toOkta("/login/sso", url.Values{"next": {next.asked}}.Encode()), adaAtOkta), next.to)
	}
	// Later the question whether it is still her can be answered by it too.
	dbtest.Exec(t, w.d, "UPDATE sessions SET confirmed_at = 1")
	ask := b.send("POST", "/settings/account/recovery", "")
	wantPage(t, ask, 403, "Sign in again with Okta")
	wantPage(t, ask, 403, "Password")
	leadsTo(t, b.fromOkta(b.toOkta("/settings/account/sso/confirm", "back=/settings/members%3Fq%3Da"), adaAtOkta), "/settings/members?q=a")
	wantPage(t, b.send("GET", "/settings/members", ""), 200, "Confirmed. Go on with what you were about to do.")
	wantPage(t, b.send("POST", "/settings/account/recovery", ""), 409, "") // Nothing to recover; but it was not asked again.

	// Without a password there is nothing else to prove it with, and to disconnect.
	dbtest.Exec(t, w.d, "UPDATE users SET password_hash = '' WHERE email = 'ada@example.com'")
	page = b.send("GET", accountHome, "")
	wantPage(t, page, 200, "You have none: Okta signs you in.")
	if strings.Contains(page.Body.String(), `data-testid="sso-disconnect"`) || strings.Contains(page.Body.String(), `data-testid="password-form"`) {
		t.Error("the page offers what can't be done")
	}
	wantPage(t, b.send("POST", "/settings/account/sso/disconnect", ""), 409, "the only way in which you can sign in")
	dbtest.Exec(t, w.d, "UPDATE sessions SET confirmed_at = 1")
	ask = b.send("POST", "/settings/account/recovery", "")
	wantPage(t, ask, 403, "sign in again with Okta")
	if strings.Contains(ask.Body.String(), "confirm_password") {
		t.Error("a password is asked for that there is not")
	}
	dbtest.Exec(t, w.d, "UPDATE users SET password_hash = 'x' WHERE email = 'ada@example.com'")
	leadsTo(t, b.fromOkta(b.toOkta("/settings/account/sso/confirm", ""), adaAtOkta), settingsHome)
	leadsTo(t, b.send("POST", "/settings/account/sso/disconnect", ""), accountHome)
	wantPage(t, b.send("GET", accountHome, ""), 200, "Okta does not sign you in any more.")
}

// Who was invited continues with the provider, and is in the team.
func TestSignOnOfAnInvitedPerson(t *testing.T) {
	w := newWorld(t)
	b, page := w.open(w.code.Reveal(), "")
	wantPage(t, page, 200, "Continue with Okta")
	leadsTo(t, b.fromOkta(b.toOkta("/login/sso", "next=/invite"), ssotest.Person{Subject: "ina", Email: "ina@example.com", Verified: true}), settingsHome)
	wantPage(t, b.send("GET", settingsHome, ""), 200, "You joined team acme.")
	if _, kept := b.cookies["__Host-infsh-invite"]; kept {
		t.Error("the browser still has the code")
	}
	if w.roleOf("ina@example.com") != "member" {
		t.Error("she is not in the team")
	}
}

// What fails is told in words, with a way on, and nothing of what the address
// says.
func TestSignOnPagesThatFail(t *testing.T) {
	w := newWorld(t)
	b := w.browserOf("")
	wantPage(t, b.fromOkta(b.toOkta("/login/sso", ""), adaAtOkta), 403, "Not signed in")
	to := b.toOkta("/login/sso", "")
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	refused := url.Values{"state": {u.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"CANARY"}}
	res := b.send("GET", "/login/sso/callback?"+refused.Encode(), "")
	wantPage(t, res, 403, "Okta did not sign you in.")
	wantPage(t, res, 403, `href="/login"`)
	if strings.Contains(res.Body.String(), "CANARY") {
		t.Error("the page repeats what the provider says")
	}
	for _, query := range []string{"", "?code=1", "?state=1&code=1", "?state=1&state=2&code=1", "?state=" + strings.Repeat("x", 5000) + "&code=1"} {
		wantPage(t, b.send("GET", "/login/sso/callback"+query, ""), 400, "egin again.")
	}
	w.at.Instead = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			http.Error(w, "CANARY", http.StatusBadGateway)
		}
		return r.URL.Path == "/token"
	}
	res = b.fromOkta(b.toOkta("/login/sso", ""), adaAtOkta)
	wantPage(t, res, 503, "Okta does not answer as it should")
	wantPage(t, res, 503, "request id")
}

// A person with a second factor is led on to it.
func TestSignOnLeadsToTheSecondStep(t *testing.T) {
	w := newWorld(t)
	b := w.browserOf("owner")
	leadsTo(t, b.fromOkta(b.toOkta("/settings/account/sso", ""), adaAtOkta), accountHome)
	dbtest.Exec(t, w.d, "INSERT INTO totp_factors (user_id, wrapped_dek, kek_id, seed, last_step, created_at, confirmed_at) SELECT id, x'00', '', x'00', 0, 1, 1 FROM users WHERE email = 'ada@example.com'")
	b = w.browserOf("")
	leadsTo(t, b.fromOkta(b.toOkta("/login/sso", "next=/settings/apps"), adaAtOkta), "/login/verify?next=%2Fsettings%2Fapps")
	wantPage(t, b.send("GET", "/login/verify?next=%2Fsettings%2Fapps", ""), 200, "One more step")
}

// Without a provider there are no routes and no buttons; with only one, no form
// for passwords.
func TestSignOnIsOffByDefault(t *testing.T) {
	w := newWorld(t)
	with := w.handlers.Main
	services := w.services
	services.SignOn = nil
	config := Config{PublicURL: w.publicURL, Log: discard}
	w.handlers = New(config, services)
	b := w.browserOf("owner")
	for _, rt := range (&server{}).routes() {
		if !rt.signOn {
			continue
		}
		if res := b.send(rt.method, rt.path, ""); res.Code != http.StatusNotFound {
			t.Errorf("%s %s: %d", rt.method, rt.path, res.Code)
		}
		w.handlers.Main = with
		if res := b.send(rt.method, rt.path, ""); strings.Contains(res.Body.String(), "There is nothing at this address.") {
			t.Errorf("%s %s with a provider: %d", rt.method, rt.path, res.Code)
		}
		w.handlers = New(config, services)
	}
	for _, page := range []string{accountHome, "/login"} {
		if res := w.browserOf(map[bool]string{true: "owner"}[page == accountHome]).send("GET", page, ""); res.Code != 200 || strings.Contains(res.Body.String(), "sso") {
			t.Errorf("%s (%d) tells of single sign-on", page, res.Code)
		}
	}
	w.services.Accounts.UseSignOn(account.SignOnRules{Provider: "Okta", Only: true})
	services.SignOn = auth.NewSignOn(w.services.Sessions, w.services.Accounts, w.provider, auth.SignOnRules{Only: true})
	w.handlers = New(config, services)
	invited, invite := w.open(w.code.Reveal(), "")
	for name, res := range map[string]*httptest.ResponseRecorder{"login": w.browserOf("").send("GET", "/login", ""), "invite": invite} {
		wantPage(t, res, 200, "Continue with Okta")
		if strings.Contains(res.Body.String(), `type="password"`) || strings.Contains(res.Body.String(), "data-passkey") {
			t.Errorf("%s asks for a password: %s", name, res.Body)
		}
	}
	wantPage(t, w.browserOf("").send("POST", "/login", url.Values{"email": {"ada@example.com"}, "password": {password}}.Encode()), 403, "Only Okta signs in here.")
	wantPage(t, invited.send("POST", "/invite", "password="+url.QueryEscape(password)), 409, "Accounts here have no passwords.")
}

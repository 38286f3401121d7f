package auth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/sso"
	"infsh/sso/ssotest"
)

// signOns is a world with a provider.
type signOns struct {
	*world
	at     *ssotest.Provider
	signOn *auth.SignOn
}

// withProvider gives the world a provider, and the rules that the test sets.
func withProvider(t *testing.T, w *world, who account.SignOnRules, rules auth.SignOnRules) *signOns {
	t.Helper()
	w.now = time.Now().UTC().Truncate(time.Microsecond) // Which is the provider's time.
	out := &signOns{world: w, at: ssotest.New(t)}
	out.rules(t, who, rules)
	return out
}

// rules makes another way to the same provider.
func (w *signOns) rules(t *testing.T, who account.SignOnRules, rules auth.SignOnRules) {
	t.Helper()
	provider, err := sso.New(sso.Config{
		Issuer: w.at.URL, ClientID: ssotest.ClientID, ClientSecret: redact.NewValue(ssotest.ClientSecret), Name: "Okta", RedirectURL: "https://infsh.example/login/sso/callback",
	})
	if err != nil {
		t.Fatal(err)
	}
	who.Provider, who.Only = "Okta", rules.Only
	w.accounts.UseSignOn(who)
	w.signOn = auth.NewSignOn(w.sessions, w.accounts, provider, rules)
}

// away sends the browser to the provider.
func (w *signOns) away(b *browser, purpose auth.SignOnPurpose) (to string, err error) {
	err = b.do(func(rw http.ResponseWriter, r *http.Request) error {
		session, _ := w.authn.Session(r)
		to, err = w.signOn.Begin(rw, r, purpose, "/settings/apps", session, w.authn.Origin(r))
		return err
	})
	return to, err
}

// back brings the browser back from it.
func (w *signOns) back(b *browser, at *url.URL) (done auth.SignedOn, err error) {
	q := at.Query()
	err = b.do(func(rw http.ResponseWriter, r *http.Request) error {
		session, _ := w.authn.Session(r)
		done, err = w.signOn.Finish(rw, r, auth.SignOnAnswer{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error")}, session, w.authn.Origin(r))
		return err
	})
	return done, err
}

func (w *signOns) through(b *browser, purpose auth.SignOnPurpose, who ssotest.Person) (auth.SignedOn, error) {
	w.t.Helper()
	to, err := w.away(b, purpose)
	if err != nil {
		return auth.SignedOn{}, err
	}
	return w.back(b, w.at.SignIn(w.t, to, who))
}

var (
	ada  = ssotest.Person{Subject: "subject-of-ada", Email: "Ada@Example.com", Verified: true}
	mona = ssotest.Person{Subject: "subject-of-mona", Email: "mona@example.org", Verified: true}
)

// connected makes ada, with a password, who is connected.
func (w *signOns) connected() (*browser, auth.Session) {
	w.t.Helper()
	w.person("ada@example.com", "acme")
	b := w.browser(home)
	b.mustLogin("ada@example.com")
	if _, err := w.through(b, auth.ToConnect, ada); err != nil {
		w.t.Fatal(err)
	}
	return b, b.mustSession()
}

func wantReason(t *testing.T, w *world, action, outcome, reason string, n int) {
	t.Helper()
	if got := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = ? AND outcome = ? AND reason = ?", action, outcome, reason); got != n {
		t.Errorf("%d entries %s %s for %s, want %d", got, action, outcome, reason, n)
	}
}

// Who is connected signs in by the provider, in a new session, and by nobody
// else's answer, an old one, or one that another browser asked for.
func TestSignOn(t *testing.T) {
	each(t, func(t *testing.T, plain *world) {
		w := withProvider(t, plain, account.SignOnRules{}, auth.SignOnRules{})
		_, first := w.connected()
		b := w.browser(home)
		b.mustLogin("ada@example.com")
		before := b.replay()
		to, err := w.away(b, auth.ToSignIn)
		if err != nil {
			t.Fatal(err)
		}
		sent := b.last.Cookies()
		if len(sent) != 1 || sent[0].Name != "__Host-infsh-sso" || !sent[0].Secure || !sent[0].HttpOnly || sent[0].SameSite != http.SameSiteLaxMode || sent[0].Path != "/" || sent[0].Domain != "" || sent[0].MaxAge != 600 {
			t.Errorf("the browser got %v", sent)
		}
		callback := w.at.SignIn(t, to, ada)
		if _, err := w.back(w.browser(attacker), callback); problem.CodeOf(err) != problem.BadRequest {
			t.Errorf("a browser that did not ask: %v", err)
		}
		stranger := w.browser(attacker)
		if _, err := w.away(stranger, auth.ToSignIn); err != nil {
			t.Fatal(err)
		}
		again, err := w.away(b, auth.ToSignIn) // In another tab.
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.back(stranger, w.at.SignIn(t, again, ada)); problem.CodeOf(err) != problem.BadRequest {
			t.Errorf("a browser that asked for something else: %v", err)
		}
		tables := dump(t, w.d, "sign_ons", "identities", "audit_entries")
		for name, secret := range map[string]string{"the cookie": sent[0].Value, "the state": callback.Query().Get("state"), "the code": callback.Query().Get("code"), "the nonce": query(t, to, "nonce")} {
			if strings.Contains(tables, secret) {
				t.Errorf("the database has %s", name)
			}
		}
		done, err := w.back(b, callback)
		if err != nil || done.Next != "/settings/apps" || done.Actor.Email() != "ada@example.com" {
			t.Fatalf("%+v, %v", done, err)
		}
		if s := b.mustSession(); s.ID == first.ID || w.sessions.Confirmed(s) != nil {
			t.Errorf("the session is %s, confirmed at %v", s.ID, s.ConfirmedAt)
		}
		if _, err := before.session(); err == nil {
			t.Error("the session that the browser had goes on")
		}
		if _, err := w.back(b, callback); problem.CodeOf(err) != problem.BadRequest {
			t.Errorf("the same answer again: %v", err)
		}
		wantEntries(t, w.world, audit.ActConnectSignOn+" allowed Okta", audit.ActLogin+" allowed single sign-on")

		// It may take ten minutes, and any instance may finish what another began.
		slow := w.browser(home)
		if to, err = w.away(slow, auth.ToSignIn); err != nil {
			t.Fatal(err)
		}
		w.pass(auth.SignOnLifetime - time.Second)
		w.rules(t, account.SignOnRules{}, auth.SignOnRules{})
		if _, err := w.back(slow, w.at.SignIn(t, to, ada)); err != nil {
			t.Error(err)
		}
		if to, err = w.away(slow, auth.ToSignIn); err != nil {
			t.Fatal(err)
		}
		w.pass(auth.SignOnLifetime)
		if _, err := w.back(slow, w.at.SignIn(t, to, ada)); problem.CodeOf(err) != problem.BadRequest {
			t.Errorf("after ten minutes: %v", err)
		}
		if err := w.sessions.Sweep(t.Context()); err != nil || dbtest.Count(t, w.d, "SELECT count(*) FROM sign_ons") != 0 {
			t.Errorf("what has expired stays: %v", err)
		}
	})
}

func query(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

// Nobody gets into an account, or to one, but by what the operator allows and an
// address that the provider has verified.
func TestWhomSignOnLetsIn(t *testing.T) {
	none, link := account.SignOnRules{}, account.SignOnRules{LinkEmail: true}
	domain := account.SignOnRules{Domains: []string{"example.org"}, Team: "acme"}
	for _, c := range []struct {
		name   string
		rules  account.SignOnRules
		who    ssotest.Person
		change func(map[string]any) // of what the provider says
		// reason is that of the refusal; empty for one who is let in.
		reason string
	}{
		{"a stranger", none, mona, nil, "sso_not_invited"},
		{"an account of the same address", none, ada, nil, "sso_not_connected"},
		{"an account of the same address, linked", link, ada, nil, ""},
		{"the same, not verified", link, ada, func(u map[string]any) { u["email_verified"] = false }, "sso_email_not_verified"},
		{"the same, nothing said", link, ada, func(u map[string]any) { delete(u, "email_verified") }, "sso_email_not_verified"},
		{"the same, without an address", link, ada, func(u map[string]any) { delete(u, "email") }, "sso_email_not_verified"},
		{"the same by letters that look like it", link, ada, func(u map[string]any) { u["email"] = "ａda@example.com" }, "sso_email_not_verified"},
		{"somebody of the domain", domain, mona, nil, ""},
		{"somebody of the domain, not verified", domain, mona, func(u map[string]any) { u["email_verified"] = nil }, "sso_email_not_verified"},
		{"a domain below it", domain, mona, func(u map[string]any) { u["email"] = "mona@evil.example.org" }, "sso_not_invited"},
		{"a domain that ends as it", domain, mona, func(u map[string]any) { u["email"] = "mona@notexample.org" }, "sso_not_invited"},
		{"a domain that begins as it", domain, mona, func(u map[string]any) { u["email"] = "mona@example.org.evil.example" }, "sso_not_invited"},
		{"the domain in the name", domain, mona, func(u map[string]any) { u["email"] = `"mona@example.org"@evil.example` }, "sso_email_not_verified"},
		{"the domain in capitals", domain, mona, func(u map[string]any) { u["email"] = "Mona@EXAMPLE.org" }, ""},
		{"the domain of a team that is not there", account.SignOnRules{Domains: []string{"example.org"}, Team: "gone"}, mona, nil, "sso_team_missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := withProvider(t, newWorld(t, dbtest.SQLite(t)), c.rules, auth.SignOnRules{})
			w.at.UserInfo = c.change
			w.person("ada@example.com", "acme")
			users := dbtest.Count(t, w.d, "SELECT count(*) FROM users")
			b := w.browser(home)
			_, err := w.through(b, auth.ToSignIn, c.who)
			if c.reason != "" {
				e := wantCode(t, err, problem.PermissionDenied)
				if !strings.Contains(e.Detail, "ask") && !strings.Contains(e.Detail, "Ask") {
					t.Errorf("it does not say whom to ask: %s", e.Detail)
				}
				wantReason(t, w.world, audit.ActLogin, "denied", c.reason, 1)
				if _, err := b.session(); err == nil || dbtest.Count(t, w.d, "SELECT count(*) FROM users")-users+dbtest.Count(t, w.d, "SELECT count(*) FROM identities") != 0 {
					t.Error("something was made all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := b.mustSession()
			if account.FoldEmail(s.Actor.Email()) != account.FoldEmail(c.who.Email) || s.Actor.TeamName() != "acme" {
				t.Errorf("it is %s in %s", s.Actor.Email(), s.Actor.TeamName())
			}
			// From now on the subject counts, whatever becomes of the address.
			w.at.UserInfo = func(u map[string]any) { u["email"], u["email_verified"] = "elsewhere@example.net", false }
			w.rules(t, none, auth.SignOnRules{})
			if _, err := w.through(w.browser(home), auth.ToSignIn, c.who); err != nil {
				t.Errorf("the second time: %v", err)
			}
			// And nobody else gets in by the address, which may be another's by now.
			w.at.UserInfo = nil
			other := c.who
			other.Subject = "somebody-else"
			w.rules(t, account.SignOnRules{LinkEmail: true, Domains: domain.Domains, Team: domain.Team}, auth.SignOnRules{})
			if _, err := w.through(w.browser(home), auth.ToSignIn, other); problem.CodeOf(err) != problem.PermissionDenied {
				t.Errorf("another subject with the address: %v", err)
			}
		})
	}
}

// Who was invited gets an account without a password; who was removed and then
// invited again gets back; who was only removed does not.
func TestSignOnByInvite(t *testing.T) {
	each(t, func(t *testing.T, plain *world) {
		w := withProvider(t, plain, account.SignOnRules{Domains: []string{"example.org"}, Team: "acme"}, auth.SignOnRules{})
		w.person("ada@example.com", "acme")
		owner := w.browser(home).mustLogin("ada@example.com").Actor
		invite := func() {
			t.Helper()
			if _, _, err := w.accounts.Invite(t.Context(), owner, mona.Email, "admin"); err != nil {
				t.Fatal(err)
			}
		}
		invite()
		b := w.browser(home)
		if _, err := w.through(b, auth.ToSignIn, mona); err != nil {
			t.Fatal(err)
		}
		s := b.mustSession()
		if s.Actor.Role() != "admin" {
			t.Errorf("the invited admin is %s", s.Actor.Role())
		}
		wantReason(t, w.world, audit.ActConnectSignOn, "allowed", "verified_email", 1)
		have, err := w.sessions.Factors(t.Context(), s)
		if err != nil || !have.NoPassword {
			t.Errorf("there is a password: %v", err)
		}
		for _, guess := range []string{"", " ", password} {
			if err := w.browser(attacker).login(mona.Email, guess); problem.CodeOf(err) != problem.NotSignedIn {
				t.Errorf("the password %q: %v", guess, err)
			}
		}
		if err := w.accounts.RemoveMember(t.Context(), owner, s.Actor.UserID()); err != nil {
			t.Fatal(err)
		}
		_, err = w.through(b, auth.ToSignIn, mona)
		wantCode(t, err, problem.PermissionDenied)
		if _, err := b.session(); err == nil {
			t.Error("who was removed is signed in")
		}
		invite()
		if _, err := w.through(b, auth.ToSignIn, mona); err != nil {
			t.Errorf("invited again: %v", err)
		}
		// An account that the operator made without a password is waited for.
		w.at.UserInfo = nil
		if _, err := w.accounts.CreateUserWithoutPassword(t.Context(), auth.Operator("root"), "kim@example.net", "acme"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.through(w.browser(home), auth.ToSignIn, ssotest.Person{Subject: "kim", Email: "kim@example.net", Verified: true}); err != nil {
			t.Errorf("an account made for it: %v", err)
		}
	})
}

// A second factor that a person has here is asked for after the provider, too,
// unless the operator leaves both steps to it.
func TestSignOnAndSecondFactors(t *testing.T) {
	each(t, func(t *testing.T, plain *world) {
		w := withProvider(t, plain, account.SignOnRules{}, auth.SignOnRules{})
		_, s := w.connected()
		secret, _ := w.addApp(s)
		b := w.browser(home)
		_, err := w.through(b, auth.ToSignIn, ada)
		wantCode(t, err, problem.SecondFactorNeeded)
		if _, err := b.session(); err == nil {
			t.Fatal("there is a session before the second factor")
		}
		for _, c := range b.last.Cookies() {
			if c.Name == "__Host-infsh-login" && c.SameSite != http.SameSiteLaxMode {
				t.Error("the provider's redirect would not bring the cookie along")
			}
		}
		if err := b.verifyCode(w.code(secret)); err != nil {
			t.Fatal(err)
		}
		if w.sessions.Confirmed(b.mustSession()) != nil {
			t.Error("a second factor does not confirm")
		}
		w.rules(t, account.SignOnRules{}, auth.SignOnRules{TrustFactors: true})
		b = w.browser(home)
		if _, err := w.through(b, auth.ToSignIn, ada); err != nil {
			t.Fatal(err)
		}
		b.mustSession()
	})
}

// Connecting is one person's with one subject; and what alone signs a person in
// stays.
func TestConnecting(t *testing.T) {
	each(t, func(t *testing.T, plain *world) {
		w := withProvider(t, plain, account.SignOnRules{}, auth.SignOnRules{})
		b, s := w.connected()
		w.person("bo@example.com", "acme")
		bo := w.browser(home)
		bo.mustLogin("bo@example.com")
		if _, err := w.through(bo, auth.ToConnect, ada); problem.CodeOf(err) != problem.Conflict {
			t.Errorf("a subject that is somebody else's: %v", err)
		}
		if _, err := w.through(b, auth.ToConnect, mona); problem.CodeOf(err) != problem.Conflict {
			t.Errorf("a second subject: %v", err)
		}
		// What was begun in one session is not finished in another.
		to, err := w.away(bo, auth.ToConnect)
		if err != nil {
			t.Fatal(err)
		}
		bo.mustLogin("ada@example.com")
		if _, err := w.back(bo, w.at.SignIn(t, to, mona)); problem.CodeOf(err) != problem.BadRequest {
			t.Errorf("in another session: %v", err)
		}
		have, err := w.signOn.Connection(t.Context(), s)
		if err != nil || !have.Connected() || have.Needed || have.Email != ada.Email {
			t.Errorf("%+v, %v", have, err)
		}
		if err := w.signOn.Disconnect(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.signOn.Disconnect(t.Context(), s), problem.NotFound)
		wantEntries(t, w.world, audit.ActDisconnectSignOn+" allowed Okta")
		_, err = w.through(w.browser(home), auth.ToSignIn, ada)
		wantCode(t, err, problem.PermissionDenied)
		// Without a password it is needed.
		if _, err := w.through(b, auth.ToConnect, ada); err != nil {
			t.Fatal(err)
		}
		dbtest.Exec(t, w.d, "UPDATE users SET password_hash = '' WHERE email = 'ada@example.com'")
		if have, err := w.signOn.Connection(t.Context(), s); err != nil || !have.Needed {
			t.Errorf("%+v, %v", have, err)
		}
		wantCode(t, w.signOn.Disconnect(t.Context(), s), problem.Conflict)

		// The operator may all the same, which ends what it has opened.
		if _, err := w.sessions.UnlinkSignOn(t.Context(), s.Actor, "ada@example.com"); problem.CodeOf(err) != problem.PermissionDenied {
			t.Errorf("a person unlinks: %v", err)
		}
		for want := 1; want >= 0; want-- {
			if n, err := w.sessions.UnlinkSignOn(t.Context(), auth.Operator("root"), " ADA@example.com"); err != nil || n != want {
				t.Errorf("%d were unlinked: %v", n, err)
			}
		}
		if _, err := b.session(); err == nil {
			t.Error("the session goes on")
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = ? AND actor_kind = 'operator' AND target = 'ada@example.com'", audit.ActDisconnectSignOn); n != 1 {
			t.Errorf("%d entries of the operator", n)
		}
	})
}

// The provider proves that it is still the same person only if that person has
// just signed in there, with the account that is connected.
func TestConfirmingByTheProvider(t *testing.T) {
	each(t, func(t *testing.T, plain *world) {
		w := withProvider(t, plain, account.SignOnRules{}, auth.SignOnRules{})
		b, _ := w.connected()
		old := ada
		old.SignedInAt = time.Now().Add(-time.Hour)

		// Who is only known there from before is signed in, and has proved nothing.
		if _, err := w.through(b, auth.ToSignIn, old); err != nil {
			t.Fatal(err)
		}
		s := b.mustSession()
		wantCode(t, w.sessions.Confirmed(s), problem.ConfirmationNeeded)
		to, err := w.away(b, auth.ToProve)
		if err != nil {
			t.Fatal(err)
		}
		if query(t, to, "prompt") != "login" || query(t, to, "max_age") != "0" {
			t.Errorf("the provider is not asked to sign in anew: %s", to)
		}
		_, err = w.back(b, w.at.SignIn(t, to, old))
		wantCode(t, err, problem.PermissionDenied)
		_, err = w.through(b, auth.ToProve, mona)
		wantCode(t, err, problem.PermissionDenied)
		wantCode(t, w.sessions.Confirmed(b.mustSession()), problem.ConfirmationNeeded)
		wantReason(t, w.world, audit.ActConfirm, "failed", "sso_not_signed_in_anew", 1)
		wantReason(t, w.world, audit.ActConfirm, "failed", "sso_other_person", 1)

		stolen := b.replay()
		if _, err := w.through(b, auth.ToProve, ada); err != nil {
			t.Fatal(err)
		}
		if now := b.mustSession(); now.ID != s.ID || w.sessions.Confirmed(now) != nil {
			t.Errorf("session %s was %s; confirmed at %v", now.ID, s.ID, now.ConfirmedAt)
		}
		if _, err := stolen.session(); err == nil {
			t.Error("a copy of the old cookie goes on")
		}
		wantEntries(t, w.world, audit.ActConfirm+" allowed single sign-on")

		// Where the provider can't tell, the operator may take what it says.
		w.rules(t, account.SignOnRules{}, auth.SignOnRules{TrustSession: true})
		if _, err := w.through(b, auth.ToSignIn, old); err != nil || w.sessions.Confirmed(b.mustSession()) != nil {
			t.Errorf("trusted, and not confirmed: %v", err)
		}
		// Who is not connected has nothing to prove by it.
		w.person("bo@example.com", "acme")
		bo := w.browser(home)
		bo.mustLogin("bo@example.com")
		_, err = w.away(bo, auth.ToProve)
		wantCode(t, err, problem.Conflict)
	})
}

// Where only the provider signs in, nothing else does, and it stays connected.
func TestOnlyByTheProvider(t *testing.T) {
	each(t, func(t *testing.T, plain *world) {
		w := withProvider(t, plain, account.SignOnRules{}, auth.SignOnRules{})
		b, s := w.connected()
		_, code, err := w.accounts.Invite(t.Context(), s.Actor, mona.Email, "member")
		if err != nil {
			t.Fatal(err)
		}
		w.rules(t, account.SignOnRules{}, auth.SignOnRules{Only: true})
		wantCode(t, w.browser(home).login("ada@example.com", password), problem.PermissionDenied)
		from := account.Origin{RemoteAddr: home}
		for name, try := range map[string]func(http.ResponseWriter, *http.Request) error{
			"a passkey": func(rw http.ResponseWriter, r *http.Request) error {
				_, err := w.sessions.BeginPasskeyLogin(rw, r, from)
				return err
			},
			"a passkey's proof": func(rw http.ResponseWriter, r *http.Request) error {
				_, err := w.sessions.LoginByPasskey(rw, r, nil, from)
				return err
			},
			"a password to join": func(rw http.ResponseWriter, r *http.Request) error {
				_, err := w.sessions.LoginToJoin(rw, r, "ada@example.com", redact.NewValue(password), from, nil)
				return err
			},
		} {
			if err := w.browser(home).do(try); problem.CodeOf(err) != problem.PermissionDenied {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.accounts.JoinByInvite(t.Context(), code, redact.NewValue(password), from); problem.CodeOf(err) != problem.Conflict {
			t.Errorf("a new password: %v", err)
		}
		wantCode(t, w.signOn.Disconnect(t.Context(), s), problem.Conflict)
		if _, err := w.through(b, auth.ToSignIn, ada); err != nil {
			t.Error(err)
		}
		if _, err := w.through(w.browser(home), auth.ToSignIn, mona); err != nil {
			t.Errorf("the invited: %v", err)
		}
	})
}

// What fails is recorded with its reason, and throttled by address.
func TestSignOnsThatFail(t *testing.T) {
	each(t, func(t *testing.T, plain *world) {
		w := withProvider(t, plain, account.SignOnRules{}, auth.SignOnRules{})
		w.connected()
		b := w.browser(home)
		to, err := w.away(b, auth.ToSignIn)
		if err != nil {
			t.Fatal(err)
		}
		back := w.at.SignIn(t, to, ada)
		back.RawQuery = url.Values{"state": {back.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"<b>CANARY</b>"}}.Encode()
		_, err = w.back(b, back)
		if e := wantCode(t, err, problem.PermissionDenied); strings.Contains(e.Error(), "CANARY") {
			t.Errorf("it repeats what the address says: %v", e)
		}
		wantReason(t, w.world, audit.ActLogin, "failed", "sso_refused_there", 1)
		w.at.Claims = func(c map[string]any) { c["nonce"] = "of another" }
		for range 19 {
			_, err = w.through(b, auth.ToSignIn, ada)
			wantCode(t, err, problem.PermissionDenied)
		}
		wantReason(t, w.world, audit.ActLogin, "failed", "sso_answer_not_valid", 19)
		w.at.Claims = nil
		_, err = w.through(b, auth.ToSignIn, mona) // The 21st, after which one waits.
		wantCode(t, err, problem.PermissionDenied)
		_, err = w.through(b, auth.ToSignIn, ada)
		if e := wantCode(t, err, problem.RateLimited); e.RetryAfter <= 0 {
			t.Error("it does not say how long")
		}
		if _, err := w.through(w.browser("203.0.113.9"), auth.ToSignIn, ada); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		w.pass(time.Hour)
		if _, err := w.through(b, auth.ToSignIn, ada); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

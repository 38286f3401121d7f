package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"infsh/db/dbtest"
	"infsh/team"
)

// opened is a browser in which the link of an invite has been opened.
type opened struct {
	w       *world
	cookies map[string]*http.Cookie
}

// open follows an invite's link as a browser does, and fails if the code is in
// the address of the page or anywhere else in the answers.
func (w *world) open(code, session string) (*opened, *httptest.ResponseRecorder) {
	w.t.Helper()
	b := &opened{w: w, cookies: map[string]*http.Cookie{}}
	if session != "" {
		b.cookies[w.services.Sessions.CookieName()] = &http.Cookie{Name: w.services.Sessions.CookieName(), Value: session}
	}
	link := b.send("GET", "/invite?code="+url.QueryEscape(code), "")
	if link.Code != http.StatusSeeOther || link.Header().Get("Location") != "/invite" {
		w.t.Fatalf("the link answered %d and leads to %q", link.Code, link.Header().Get("Location"))
	}
	return b, b.send("GET", "/invite", "")
}

func (b *opened) send(method, path, body string) *httptest.ResponseRecorder {
	b.w.t.Helper()
	r := request(method, path, body)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	res := b.w.do(r)
	for _, c := range res.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		if c.Name == "__Host-infsh-invite" && (!c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge > 3600) {
			b.w.t.Errorf("the invite's cookie is %v", c)
		}
		b.cookies[c.Name] = c
	}
	if text := res.Body.String() + res.Header().Get("Location"); strings.Contains(text, b.w.code.Reveal()) {
		b.w.t.Errorf("%s %s: the answer holds the invite's code", method, path)
	}
	return res
}

func (w *world) roleOf(email string) (role string) {
	return string(dbtest.Value(w.t, w.d, "SELECT COALESCE((SELECT m.role FROM memberships m JOIN users u ON u.id = m.user_id JOIN teams t ON t.id = m.team_id WHERE t.username = 'acme' AND u.email = ?), '')", email))
}

func wantPage(t *testing.T, res *httptest.ResponseRecorder, status int, words string) {
	t.Helper()
	if res.Code != status || !strings.Contains(res.Body.String(), words) {
		t.Errorf("%d, want %d with %q: %.600s", res.Code, status, words, res.Body)
	}
}

// A person who has no account makes one through the link, and is in the team.
func TestInviteOfANewPerson(t *testing.T) {
	w := newWorld(t)
	b, page := w.open(w.code.Reveal(), "")
	wantPage(t, page, 200, "Create account and join")
	// Looking at the link uses nothing up.
	_, again := w.open(w.code.Reveal(), "")
	wantPage(t, again, 200, "Create account and join")

	wantPage(t, b.send("POST", "/invite", "password=short"), 422, "at least 10 characters")
	joined := b.send("POST", "/invite", "password="+url.QueryEscape(password))
	if joined.Code != http.StatusSeeOther || joined.Header().Get("Location") != settingsHome {
		t.Fatalf("%d to %q: %.300s", joined.Code, joined.Header().Get("Location"), joined.Body)
	}
	if w.roleOf("ina@example.com") != "member" {
		t.Error("she is not in the team")
	}
	wantPage(t, b.send("GET", settingsHome, ""), 200, "You joined team acme.")
	if _, kept := b.cookies["__Host-infsh-invite"]; kept {
		t.Error("the browser still has the code")
	}
	_, used := w.open(w.code.Reveal(), "")
	wantPage(t, used, 409, "This invite was used")
	if res := b.send("POST", "/invite", "password="+url.QueryEscape(password)); res.Code != 400 {
		t.Errorf("a second time: %d", res.Code)
	}
}

// A person with an account signs in to join, even if they belong to no team,
// and a wrong password joins nobody.
func TestInviteOfAPersonWithAnAccount(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	// rex was removed from acme, his only team, and can't sign in.
	_, code, err := w.services.Accounts.Invite(t.Context(), owner, "rex@example.com", "admin")
	if err != nil {
		t.Fatal(err)
	}
	b, page := w.open(code.Reveal(), "")
	wantPage(t, page, 200, "Sign in and join")
	wantPage(t, b.send("POST", "/invite", "password=wrong+horse+battery"), 401, "not the password")
	if w.roleOf("rex@example.com") != "" {
		t.Fatal("a wrong password joined")
	}
	if joined := b.send("POST", "/invite", "password="+url.QueryEscape(password)); joined.Code != http.StatusSeeOther {
		t.Fatalf("%d: %.300s", joined.Code, joined.Body)
	}
	if w.roleOf("rex@example.com") != "admin" {
		t.Error("he is not in the team")
	}
	wantPage(t, b.send("GET", settingsHome, ""), 200, "OPENAI_API_KEY")
}

// Signed in, one click joins, and only with the account that was invited: with
// another one the page says so and leads to signing out.
func TestInviteOfASignedInPerson(t *testing.T) {
	w := newWorld(t)
	_, code, err := w.services.Accounts.Invite(t.Context(), w.owner(), "EVE@example.com", "member")
	if err != nil {
		t.Fatal(err)
	}
	b, page := w.open(code.Reveal(), w.actors["member"].cookie)
	wantPage(t, page, 200, "You are signed in as")
	wantPage(t, b.send("POST", "/invite", ""), 403, "for another address than mia@example.com")
	out := b.send("POST", "/logout", "next=/invite")
	if out.Header().Get("Location") != "/invite" {
		t.Errorf("signing out leads to %q", out.Header().Get("Location"))
	}
	wantPage(t, b.send("GET", "/invite", ""), 200, "Sign in and join")

	b, page = w.open(code.Reveal(), w.actors["other"].cookie)
	wantPage(t, page, 200, "Join as eve@example.com")
	if joined := b.send("POST", "/invite", ""); joined.Code != http.StatusSeeOther {
		t.Fatalf("%d: %.300s", joined.Code, joined.Body)
	}
	// She is in acme now, and a member there.
	wantPage(t, b.send("GET", settingsHome, ""), 200, "You are a member of acme")
	if w.roleOf("eve@example.com") != "member" {
		t.Error("she is not in the team")
	}
}

// What has ended says so, and what never was says no more than what was
// revoked.
func TestInviteThatHasEnded(t *testing.T) {
	w := newWorld(t)
	dbtest.Exec(t, w.d, "UPDATE invites SET expires_at = 1")
	b, page := w.open(w.code.Reveal(), "")
	wantPage(t, page, 409, "This invite has expired")
	b.send("POST", "/invite", "password="+url.QueryEscape(password))
	dbtest.Exec(t, w.d, "UPDATE invites SET status = 'revoked'")
	_, revoked := w.open(w.code.Reveal(), "")
	_, unknown := w.open("NEVER-WAS-ONE", "")
	wantPage(t, revoked, 404, "This invite is not valid")
	if revoked.Body.String() != unknown.Body.String() {
		t.Error("the page of a revoked invite differs from that of one that never was")
	}
	if n := dbtest.Count(t, w.d, "SELECT count(*) FROM users WHERE email = 'ina@example.com'"); n != 0 {
		t.Error("an account was made")
	}
}

// A person who is removed, or whose team is gone, is out at their next request:
// page, API key and command line alike.
func TestRemovalEndsEverythingAtOnce(t *testing.T) {
	w := newWorld(t)
	login := w.login(w.colleague())
	if err := w.services.Accounts.RemoveMember(t.Context(), w.owner(), w.colleague().UserID()); err != nil {
		t.Fatal(err)
	}
	page := request("GET", settingsHome, "")
	w.present(page, credentials{cookie: w.actors["colleague"].cookie})
	if res := w.do(page); outcome(res) != "login" {
		t.Errorf("the page answers %d", res.Code)
	}
	for name, token := range map[string]string{"key": w.actors["colleague"].bearer, "login": login} {
		for _, header := range []string{"", "acme"} {
			r := request("POST", "/api/secrets/list", "", "X-Infsh-Team", header)
			w.present(r, credentials{bearer: token})
			if res := w.do(r); res.Code != http.StatusUnauthorized {
				t.Errorf("the %s answers %d", name, res.Code)
			}
		}
	}
}

func (w *world) owner() team.Actor { return w.as("ada@example.com") }

func (w *world) colleague() team.Actor { return w.as("cleo@example.com") }

// as is a person of acme, as if they were in a browser.
func (w *world) as(email string) team.Actor {
	w.t.Helper()
	user := string(dbtest.Value(w.t, w.d, "SELECT id FROM users WHERE email = ?", email))
	actor, err := w.services.Authenticator.OperatorAs(w.t.Context(), w.operator, user, w.ids.Replace("$team"))
	if err != nil {
		w.t.Fatal(err)
	}
	return actor
}

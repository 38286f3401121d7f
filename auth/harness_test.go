package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"infsh/account"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	home     = "192.0.2.10"
	attacker = "198.51.100.66"
	password = "correct horse battery"
)

// world is a whole server's worth of accounts and credentials, without HTTP,
// at a time that the test sets.
type world struct {
	t        *testing.T
	d        *dbtest.Database
	accounts *account.Service
	hasher   *auth.Passwords
	sessions *auth.Sessions
	authn    *auth.Authenticator
	keys     *auth.Keys
	devices  *auth.Devices

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, d *dbtest.Database) *world {
	t.Helper()
	kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, d: d, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), hasher: auth.NewCheapPasswords(4, 5*time.Second)}
	w.accounts = account.NewService(d.Accounts(), kek, w.hasher)
	w.sessions = auth.NewSessions(d.Auth(), w.hasher, kek, &url.URL{Scheme: "https", Host: "infsh.example"})
	w.keys = auth.NewKeys(d.Auth())
	w.devices = auth.NewDevices(d.Auth())
	w.sessions.SetClock(w.clock)
	w.keys.SetClock(w.clock)
	w.devices.SetClock(w.clock)
	w.authn = auth.NewAuthenticator(d.Auth(), w.sessions, func(*http.Request) string { return "request-1" })
	return w
}

// each runs a test in a new world on each kind of database.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) { test(t, newWorld(t, d)) })
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// person makes a user in a team; the first of a team owns it.
func (w *world) person(email, teamName string) account.Created {
	w.t.Helper()
	made, err := w.accounts.CreateUser(w.t.Context(), auth.Operator("root"), email, teamName, redact.NewValue(password))
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// join puts a user who exists into a further team.
func (w *world) join(email, teamName string) account.Created {
	w.t.Helper()
	made, err := w.accounts.CreateUser(w.t.Context(), auth.Operator("root"), email, teamName, redact.Value{})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// browser keeps cookies, as a browser does, and has an address.
type browser struct {
	w       *world
	addr    string
	cookies map[string]*http.Cookie
	last    *http.Response
}

func (w *world) browser(addr string) *browser {
	return &browser{w: w, addr: addr, cookies: map[string]*http.Cookie{}}
}

func (b *browser) request() *http.Request {
	r := httptest.NewRequestWithContext(b.w.t.Context(), http.MethodGet, "https://infsh.example/", nil)
	r.RemoteAddr = b.addr + ":40000"
	r.Header.Set("User-Agent", "Test/1.0")
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	return r
}

// do runs one request and keeps the cookies that come back.
func (b *browser) do(fn func(w http.ResponseWriter, r *http.Request) error) error {
	rec := httptest.NewRecorder()
	err := fn(rec, b.request())
	b.last = rec.Result()
	for _, c := range b.last.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return err
}

func (b *browser) login(email, pass string) error {
	return b.do(func(w http.ResponseWriter, r *http.Request) error {
		_, err := b.w.sessions.Login(w, r, email, redact.NewValue(pass), b.w.authn.Origin(r))
		return err
	})
}

func (b *browser) mustLogin(email string) auth.Session {
	b.w.t.Helper()
	if err := b.login(email, password); err != nil {
		b.w.t.Fatalf("login as %s: %v", email, err)
	}
	return b.mustSession()
}

func (b *browser) session() (auth.Session, error) { return b.w.authn.Session(b.request()) }

func (b *browser) mustSession() auth.Session {
	b.w.t.Helper()
	s, err := b.session()
	if err != nil {
		b.w.t.Fatalf("session: %v", err)
	}
	return s
}

func (b *browser) cookie() string {
	for _, c := range b.cookies {
		return c.Value
	}
	return ""
}

// replay is another browser with a copy of the cookie.
func (b *browser) replay() *browser {
	c := b.w.browser(attacker)
	for name, cookie := range b.cookies {
		c.cookies[name] = cookie
	}
	return c
}

// bearer sends a credential as an API client does.
func (w *world) bearer(token string, teamName ...string) (team.Actor, error) {
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/api/me", nil)
	r.RemoteAddr = home + ":40000"
	r.Header.Set("Authorization", "Bearer "+token)
	for _, name := range teamName {
		r.Header.Add(auth.TeamHeader, name)
	}
	return w.authn.Bearer(r)
}

func (w *world) key(actor team.Actor, scopes ...string) (auth.Key, string) {
	w.t.Helper()
	list := &scopes
	if scopes == nil {
		list = nil
	}
	key, token, err := w.keys.Create(w.t.Context(), actor, auth.NewKey{Name: "test key", Scopes: list})
	if err != nil {
		w.t.Fatal(err)
	}
	return key, token.Reveal()
}

// loginDevice walks a whole device login.
func (w *world) loginDevice(s auth.Session) auth.DeviceLogin {
	w.t.Helper()
	start, err := w.devices.Start(w.t.Context(), "laptop", account.Origin{RemoteAddr: home})
	if err == nil {
		err = w.devices.Approve(w.t.Context(), s.Actor, start.UserCode)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := w.devices.Poll(w.t.Context(), start.DeviceCode, account.Origin{RemoteAddr: home})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func wantCode(t *testing.T, err error, code problem.Code) *problem.Error {
	t.Helper()
	var e *problem.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error is %v (%v), want %s", err, problem.CodeOf(err), code)
	}
	return e
}

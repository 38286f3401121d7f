package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"infsh/account"
	"infsh/api"
	"infsh/app"
	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/federation"
	"infsh/federation/issuertest"
	"infsh/feed"
	"infsh/integration"
	"infsh/integration/oauthtest"
	"infsh/issuer"
	"infsh/redact"
	"infsh/secret"
	"infsh/sso"
	"infsh/sso/ssotest"
	"infsh/team"
	"infsh/webhook"
)

var discard = slog.New(slog.DiscardHandler)

const (
	origin   = "https://infsh.example"
	password = "correct horse CANARY battery"
	// peer is where the requests of tests come from.
	peer = "192.0.2.10"
)

// world is a whole server over SQLite: two teams that know nothing of each
// other, with people, credentials, secrets, apps and a waiting device login.
// The word CANARY is in each secret value and password, and nowhere else.
type world struct {
	t         *testing.T
	services  Services
	publicURL *url.URL
	handlers  Handlers
	operator  team.Actor
	d         *dbtest.Database
	at        *ssotest.Provider
	provider  *sso.Provider
	// actors are the credentials by name; cookies and tokens are what is in them.
	actors map[string]credentials
	// ids replace $names in the paths and bodies of requests.
	ids *strings.Replacer
	// code is that of a pending invite to acme.
	code redact.Value
	// canaries stand in no answer that is not meant to hold them.
	canaries []string
	// outside is a provider at which accounts are connected.
	outside *oauthtest.Server
	// state is a connection that compares with a copy of the first state, and
	// goes back to it; version is what it has seen of the others' commits.
	version    int
	state      *sqlx.Conn
	statements map[string]*sqlx.Stmt
}

// credentials are what an actor presents to a page and to the API.
type credentials struct{ cookie, bearer string }

func newWorld(t *testing.T) *world {
	t.Helper()
	d := dbtest.SQLite(t)
	kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	outside := oauthtest.New(t)
	catalogue, err := integration.BuiltIn().With("test.yaml", outside.Catalogue("test"))
	if err != nil {
		t.Fatal(err)
	}
	passwords := auth.NewPasswords()
	sessions := auth.NewSessions(d.Auth(), passwords, kek, public)
	w := &world{t: t, d: d, outside: outside, publicURL: public, operator: auth.Operator("root"), actors: map[string]credentials{}, canaries: []string{"CANARY"}}
	w.services = Services{
		Accounts: account.NewService(d.Accounts(), kek, passwords), Sessions: sessions, Keys: auth.NewKeys(d.Auth()), Calls: auth.NewCalls(d.Auth()),
		Devices: auth.NewDevices(d.Auth()), Secrets: secret.NewService(d.Secrets(), kek), Apps: app.NewService(d.Apps()),
		Audit: audit.NewService(d), Integrations: integration.NewService(d.Integrations(), kek, catalogue, public, discard), Authenticator: auth.NewAuthenticator(d.Auth(), sessions, RequestID),
		Issuer: issuer.NewService(d.Issuer(), kek, public, discard),
		Feed:   feed.New(d, discard), Entries: feed.New(d.Heads(), discard), Webhooks: webhook.NewService(d.Webhooks(), kek, webhook.Guard{}),
		Trusts: federation.NewService(d.Trusts(), public, federation.Guard{}),
	}
	w.at = ssotest.New(t)
	w.provider, err = sso.New(sso.Config{
		Issuer: w.at.URL, ClientID: ssotest.ClientID, ClientSecret: redact.NewValue(ssotest.ClientSecret), Name: "Okta", RedirectURL: origin + "/login/sso/callback",
	})
	if err != nil {
		t.Fatal(err)
	}
	w.services.Accounts.UseSignOn(account.SignOnRules{Provider: "Okta"})
	w.services.SignOn = auth.NewSignOn(sessions, w.services.Accounts, w.provider, auth.SignOnRules{})
	w.handlers = New(Config{
		PublicURL: public, Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
	}, w.services)
	w.services.Integrations.WithIssuer(w.services.Issuer)
	outside.Register(w.services.Integrations.RedirectURL())
	w.services.Secrets.WithTokens(w.services.Integrations)
	w.populate()
	w.keep()
	return w
}

func (w *world) populate() {
	t, ctx := w.t, w.t.Context()
	owner := w.person("owner", "ada@example.com", "acme", team.Owner)
	w.person("admin", "adam@example.com", "acme", team.Admin)
	member := w.person("member", "mia@example.com", "acme", team.Member)
	colleague := w.person("colleague", "cleo@example.com", "acme", team.Member)
	removed := w.person("removed", "rex@example.com", "acme", team.Member)
	eve := w.person("other", "eve@example.com", "beta", team.Owner)

	for _, s := range []struct {
		by         team.Actor
		key, value string
	}{
		{owner, "OPENAI_API_KEY", "sk-first-CANARY-0123456789abcdef"},
		{owner, "HF_TOKEN", "hf-CANARY-0123456789abcdef"},
		{eve, "BETA_ONLY_KEY", "sk-beta-CANARY-0123456789abcdef"},
	} {
		v := redact.NewValue(s.value)
		must(t)(w.services.Secrets.Set(ctx, s.by, secret.Create, secret.Write{Key: s.key, Value: &v}))
	}
	second := redact.NewValue("sk-second-CANARY-0123456789abcdef")
	must(t)(w.services.Secrets.Set(ctx, owner, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &second}))
	summarizer := app.Registration{Name: "summarizer", Requirements: []secret.Requirement{
		{Kind: secret.KindSecret, Key: "OPENAI_API_KEY"}, {Kind: secret.KindSecret, Key: "FAL_KEY", Optional: true},
	}}
	deployment, err := w.services.Apps.Deploy(ctx, owner, summarizer)
	if err != nil {
		t.Fatal(err)
	}
	deployed := deployment.App
	// A second team of the owner's: nobody may delete their only one.
	zeta, err := w.services.Accounts.CreateTeam(ctx, owner, "zeta", "")
	if err != nil {
		t.Fatal(err)
	}
	ci, _ := w.key(owner, "ci", nil)
	bare, _ := w.key(owner, "bare", &[]string{})
	_, runner := w.key(owner, "runner", &[]string{"apps:execute"})
	_, reader := w.key(owner, "reader", &[]string{"apps:read", "secrets:read", "teams:read", "user:read"})
	w.actors["anon"] = credentials{}
	w.actors["runner"] = credentials{bearer: runner}
	w.actors["reader"] = credentials{bearer: reader}
	w.actors["full"] = credentials{bearer: w.actors["owner"].bearer}
	w.actors["login"] = credentials{bearer: w.login(owner)}

	invite, code, err := w.services.Accounts.Invite(ctx, owner, "ina@example.com", "member")
	if err != nil {
		t.Fatal(err)
	}
	w.code = code
	dbtest.Exec(t, w.d, "INSERT INTO expected_keys (team_id, key, description, created_at) VALUES (?, 'NOT_YET_SET', 'to be set', 1)", owner.TeamID())

	from := account.Origin{RemoteAddr: "192.0.2.99"}
	waiting, err := w.services.Devices.Start(ctx, "a laptop", from)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.services.Accounts.RemoveMember(ctx, owner, removed.UserID()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.services.Integrations.SetClient(ctx, owner, "google", "client-of-acme", redact.NewValue("CANARY-client-secret")); err != nil {
		t.Fatal(err)
	}
	linked, err := w.services.Integrations.Connect(ctx, owner, integration.Typed{Provider: "notion", Type: integration.APIKey, Fields: map[string]redact.Value{"token": redact.NewValue("ntn-CANARY-token")}})
	if err != nil {
		t.Fatal(err)
	}
	issuer, again := issuertest.New(t), true
	trust, err := w.services.Trusts.Create(ctx, owner, federation.Draft{
		Name: "deploy", Preset: "github", Issuer: "https://issuer.example", JWKS: string(issuer.Keys()), Fields: federation.Fields{Repository: "acme/app"}, Apps: []string{"summarizer"}, Reuse: &again,
	})
	if err != nil {
		t.Fatal(err)
	}
	platform := issuer.Token(map[string]any{"iss": "https://issuer.example", "aud": origin, "sub": "repo:acme/app", "repository": "acme/app"})
	exchanged, err := w.services.Trusts.Exchange(ctx, federation.Request{Token: redact.NewValue(platform), App: "acme/summarizer"}, account.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	w.actors["exchanged"] = credentials{bearer: exchanged.Credential.Reveal()}
	hook, _, err := w.services.Webhooks.Create(ctx, owner, webhook.New{URL: "https://hooks.example.com/infsh"})
	if err != nil {
		t.Fatal(err)
	}
	short := redact.NewValue("fleeting-CANARY")
	if _, err := w.services.Secrets.Set(ctx, owner, secret.Create, secret.Write{Key: "FLEETING_KEY", Value: &short}); err != nil {
		t.Fatal(err)
	}
	deletion, err := w.services.Secrets.Delete(ctx, owner, "FLEETING_KEY")
	if err != nil {
		t.Fatal(err)
	}
	// It can be undone for as long as these tests take.
	dbtest.Exec(t, w.d, "UPDATE deleted_secrets SET deleted_at = deleted_at + 3600000000")
	w.ids = strings.NewReplacer(
		"$deletion", deletion.ID,
		"$team", owner.TeamID(), "$beta", eve.TeamID(), "$member", member.UserID(), "$colleague", colleague.UserID(), "$invite", invite.ID, "$zeta", zeta.ID, "$key", ci, "$webhook", hook.ID, "$trust", trust.ID, "$idtoken", platform, "$integration", linked.ID, "$bare", bare, "$app", deployed.ID,
		"$version", deployed.Current.ID,
		"$usercode", waiting.UserCode, "$devicecode", waiting.DeviceCode.Reveal(), "$password", url.QueryEscape(password),
	)
	w.canaries = append(w.canaries, platform[strings.LastIndex(platform, "."):], waiting.DeviceCode.Reveal(), code.Reveal())
	for _, c := range w.actors {
		for _, credential := range []string{c.cookie, c.bearer} {
			if credential != "" {
				w.canaries = append(w.canaries, credential)
			}
		}
	}
}

// person makes someone with a session and a key that may do all that they may.
func (w *world) person(name, email, teamName string, role team.Role) team.Actor {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	made, err := w.services.Accounts.CreateUser(ctx, w.operator, email, teamName, redact.NewValue(password))
	if err != nil {
		t.Fatal(err)
	}
	if role != made.Role {
		dbtest.Exec(t, w.d, "UPDATE memberships SET role = ? WHERE user_id = ?", string(role), made.UserID)
	}
	actor, err := w.services.Authenticator.OperatorAs(ctx, w.operator, made.UserID, made.TeamID)
	if err != nil {
		t.Fatal(err)
	}
	_, token := w.key(actor, name, nil)
	w.actors[name] = credentials{cookie: w.signIn(email), bearer: token}
	return actor
}

// actor is somebody who was made before, in a team.
func (w *world) actor(email, teamName string) team.Actor {
	t := w.t
	t.Helper()
	user := string(dbtest.Value(t, w.d, "SELECT id FROM users WHERE email = ?", email))
	in := string(dbtest.Value(t, w.d, "SELECT id FROM teams WHERE username = ?", teamName))
	actor, err := w.services.Authenticator.OperatorAs(t.Context(), w.operator, user, in)
	if err != nil {
		t.Fatal(err)
	}
	return actor
}

func (w *world) key(actor team.Actor, name string, scopes *[]string) (id, token string) {
	w.t.Helper()
	key, value, err := w.services.Keys.Create(w.t.Context(), actor, auth.NewKey{Name: name, Scopes: scopes})
	if err != nil {
		w.t.Fatal(err)
	}
	return key.ID, value.Reveal()
}

// login makes a command line's login.
func (w *world) login(actor team.Actor) string {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	from := account.Origin{RemoteAddr: "192.0.2.98"}
	start, err := w.services.Devices.Start(ctx, "owner's laptop", from)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.services.Devices.Approve(ctx, actor, start.UserCode); err != nil {
		t.Fatal(err)
	}
	r := request("POST", "/api/device/token", fmt.Sprintf(`{"device_code":%q}`, start.DeviceCode.Reveal()))
	r.RemoteAddr = from.RemoteAddr + ":40000"
	res := w.do(r)
	var done struct {
		Key string `json:"api_key"`
	}
	if err := json.Unmarshal(res.Body.Bytes(), &done); err != nil || done.Key == "" {
		t.Fatalf("the approved login answered %d: %v", res.Code, err)
	}
	return done.Key
}

func (w *world) signIn(email string) (cookie string) {
	w.t.Helper()
	r := request("POST", "/login", url.Values{"email": {email}, "password": {password}}.Encode())
	res := w.do(r)
	for _, c := range res.Result().Cookies() {
		if c.Name == w.services.Sessions.CookieName() {
			return c.Value
		}
	}
	w.t.Fatalf("login answered %d", res.Code)
	return ""
}

// request makes a request as a browser of our own pages sends it, or a client
// of the API, with further headers; an empty one is left out.
func request(method, path, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, origin+path, strings.NewReader(body))
	r.RemoteAddr = peer + ":40000"
	if path == api.TokenPath {
		r.Header.Set("Content-Type", formType)
	} else if strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/internal/") {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", origin)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	return r
}

func (w *world) present(r *http.Request, c credentials) {
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: w.services.Sessions.CookieName(), Value: c.cookie})
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	w.handlers.Main.ServeHTTP(rec, r)
	w.holdToContract(r, string(body), rec)
	return rec
}

type keptTable struct{ table, columns, team string }

// kept are the tables that tell whether anything happened, with what is told of
// each: not when a credential was last used, nor the log itself.
var kept = []keptTable{
	{"users", "*", "'' = ?"},
	{"totp_factors", "*", "'' = ?"},
	{"passkeys", "*", "'' = ?"},
	{"recovery_codes", "*", "'' = ?"},
	{"pending_logins", "*", "'' = ?"},
	{"identities", "*", "'' = ?"},
	{"sign_ons", "*", "'' = ?"},
	{"passkey_challenges", "*", "'' = ?"},
	{"teams", "*", "id = ?"},
	{"memberships", "*", "team_id = ?"},
	{"invites", "*", "team_id = ?"},
	{"former_usernames", "*", "team_id = ?"},
	{"environments", "*", "team_id = ?"},
	{"expected_keys", "*", "team_id = ?"},
	{"secrets", "*", "team_id = ?"},
	{"secret_versions", "*", "team_id = ?"},
	{"deleted_secrets", "*", "team_id = ?"},
	{"apps", "*", "team_id = ?"},
	{"app_versions", "*", "team_id = ?"},
	{"app_grants", "*", "team_id = ?"},
	{"api_keys", "id, kind, team_id, user_id, name, token_hash, scopes, expires_at, service_role, app_id", "team_id = ?"},
	{"trusts", "id, team_id, name, preset, issuer, audience, jwks, conditions, reuse, updated_at", "team_id = ?"},
	{"trust_apps", "*", "team_id = ?"},
	{"webhooks", "*", "team_id = ?"},
	{"webhook_secrets", "*", "team_id = ?"},
	{"webhook_messages", "*", "team_id = ?"},
	{"integration_clients", "*", "team_id = ?"},
	{"integrations", "*", "team_id = ?"},
	{"integration_values", "*", "team_id = ?"},
	{"integration_flows", "*", "team_id = ?"},
	{"sessions", "token_hash, id, user_id, team_id, csrf_token, expires_at", "'' = ?"},
	{"device_logins", "device_hash, user_code, state, user_id, team_id", "'' = ?"},
}

// keep takes a copy of the database, to compare with and to go back to.
func (w *world) keep() {
	t := w.t
	conn, err := w.d.Raw.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w.state, w.statements = conn, map[string]*sqlx.Stmt{}
	path := filepath.Join(t.TempDir(), "kept.db")
	w.exec("VACUUM INTO ?", path)
	w.exec("ATTACH DATABASE ? AS kept", path)
	w.exec("PRAGMA foreign_keys = 0")
	w.exec("PRAGMA synchronous = OFF")
	w.committed()
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.state.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// restore brings back what was kept.
func (w *world) restore() {
	w.t.Helper()
	run := func(query string) {
		if _, err := w.prepared(query).ExecContext(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	run("BEGIN IMMEDIATE")
	run("DELETE FROM main.throttles")
	run("DELETE FROM main.audit_entries")
	run("DELETE FROM main.runner_credentials WHERE id NOT IN (SELECT id FROM kept.runner_credentials)")
	run("INSERT OR IGNORE INTO main.runner_credentials SELECT * FROM kept.runner_credentials")
	run("DELETE FROM main.used_tokens")
	run("DELETE FROM main.revoked_keys")
	run("DELETE FROM main.idempotent_calls")
	for _, table := range w.differing("", func(keptTable) string { return "*" }) {
		if table == "teams" {
			// Without foreign keys they would outlive their teams, and a trigger makes them.
			run("DELETE FROM main.team_revisions")
		}
		run("DELETE FROM main." + table)
		run("INSERT INTO main." + table + " SELECT * FROM kept." + table)
	}
	run("COMMIT")
}

// committed reports whether anything was committed, if only to the audit log,
// since it was last asked.
func (w *world) committed() bool {
	w.t.Helper()
	before := w.version
	if err := w.state.GetContext(w.t.Context(), &w.version, "PRAGMA data_version"); err != nil {
		w.t.Fatal(err)
	}
	return w.version != before
}

// changed names the tables in which something changed, in one team or, for an
// empty id, anywhere.
func (w *world) changed(teamID string) (tables []string) {
	w.t.Helper()
	return w.differing(teamID, func(k keptTable) string { return k.columns })
}

// differing asks for all tables in one statement: there are thousands of
// requests to compare after.
func (w *world) differing(teamID string, columns func(keptTable) string) (tables []string) {
	w.t.Helper()
	var parts []string
	for _, k := range kept {
		where := ""
		if teamID != "" {
			where = " WHERE " + strings.ReplaceAll(k.team, "?", "$1")
		}
		now, then := "SELECT "+columns(k)+" FROM main."+k.table+where, "SELECT "+columns(k)+" FROM kept."+k.table+where
		parts = append(parts, "SELECT '"+k.table+"' WHERE EXISTS ("+now+" EXCEPT "+then+") OR EXISTS ("+then+" EXCEPT "+now+")")
	}
	var args []any
	if teamID != "" {
		args = append(args, teamID)
	}
	if err := w.prepared(strings.Join(parts, " UNION ALL ")).SelectContext(w.t.Context(), &tables, args...); err != nil {
		w.t.Fatal(err)
	}
	return tables
}

// prepared keeps statements: to compile one takes longer than to run it.
func (w *world) prepared(query string) *sqlx.Stmt {
	w.t.Helper()
	if stmt, ok := w.statements[query]; ok {
		return stmt
	}
	stmt, err := w.state.PreparexContext(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	w.statements[query] = stmt
	return stmt
}

func must(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

package auth_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

func TestSessionCookie(t *testing.T) {
	t.Run("A1 the cookie is for this host alone, over https, and out of scripts' reach", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			b.mustLogin("ada@example.com")
			header := b.last.Header.Get("Set-Cookie")
			for _, part := range []string{"__Host-infsh=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
				if !strings.Contains(header, part) {
					t.Errorf("Set-Cookie lacks %q: %s", part, header)
				}
			}
			if strings.Contains(header, "Domain") || len(header) > 4096 {
				t.Errorf("Set-Cookie is for a domain, or too long: %s", header)
			}
		})
	})
	t.Run("A1 without https it has neither Secure nor the prefix that demands it", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			plain := auth.NewSessions(w.d.Auth(), w.hasher, nil, nil)
			b := w.browser(home)
			err := b.do(func(rw http.ResponseWriter, r *http.Request) error {
				_, err := plain.Login(rw, r, "ada@example.com", redact.NewValue(password), w.authn.Origin(r))
				return err
			})
			header := b.last.Header.Get("Set-Cookie")
			if err != nil || !strings.HasPrefix(header, "infsh_session=") || strings.Contains(header, "Secure") || !strings.Contains(header, "HttpOnly") {
				t.Errorf("Set-Cookie: %s, %v", header, err)
			}
		})
	})
}

func TestSession(t *testing.T) {
	t.Run("a login says who, where and with which role", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			made := w.person("Ada@Example.com", "acme")
			s := w.browser(home).mustLogin(" ada@example.COM ")
			a := s.Actor
			if a.UserID() != made.UserID || a.TeamID() != made.TeamID || a.TeamName() != "acme" || a.Role() != team.Owner || a.Kind() != team.Session {
				t.Errorf("actor: %+v", a)
			}
			if a.RemoteAddr() != home || a.RequestID() != "request-1" || a.CredentialID() != s.ID || a.Email() != "Ada@Example.com" {
				t.Errorf("actor: %+v", a)
			}
			if !s.SameCSRF(s.CSRF) || s.SameCSRF("") || s.SameCSRF(s.CSRF+"x") || (auth.Session{}).SameCSRF("") {
				t.Error("the CSRF token is not compared well")
			}
		})
	})

	t.Run("A2 a copied cookie opens nothing after the logout", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			s := b.mustLogin("ada@example.com")
			thief := b.replay()
			thief.mustSession()
			if err := b.do(func(rw http.ResponseWriter, r *http.Request) error { return w.sessions.Logout(rw, r, s) }); err != nil {
				t.Fatal(err)
			}
			if len(b.cookies) != 0 {
				t.Error("the browser keeps its cookie")
			}
			_, err := thief.session()
			wantCode(t, err, problem.NotSignedIn)
		})
	})

	t.Run("A2 a login makes a new id, also over a cookie that somebody planted, and ends the one before", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			b.cookies[w.sessions.CookieName()] = &http.Cookie{Name: w.sessions.CookieName(), Value: "planted-by-an-attacker"}
			first := b.mustLogin("ada@example.com")
			if b.cookie() == "planted-by-an-attacker" {
				t.Fatal("the planted id became the session's")
			}
			old := b.replay()
			second := b.mustLogin("ada@example.com")
			if first.ID == second.ID || old.cookie() == b.cookie() || first.CSRF == second.CSRF {
				t.Error("a second login kept the id, the cookie or the CSRF token")
			}
			_, err := old.session()
			wantCode(t, err, problem.NotSignedIn)
		})
	})

	t.Run("A7 a session ends after twelve idle hours", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			b.mustLogin("ada@example.com")
			w.pass(auth.SessionIdle - time.Minute)
			b.mustSession()
			w.pass(auth.SessionIdle - time.Minute)
			b.mustSession()
			w.pass(auth.SessionIdle)
			_, err := b.session()
			wantCode(t, err, problem.NotSignedIn)
		})
	})

	t.Run("A7 a page that waits for changes is no use", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			was := b.mustLogin("ada@example.com")
			for name, value := range map[string]string{"Accept": "text/event-stream", auth.LiveHeader: "true"} {
				w.pass(auth.SessionIdle/2 - time.Minute)
				r := b.request()
				r.Header.Set(name, value)
				if _, err := w.authn.Session(r); err != nil {
					t.Fatal(err)
				}
				if err := w.authn.Still(r, was); err != nil {
					t.Errorf("still: %v", err)
				}
			}
			w.pass(2 * time.Minute)
			wantCode(t, w.authn.Still(b.request(), was), problem.NotSignedIn)
			_, err := b.session()
			wantCode(t, err, problem.NotSignedIn)
		})
	})

	t.Run("A7 no use and no new password moves the absolute end", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			began := w.clock()
			s := b.mustLogin("ada@example.com")
			for w.clock().Add(auth.SessionIdle / 2).Before(began.Add(auth.SessionLifetime)) {
				w.pass(auth.SessionIdle / 2)
				s = b.mustSession()
			}
			if err := b.do(func(rw http.ResponseWriter, r *http.Request) error {
				return w.sessions.ChangePassword(rw, r, s, redact.NewValue(password), redact.NewValue("another long password"))
			}); err != nil {
				t.Fatal(err)
			}
			if !b.mustSession().ExpiresAt.Equal(began.Add(auth.SessionLifetime)) {
				t.Errorf("the end moved to %s", b.mustSession().ExpiresAt)
			}
			for _, c := range b.cookies {
				if left := time.Duration(c.MaxAge) * time.Second; left > began.Add(auth.SessionLifetime).Sub(w.clock()) {
					t.Errorf("the cookie outlives the session by %s", left)
				}
			}
			w.pass(began.Add(auth.SessionLifetime).Sub(w.clock()))
			_, err := b.session()
			wantCode(t, err, problem.NotSignedIn)
		})
	})

	t.Run("A8 what the tables hold opens nothing", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			s := b.mustLogin("ada@example.com")
			_, apiKey := w.key(s.Actor)
			login := w.loginDevice(s)
			code, _, err := w.accounts.NewSetupCode(t.Context())
			if err != nil || !code.IsZero() {
				t.Fatal("a setup code was made though there is a user", err)
			}

			tables := dump(t, w.d, "sessions", "api_keys", "device_logins", "users", "throttles", "audit_entries", "setup_codes")
			for name, secret := range map[string]string{"cookie": b.cookie(), "API key": apiKey, "login": login.Token.Reveal(), "password": password} {
				if strings.Contains(tables, secret) || strings.Contains(tables, hex.EncodeToString([]byte(secret))) {
					t.Errorf("the tables hold the %s in the clear", name)
				}
			}
			for _, hash := range [][]byte{
				dbtest.Value(t, w.d, "SELECT token_hash FROM sessions"),
				dbtest.Value(t, w.d, "SELECT token_hash FROM api_keys WHERE kind = 'key'"),
			} {
				for _, stored := range []string{hex.EncodeToString(hash), base64.RawURLEncoding.EncodeToString(hash)} {
					thief := w.browser(attacker)
					thief.cookies["x"] = &http.Cookie{Name: w.sessions.CookieName(), Value: stored}
					if _, err := thief.session(); err == nil {
						t.Error("a stored hash works as a cookie")
					}
					if _, err := w.bearer(stored); err == nil {
						t.Error("a stored hash works as an API key")
					}
				}
			}
		})
	})

	t.Run("A8 a new password ends all other sessions, command line logins and approvals under way, and keeps this browser", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b, other := w.browser(home), w.browser("192.0.2.11")
			s := b.mustLogin("ada@example.com")
			other.mustLogin("ada@example.com")
			login := w.loginDevice(s)
			_, apiKey := w.key(s.Actor)
			waiting, err := w.devices.Start(t.Context(), "thief's laptop", w.authn.Origin(b.request()))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.devices.Approve(t.Context(), s.Actor, waiting.UserCode); err != nil {
				t.Fatal(err)
			}
			copied := b.replay()

			change := func(current, next string) error {
				return b.do(func(rw http.ResponseWriter, r *http.Request) error {
					return w.sessions.ChangePassword(rw, r, s, redact.NewValue(current), redact.NewValue(next))
				})
			}
			for _, refused := range []struct{ current, next, field string }{
				{"not the password", "a brand new password", "current"},
				{password, "short", "new"},
				{password, "ada@example.com", "new"},
				{password, password, "new"},
			} {
				if e := wantCode(t, change(refused.current, refused.next), problem.InvalidField); e.Fields[0].Name != refused.field {
					t.Errorf("error at %s, want %s", e.Fields[0].Name, refused.field)
				}
			}
			if err := change(password, "a brand new password"); err != nil {
				t.Fatal(err)
			}

			if now := b.mustSession(); now.ID != s.ID || b.cookie() == copied.cookie() {
				t.Error("this browser's session was not kept under a new cookie")
			}
			for name, gone := range map[string]*browser{"another browser": other, "a copy of the old cookie": copied} {
				if _, err := gone.session(); problem.CodeOf(err) != problem.NotSignedIn {
					t.Errorf("%s is still signed in: %v", name, err)
				}
			}
			_, err = w.bearer(login.Token.Reveal())
			wantCode(t, err, problem.NotSignedIn)
			_, err = w.devices.Poll(t.Context(), waiting.DeviceCode, w.authn.Origin(b.request()))
			wantCode(t, err, problem.ExpiredToken)
			if _, err := w.bearer(apiKey); err != nil {
				t.Errorf("an API key, which is no login, ended: %v", err)
			}
			wantCode(t, w.browser(home).login("ada@example.com", password), problem.NotSignedIn)
			if err := w.browser(home).login("ada@example.com", "a brand new password"); err != nil {
				t.Error(err)
			}
		})
	})

	t.Run("signing out everywhere ends every browser and command line of this user, and nobody else's", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			w.person("bob@example.com", "acme")
			b, other, bob := w.browser(home), w.browser("192.0.2.11"), w.browser("192.0.2.12")
			s := b.mustLogin("ada@example.com")
			other.mustLogin("ada@example.com")
			bob.mustLogin("bob@example.com")
			login := w.loginDevice(s)
			if all, err := w.sessions.SignIns(t.Context(), s); err != nil || len(all) != 3 {
				t.Fatalf("signed in at %+v, %v; want two browsers and a command line", all, err)
			}
			if err := b.do(func(rw http.ResponseWriter, r *http.Request) error { return w.sessions.SignOutEverywhere(rw, r, s) }); err != nil {
				t.Fatal(err)
			}
			for _, gone := range []*browser{b, other} {
				_, err := gone.session()
				wantCode(t, err, problem.NotSignedIn)
			}
			_, err := w.bearer(login.Token.Reveal())
			wantCode(t, err, problem.NotSignedIn)
			bob.mustSession()
		})
	})

	t.Run("a user's sessions are bounded: the longest idle one ends", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			oldest := w.browser(home)
			oldest.mustLogin("ada@example.com")
			for range auth.MaxSessions {
				w.pass(time.Second)
				w.browser(home).mustLogin("ada@example.com")
			}
			_, err := oldest.session()
			wantCode(t, err, problem.NotSignedIn)
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM sessions"); n != auth.MaxSessions {
				t.Errorf("%d sessions", n)
			}
		})
	})

	t.Run("what has ended is removed", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			w.browser(home).mustLogin("ada@example.com")
			w.pass(auth.SessionIdle)
			w.browser(home).mustLogin("ada@example.com") // the tenth minute has passed, so this one sweeps
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM sessions"); n != 1 {
				t.Errorf("%d sessions, want the new one alone", n)
			}
		})
	})
}

func TestSessionTeam(t *testing.T) {
	t.Run("Z7 role, team and setting are read anew at each request, and come from nowhere else", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			bob := w.person("bob@example.com", "acme")
			b := w.browser(home)
			s := b.mustLogin("bob@example.com")
			if s.Actor.Role() != team.Member || s.Actor.Can(team.SetSecret) {
				t.Fatalf("bob is %s", s.Actor.Role())
			}
			dbtest.Exec(t, w.d, "UPDATE teams SET members_may_edit = 1")
			if !b.mustSession().Actor.Can(team.SetSecret) {
				t.Error("the team's setting is not seen")
			}
			dbtest.Exec(t, w.d, "UPDATE memberships SET role = 'admin' WHERE user_id = ?", bob.UserID)
			if got := b.mustSession().Actor.Role(); got != team.Admin {
				t.Errorf("the new role is not seen: %s", got)
			}
			r := b.request()
			r.Header.Set("X-Team-Id", "other")
			r.Header.Set("X-Infsh-Team", "other")
			r.Header.Set("X-Forwarded-For", "203.0.113.1")
			forged, err := w.authn.Session(r)
			if err != nil || forged.Actor.TeamName() != "acme" || forged.Actor.RemoteAddr() != home {
				t.Errorf("headers changed the actor: %v, %v", forged.Actor, err)
			}
		})
	})

	t.Run("switching asks for the membership; a foreign team answers as one that does not exist", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			beta := w.join("ada@example.com", "beta")
			foreign := w.person("eve@example.com", "evil")
			b := w.browser(home)
			s := b.mustLogin("ada@example.com")

			missing := w.sessions.SwitchTeam(t.Context(), s, "00000000-0000-4000-8000-000000000000")
			other := w.sessions.SwitchTeam(t.Context(), s, foreign.TeamID)
			garbage := w.sessions.SwitchTeam(t.Context(), s, "' OR 1=1 --\x00\xff")
			wantCode(t, missing, problem.NotFound)
			if missing.Error() != other.Error() || missing.Error() != garbage.Error() {
				t.Errorf("the answers differ: %v / %v / %v", missing, other, garbage)
			}
			if got := b.mustSession().Actor.TeamName(); got != "acme" {
				t.Fatalf("a refused switch led to %s", got)
			}
			if err := w.sessions.SwitchTeam(t.Context(), s, beta.TeamID); err != nil {
				t.Fatal(err)
			}
			if got := b.mustSession(); got.Actor.TeamName() != "beta" || got.ID != s.ID {
				t.Errorf("the session is in %s", got.Actor.TeamName())
			}
		})
	})

	t.Run("one who is removed goes on in another team, and is signed out without one", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			bob := w.person("bob@example.com", "acme")
			w.person("cleo@example.com", "beta")
			w.join("bob@example.com", "beta")
			owner, b := w.browser(home), w.browser("192.0.2.11")
			s := owner.mustLogin("ada@example.com")
			if got := b.mustLogin("bob@example.com").Actor.TeamName(); got != "acme" {
				t.Fatalf("bob begins in %s", got)
			}
			if err := w.accounts.RemoveMember(t.Context(), s.Actor, bob.UserID); err != nil {
				t.Fatal(err)
			}
			if got := b.mustSession().Actor; got.TeamName() != "beta" || got.Role() != team.Member {
				t.Errorf("bob goes on in %s as %s", got.TeamName(), got.Role())
			}
			dbtest.Exec(t, w.d, "DELETE FROM memberships WHERE user_id = ?", bob.UserID)
			_, err := b.session()
			wantCode(t, err, problem.NotSignedIn)
			wantCode(t, b.login("bob@example.com", password), problem.PermissionDenied)
		})
	})

	t.Run("InTeam makes the same person an actor in another of their teams only", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			w.person("cleo@example.com", "beta")
			beta := w.join("ada@example.com", "beta")
			foreign := w.person("eve@example.com", "evil")
			s := w.browser(home).mustLogin("ada@example.com")
			in, err := w.authn.InTeam(t.Context(), s.Actor, beta.TeamID)
			if err != nil || in.TeamName() != "beta" || in.Role() != team.Member || in.UserID() != s.Actor.UserID() || in.Kind() != team.Session {
				t.Errorf("%v, %v", in, err)
			}
			_, token := w.key(s.Actor)
			key, err := w.bearer(token)
			if err != nil {
				t.Fatal(err)
			}
			for name, actor := range map[string]team.Actor{"session": s.Actor, "key": key, "nobody": {}, "operator": auth.Operator("root")} {
				_, err := w.authn.InTeam(t.Context(), actor, foreign.TeamID)
				if problem.CodeOf(err) != problem.NotFound {
					t.Errorf("%s in a foreign team: %v", name, err)
				}
			}
			_, err = w.authn.InTeam(t.Context(), key, beta.TeamID)
			wantCode(t, err, problem.NotFound)
		})
	})

	t.Run("Z10 a team of the same name revives no key, membership or session of the one deleted", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			first := w.person("ada@example.com", "acme")
			w.join("ada@example.com", "beta")
			b := w.browser(home)
			s := b.mustLogin("ada@example.com")
			_, token := w.key(s.Actor)
			dbtest.Exec(t, w.d, "DELETE FROM teams WHERE id = ?", first.TeamID)
			second := w.person("eve@example.com", "acme")
			if second.TeamID == first.TeamID {
				t.Fatal("the new team has the old one's id")
			}
			_, err := w.bearer(token)
			wantCode(t, err, problem.NotSignedIn)
			_, err = w.bearer(token, "acme")
			wantCode(t, err, problem.NotSignedIn)
			if got := b.mustSession().Actor.TeamName(); got != "beta" {
				t.Errorf("the session is in %s", got)
			}
			wantCode(t, w.sessions.SwitchTeam(t.Context(), s, second.TeamID), problem.NotFound)
		})
	})
}

func TestSignInsAreAudited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		made := w.person("ada@example.com", "acme")
		b := w.browser(home)
		_ = b.login("ada@example.com", "hunter2-typed-by-mistake")
		_ = b.login("secret-typed-as-email", password)
		s := b.mustLogin("ada@example.com")
		if err := b.do(func(rw http.ResponseWriter, r *http.Request) error { return w.sessions.Logout(rw, r, s) }); err != nil {
			t.Fatal(err)
		}
		var got []string
		entries, err := w.d.Search(t.Context(), made.TeamID, audit.Filter{}, 0, math.MaxInt64, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Action, "session.") {
				got = append([]string{fmt.Sprintf("%s %s %s %s %s", e.Action, e.Outcome, e.Reason, e.ActorName, e.RemoteAddr)}, got...)
			}
		}
		want := []string{
			audit.ActLogin + " failed wrong_password ada@example.com " + home,
			audit.ActLogin + " allowed  ada@example.com " + home,
			audit.ActLogout + " allowed  ada@example.com " + home,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE team_id = '' AND reason = 'unknown_account' AND actor_name = ''"); n != 1 {
			t.Errorf("%d entries of the unknown account", n)
		}
		log := dump(t, w.d, "audit_entries", "throttles")
		for _, typed := range []string{"hunter2-typed-by-mistake", "secret-typed-as-email"} {
			if strings.Contains(log, typed) {
				t.Errorf("what was typed is stored: %s", typed)
			}
		}
	})
}

// dump returns all that tables hold, bytes as text and in hex.
func dump(t *testing.T, d *dbtest.Database, tables ...string) string {
	t.Helper()
	var b strings.Builder
	for _, table := range tables {
		rows, err := d.Raw.QueryxContext(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			columns, err := rows.SliceScan()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range columns {
				if raw, ok := c.([]byte); ok {
					fmt.Fprintf(&b, "%s %x\n", raw, raw)
					continue
				}
				fmt.Fprintln(&b, c)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

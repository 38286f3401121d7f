package auth_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"infsh/account"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

func TestDeviceLogin(t *testing.T) {
	from := account.Origin{RemoteAddr: attacker}
	start := func(w *world) auth.DeviceStart {
		w.t.Helper()
		s, err := w.devices.Start(w.t.Context(), "evil laptop", from)
		if err != nil {
			w.t.Fatal(err)
		}
		return s
	}
	poll := func(w *world, s auth.DeviceStart) error {
		_, err := w.devices.Poll(w.t.Context(), s.DeviceCode, from)
		return err
	}

	t.Run("A9 the person sees who asks and from where before confirming, and the credential works once fetched", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			begun := start(w)
			wantCode(t, poll(w, begun), problem.AuthorizationPending)
			found, err := w.devices.Find(t.Context(), s.Actor, begun.UserCode)
			if err != nil || found.ClientName != "evil laptop" || found.RemoteAddr != attacker || found.UserCode != begun.UserCode {
				t.Fatalf("%+v, %v", found, err)
			}
			if err := w.devices.Approve(t.Context(), s.Actor, begun.UserCode); err != nil {
				t.Fatal(err)
			}
			got, err := w.devices.Poll(t.Context(), begun.DeviceCode, from)
			if err != nil || got.Email != "ada@example.com" || got.TeamUsername != "acme" || got.UserID != s.Actor.UserID() || got.TeamID != s.Actor.TeamID() {
				t.Fatalf("%+v, %v", got, err)
			}
			a, err := w.bearer(got.Token.Reveal())
			if err != nil || a.Kind() != team.Login || !a.Can(team.SetSecret) || a.Can(team.ChangeSelf) {
				t.Errorf("%v, %v", a, err)
			}
		})
	})

	t.Run("Z6 the login starts in a team of the person who confirms it, and in no other", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			foreign := w.person("eve@example.com", "evil")
			s := w.browser(home).mustLogin("ada@example.com")
			begun := start(w)
			for _, id := range []string{foreign.TeamID, "00000000-0000-4000-8000-000000000000", "", "..\x00"} {
				wantCode(t, w.devices.ApproveIn(t.Context(), s.Actor, id, begun.UserCode), problem.InvalidField)
			}
			wantCode(t, poll(w, begun), problem.AuthorizationPending)
			other, err := w.accounts.CreateTeam(t.Context(), s.Actor, "beta", "")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.devices.ApproveIn(t.Context(), s.Actor, other.ID, begun.UserCode); err != nil {
				t.Fatal(err)
			}
			w.pass(time.Minute)
			got, err := w.devices.Poll(t.Context(), begun.DeviceCode, from)
			if err != nil || got.TeamUsername != "beta" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	})

	t.Run("A9 a code is used once, however it is spelled, and however many try at once", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			begun := start(w)
			spellings := []string{begun.UserCode, strings.ToLower(begun.UserCode), strings.ReplaceAll(begun.UserCode, "-", " "), " " + begun.UserCode + " "}
			var approved, fetched atomic.Int32
			var wg sync.WaitGroup
			for _, code := range spellings {
				wg.Go(func() {
					if w.devices.Approve(t.Context(), s.Actor, code) == nil {
						approved.Add(1)
					}
				})
			}
			wg.Wait()
			for range 8 {
				wg.Go(func() {
					if poll(w, begun) == nil {
						fetched.Add(1)
					}
				})
			}
			wg.Wait()
			if approved.Load() != 1 || fetched.Load() != 1 {
				t.Errorf("approved %d times and fetched %d times", approved.Load(), fetched.Load())
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM api_keys"); n != 1 {
				t.Errorf("%d credentials", n)
			}
			wantCode(t, poll(w, begun), problem.ExpiredToken)
			for _, code := range spellings {
				_, err := w.devices.Find(t.Context(), s.Actor, code)
				wantCode(t, err, problem.NotFound)
			}
		})
	})

	t.Run("A9 it ends after ten minutes, approved or not", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			waiting, approved := start(w), start(w)
			if err := w.devices.Approve(t.Context(), s.Actor, approved.UserCode); err != nil {
				t.Fatal(err)
			}
			w.pass(auth.DeviceLifetime)
			wantCode(t, w.devices.Approve(t.Context(), s.Actor, waiting.UserCode), problem.NotFound)
			wantCode(t, poll(w, waiting), problem.ExpiredToken)
			wantCode(t, poll(w, approved), problem.ExpiredToken)
		})
	})

	t.Run("A9 a denied login stays denied, and nobody undoes another's decision", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			w.person("eve@example.com", "evil")
			ada := w.browser(home).mustLogin("ada@example.com").Actor
			eve := w.browser(attacker).mustLogin("eve@example.com").Actor
			denied, approved := start(w), start(w)
			if err := w.devices.Deny(t.Context(), ada, denied.UserCode); err != nil {
				t.Fatal(err)
			}
			if err := w.devices.Approve(t.Context(), ada, approved.UserCode); err != nil {
				t.Fatal(err)
			}
			wantCode(t, w.devices.Approve(t.Context(), eve, denied.UserCode), problem.NotFound)
			wantCode(t, w.devices.Deny(t.Context(), eve, approved.UserCode), problem.NotFound)
			wantCode(t, poll(w, denied), problem.AccessDenied)
			got, err := w.devices.Poll(t.Context(), approved.DeviceCode, from)
			if err != nil || got.UserID != ada.UserID() {
				t.Errorf("%+v, %v", got, err)
			}
		})
	})

	t.Run("A9 the user code fetches nothing, and a key confirms nothing: the starter polls, a person in a browser confirms", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			_, token := w.key(s.Actor)
			key, err := w.bearer(token)
			if err != nil {
				t.Fatal(err)
			}
			begun := start(w)
			wantCode(t, w.devices.Approve(t.Context(), key, begun.UserCode), problem.ScopeRequired)
			wantCode(t, w.devices.Approve(t.Context(), team.Actor{}, begun.UserCode), problem.NotSignedIn)
			if err := w.devices.Approve(t.Context(), s.Actor, begun.UserCode); err != nil {
				t.Fatal(err)
			}
			stored := dbtest.Value(t, w.d, "SELECT device_hash FROM device_logins")
			for _, guess := range []string{begun.UserCode, "", string(stored)} {
				_, err := w.devices.Poll(t.Context(), redact.NewValue(guess), from)
				wantCode(t, err, problem.ExpiredToken)
			}
		})
	})

	t.Run("who left the team before the device asked gets nothing", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			begun := start(w)
			if err := w.devices.Approve(t.Context(), s.Actor, begun.UserCode); err != nil {
				t.Fatal(err)
			}
			dbtest.Exec(t, w.d, "DELETE FROM memberships")
			wantCode(t, poll(w, begun), problem.AccessDenied)
			wantCode(t, poll(w, begun), problem.ExpiredToken)
		})
	})

	t.Run("asking more often than the interval is told to slow down, and still ends well", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			begun := start(w)
			wantCode(t, poll(w, begun), problem.AuthorizationPending)
			w.pass(time.Second)
			wantCode(t, poll(w, begun), problem.SlowDown)
			w.pass(auth.DeviceInterval)
			wantCode(t, poll(w, begun), problem.AuthorizationPending)
		})
	})

	t.Run("logins under way are bounded for each network, and guesses for each person", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			s := w.browser(home).mustLogin("ada@example.com")
			for range auth.MaxDevicesOfNetwork {
				start(w)
			}
			_, err := w.devices.Start(t.Context(), "one more", from)
			wantCode(t, err, problem.RateLimited)
			if _, err := w.devices.Start(t.Context(), "elsewhere", account.Origin{RemoteAddr: home}); err != nil {
				t.Error(err)
			}
			// The networks of one IPv6 site have no more together.
			for i := range auth.MaxDevicesOfNetwork + 1 {
				_, err := w.devices.Start(t.Context(), "a site", account.Origin{RemoteAddr: fmt.Sprintf("2001:db8:7:%x::1", i)})
				if limited := problem.CodeOf(err) == problem.RateLimited; limited != (i == auth.MaxDevicesOfNetwork) || err != nil && !limited {
					t.Errorf("login %d of a site: %v", i, err)
				}
			}
			w.pass(auth.DeviceLifetime)
			begun := start(w)
			for range 11 {
				_, err := w.devices.Find(t.Context(), s.Actor, "BBBB-BBBB")
				wantCode(t, err, problem.NotFound)
			}
			_, err = w.devices.Find(t.Context(), s.Actor, begun.UserCode)
			wantCode(t, err, problem.RateLimited)
		})
	})

	t.Run("a guess does not wait for who writes", func(t *testing.T) {
		d := dbtest.SQLite(t)
		w := newWorld(t, d)
		writer, err := d.Raw.Connx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer writer.Close()
		if _, err := writer.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = w.devices.Poll(ctx, redact.NewValue("a guess"), from)
		wantCode(t, err, problem.ExpiredToken)
		if _, err := writer.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a command line's login ends after ninety days without use, and not before", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			token := w.loginDevice(w.browser(home).mustLogin("ada@example.com")).Token.Reveal()
			for range 3 {
				w.pass(auth.LoginIdle - time.Hour)
				if _, err := w.bearer(token); err != nil {
					t.Fatal(err)
				}
			}
			w.pass(auth.LoginIdle)
			_, err := w.bearer(token)
			wantCode(t, err, problem.NotSignedIn)
		})
	})
}

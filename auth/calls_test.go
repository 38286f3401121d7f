package auth_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
)

// A creating call is made once, however often it is sent, and its answer is
// repeated to the credential that it was made with, for a day.
func TestCallsAreMadeOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		s := w.browser(home).mustLogin("ada@example.com")
		calls := auth.NewCalls(w.d.Auth())
		calls.SetClock(w.clock)
		_, token := w.key(s.Actor)
		_, other := w.key(s.Actor)
		const body = `{"name":"made once"}`

		var ran atomic.Int32
		send := func(token, key, body string) (string, bool, error) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/apikeys", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set(auth.IdempotencyHeader, key)
			actor, err := w.bearer(token)
			if err != nil {
				t.Fatal(err)
			}
			answer, repeated, err := calls.Once(r, actor, []byte(body), func(ctx context.Context) (auth.Answer, error) {
				ran.Add(1)
				name := "made once"
				if strings.Contains(body, "nameless") {
					name = ""
				}
				_, made, err := w.keys.Create(ctx, actor, auth.NewKey{Name: name})
				if err != nil {
					return auth.Answer{}, err
				}
				return auth.Answer{Status: 201, Body: []byte(made.Reveal())}, nil
			})
			return string(answer.Body), repeated, err
		}
		count := func() int { return dbtest.Count(t, w.d, "SELECT count(*) FROM api_keys WHERE name = 'made once'") }

		first, repeated, err := send(token, "K-1", body)
		if err != nil || repeated || !strings.HasPrefix(first, "infsh_") {
			t.Fatalf("%v, repeated %v", err, repeated)
		}
		for _, spelling := range []string{"K-1", `"K-1"`, " K-1 "} {
			again, repeated, err := send(token, spelling, body)
			if err != nil || !repeated || again != first || count() != 1 {
				t.Errorf("%s: %v, repeated %v, the same answer %v, %d keys", spelling, err, repeated, again == first, count())
			}
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'apikey.create' AND target = 'made once'"); n != 1 {
			t.Errorf("%d entries for one key", n)
		}

		t.Run("another request with the same key is refused, and so is what is no key", func(t *testing.T) {
			_, _, err := send(token, "K-1", `{"name":"something else"}`)
			wantCode(t, err, problem.KeyReused)
			for _, bad := range []string{"", `""`, "two words", "a\"b", strings.Repeat("x", 256), "é"} {
				_, _, err := send(token, bad, body)
				wantCode(t, err, problem.InvalidField)
			}
		})

		t.Run("another credential's key is another one", func(t *testing.T) {
			if got, repeated, err := send(other, "K-1", body); err != nil || repeated || got == first || count() != 2 {
				t.Errorf("%v, repeated %v, %d keys", err, repeated, count())
			}
		})

		t.Run("what ends with an error is tried anew, and its denial stays in the log", func(t *testing.T) {
			before := ran.Load()
			for range 2 {
				_, _, err := send(token, "K-2", `{"nameless":true}`)
				wantCode(t, err, problem.InvalidField)
			}
			if ran.Load() != before+2 {
				t.Error("an error was repeated")
			}
			_, few := w.key(s.Actor, "secrets:read")
			_, _, err := send(few, "K-2", body)
			wantCode(t, err, problem.ScopeRequired)
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'apikey.create' AND outcome = 'denied'"); n != 1 {
				t.Errorf("%d denials are recorded, want 1", n)
			}
		})

		t.Run("the database holds neither the answer nor the request", func(t *testing.T) {
			row := dbtest.Value(t, w.d, "SELECT answer FROM idempotent_calls ORDER BY created_at LIMIT 1")
			if len(row) == 0 || bytes.Contains(row, []byte("infsh_")) || bytes.Contains(row, []byte(first[6:20])) {
				t.Error("the stored answer can be read")
			}
		})

		t.Run("of many at once one has the effect, and all get its answer", func(t *testing.T) {
			before := count()
			answers := make([]string, 8)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() {
					var err error
					if answers[i], _, err = send(token, "K-3", body); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, a := range answers {
				if a == "" || a != answers[0] {
					t.Error("the answers differ")
				}
			}
			if count() != before+1 {
				t.Errorf("%d keys were made, want 1", count()-before)
			}
		})

		t.Run("a revoked credential's answers go with it", func(t *testing.T) {
			a, err := w.bearer(other)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.keys.Revoke(t.Context(), s.Actor, a.CredentialID()); err != nil {
				t.Fatal(err)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM idempotent_calls WHERE credential_id = ?", a.CredentialID()); n != 0 {
				t.Error("they are there still")
			}
		})

		t.Run("after a day the key is free again", func(t *testing.T) {
			before := count()
			w.pass(auth.RememberCalls)
			if got, repeated, err := send(token, "K-1", body); err != nil || repeated || got == first || count() != before+1 {
				t.Errorf("%v, repeated %v", err, repeated)
			}
			w.pass(auth.RememberCalls)
			if err := w.sessions.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM idempotent_calls"); n != 0 {
				t.Errorf("%d answers are kept for ever", n)
			}
		})
	})
}

// Effect and record are one: a call that fails in the end has done nothing.
func TestACallThatFailsHasNoEffect(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		s := w.browser(home).mustLogin("ada@example.com")
		_, token := w.key(s.Actor)
		actor, err := w.bearer(token)
		if err != nil {
			t.Fatal(err)
		}
		r := withHeader("Authorization", "Bearer "+token)
		r.Header.Set(auth.IdempotencyHeader, "K")
		boom := errors.New("after the effect")
		_, _, err = auth.NewCalls(w.d.Auth()).Once(r, actor, nil, func(ctx context.Context) (auth.Answer, error) {
			if _, _, err := w.keys.Create(ctx, actor, auth.NewKey{Name: "half done"}); err != nil {
				return auth.Answer{}, err
			}
			return auth.Answer{}, boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		for _, query := range []string{
			"SELECT count(*) FROM api_keys WHERE name = 'half done'", "SELECT count(*) FROM audit_entries WHERE target = 'half done'", "SELECT count(*) FROM idempotent_calls",
		} {
			if n := dbtest.Count(t, w.d, query); n != 0 {
				t.Errorf("%s: %d", query, n)
			}
		}
	})
}

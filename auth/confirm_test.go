package auth_test

import (
	"net/http"
	"testing"
	"time"

	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
)

func (b *browser) confirm(pass string) error {
	cur := b.mustSession()
	return b.do(func(w http.ResponseWriter, r *http.Request) error {
		return b.w.sessions.Confirm(w, r, cur, auth.Proof{Password: redact.NewValue(pass)})
	})
}

// A proof counts for ten minutes: that of the sign-in, and each one since.
func TestAProofOfWhoOneIsAges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		ada := w.browser(home)
		if err := w.sessions.Confirmed(ada.mustLogin("ada@example.com")); err != nil {
			t.Errorf("just signed in: %v", err)
		}
		w.pass(auth.ConfirmWindow - time.Microsecond)
		if err := w.sessions.Confirmed(ada.mustSession()); err != nil {
			t.Errorf("before the end: %v", err)
		}
		w.pass(time.Microsecond)
		wantCode(t, w.sessions.Confirmed(ada.mustSession()), problem.ConfirmationNeeded)

		stolen := ada.replay()
		wantCode(t, ada.confirm("guessed"), problem.InvalidField)
		wantCode(t, w.sessions.Confirmed(ada.mustSession()), problem.ConfirmationNeeded)
		before := ada.mustSession()
		if err := ada.confirm(password); err != nil {
			t.Fatal(err)
		}
		after := ada.mustSession()
		if err := w.sessions.Confirmed(after); err != nil {
			t.Errorf("confirmed: %v", err)
		}
		if after.ID != before.ID || !after.ExpiresAt.Equal(before.ExpiresAt) || !after.SameCSRF(before.CSRF) {
			t.Errorf("it is another session: %+v, before %+v", after, before)
		}
		if _, err := stolen.session(); err == nil {
			t.Error("a copy of the cookie from before is still good (ASVS 7.2.4)")
		}
		for outcome, want := range map[audit.Outcome]int64{audit.Failed: 1, audit.Allowed: 1} {
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = ? AND outcome = ? AND target = 'password' AND actor_name = 'ada@example.com'", audit.ActConfirm, string(outcome)); n != int(want) {
				t.Errorf("%d entries of confirmations that were %s", n, outcome)
			}
		}
	})
}

// Whoever holds a session has no more guesses at the password than anybody,
// and the throttle ends no session (A5).
func TestProofsAreThrottledAsSignInsAre(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		ada := w.browser(home)
		ada.mustLogin("ada@example.com")
		var err error
		for range 6 {
			wantCode(t, ada.confirm("guessed"), problem.InvalidField)
		}
		err = ada.confirm(password)
		if e := wantCode(t, err, problem.RateLimited); e.RetryAfter <= 0 {
			t.Error("it does not say how long to wait")
		}
		wantCode(t, w.browser(home).login("ada@example.com", password), problem.RateLimited)
		ada.mustSession()
		w.pass(2 * time.Second)
		if err := ada.confirm(password); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

package auth_test

import (
	"testing"
	"time"

	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
)

// A person sees where they are signed in, and ends one without the others; of
// others they see and end nothing.
func TestSignIns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		w.person("eve@example.com", "acme")
		here, there, eve := w.browser(home), w.browser("192.0.2.11"), w.browser(attacker)
		s := here.mustLogin("ada@example.com")
		w.pass(time.Minute)
		other := there.mustLogin("ada@example.com")
		w.pass(time.Minute)
		login := w.loginDevice(s)
		es := eve.mustLogin("eve@example.com")
		all, err := w.sessions.SignIns(t.Context(), s)
		if err != nil || len(all) != 3 {
			t.Fatalf("signed in at %+v, %v", all, err)
		}
		found := map[string]auth.SignIn{}
		for _, in := range all {
			found[in.ID] = in
		}
		if b := found[other.ID]; b.CommandLine || b.Name != "Test/1.0" || b.RemoteAddr != "192.0.2.11" || b.CreatedAt.IsZero() || b.LastUsedAt.IsZero() {
			t.Errorf("the other browser is %+v", b)
		}
		if c := found[login.KeyID]; !c.CommandLine || c.Name != "laptop" {
			t.Errorf("the command line is %+v", c)
		}
		for _, id := range []string{other.ID, login.KeyID, "no id"} {
			wantCode(t, w.sessions.EndSignIn(t.Context(), es, id), problem.NotFound)
		}
		for _, id := range []string{other.ID, login.KeyID} {
			if err := w.sessions.EndSignIn(t.Context(), s, id); err != nil {
				t.Fatal(err)
			}
			wantCode(t, w.sessions.EndSignIn(t.Context(), s, id), problem.NotFound)
		}
		_, err = there.session()
		wantCode(t, err, problem.NotSignedIn)
		_, err = w.bearer(login.Token.Reveal())
		wantCode(t, err, problem.NotSignedIn)
		here.mustSession()
		eve.mustSession()
		// What has ended by itself is not listed.
		w.pass(auth.SessionIdle)
		if left, err := w.sessions.SignIns(t.Context(), es); err != nil || len(left) != 0 {
			t.Errorf("after the end: %+v, %v", left, err)
		}
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = ? AND outcome = 'allowed'", audit.ActEndSignIn); n != 2 {
			t.Errorf("%d entries", n)
		}
	})
}

package auth_test

import (
	"testing"

	"infsh/auth"
	"infsh/problem"
	"infsh/redact"
)

// An operator at the machine sets a new password; the old one and all sessions
// end with it. Nobody else can.
func TestResetPassword(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		b := w.browser(home)
		s := b.mustLogin("ada@example.com")
		next := redact.NewValue("another horse battery")

		wantCode(t, w.sessions.ResetPassword(t.Context(), s.Actor, "ada@example.com", next), problem.PermissionDenied)
		operator := auth.Operator("root")
		wantCode(t, w.sessions.ResetPassword(t.Context(), operator, "nobody@example.com", next), problem.NotFound)
		wantCode(t, w.sessions.ResetPassword(t.Context(), operator, "ada@example.com", redact.NewValue("short")), problem.InvalidField)
		if err := w.sessions.ResetPassword(t.Context(), operator, " ADA@example.com", next); err != nil {
			t.Fatal(err)
		}
		if _, err := b.session(); err == nil {
			t.Error("the session goes on")
		}
	})
}

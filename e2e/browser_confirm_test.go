package e2e

import (
	"context"
	"database/sql"
	"net/http"
	"testing"
)

// stale makes every sign-in older than a proof of who one is counts.
func (s *server) stale() {
	s.t.Helper()
	s.sqlite(func(db *sql.DB) error {
		_, err := db.Exec("UPDATE sessions SET confirmed_at = 0")
		return err
	})
}

// Who has been signed in for a while is asked again before a role changes, and
// what was begun then goes on: in a dialog, and by plain forms.
func confirmingAgain(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	member := s.createUser("bo@example.com", "acme")
	s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": "sk-plain-1a2b3c4d5e"})
	p := open(t, browser, s)
	p.signIn(owner)
	s.stale()
	p.visit("/settings/members")
	p.mark()
	p.click("#role-" + member.UserID)
	p.click("#role-admin")
	p.click(testid("role-form") + " " + testid("save"))
	p.see("#confirm-dialog-title", "Is it you?")
	p.focused("#confirm-password")
	p.fill("#confirm-password", p.plant("not the password"))
	p.click(testid("confirm"))
	p.errorAt("#confirm-password", "not your password")
	p.see(testid("member-row"), "Member")
	p.fill("#confirm-password", owner.Password)
	p.click(testid("confirm"))
	p.gone("#dialog dialog")
	p.hears("The role of bo@example.com was changed.")
	p.focused("#role-" + member.UserID)
	p.see(testid("member-row"), "Admin")
	p.sameDocument()
	// It counts for a while.
	p.click("#role-" + member.UserID)
	p.click("#role-member")
	p.click(testid("role-form") + " " + testid("save"))
	p.gone("#dialog dialog")
	p.see(testid("member-row"), "Member")

	plain := open(t, browser, s, noScript)
	plain.signIn(owner)
	s.stale()
	plain.visit("/settings/members?role=" + member.UserID)
	plain.click("#role-admin")
	if status := plain.follow(testid("save")); status != http.StatusForbidden {
		t.Errorf("the question answered %d", status)
	}
	plain.see("h1", "Is it you?")
	plain.fill("#confirm-password", plain.plant("not the password either"))
	if status := plain.follow(testid("confirm")); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong password answered %d", status)
	}
	plain.errorAt("#confirm-password", "not your password")
	plain.fill("#confirm-password", owner.Password)
	plain.follow(testid("confirm"))
	plain.at("/settings/members")
	plain.see(testid("flash"), "The role of bo@example.com was changed.")
}

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// An invited person makes an account through the link, sees masks and nothing to
// write with, and is out at the next click once removed.
func invitedMember(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": p.plant("sk-invited-0123456789-1a2b")})
	p.signIn(owner)
	p.visit("/settings/members")
	p.mark()
	p.click("#add-invite")
	p.focused("#invite-email")
	p.fill("#invite-email", "ada@example.com")
	p.click(testid("invite-form") + " " + testid("save"))
	p.errorAt("#invite-email", "in the team already")
	p.fill("#invite-email", "bo@example.com")
	p.click(testid("invite-form") + " " + testid("save"))
	p.see("#invite-created-title", "Send this link")
	link := ask[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, testid("invite-link")))
	p.see("#invites-table", "bo@example.com")
	p.click("#invite-created .dialog-foot [data-close]")
	p.gone("#invite-created")
	p.sameDocument()
	p.visit("/settings/members")
	if strings.Contains(p.html(), link) {
		t.Error("the link is shown a second time")
	}

	// Another person's browser. The page has the code in no address.
	guest := open(t, browser, s)
	guest.visit(strings.TrimPrefix(link, s.URL))
	guest.at("/invite")
	if at := ask[string](guest, `location.href`); strings.Contains(at, "?") || strings.Contains(at, "code") {
		t.Errorf("the page's address is %s", at)
	}
	guest.see("main", "ada@example.com invited bo@example.com as member")
	guest.focused("#invite-password")
	guest.fill("#invite-password", guest.plant("short-7"))
	if status := guest.follow(testid("join")); status != http.StatusUnprocessableEntity {
		t.Errorf("a short password answered %d", status)
	}
	guest.errorAt("#invite-password", "at least 10")
	guest.fill("#invite-password", guest.plant("a sentence is easier to remember"))
	guest.follow(testid("join"))
	guest.at("/settings/secrets")
	guest.see(testid("flash"), "You joined team acme.")
	guest.see(row("OPENAI_API_KEY"), "••••••••1a2b")
	guest.see(testid("member-note"), "owners and admins change them")
	for _, control := range []string{"add-secret", "edit", "delete"} {
		if ask[bool](guest, fmt.Sprintf(`document.querySelector(%q) !== null`, testid(control))) {
			t.Errorf("a member has the control %s", control)
		}
	}

	// Used once.
	late := open(t, browser, s)
	late.visit(strings.TrimPrefix(link, s.URL))
	late.see("main", "This invite was used")

	p.visit("/settings/members")
	p.click(testid("remove") + `[aria-label="Remove bo@example.com"]`)
	p.click(testid("confirm-remove"))
	p.gone("#remove-dialog")
	guest.visit("/settings/members")
	guest.at("/login?next=%2Fsettings%2Fmembers")
}

// The same by plain links and forms, with all that can be amiss: another
// account, an older link, a team that is handed over, duplicated and deleted.
func teamsWithoutJavaScript(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	eve := s.createUser("eve@example.com", "beta")
	p := open(t, browser, s, noScript)
	s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": p.plant("sk-plain-0123456789-1a2b"), "description": "For GPT-4 API calls"})
	p.signIn(owner)
	invite := func(email, role string) string {
		p.visit("/settings/members")
		p.follow("#add-invite")
		p.fill("#invite-email", email)
		p.click("#invite-" + role)
		p.follow(testid("invite-form") + " " + testid("save"))
		return strings.TrimPrefix(ask[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, testid("invite-link"))), s.URL)
	}
	older := invite("eve@example.com", "member")
	link := invite("eve@example.com", "admin")

	guest := open(t, browser, s, noScript)
	if status := guest.visit(older); status != http.StatusNotFound {
		t.Errorf("the older link answered %d", status)
	}
	guest.see("main", "This invite is not valid")
	guest.visit(link)
	guest.see("main", "This address has an account here")
	guest.fill("#invite-password", guest.plant("not the password at all"))
	if status := guest.follow(testid("join")); status != http.StatusUnauthorized {
		t.Errorf("a wrong password answered %d", status)
	}
	guest.errorAt("#invite-password", "not the password")
	// ada opens the link of another: she is asked to sign out.
	p.visit(link)
	p.see(testid("other-account"), "ada@example.com")
	guest.fill("#invite-password", eve.Password)
	guest.follow(testid("join"))
	guest.at("/settings/secrets")
	guest.see(row("OPENAI_API_KEY"), "••••••••1a2b")

	// Handing over: ada is admin, and eve's page has what owners have.
	p.visit("/settings/members")
	p.follow("#transfer")
	p.see("#transfer-dialog", "you become admin")
	p.follow(testid("confirm-transfer"))
	p.see(testid("flash"), "eve@example.com owns the team now")
	p.see("#members-table", "Admin")
	p.visit("/settings/team")
	if ask[bool](p, fmt.Sprintf(`document.querySelector(%q) !== null`, testid("delete-team-form"))) {
		t.Error("an admin can delete the team")
	}

	// A team for staging waits for the same keys, and has no value.
	guest.visit("/settings/team")
	guest.fill("#duplicate-as", "Sta ging")
	guest.follow(testid("duplicate"))
	guest.errorAt("#duplicate-as", "lower-case")
	guest.fill("#duplicate-as", "staging")
	guest.follow(testid("duplicate"))
	guest.at("/settings/secrets")
	guest.see(testid("flash"), "Team acme-staging was made")
	guest.see(testid("expected-keys"), "OPENAI_API_KEY")
	guest.follow(testid("set-expected"))
	guest.until("the form is filled in", `document.querySelector("#secret-key").value === "OPENAI_API_KEY" && document.querySelector("#secret-description").value === "For GPT-4 API calls"`)
	guest.fill("#secret-value", guest.plant("sk-staging-0123456789-9z8y"))
	guest.follow(testid("save"))
	guest.see(row("OPENAI_API_KEY"), "••••••••9z8y")
	guest.gone(testid("expected-keys"))
	// The switcher shows the two together.
	guest.until("the switcher has a group", `document.querySelector("[data-testid=team-menu] .menu-group").textContent === "acme" && document.querySelectorAll("[data-testid=team-menu] .menu-nested button").length === 2`)

	// Renamed, and deleted with its username typed.
	guest.visit("/settings/team")
	guest.fill("#rename-username", "root")
	guest.follow(testid("rename-form") + " " + testid("save"))
	guest.errorAt("#rename-username", "reserved")
	guest.fill("#rename-username", "acme-stage")
	guest.follow(testid("rename-form") + " " + testid("save"))
	guest.see(testid("flash"), "names were saved")
	guest.fill("#delete-username", "acme")
	guest.follow(testid("confirm-delete-team"))
	guest.errorAt("#delete-username", "Type acme-stage")
	guest.fill("#delete-username", "acme-stage")
	guest.follow(testid("confirm-delete-team"))
	guest.see(testid("flash"), "acme-stage was deleted")
}

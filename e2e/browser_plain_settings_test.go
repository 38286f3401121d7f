package e2e

import (
	"context"
	"net/http"
	"testing"
)

// plainSettings walks by plain links and forms what withoutJavaScript and the
// tests of single pages don't: staged values, members, webhooks, the activity's
// pages and the account.
func plainSettings(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner, member := s.createUser("ada@example.com", "acme"), s.createUser("bo@example.com", "acme")
	p := open(t, browser, s, noScript)
	s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": p.plant("sk-plain-first-0123456789")})
	p.signIn(owner)

	// A value is stored without being used, and then used.
	p.visit("/settings/secrets/OPENAI_API_KEY")
	p.fill("#rotate-value", p.plant("sk-plain-staged-0123456789"))
	p.click("details.more summary")
	p.click("#rotate-stage")
	p.follow(testid("edit-form") + " " + testid("save"))
	p.see(testid("flash"), "Version 2 of OPENAI_API_KEY is stored and not in use yet.")
	p.visit("/settings/secrets/OPENAI_API_KEY")
	p.see(testid("version-row")+":first-child", "v2 Staged")
	p.follow(testid("activate"))
	p.see(testid("flash"), "Version 2 of OPENAI_API_KEY is in use now.")

	// A key for the team's runners becomes the team's own.
	s.apiKey(owner, "build machine", "apps:execute")
	p.visit("/settings/apikeys?takeover=" + s.keyID(owner, "build machine"))
	p.follow(testid("confirm-take-over"))
	p.see(testid("flash"), "build machine belongs to the team now.")

	// People: a role, an invite that is taken back, what members may do, an end.
	p.visit("/settings/members")
	p.follow("#role-" + member.UserID)
	p.click("#role-admin")
	p.follow(testid("role-form") + " " + testid("save"))
	p.see(testid("flash"), "The role of bo@example.com was changed.")
	p.follow("#add-invite")
	p.fill("#invite-email", "eve@example.com")
	p.follow(testid("invite-form") + " " + testid("save"))
	p.see("#invite-created-title", "Send this link")
	p.follow("#invite-created .dialog-foot a")
	p.follow(testid("revoke-invite"))
	p.see(testid("flash"), "The invite was revoked.")
	p.follow(testid("members-may-edit"))
	p.see(testid("flash"), "saved")
	p.follow("#remove-" + member.UserID)
	p.follow(testid("confirm-remove"))
	p.see(testid("flash"), "bo@example.com was removed from the team.")

	// A platform is trusted, and is not any more.
	s.deployApp(owner, "agent", "")
	p.visit("/settings/runners")
	p.fill("#trust-name", "deploy")
	p.fill("#trust-repository", "acme/agent")
	p.fill("#trust-branch", "ma*n")
	p.click(`[id="trust-app-acme/agent"]`)
	if status := p.follow(testid("trust-form") + " " + testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a refused condition answered %d", status)
	}
	p.errorAt("#trust-conditions", "at the end")
	p.until("the focus is where the error is", `document.activeElement.id === "trust-conditions" && scrollY > 0`)
	p.see(testid("refused"), "Conditions")
	p.fill("#trust-branch", "main")
	p.follow(testid("trust-form") + " " + testid("save"))
	p.see(testid("flash"), "deploy is trusted now.")
	p.see(testid("trust-row"), "repository = acme/agent")
	p.see(testid("trust-row"), "never")
	p.click(testid("trust-row") + " > details summary")
	p.follow(testid("trust-delete"))
	p.see(testid("flash"), "The trust was deleted")

	// A webhook and all that one does with it.
	p.visit("/settings/webhooks")
	p.fill("#webhook-url", "http://insecure.example/")
	if status := p.follow(testid("webhook-form") + " " + testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a refused address answered %d", status)
	}
	p.errorAt("#webhook-url", "https")
	p.fill("#webhook-url", "https://hooks.example.invalid/infsh")
	p.follow(testid("webhook-form") + " " + testid("save"))
	p.see(testid("webhook-created"), "Copy the signing secret now")
	p.visit("/settings/webhooks/" + s.webhookID(owner))
	p.follow(testid("webhook-disable"))
	p.follow(testid("webhook-enable"))
	p.follow(testid("webhook-test"))
	p.see(testid("flash"), "A test is on its way.")
	p.follow(testid("webhook-rotate"))
	p.see(testid("webhook-secret"), "whsec_")
	p.click("details.more summary")
	p.follow(testid("webhook-delete"))
	p.see(testid("flash"), "The webhook was deleted.")

	// The activity goes back page by page.
	for range 60 {
		s.call(owner.APIKey, "GET", "/api/secrets/reveal/OPENAI_API_KEY", nil)
	}
	p.visit("/settings/activity")
	p.follow(`a[rel=next]`)
	p.see(testid("activity-row"), "Set a secret")
	p.follow(`a[rel=prev]`)
	p.see(testid("activity-row"), "Revealed a secret")

	// The account: a new password, and an end everywhere.
	p.visit("/settings/account")
	p.fill("#password-current", p.plant("not the password at all"))
	p.fill("#password-new", p.plant("a new riddle to remember"))
	if status := p.follow(testid("password-form") + " " + testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong password answered %d", status)
	}
	p.fill("#password-current", owner.Password)
	p.fill("#password-new", "a new riddle to remember")
	p.follow(testid("password-form") + " " + testid("save"))
	p.see(testid("flash"), "Your password was changed.")
	p.visit("/settings/account")
	p.follow(testid("sign-out-everywhere"))
	p.at("/login")
}

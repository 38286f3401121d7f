package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A form that was rendered for one team changes nothing in another, to which
// a second tab has switched meanwhile, and says why.
func formOfAnotherTeam(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	s.createUser("ada@example.com", "beta")
	p := open(t, browser, s)
	p.signIn(u)
	s.call(u.APIKey, "POST", "/api/secrets", map[string]any{"key": "SHARED", "value": p.plant("of-acme-5x5")})
	p.visit("/settings/secrets")
	p.click("#delete-SHARED")
	p.see("#delete-dialog-title", "Delete SHARED?")

	other := p.another()
	other.visit("/settings/secrets")
	other.switchTeam("beta")
	other.addSecret("SHARED", p.plant("of-beta-7y7"), "")

	p.click(testid("confirm-delete"))
	p.see("#error-dialog", "another team than beta")
	p.see("#error-dialog", "Nothing was changed")
	if got := p.last("POST /settings/secrets/SHARED").status; got != http.StatusConflict {
		t.Errorf("the old form answered %d", got)
	}
	other.visit("/settings/secrets")
	other.see(row("SHARED"), "v1")
	other.switchTeam("acme")
	other.see(row("SHARED"), "v1")
}

// A member sees the list and may use it, and nothing else: there is no control
// to write with, and a form that is sent all the same is refused.
func memberReadsOnly(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	member := s.createUser("bo@example.com", "acme")
	p := open(t, browser, s)
	s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": p.plant("sk-member-1a2b"), "description": "For GPT-4 API calls"})
	p.signIn(member)
	p.see(testid("member-note"), "owners and admins change them")
	p.see(row("OPENAI_API_KEY"), "For GPT-4 API calls")
	for _, path := range []string{"/settings/secrets", "/settings/secrets?add=X", "/settings/secrets/OPENAI_API_KEY", "/settings/secrets/OPENAI_API_KEY?delete=1"} {
		p.visit(path)
		for _, control := range []string{"add-secret", "add-form", "edit", "edit-form", "delete", "delete-form", "rollback"} {
			if ask[bool](p, fmt.Sprintf(`document.querySelector(%q) !== null`, testid(control))) {
				t.Errorf("%s has the control %s for a member", path, control)
			}
		}
	}
	for path, form := range map[string]url.Values{
		"/settings/secrets":                           {"key": {"NEW"}, "value": {"x"}},
		"/settings/secrets/OPENAI_API_KEY":            {"_method": {"DELETE"}},
		"/settings/members/policy":                    {"members_may_edit": {"true"}},
		"/settings/members/" + owner.UserID + "/role": {"role": {"member"}},
	} {
		if status := p.post(path, form); status != http.StatusForbidden {
			t.Errorf("POST %s answered a member with %d", path, status)
		}
	}

	// Until the owners let members edit.
	p.visit("/settings/members")
	p.see("#members-table", "ada@example.com")
	if ask[bool](p, `document.querySelector("[data-testid=members-may-edit], [data-testid=change-role], [data-testid=remove]") !== null`) {
		t.Error("the members page has controls for a member")
	}
	boss := open(t, browser, s)
	boss.signIn(owner)
	boss.visit("/settings/members")
	boss.follow(testid("members-may-edit"))
	boss.see(testid("flash"), "saved")
	boss.until("the switch is on", `document.querySelector("[data-testid=members-may-edit]").getAttribute("aria-checked") === "true"`)
	p.visit("/settings/secrets")
	p.addSecret("ANTHROPIC_API_KEY", p.plant("sk-ant-member-3c4d"), "")
}

// post sends a form as the page's own would be, and returns the status.
func (p *tab) post(path string, form url.Values) int {
	p.Helper()
	fields, err := json.Marshal(form)
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	status, err := chromedp.Run(ctx, chromedp.Evaluate[int](fmt.Sprintf(`(async () => {
		const body = new URLSearchParams();
		for (const [name, values] of Object.entries(%s)) for (const v of values) body.append(name, v);
		for (const name of ["csrf", "team"]) body.append(name, document.querySelector("input[name=" + name + "]").value);
		return (await fetch(%q, { method: "POST", body })).status;
	})()`, fields, path), chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("POST %s: %v", path, err)
	}
	return status
}

// An owner gives roles and takes people out, and the list follows without a
// page load. The last owner stays.
func managingMembers(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	member := s.createUser("bo@example.com", "acme")
	p := open(t, browser, s)
	p.signIn(owner)
	p.visit("/settings/members")
	p.mark()
	p.click("#role-" + member.UserID)
	p.see("#role-dialog-title", "Role of bo@example.com")
	p.focused("#role-member")
	p.click("#role-admin")
	p.click(testid("role-form") + " " + testid("save"))
	p.gone("#role-dialog")
	p.see("#members-table", "Admin")
	p.hears("role of bo@example.com was changed")
	p.focused("#role-" + member.UserID)

	p.click("#role-" + owner.UserID)
	p.click("#role-member")
	p.click(testid("role-form") + " " + testid("save"))
	p.see(`#role-dialog .field-error, #role-dialog [data-testid=form-error], #error-dialog`, "owner")
	p.visit("/settings/members")
	p.see("#members-table", "Owner")

	p.mark()
	p.click("#remove-" + member.UserID)
	p.see("#remove-dialog", "bo@example.com loses sight of acme")
	p.click(testid("confirm-remove"))
	p.gone("#remove-dialog")
	p.until("the row is gone", `!document.querySelector("#members-table").textContent.includes("bo@example.com")`)
	p.sameDocument()
	if a := s.call(member.APIKey, "GET", "/api/me", nil); a.StatusCode == http.StatusOK {
		t.Error("the key of the removed member still works")
	}
}

// A new API key is shown once. It can do what was ticked and nothing else, and
// nothing at all once it is revoked.
func apiKeys(t *testing.T, browser context.Context) {
	s := newServer(t)
	p := open(t, browser, s)
	p.signIn(s.createUser("ada@example.com", "acme"))
	p.visit("/settings/apikeys")
	p.click("#add-apikey")
	p.focused("#apikey-name")
	p.fill("#apikey-name", "build machine")
	p.click("#preset-runner")
	p.click(testid("apikey-dialog") + " " + testid("save"))
	p.see("#apikey-created-title", "Copy your new key now")
	token := ask[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, testid("new-apikey")))
	if !strings.HasPrefix(token, "infsh_") {
		t.Fatalf("the new key looks like %.6s…", token)
	}
	p.see("#apikeys-table", "Runs apps, nothing else")
	if a := s.call(token, "POST", "/api/secrets/list", map[string]any{}); a.StatusCode != http.StatusForbidden {
		t.Errorf("the runner's key lists secrets: %d", a.StatusCode)
	}
	if a := s.call(token, "POST", "/internal/v1/resolve", map[string]any{}); a.StatusCode == http.StatusForbidden || a.StatusCode == http.StatusUnauthorized {
		t.Errorf("the runner's key may not resolve: %d %.200s", a.StatusCode, a.Body)
	}

	p.click("#apikey-created .dialog-foot [data-close]")
	p.gone("#apikey-created")
	p.load("reload", chromedp.Reload())
	if strings.Contains(p.html(), token) {
		t.Error("the key is shown a second time")
	}
	p.see(testid("apikey-row"), token[len(token)-4:])

	p.click(testid("revoke") + `[aria-label="Revoke build machine"]`)
	p.see("#revoke-dialog-title", "Revoke build machine?")
	p.click(testid("confirm-revoke"))
	p.gone("#revoke-dialog")
	p.hears("build machine was revoked")
	p.until("the row is gone", `!document.querySelector("#apikeys-table").textContent.includes("build machine")`)
	if a := s.call(token, "GET", "/api/me", nil); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the revoked key answered %d", a.StatusCode)
	}

	// Single scopes are shown when they are asked for.
	p.click("#add-apikey")
	p.focused("#apikey-name")
	p.fill("#apikey-name", "reader")
	p.click("#preset-custom")
	p.click(`[id="scope-secrets:read"]`)
	p.click(testid("apikey-dialog") + " " + testid("save"))
	p.see("#apikeys-table", "secrets:read")
}

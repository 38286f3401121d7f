package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// withoutJavaScript does the same with plain links and forms.
func withoutJavaScript(t *testing.T, browser context.Context) {
	s := newServer(t)
	p := open(t, browser, s, noScript)
	p.visit(strings.TrimPrefix(s.Setup, s.URL))

	// A refused form keeps all but the password, and says why at the field.
	p.fill("#setup-email", "ada@example.com")
	p.fill("#setup-password", p.plant("short-1"))
	p.fill("#setup-team", "acme")
	if status := p.follow(testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a short password answered %d", status)
	}
	p.errorAt("#setup-password", "10")
	p.focused("#setup-password")
	p.until("the email is kept", `document.querySelector("#setup-email").value === "ada@example.com"`)
	password := p.plant("a riddle is harder to remember")
	p.fill("#setup-password", password)
	p.follow(testid("save"))
	p.at("/settings/secrets")
	p.signOut()
	p.fill("#login-email", "ada@example.com")
	p.fill("#login-password", p.plant("not the password at all"))
	if status := p.follow(testid("login")); status != http.StatusUnauthorized {
		t.Errorf("a wrong password answered %d", status)
	}
	p.see(testid("form-error"), "password")
	p.fill("#login-password", password)
	p.follow(testid("login"))
	p.at("/settings/secrets")

	// Add, with an error first. The value is not sent back, the rest is.
	p.follow("#add-secret")
	p.see("#add-dialog-title", "Add secret")
	p.fill("#secret-key", "OPENAI_API_KEY")
	p.fill("#secret-value", p.plant("sk-plain-Vb4nM1")+" ")
	p.fill("#secret-description", "For GPT-4 API calls")
	if status := p.follow(testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a refused value answered %d", status)
	}
	p.errorAt("#secret-value", "space")
	p.focused("#secret-value")
	p.until("key and description are kept, the value is not", `document.querySelector("#secret-key").value === "OPENAI_API_KEY" &&
		document.querySelector("#secret-description").value === "For GPT-4 API calls" && document.querySelector("#secret-value").value === ""`)
	p.fill("#secret-value", p.plant("sk-plain-Vb4nM1"))
	p.follow(testid("save"))
	p.at("/settings/secrets")
	p.see(testid("flash"), "OPENAI_API_KEY was added.")
	p.see(row("OPENAI_API_KEY"), "v1")
	p.load("reload", chromedp.Reload())
	p.gone(testid("flash"))

	// Search, edit, roll back.
	p.fill("#search", "nothing like it")
	p.follow("form.search button")
	p.see(testid("no-match"), "Nothing matches")
	p.visit("/settings/secrets")
	p.follow("#edit-OPENAI_API_KEY")
	p.fill("#rotate-value", p.plant("sk-plain-second-Xc2"))
	p.follow(testid("edit-form") + " " + testid("save"))
	p.at("/settings/secrets/OPENAI_API_KEY")
	p.see(testid("flash"), "OPENAI_API_KEY was saved.")
	p.see(testid("version-row")+":first-child", "v2 Active")
	p.fill("#rotate-value", p.plant("\u00a0sk-plain-third-Yd3"))
	if status := p.follow(testid("edit-form") + " " + testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a refused new value answered %d", status)
	}
	p.errorAt("#rotate-value", "space")
	p.follow(testid("rollback"))
	p.see(testid("version-row")+":first-child", "v3 Active")

	// Another team, and back.
	p.visit("/teams/new")
	p.fill("#team-username", "No Such Name")
	if status := p.follow(testid("save")); status != http.StatusUnprocessableEntity {
		t.Errorf("a refused team name answered %d", status)
	}
	p.errorAt("#team-username", "lower")
	p.fill("#team-username", "acme-staging")
	p.follow(testid("save"))
	p.see("h2", "No secrets in acme-staging yet")
	p.switchTeam("acme")

	// Delete, with its question.
	p.follow("#delete-OPENAI_API_KEY")
	p.see("#delete-dialog-title", "Delete OPENAI_API_KEY?")
	p.follow(testid("confirm-delete"))
	p.see(testid("flash"), "OPENAI_API_KEY was deleted")
	p.gone(row("OPENAI_API_KEY"))
	p.follow(testid("undo"))
	p.see(testid("flash"), "OPENAI_API_KEY is back")
	p.follow(row("OPENAI_API_KEY") + " a.key")
	p.see(testid("version-row")+":first-child", "v3 Active")
	p.follow("#delete-secret")
	p.follow(testid("confirm-delete"))
	p.gone(row("OPENAI_API_KEY"))
	p.see("h2", "No secrets in acme yet")

	// A key for a program, and its end.
	p.visit("/settings/apikeys")
	p.follow("#add-apikey")
	p.fill("#apikey-name", "build machine")
	p.follow(testid("apikey-dialog") + " " + testid("save"))
	token := ask[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, testid("new-apikey")))
	if a := s.call(token, "GET", "/api/me", nil); a.StatusCode != http.StatusOK {
		t.Errorf("the new key answered %d", a.StatusCode)
	}
	p.follow(testid("apikey-created") + " .dialog-foot a")
	p.follow(testid("revoke"))
	p.follow(testid("confirm-revoke"))
	p.see(testid("flash"), "build machine was revoked")
	if a := s.call(token, "GET", "/api/me", nil); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the revoked key answered %d", a.StatusCode)
	}

	// The look is remembered.
	p.click(testid("account-menu") + " summary")
	p.follow(`button[name=theme][value=dark]`)
	p.until("the page is dark", `document.documentElement.dataset.theme === "dark"`)
	p.signOut()
	if p.visit("/settings/secrets?"+url.Values{"q": {"x"}}.Encode()) != http.StatusOK {
		t.Error("the login page did not answer")
	}
	p.at("/login?next=" + url.QueryEscape("/settings/secrets?q=x"))
}

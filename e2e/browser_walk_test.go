package e2e

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// newServer starts a server with an empty database.
func newServer(t *testing.T) *server {
	t.Helper()
	return start(t, filepath.Join(t.TempDir(), "data"))
}

// theWalk is what a first user does: from the printed link to a team with
// secrets, each step by mouse and keyboard.
func theWalk(t *testing.T, browser context.Context) {
	s := newServer(t)
	p := open(t, browser, s)
	first, second := p.plant("sk-walk-first-7Qm2xW9v"), p.plant("sk-walk-second-b81Kq4Zt")

	// The printed link makes the first account, and signs in.
	p.visit(strings.TrimPrefix(s.Setup, s.URL))
	p.focused("#setup-email")
	p.fill("#setup-email", "ada@example.com")
	p.fill("#setup-password", p.plant("a riddle is harder to remember"))
	p.fill("#setup-team", "acme")
	p.follow(testid("save"))
	p.at("/settings/secrets")
	p.see("h2", "No secrets in acme yet")
	if status := p.visit(strings.TrimPrefix(s.Setup, s.URL)); status != http.StatusOK {
		t.Errorf("the used setup link answered %d", status)
	}
	p.at("/settings/secrets")

	// The dialog takes the focus, and Escape gives it back.
	p.mark()
	p.click("#add-secret")
	p.until("the dialog is modal", `document.querySelector("#add-dialog").matches(":modal")`)
	p.focused("#secret-key")
	for range 12 {
		p.press(kb.Tab)
		if !ask[bool](p, `document.activeElement === document.body || document.querySelector("#add-dialog").contains(document.activeElement)`) {
			t.Errorf("Tab leads out of the dialog to %s", ask[string](p, `document.activeElement.outerHTML.slice(0, 200)`))
		}
	}
	p.press(kb.Escape)
	p.gone("#add-dialog")
	p.focused("#add-secret")

	// A secret appears, masked, without a page load; a live region says so.
	p.addSecret("OPENAI_API_KEY", first, "For GPT-4 API calls")
	p.see(row("OPENAI_API_KEY"), "v1")
	p.see(row("OPENAI_API_KEY")+" [data-label=Value]", "••••")
	p.see(row("OPENAI_API_KEY"), "For GPT-4 API calls")
	p.hears("OPENAI_API_KEY was added.")
	p.focused("#add-secret")
	p.sameDocument()

	// An edit with a new value is a rotation; without one it keeps the value.
	p.click("#edit-OPENAI_API_KEY")
	p.focused("#edit-value")
	p.fill("#edit-value", second)
	p.click(testid("edit-dialog") + " " + testid("save"))
	p.see(row("OPENAI_API_KEY"), "v2")
	p.hears("OPENAI_API_KEY was saved.")
	p.focused("#edit-OPENAI_API_KEY")
	p.click("#edit-OPENAI_API_KEY")
	p.fill("#edit-description", "For everything")
	p.click(testid("edit-dialog") + " " + testid("save"))
	p.see(row("OPENAI_API_KEY"), "For everything")
	p.see(row("OPENAI_API_KEY"), "v2")
	p.sameDocument()

	// A search is part of the address: a reload keeps it, and Back leaves it.
	p.addSecret("STRIPE_SECRET_KEY", p.plant("sk_live_walk_51Hq8Xy"), "Payments")
	p.fill("#search", "stripe")
	p.gone(row("OPENAI_API_KEY"))
	p.see(row("STRIPE_SECRET_KEY"), "Payments")
	p.at("/settings/secrets?q=stripe")
	p.hears("1 secret found")
	p.sameDocument()
	p.load("reload", chromedp.Reload())
	p.see(row("STRIPE_SECRET_KEY"), "Payments")
	p.gone(row("OPENAI_API_KEY"))
	p.until("the search is kept", `document.querySelector("#search").value === "stripe"`)
	p.back()
	p.at("/settings/secrets")
	p.see(row("OPENAI_API_KEY"), "For everything")

	// Old values come back as a new version.
	p.follow(row("OPENAI_API_KEY") + " a.key")
	p.at("/settings/secrets/OPENAI_API_KEY")
	p.see(testid("version-row")+":first-child", "v2 Active")
	p.follow(`[aria-label="Roll back to version 1"]`)
	p.at("/settings/secrets/OPENAI_API_KEY")
	p.see(testid("flash"), "rolled back")
	p.see(testid("version-row")+":first-child", "v3 Active")

	// Deleting asks first, by name, and does nothing if one keeps it.
	p.visit("/settings/secrets")
	p.mark()
	p.click("#delete-OPENAI_API_KEY")
	p.see("#delete-dialog-title", "Delete OPENAI_API_KEY?")
	p.focused("#delete-dialog .dialog-foot [data-close]")
	p.press(kb.Enter)
	p.gone("#delete-dialog")
	p.focused("#delete-OPENAI_API_KEY")
	p.see(row("OPENAI_API_KEY"), "v3")
	p.click("#delete-OPENAI_API_KEY")
	p.click(testid("confirm-delete"))
	p.gone(row("OPENAI_API_KEY"))
	p.hears("OPENAI_API_KEY was deleted")

	// It can be undone, also by the keyboard, and then it is as it was.
	p.focused(testid("undo"))
	p.press(kb.Enter)
	p.see(row("OPENAI_API_KEY"), "v3")
	p.hears("OPENAI_API_KEY is back, with all its versions.")
	p.gone(testid("undo-toast"))
	p.focused("main h1")
	p.click("#delete-OPENAI_API_KEY")
	p.click(testid("confirm-delete"))
	p.gone(row("OPENAI_API_KEY"))
	p.sameDocument()

	// Another team has its own secrets.
	p.click(testid("team-menu") + " summary")
	p.follow(testid("team-menu") + ` a[href="/teams/new"]`)
	p.fill("#team-username", "acme-staging")
	p.fill("#team-name", "Acme staging")
	p.follow(testid("save"))
	p.at("/settings/secrets")
	p.see(testid("flash"), "acme-staging")
	p.see("h2", "No secrets in Acme staging yet")
	p.switchTeam("acme")
	p.see(row("STRIPE_SECRET_KEY"), "Payments")
}

// back goes back as the browser's button does.
func (p *tab) back() {
	p.Helper()
	ask[chromedp.Void](p, `history.back()`)
}

// Nothing of the signed-in pages is left after signing out: neither in what
// Back shows, nor for whoever kept the cookie (cases A2 and W4).
func signingOut(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	p.signIn(u)
	p.addSecret("STRIPE_SECRET_KEY", p.plant("sk_live_out_9Zk3"), "Payments")
	p.follow(row("STRIPE_SECRET_KEY") + " a.key")
	cookies := p.cookies()
	if !p.showsSecrets(cookies) {
		t.Fatal("the session's cookie does not open the secrets, so this test looks at nothing")
	}
	p.signOut()
	if got := p.last("POST /logout").header.Get("Clear-Site-Data"); !strings.Contains(got, "cache") || !strings.Contains(got, "storage") {
		t.Errorf("Clear-Site-Data is %s", got)
	}
	if p.showsSecrets(cookies) {
		t.Error("the old cookie still opens the secrets")
	}
	for range 3 {
		before := ask[string](p, `location.href`)
		p.back()
		p.until("the page before is the login page", `location.pathname === "/login" && document.readyState === "complete" && document.documentElement.innerText.includes("Sign in")`)
		// A page from the back-forward cache asks the server again, and is none meanwhile.
		if text := ask[string](p, `document.documentElement?.innerText ?? ""`); strings.Contains(text, "STRIPE") || strings.Contains(text, u.Email) {
			t.Errorf("Back from %s shows %.300s", before, text)
		}
	}
}

// cookies are the browser's, as a thief would copy them.
func (p *tab) cookies() string {
	p.Helper()
	got, err := chromedp.Call(p.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		p.Fatal(err)
	}
	var pairs []string
	for _, c := range got.Cookies {
		pairs = append(pairs, c.Name+"="+c.Value)
		if !c.HTTPOnly {
			p.Errorf("scripts can read the cookie %s", c.Name)
		}
	}
	return strings.Join(pairs, "; ")
}

// showsSecrets reports whether the cookies open the list of secrets.
func (p *tab) showsSecrets(cookies string) bool {
	p.Helper()
	a := p.visitor().get("/settings/secrets", "Cookie", cookies)
	return a.StatusCode == http.StatusOK && strings.Contains(a.Body, "STRIPE_SECRET_KEY")
}

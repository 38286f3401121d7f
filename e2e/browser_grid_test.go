package e2e

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
)

// gridOfTeams goes from the grid of all teams to where a missing key is added,
// and tells which values are equal, with and without JavaScript.
func gridOfTeams(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	set := func(key, in, value string) {
		t.Helper()
		s.callIn(s.deviceLogin(owner), in, "POST", "/api/secrets", map[string]any{"key": key, "value": p.plant(value)})
	}
	s.call(s.deviceLogin(owner), "POST", "/api/teams", map[string]any{"username": "acme-staging"})
	set("OPENAI_API_KEY", "acme", "sk-the-same-in-both-teams")
	set("OPENAI_API_KEY", "acme-staging", "sk-the-same-in-both-teams")
	set("DATABASE_URL", "acme", "postgres://production-of-acme")
	set("DATABASE_URL", "acme-staging", "postgres://staging-of-acme")
	set("STRIPE_SECRET_KEY", "acme", "sk-only-in-production")

	for _, tab := range []*tab{p, open(t, browser, s, noScript)} {
		tab.do("make the table fit", chromedp.EmulateViewport(1280, 900))
		tab.signIn(owner)
		tab.switchTeam("acme")
		tab.visit("/settings/environments")
		tab.see(testid("grid-count"), "3 keys")
		tab.see("#grid-STRIPE_SECRET_KEY", "missing")
		tab.click("input[name=show]")
		tab.follow(testid("show-grid"))
		tab.see(testid("grid-count"), "1 key with differences, of 3")
		tab.gone("#grid-OPENAI_API_KEY")
		tab.follow(testid("compare"))
		tab.see(testid("grid-count"), "2 keys with differences, of 3 · values compared")
		tab.see("#grid-DATABASE_URL", "differs")
		tab.click("input[name=show]")
		tab.follow(testid("compare"))
		tab.see("#grid-OPENAI_API_KEY", "= acme")
		tab.visit("/settings/environments")
		tab.follow(`#grid-STRIPE_SECRET_KEY button`)
		tab.see(testid("add-dialog"), "Add")
		tab.until("the form is of that team and key", `document.querySelector("#secret-key").value === "STRIPE_SECRET_KEY" && document.querySelector("#main").textContent.includes("acme-staging")`)
	}
}

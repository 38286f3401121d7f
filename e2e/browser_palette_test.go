package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// The palette finds pages, keys, apps and teams from the keyboard, says how many
// it found, and gives the focus back. Without JavaScript it is a page.
func palette(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	for _, key := range []string{"OPENAI_API_KEY", "STRIPE_SECRET_KEY"} {
		s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": key, "value": p.plant("sk-palette-" + key), "description": "For " + key})
	}
	s.deployApp(owner, "open-summaries", "Summaries", requirement{"OPENAI_API_KEY", "", false})
	s.call(owner.APIKey, "POST", "/api/teams", map[string]any{"username": "openly"})
	p.signIn(owner)
	selected := func(text string) {
		t.Helper()
		p.until("the selected option is "+text, fmt.Sprintf(`(() => {
			const field = document.querySelector("#find-field"), option = document.getElementById(field.getAttribute("aria-activedescendant"));
			return document.activeElement === field && option?.getAttribute("aria-selected") === "true" && option.textContent.includes(%q)
				&& document.querySelectorAll("[role=option][aria-selected=true]").length === 1;
		})()`, text))
	}

	// By the keys, from wherever one is, and back there.
	p.do("focus the button", focus("#edit-STRIPE_SECRET_KEY"))
	p.mark()
	p.chord("k")
	p.focused("#find-field")
	selected("Secrets")
	p.press(kb.ArrowUp)
	selected("Switch to openly")
	p.press(kb.ArrowDown)
	selected("Secrets")
	p.fill("#find-field", "open")
	p.see("#find-results", "acme/open-summaries")
	p.see("#find-results", "Switch to openly")
	selected("OPENAI_API_KEY")
	p.hearsIn("#find-status", "3 results")
	p.fill("#find-field", "no such thing")
	p.see("#find-results", "Nothing matches")
	p.until("nothing is offered", `document.querySelector("#find-field").getAttribute("aria-expanded") === "false"`)
	p.press(kb.Escape)
	p.until("the palette is closed", `!document.querySelector("#palette").open`)
	p.focused("#edit-STRIPE_SECRET_KEY")
	p.sameDocument()
	p.at("/settings/secrets")

	// By its button; Enter opens what is selected, a page or another team.
	p.click(testid("find-button"))
	p.fill("#find-field", "stripe")
	selected("STRIPE_SECRET_KEY")
	p.press(kb.Enter)
	p.at("/settings/secrets/STRIPE_SECRET_KEY")
	p.until("the page is complete", `document.readyState === "complete"`)
	p.chord("k")
	p.fill("#find-field", "openly")
	selected("openly")
	p.press(kb.Enter)
	p.see(testid("team-menu")+" summary", "openly")

	// A page does the same without a script.
	plain := open(t, browser, s, noScript)
	plain.signIn(owner)
	plain.follow(testid("find-button"))
	plain.at("/settings/find")
	plain.fill("#find-all", "OPEN")
	plain.follow(testid("find"))
	plain.at("/settings/find?q=OPEN")
	plain.see("main", "OPENAI_API_KEY")
	if status := plain.follow(`main .found[href="/settings/apps/acme/open-summaries"]`); status != http.StatusOK {
		t.Errorf("the app's page answered %d", status)
	}
	plain.visit("/settings/find?q=openly")
	plain.follow("main button.found")
	plain.see(testid("team-menu")+" summary", "openly")
}

// With many teams, the menu goes to one by the first letters of its name.
func menusByKeys(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	for _, name := range []string{"beta", "gamma", "gallery", "zeta"} {
		s.call(owner.APIKey, "POST", "/api/teams", map[string]any{"username": name})
	}
	p := open(t, browser, s)
	p.signIn(owner)
	p.do("focus the menu", focus(testid("team-menu")+" summary"))
	p.press(kb.Enter)
	at := func(name string) {
		t.Helper()
		p.until("the focus is on "+name, fmt.Sprintf(`document.activeElement.textContent.includes(%q) && document.activeElement.closest("[data-testid=team-menu]") !== null`, name))
	}
	p.press(kb.ArrowDown)
	at("acme")
	p.press("g")
	at("gallery")
	p.press("g")
	at("gamma")
	p.press(kb.End)
	at("New team")
	p.press(kb.ArrowDown)
	at("acme")
	p.press(kb.ArrowUp)
	at("New team")
	p.press(kb.Escape)
	p.focused(testid("team-menu") + " summary")
	p.press(kb.Enter)
	p.press("z")
	at("zeta")
	p.press(kb.Enter)
	p.see(testid("team-menu")+" summary", "zeta")

	// The skip link leads past the navigation, whose present place is marked.
	p.press(kb.Tab)
	p.focused("a.skip")
	p.press(kb.Enter)
	p.focused("#main")
	p.until("one place is marked in each navigation", `[...document.querySelectorAll("nav[aria-label^=Settings]")].every(n => n.querySelectorAll("[aria-current=page]").length === 1)`)
}

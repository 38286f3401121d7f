package e2e

import (
	"context"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
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

// editingTeams sets keys of two teams as text: chosen in the grid, previewed, found
// stale after a change by somebody else, and saved; with and without JavaScript.
func editingTeams(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	login := s.deviceLogin(owner)
	s.call(login, "POST", "/api/teams", map[string]any{"username": "acme-staging"})
	set := func(method, path, value string) {
		t.Helper()
		body := map[string]any{"value": p.plant(value)}
		if method == "POST" {
			body["key"] = "OPENAI_API_KEY"
		}
		s.callIn(login, "acme", method, path, body)
	}
	set("POST", "/api/secrets", "sk-edit-first-Wc31")
	p.signIn(owner)

	// By the keys: a key is ticked, and its text is filled in.
	p.visit("/settings/environments")
	p.do("focus the box", focus("#select-OPENAI_API_KEY"))
	p.press(" ")
	p.see("#selected", "1 selected")
	p.do("focus the button", focus(testid("edit-as-text")))
	p.load("open the text", chromedp.KeyEvent(kb.Enter))
	p.until("the text has the key and no value", `document.querySelector("#sheet").value === "[acme]\nOPENAI_API_KEY=\n\n[acme-staging]\n# Not set yet:\nOPENAI_API_KEY=\n\n"`)
	p.mark()
	p.fill("#sheet", "FAL_KEY="+p.plant("fal-edit-both-Ud27")+"\n[acme]\nOPENAI_API_KEY="+p.plant("sk-edit-second-Jp64")+"\nPATH=/tmp\n[acme-staging]\nOPENAI_API_KEY=\n")
	p.do("focus the button", focus(testid("preview")))
	p.press(kb.Enter)
	p.see(testid("edit-sum"), "2 new, 1 changed, 1 refused, 1 line without a value.")
	p.hears("2 new, 1 changed, 1 refused")
	p.see("[data-status=refused]", "PATH")
	p.gone(testid("apply"))
	p.fill("#sheet", "FAL_KEY=fal-edit-both-Ud27\n[acme]\nOPENAI_API_KEY=sk-edit-second-Jp64\n")
	p.click(testid("preview"))
	p.see(testid("edit-sum"), "2 new, 1 changed.")
	set("PUT", "/api/secrets/OPENAI_API_KEY", "sk-edit-quicker-Rr05")
	p.click(testid("apply"))
	p.see(testid("stale"), "Nothing was written")
	p.sameDocument()
	p.follow(testid("apply"))
	p.see(testid("flash"), "Saved: 2 secrets added, 1 secret changed, in 2 teams.")
	p.see("#grid-OPENAI_API_KEY", "v3")
	p.see("#grid-FAL_KEY td:last-child", "v1")

	// Without a script the answers go to another tab, and what was typed stays.
	plain := open(t, browser, s, noScript)
	plain.signIn(owner)
	plain.visit("/settings/environments")
	plain.follow(testid("edit-as-text"))
	plain.fill("#sheet", "HF_TOKEN="+plain.plant("hf-edit-plain-Tn88")+"\n")
	plain.until("both answers go there", `[...document.querySelectorAll("#edit-form button")].every(b => b.formTarget === "edit-preview")`)
	plain.do("answer here", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#edit-form button").forEach(b => b.removeAttribute("formtarget"))`))
	if status := plain.follow(testid("preview")); status != http.StatusOK {
		t.Errorf("the preview answered %d", status)
	}
	plain.see(testid("edit-sum"), "2 new.")
	plain.do("tick", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#edit-form button").forEach(b => b.removeAttribute("formtarget"))`))
	plain.fill("#sheet", "HF_TOKEN=hf-edit-plain-Tn88\n")
	plain.follow(testid("apply-plain"))
	plain.see(testid("flash"), "Saved: 2 secrets added, in 2 teams.")
	plain.see("#grid-HF_TOKEN", "v1")
}

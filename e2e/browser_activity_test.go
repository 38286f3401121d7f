package e2e

import (
	"context"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// filteringActivity looks for entries, with and without JavaScript. What is looked
// for stands in the address, so that a reload and Back keep it.
func filteringActivity(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	for _, key := range []string{"OPENAI_API_KEY", "STRIPE_SECRET_KEY"} {
		s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": key, "value": "value-of-" + key})
	}
	s.deployApp(owner, "summarise", "Summaries", requirement{"OPENAI_API_KEY", "For GPT-4 API calls", false})
	if a := s.call(owner.APIKey, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/summarise", "run_id": "run-42"}); a.StatusCode != http.StatusOK {
		t.Fatalf("the run was answered %d", a.StatusCode)
	}

	p := open(t, browser, s)
	p.do("make the table fit", chromedp.EmulateViewport(1280, 900))
	p.signIn(owner)
	p.visit("/settings/activity")
	p.mark()
	p.see(testid("run-chart"), "1 run received secrets and 0 did not")
	p.see(testid("activity-row"), "Received an app's secrets")
	p.fill("#filter-key", "OPENAI_API_KEY")
	p.press(kb.Enter)
	p.at("/settings/activity?key=OPENAI_API_KEY")
	p.until("only what is of the key is left", `document.querySelectorAll("[data-testid=activity-row]").length === 3 && !document.querySelector("#activity-list").textContent.includes("STRIPE")`)
	p.hears("3 entries")
	p.click(testid("received") + " summary")
	for _, text := range []string{"OPENAI_API_KEY", "v1", "run-42", "127.0.0.1"} {
		p.see(testid("received"), text)
	}
	p.do("choose a kind", chromedp.Evaluate[chromedp.Void](`{const kind = document.querySelector("#filter-kind"); kind.value = "secret"; kind.dispatchEvent(new Event("change", {bubbles: true}))}`))
	p.at("/settings/activity?key=OPENAI_API_KEY&kind=secret")
	p.until("one entry is left", `document.querySelectorAll("[data-testid=activity-row]").length === 1`)
	p.sameDocument()
	p.back()
	p.until("the entries before are back", `document.querySelectorAll("[data-testid=activity-row]").length === 3 && document.querySelector("#filter-key").value === "OPENAI_API_KEY"`)

	plain := open(t, browser, s, noScript)
	plain.do("make the table fit", chromedp.EmulateViewport(1280, 900))
	plain.signIn(owner)
	plain.visit("/settings/activity")
	plain.fill("#filter-app", "acme/summarise")
	plain.follow(testid("activity-filter") + " button")
	plain.see("#activity-list", "Deployed an app")
	plain.until("the rest is left out", `!document.querySelector("#activity-list").textContent.includes("STRIPE")`)
	plain.fill("#filter-person", "nobody")
	plain.follow(testid("activity-filter") + " button")
	plain.see(testid("no-match"), "Nothing matches")
}

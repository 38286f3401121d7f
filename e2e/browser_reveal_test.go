package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// revealing shows a value to who may see it and proves who they are, for half a
// minute, and leaves it nowhere.
func revealing(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner, member := s.createUser("ada@example.com", "acme"), s.createUser("bo@example.com", "acme")
	const value = "-----BEGIN KEY-----\nreveal-Wm49-line\n-----END KEY-----\n"
	if a := s.call(owner.APIKey, "POST", "/api/secrets", map[string]string{"key": "TLS_KEY", "value": value}); a.StatusCode != http.StatusCreated {
		t.Fatalf("set: %d %.300s", a.StatusCode, a.Body)
	}
	p := open(t, browser, s)
	p.signIn(owner)
	p.visit("/settings/secrets/TLS_KEY")
	if strings.Contains(p.html(), "reveal-Wm49-line") {
		t.Fatal("the value is in the page before it is asked for")
	}
	p.mark()
	// Sooner than in half a minute.
	ask[chromedp.Void](p, `window.hidden = []; window.setTimeout = (real => (f, ms) => ms === 30000 ? hidden.push(f) : real(f, ms))(window.setTimeout)`)
	s.stale()
	p.click("#reveal")
	p.see("#confirm-dialog-title", "Is it you?")
	p.fill("#confirm-password", owner.Password)
	p.click(testid("confirm"))
	p.until("the value is shown as it is", `document.querySelector("#revealed-value").textContent === "-----BEGIN KEY-----\nreveal-Wm49-line\n-----END KEY-----\n"`)
	p.focused("#reveal-dialog [data-close]")
	p.press(kb.Escape)
	p.gone("#reveal-dialog")
	p.focused("#reveal")
	p.press(kb.Enter)
	p.see("#reveal-dialog", "reveal-Wm49-line")
	p.until("it is to be hidden", `hidden.length === 2`)
	ask[chromedp.Void](p, `hidden[1]()`)
	p.gone("#reveal-dialog")
	p.sameDocument()
	if strings.Contains(p.html(), "reveal-Wm49-line") {
		t.Error("the value is in the page after it was hidden")
	}
	// In the list, too; and whoever leaves while it is shown does not find it again,
	// by going back as by any storage (case W4).
	p.visit("/settings/secrets?q=tls")
	p.click("#reveal-TLS_KEY")
	p.see("#reveal-dialog", "reveal-Wm49-line")
	p.click("#reveal-dialog [data-close]")
	p.gone("#reveal-dialog")
	p.at("/settings/secrets?q=tls")
	p.focused("#reveal-TLS_KEY")
	p.click("#reveal-TLS_KEY")
	p.see("#reveal-dialog", "reveal-Wm49-line")
	p.visit("/settings/activity")
	p.see(testid("activity-row"), "Revealed a secret")
	p.back()
	p.at("/settings/secrets?q=tls")
	p.see("h1", "Secrets")
	if kept := ask[string](p, `document.documentElement.outerHTML + JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), history.state, document.cookie])`); strings.Contains(kept, "reveal-Wm49-line") {
		t.Error("what was left while it was shown came back, or is kept")
	}
	p.visit("/settings/secrets/TLS_KEY")
	p.visit("/settings/activity")
	p.back()
	p.at("/settings/secrets/TLS_KEY")
	p.see("h1", "TLS_KEY")
	if strings.Contains(p.html(), "reveal-Wm49-line") {
		t.Error("the value came back")
	}

	plain := open(t, browser, s, noScript)
	plain.signIn(owner)
	plain.visit("/settings/secrets/TLS_KEY")
	plain.follow("#reveal")
	plain.see("#revealed-value", "reveal-Wm49-line")
	shown := plain.last("POST /settings/secrets/TLS_KEY/reveal")
	if got := shown.header.Get("Refresh"); got != "30; url=/settings/secrets/TLS_KEY" {
		t.Errorf("the page hides the value by %q", got)
	}
	if got := shown.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the page with the value may be kept: %q", got)
	}
	plain.follow("#reveal-dialog .dialog-foot a")
	plain.at("/settings/secrets/TLS_KEY")
	plain.see(testid("flash"), "The value of TLS_KEY is hidden again.")

	m := open(t, browser, s)
	m.signIn(member)
	m.visit("/settings/secrets/TLS_KEY")
	m.see("h1", "TLS_KEY")
	m.gone("#reveal")
}

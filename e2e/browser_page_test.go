package e2e

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// do runs actions, and fails the test if they do not come to an end in time.
func (p *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.Fatalf("%s: %v\n%s", what, err, p.state())
	}
}

// state describes the page for the message of a failed test.
func (p *tab) state() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("at %s:%d on the page %.1500s", path.Base(file), line, text)
}

// load runs what leads to another page, waits for that page, and returns the
// status of its answer.
func (p *tab) load(what string, action chromedp.Action[chromedp.Void]) int {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, action)
	if err != nil {
		p.Fatalf("%s: %v\n%s", what, err, p.state())
	}
	if answer == nil {
		p.Fatalf("%s: no page was loaded\n%s", what, p.state())
	}
	// Then the page's scripts have run, too.
	p.until("the page is complete", `document.readyState === "complete"`)
	return int(answer.Status)
}

// visit opens a path of the server.
func (p *tab) visit(path string) int {
	p.Helper()
	return p.load("visit "+path, chromedp.Navigate(p.URL+path))
}

// settled waits until htmx has taken up what it has put into the page. A click
// before that works too, but as a plain form's.
func (p *tab) settled() {
	p.Helper()
	p.until("the page has settled", `!document.querySelector(".htmx-added, .htmx-settling, .htmx-swapping")`)
}

// follow clicks what leads to another page.
func (p *tab) follow(selector string) int {
	p.Helper()
	p.settled()
	return p.load("follow "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// click clicks what changes the page in its place.
func (p *tab) click(selector string) {
	p.Helper()
	p.do("find "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	p.settled()
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fill types into a field, after what is in it has been removed.
func (p *tab) fill(selector, text string) {
	p.Helper()
	p.do("find "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	p.settled()
	p.do("fill in "+selector,
		chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).select()`, selector)),
		chromedp.KeyEvent(kb.Delete),
	)
	if text != "" {
		p.do("fill in "+selector, insertText(text))
	}
	// Only what arrived was typed: the browser must not correct it.
	p.until("what was typed is in "+selector, fmt.Sprintf(`document.querySelector(%q).value === %q`, selector, text))
}

// insertText puts text where the focus is, in one go, as the clipboard does.
func insertText(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// press sends keys to whatever has the focus.
func (p *tab) press(keys string) {
	p.Helper()
	p.do("press a key", chromedp.KeyEvent(keys))
}

// until waits for a JavaScript condition. While one page gives way to another
// there is none to ask; that counts as not yet.
func (p *tab) until(what, condition string) {
	p.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(`+condition+`)`))
		cancel()
		if ok && err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.Fatalf("not so: %s (%s, last error %v)\n%s", what, condition, err, p.state())
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// ask evaluates JavaScript in the page.
func ask[T any](p *tab, expression string) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.Fatalf("evaluate %s: %v\n%s", expression, err, p.state())
	}
	return v
}

// see waits until the text is in an element that is shown.
func (p *tab) see(selector, text string) {
	p.Helper()
	p.until(fmt.Sprintf("%s shows %q", selector, text), fmt.Sprintf(
		`[...document.querySelectorAll(%q)].some(e => e.checkVisibility() && e.textContent.replace(/\s+/g, " ").includes(%q))`, selector, text))
}

// hears waits until a live region has said the text, which a toast does not
// keep for long.
func (p *tab) hears(text string) {
	p.Helper()
	p.until("a live region says "+text, fmt.Sprintf(`(window.said ?? []).some(s => s.includes(%q))`, text))
}

// gone waits until no element matches.
func (p *tab) gone(selector string) {
	p.Helper()
	p.until("there is no "+selector, fmt.Sprintf(`!document.querySelector(%q)`, selector))
}

// focused waits until the element has the focus.
func (p *tab) focused(selector string) {
	p.Helper()
	p.until(selector+" has the focus", fmt.Sprintf(`document.activeElement?.matches(%q)`, selector))
}

// at waits until the page's address is the path, with its query.
func (p *tab) at(path string) {
	p.Helper()
	p.until("the address is "+path, fmt.Sprintf(`location.pathname + location.search === %q`, path))
}

// errorAt waits until a field has an error that contains the text and that is
// tied to the field for assistive technology.
func (p *tab) errorAt(field, text string) {
	p.Helper()
	p.see(field+"-error", text)
	p.until("the error is tied to "+field, fmt.Sprintf(
		`document.querySelector(%q).getAttribute("aria-invalid") === "true" && document.querySelector(%[1]q).getAttribute("aria-describedby").split(" ").includes(%q)`,
		field, strings.TrimPrefix(field, "#")+"-error"))
}

// row is the selector of a secret's row.
func row(key string) string { return `[data-testid=secret-row][data-key="` + key + `"]` }

// testid is the selector of an element by its data-testid.
func testid(id string) string { return `[data-testid="` + id + `"]` }

// signIn signs in by the login page.
func (p *tab) signIn(u user) {
	p.Helper()
	p.visit("/login")
	p.fill("#login-email", u.Email)
	p.fill("#login-password", u.Password)
	if status := p.follow(testid("login")); status != http.StatusOK {
		p.Fatalf("the page after signing in answered %d\n%s", status, p.state())
	}
	p.at("/settings/secrets")
}

// addSecret adds a secret by the dialog.
func (p *tab) addSecret(key, value, description string) {
	p.Helper()
	p.click("#add-secret")
	p.focused("#secret-key")
	p.fill("#secret-key", key)
	p.fill("#secret-value", value)
	p.fill("#secret-description", description)
	p.click(testid("add-dialog") + " " + testid("save"))
	p.gone(testid("add-dialog"))
	p.see(row(key)+" .key", key)
}

// switchTeam switches by the menu.
func (p *tab) switchTeam(username string) {
	p.Helper()
	p.click(testid("team-menu") + " summary")
	id := ask[string](p, fmt.Sprintf(`[...document.querySelectorAll("[data-testid=team-menu] button[name=team_id]")].find(b => b.textContent.includes(%q))?.value ?? ""`, username+" · "))
	if id == "" {
		p.Fatalf("the menu has no team %s\n%s", username, p.state())
	}
	p.follow(testid("team-menu") + ` button[value="` + id + `"]`)
	p.see(testid("team-menu")+" summary", username)
}

// signOut signs out by the menu.
func (p *tab) signOut() {
	p.Helper()
	p.click(testid("account-menu") + " summary")
	// Not by the mouse, which misses what moves meanwhile, as after a look at the
	// page in other sizes.
	p.load("sign out", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).click()`, testid("logout"))))
	p.at("/login")
}

// mark puts a mark on the page, which a page load removes.
func (p *tab) mark() {
	p.Helper()
	ask[chromedp.Void](p, `document.documentElement.dataset.mark = "here"`)
}

// sameDocument fails the test if a page was loaded since mark.
func (p *tab) sameDocument() {
	p.Helper()
	if ask[string](p, `document.documentElement.dataset.mark ?? ""`) != "here" {
		p.Fatalf("a whole page was loaded\n%s", p.state())
	}
}

// html is the page's source as the browser has it now.
func (p *tab) html() string {
	p.Helper()
	return ask[string](p, `document.documentElement.outerHTML`)
}

// focus puts the focus on an element, as Tab does.
func focus(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).focus()`, selector))
}

// chord presses a letter together with Control.
func (p *tab) chord(letter string) {
	p.Helper()
	p.do("press Control and "+letter, chromedp.KeyEvent(letter, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

// hearsIn waits until the live region says the text.
func (p *tab) hearsIn(selector, text string) {
	p.Helper()
	p.until(selector+" says "+text, fmt.Sprintf(`document.querySelector(%q).matches("[role=status]") && document.querySelector(%[1]q).textContent === %q`, selector, text))
}

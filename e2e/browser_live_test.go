package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"infsh/db/dbtest"
)

// A change by somebody else appears in the open page, whichever instance made
// it, and disturbs nothing of what its person is doing there.
func liveUpdates(t *testing.T, browser context.Context) {
	flags := []string{"--database-url", dbtest.PostgresURL(t), "--kek", "file:" + filepath.Join(t.TempDir(), "kek.json")}
	s := start(t, filepath.Join(t.TempDir(), "a"), flags...)
	owner := s.createUser("ada@example.com", "acme")
	cyn := s.createUser("cyn@example.com", "acme")
	other := start(t, filepath.Join(t.TempDir(), "b"), flags...)
	p := open(t, browser, s)
	set := func(key, description string) {
		t.Helper()
		a := other.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": key, "value": p.plant("sk-live-" + key), "description": description})
		if a.StatusCode != http.StatusCreated {
			t.Fatalf("set %s: %d %s", key, a.StatusCode, a.Body)
		}
	}
	for i := range 30 {
		set(fmt.Sprintf("MANY_%02d_API_KEY", i), "One of many")
	}
	set("OPENAI_API_KEY", "For GPT-4 API calls")
	p.signIn(owner)
	p.mark()

	// A half-typed search, the selection in it, and the place in the page stay.
	p.fill("#search", "api")
	p.at("/settings/secrets?q=api")
	p.do("select in the search", chromedp.Evaluate[chromedp.Void](`document.querySelector("#search").setSelectionRange(1, 2); scrollTo(0, 400)`))
	place := ask[float64](p, `scrollY`)
	set("ANTHROPIC_API_KEY", "For Claude API calls")
	p.see(row("ANTHROPIC_API_KEY"), "For Claude API calls")
	p.hears("Brought up to date: Secrets.")
	p.focused("#search")
	p.until("the selection is kept", `document.activeElement.selectionStart === 1 && document.activeElement.selectionEnd === 2`)
	if now := ask[float64](p, `scrollY`); now < place {
		t.Errorf("the page was scrolled from %v to %v", place, now)
	}
	// What the search does not find does not come in.
	set("UNRELATED", "Not found")

	// An open dialog keeps the focus, and what is typed in it.
	p.click("#add-secret")
	p.fill("#secret-key", "HALF_TYPED_KEY")
	p.fill("#secret-value", p.plant("sk-live-half-typed"))
	if a := other.call(owner.APIKey, "DELETE", "/api/secrets/OPENAI_API_KEY", nil); a.StatusCode != http.StatusNoContent {
		t.Fatalf("delete: %d", a.StatusCode)
	}
	p.gone(row("OPENAI_API_KEY"))
	p.focused("#secret-value")
	p.until("the dialog is open, with what was typed", `document.querySelector("#add-dialog").matches(":modal") && document.querySelector("#secret-value").value === "sk-live-half-typed"`)
	p.click(testid("add-dialog") + " " + testid("save"))
	p.gone("#add-dialog")
	p.gone(row("UNRELATED"))
	p.sameDocument()

	// What a form was answered with in its place stays.
	p.visit("/settings/import")
	p.fill("#import-value", "FAL_KEY="+p.plant("fal-live-0123456789"))
	p.click(testid("preview"))
	p.see(testid("import-sum"), "1 new")
	before := len(p.requests("GET /settings/import"))
	set("ANOTHER_KEY", "")
	for deadline := time.Now().Add(patience); len(p.requests("GET /settings/import")) == before; time.Sleep(15 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the page did not ask for itself anew")
		}
	}
	p.see(testid("import-sum"), "1 new")
	p.until("the text is kept", `document.querySelector("#import-value").value.startsWith("FAL_KEY=")`)

	// The other pages, too: what is unfolded stays unfolded.
	other.deployApp(owner, "summarise", "Summaries", requirement{"MISSING_KEY", "Is missing", false}, requirement{"ANTHROPIC_API_KEY", "Is there", false})
	p.visit("/settings/apps/acme/summarise")
	p.mark()
	p.click(`[data-key=MISSING_KEY] summary`)
	set("MISSING_KEY", "")
	p.see(testid("verdict"), "It will run")
	p.until("it is still unfolded", `document.querySelector("[data-key=MISSING_KEY] details").open`)
	p.sameDocument()
	p.visit("/settings/apikeys")
	other.apiKey(owner, "build machine", "apps:execute")
	p.see("main", "build machine")
	p.visit("/settings/members")
	other.call(owner.APIKey, "POST", "/api/teams/"+owner.TeamID+"/invites", map[string]any{"email": "eve@example.com", "role": "member"})
	p.see("#invites-table", "eve@example.com")

	// The activity, of which much may come, offers what is new.
	p.visit("/settings/activity")
	other.call(cyn.APIKey, "GET", "/api/secrets/reveal/UNRELATED", nil)
	p.see("#news", "There are new entries")
	p.hears("There are new entries")
	p.follow("#news a")
	p.see(testid("activity-row"), "Revealed a secret")

	// No event says what has changed.
	told := regexp.MustCompile(`^(event: (ready|changed)\nid: \d+\ndata: \{\}\n\n|:\n\n)*$`)
	for _, e := range p.streams() {
		if !told.MatchString(e.body) {
			t.Errorf("%s says %q", e.url, e.body)
		}
	}

	// A secret that is deleted while one looks at it is not shown as if it were there.
	p.visit("/settings/secrets/UNRELATED")
	other.call(owner.APIKey, "DELETE", "/api/secrets/UNRELATED", nil)
	p.see("#notice", "was deleted")
}

// requests are the requests so far, such as "GET /settings/secrets".
func (w *wire) requests(request string) (all []exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.seen {
		if e.method+" "+e.url == request {
			all = append(all, e)
		}
	}
	return all
}

// streams are the pages' streams so far.
func (w *wire) streams() (all []exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.seen {
		if strings.HasPrefix(e.url, "/settings/live?") {
			all = append(all, e)
		}
	}
	return all
}

// openStreams waits until so many streams are open.
func (p *tab) openStreams(want int) {
	p.Helper()
	open := -1
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(15 * time.Millisecond) {
		open = 0
		for _, e := range p.streams() {
			if e.status == http.StatusOK && strings.Contains(e.body, "ready") && !e.ended {
				open++
			}
		}
		if open == want {
			return
		}
	}
	p.Fatalf("%d streams are open, not %d", open, want)
}

// hide makes the page believe that its tab lies behind another one, or not.
func (p *tab) hide(hidden bool) {
	p.Helper()
	ask[chromedp.Void](p, fmt.Sprintf(`Object.defineProperty(document, "hidden", { value: %t, configurable: true }); document.dispatchEvent(new Event("visibilitychange"))`, hidden))
}

// A page waits only while it is seen, by one stream. It ends with the session, and with the membership.
func endOfLiveUpdates(t *testing.T, browser context.Context) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data)
	owner := s.createUser("ada@example.com", "acme")
	member := s.createUser("bo@example.com", "acme")
	p := open(t, browser, s)
	p.signIn(owner)
	p.openStreams(1)

	// Hidden, it waits for nothing; seen again, it catches up.
	p.hide(true)
	p.openStreams(0)
	s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": p.plant("sk-live-while-hidden")})
	p.hide(false)
	p.see(row("OPENAI_API_KEY"), "v1")
	p.openStreams(1)

	// A member who is removed sees nothing new; one who signed out everywhere is
	// led to the login.
	m := open(t, browser, s)
	m.signIn(member)
	m.openStreams(1)
	begun := time.Now()
	if status := p.post("/settings/members/"+member.UserID+"/remove", url.Values{}); status != http.StatusOK {
		t.Fatalf("the removal answered %d", status)
	}
	m.openStreams(0)
	t.Logf("the stream of a removed member ended after %s", time.Since(begun))
	m.until("the page of the removed member is gone", `location.pathname === "/login" || document.querySelector("#notice").textContent.includes("another team")`)
	begun = time.Now()
	other := s.signIn(owner)
	csrf := between(other.get("/settings/account").Body, `name="csrf" value="`, `"`)
	other.post("/settings/account/sessions/revoke", url.Values{"csrf": {csrf}})
	p.openStreams(0)
	t.Logf("the stream of an ended session ended after %s", time.Since(begun))
	p.at("/login?next=" + url.QueryEscape("/settings/secrets"))
}

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what a page should show at once.
const patience = 30 * time.Second

// TestBrowser drives the built program with Chromium, one process for all its
// tests and a fresh profile for each. Whatever a test looks at, no page it
// visits may break the content security policy, throw, or ask for a file that
// is not there, and no planted secret may come back from the server.
func TestBrowser(t *testing.T) {
	ctx := launch(t)
	for _, test := range []struct {
		promise string
		run     func(*testing.T, context.Context)
	}{
		{"every page fits every screen", everyScreen}, // the longest, so the first
		{"a team goes from the setup link to a rotated, deleted secret", theWalk},
		{"after signing out nothing comes back", signingOut},
		{"every step works without JavaScript", withoutJavaScript},
		{"every page's forms work without JavaScript", plainSettings},
		{"a refused form says why at its field", refusedForms},
		{"a name is judged while it is typed", nameAdvice},
		{"a suggestion fills in the form", suggestions},
		{"a value of several lines arrives byte for byte", severalLines},
		{"a form of another team changes nothing", formOfAnotherTeam},
		{"a member sees no write controls and can't write", memberReadsOnly},
		{"an owner changes roles and removes members", managingMembers},
		{"an invited person is a member until removed", invitedMember},
		{"a team is joined, handed over, duplicated and deleted without JavaScript", teamsWithoutJavaScript},
		{"an API key is shown once", apiKeys},
		{"a command line signs in by way of the browser", deviceLogin},
		{"a denied command line gets nothing", deviceDenied},
		{"secrets are deleted together, and come back", deletingMany},
		{"a .env file is previewed and imported", importing},
		{"a value is revealed for half a minute, to who may see it", revealing},
		{"a long list has pages and an order, which its address keeps", longList},
		{"the activity is filtered, which its address keeps", filteringActivity},
		{"all teams are seen side by side, and a cell leads to the form of its team", gridOfTeams},
		{"keys of several teams are edited as text, previewed, and not over the change of another", editingTeams},
		{"a failed check leads to the form and back", failedCheck},
		{"an owner approves, binds, denies and revokes what an app may have", decidingGrants},
		{"an older version becomes current, and an app is deleted", changingApps},
		{"who was signed in for long is asked again before a role changes", confirmingAgain},
		{"the palette finds pages, keys, apps and teams", palette},
		{"the menus work by keys, and the skip link skips", menusByKeys},
		{"a change by somebody else appears, and disturbs nothing", liveUpdates},
		{"a page waits for changes while it is seen and its session goes on", endOfLiveUpdates},
		{"a secret says how old it is, who has it, and who still has the old value", livesOfSecrets},
		{"an authenticator app and its recovery codes are a second step, without JavaScript too", authenticatorApp},
		{"a person sees where they are signed in, and ends one of it", signInsList},
		{"a passkey is a second step, signs in alone and confirms", passkeys},
		{"a provider signs in, and proves who one is", singleSignOn},
		{"an account at another service is connected, used and disconnected", connectingAccounts},
		{"an ended session leads the whole page to the login", endedSession},
		{"a way back leads nowhere but home", openRedirects},
		{"text of others stays text", hostileText},
	} {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			test.run(t, ctx)
		})
	}
}

// launch starts the browser that CHROMIUM names, or else chromium of the PATH.
// Without one the tests fail: what they promise has not been looked at.
func launch(t *testing.T) context.Context {
	t.Helper()
	name := os.Getenv("CHROMIUM")
	if name == "" {
		name = "chromium"
	}
	program, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("the browser tests need Chromium: %v\nInstall it (on Debian: apt-get install chromium), or name a Chromium or Chrome in the environment variable CHROMIUM.", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, quit := chromedp.NewContext(allocator)
	t.Cleanup(quit)
	// The browser lives as long as the context of this first call, so it has
	// no timeout.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return ctx
}

// tab is a page in a browser profile of its own. It reaches the server by way
// of a wire that reads along.
type tab struct {
	testing.TB
	*wire
	ctx context.Context
}

// tabOption prepares a tab before its first page.
type tabOption = chromedp.Action[chromedp.Void]

// noScript turns JavaScript off. What the test itself evaluates still runs.
var noScript tabOption = chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
	_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return err
})

// open gives the test a browser profile of its own on the server.
func open(t *testing.T, browser context.Context, s *server, options ...tabOption) *tab {
	t.Helper()
	return newOwnTab(t, browser, wireTo(t, s), options...)
}

// newOwnTab opens a tab in a browser profile of its own.
func newOwnTab(t *testing.T, browser context.Context, w *wire, options ...tabOption) *tab {
	t.Helper()
	return newTab(t, browser, w, []chromedp.ContextOption{chromedp.WithNewBrowserContext()}, options...)
}

// another opens a second tab in the same profile.
func (p *tab) another() *tab {
	p.Helper()
	return newTab(p.TB, p.ctx, p.wire, nil)
}

func newTab(t testing.TB, parent context.Context, w *wire, context []chromedp.ContextOption, options ...tabOption) *tab {
	t.Helper()
	p := &tab{TB: t, wire: w}
	var mu sync.Mutex
	var faults []string
	context = append(context, chromedp.WithListener(func(event any) {
		if fault := faultOf(event); fault != "" {
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, fault)
		}
	}))
	ctx, closeTab := chromedp.NewContext(parent, context...)
	t.Cleanup(closeTab)
	p.ctx = ctx
	if err := chromedp.Do(ctx, append([]tabOption{still}, options...)...); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	t.Cleanup(func() {
		p.keepsNothing()
		mu.Lock()
		defer mu.Unlock()
		for _, fault := range faults {
			t.Errorf("on the pages of this test: %s", fault)
		}
	})
	return p
}

// saying keeps what the page's live regions said.
const saying = `new MutationObserver(changes => {
	for (const change of changes) for (const node of change.addedNodes)
		if (change.target.closest?.("[aria-live=polite]")) (window.said ??= []).push(node.textContent);
}).observe(document, { childList: true, subtree: true });`

// still takes away the animations, gives each tab the focus that only one
// window of a desktop has, and listens to the live regions.
var still tabOption = chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
	if _, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		return err
	}
	if _, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: saying}); err != nil {
		return err
	}
	_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	return err
})

// faultOf returns what a page did wrong: a violation of its policy (case W5),
// an uncaught error, or a complaint on the console. Answers of 4xx, of which
// the browser's log has a line each, are part of the tests; the wire looks at
// those that are not.
func faultOf(event any) string {
	switch e := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		return "uncaught: " + text
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == cdpruntime.ConsoleAPICalledTypeError || e.Type == cdpruntime.ConsoleAPICalledTypeWarning || e.Type == cdpruntime.ConsoleAPICalledTypeAssert {
			args, _ := json.Marshal(e.Args)
			return fmt.Sprintf("console.%s: %s", e.Type, args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork && (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) {
			return fmt.Sprintf("log of %s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	return ""
}

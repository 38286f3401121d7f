package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// screenshots is where the README finds its pictures.
const screenshots = "../docs/screenshots"

// everyScreen looks at each page and each dialog on a phone and on a desktop,
// light and dark: nothing is cut off or makes the page scroll sideways, nothing
// is blank, and axe finds nothing that keeps somebody out.
// With UPDATE_SCREENSHOTS=1 it writes the pictures of the README, and with a
// folder in INFSH_SCREENSHOTS all that it looks at.
func everyScreen(t *testing.T, browser context.Context) {
	var seen looked
	t.Cleanup(func() { seen.covers(t) }) // after all of them
	// Each has a server of its own, so that what one changes does not move on the
	// pages of another.
	for name, look := range map[string]func(*testing.T, context.Context, *looked){
		"strangers": strangersScreens, "owner": ownersScreens, "member": membersScreens,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			look(t, browser, &seen)
		})
	}
}

// strangersScreens are those of people who are not signed in.
func strangersScreens(t *testing.T, browser context.Context, seen *looked) {
	empty, s := newServer(t), newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	first := open(t, browser, empty)
	first.look(seen, screen{"setup", strings.TrimPrefix(empty.Setup, empty.URL)})
	p := open(t, browser, s)
	p.look(seen,
		screen{"login", "/login"},
		screen{"not-found", "/settings/nothing-here"},
		screen{"api", "/docs/api"},
		screen{"invite-none", "/invite"},
		screen{"invite", s.inviteLink(owner)},
	)
	p.fill("#invite-password", "short")
	p.follow(testid("join"))
	p.errorAt("#invite-password", "10")
	p.lookAt(seen, "invite-refused")

	// A second factor that nobody can show is enough to be asked for it.
	late := s.createUser("lee@example.com", "acme")
	s.sqlite(func(db *sql.DB) error {
		_, err := db.Exec("INSERT INTO totp_factors (user_id, wrapped_dek, kek_id, seed, last_step, created_at, confirmed_at) SELECT id, x'01', kek_id, x'01', 0, 1, 1 FROM users, (SELECT kek_id FROM stores) WHERE users.id = ?", late.UserID)
		return err
	})
	two := open(t, browser, s)
	two.signInHalf(late)
	two.look(seen, screen{"second-step", "/login/verify"})
}

func ownersScreens(t *testing.T, browser context.Context, seen *looked) {
	s := newServer(t)
	owner, member := furnish(s)
	p := open(t, browser, s)
	p.signIn(owner)
	p.look(seen,
		screen{"secrets", "/settings/secrets"},
		screen{"add", "/settings/secrets?add=OPENAI_API_KEY&description=For+GPT-4+API+calls&return=/settings/apps/acme/summarise"},
		screen{"search", "/settings/secrets?q=stripe"},
		screen{"no-match", "/settings/secrets?q=nothing"},
		screen{"suggestions", "/settings/suggestions"},
		screen{"secret", "/settings/secrets/DATABASE_URL"},
		screen{"secret-staged", "/settings/secrets/REPLICATE_API_TOKEN"},
		screen{"delete", "/settings/secrets/DATABASE_URL?delete=1"},
		screen{"webhooks", "/settings/webhooks"},
		screen{"webhook", "/settings/webhooks/" + s.webhookID(owner)},
		screen{"apps", "/settings/apps"},
		screen{"app", "/settings/apps/acme/summarise"},
		screen{"app-waiting", "/settings/apps/acme/daily-digest"},
		screen{"app-delete", "/settings/apps/acme/summarise?delete=1"},
		screen{"app-current", "/settings/apps/acme/daily-digest?current=" + s.versionID(owner, "acme/daily-digest", 2)},
		screen{"integrations", "/settings/integrations"},
		screen{"apikeys", "/settings/apikeys"},
		screen{"runners", "/settings/runners?preset=kubernetes"},
		screen{"apikey-add", "/settings/apikeys?add=1"},
		screen{"apikey-revoke", "/settings/apikeys?revoke=" + s.keyID(owner, "production runner")},
		screen{"apikey-take-over", "/settings/apikeys?takeover=" + s.keyID(owner, "audit script")},
		screen{"members", "/settings/members"},
		screen{"member-role", "/settings/members?role=" + member.UserID},
		screen{"member-remove", "/settings/members?remove=" + member.UserID},
		screen{"member-invite", "/settings/members?invite=1"},
		screen{"team-transfer", "/settings/members?transfer=1"},
		screen{"team", "/settings/team"},
		screen{"environments", "/settings/environments"},
		screen{"edit-teams", "/settings/environments/edit?key=HF_TOKEN&key=DATABASE_URL"},
		screen{"activity", "/settings/activity"},
		screen{"account", "/settings/account"},
		screen{"device", "/device"},
		screen{"device-compare", "/device?code=" + s.deviceCode()},
		screen{"team-new", "/teams/new"},
		screen{"import", "/settings/import"},
		screen{"suggestions", "/settings/suggestions"},
		screen{"find", "/settings/find?q=a"},
		screen{"find-nothing", "/settings/find?q=nothing+of+that+name"},
	)

	// What no address opens.
	p.visit("/settings/secrets")
	for _, menu := range []string{"team-menu", "account-menu"} {
		p.click(testid(menu) + " summary")
		p.lookAt(seen, menu)
		p.press(kb.Escape)
	}
	p.chord("k")
	p.fill("#find-field", "a")
	p.see("#find-results", "acme/summarise")
	p.lookAt(seen, "palette")
	p.fill("#find-field", "nothing of that name")
	p.see("#find-results", "Nothing matches")
	p.lookAt(seen, "palette-nothing")
	p.press(kb.Escape)
	p.click("#edit-DATABASE_URL")
	p.see("#edit-dialog-title", "Edit DATABASE_URL")
	p.lookAt(seen, "edit")
	p.press(kb.Escape)
	p.gone("#edit-dialog")
	p.click("#add-secret")
	p.fill("#secret-key", "PATH")
	p.fill("#secret-value", p.plant("sk-refused-by-its-name"))
	p.click(testid("add-dialog") + " " + testid("save"))
	p.errorAt("#secret-key", "PATH")
	p.lookAt(seen, "add-refused")
	p.visit("/settings/apikeys?add=1")
	p.fill("#apikey-name", "build machine")
	p.click(testid("apikey-form") + " " + testid("save"))
	p.see("#apikey-created-title", "Copy your new key now")
	p.click("[data-copy]")
	p.hears("Copied")
	p.lookAt(seen, "apikey-created")
	p.visit("/settings/members?invite=1")
	p.fill("#invite-email", "fay@example.com")
	p.click(testid("invite-form") + " " + testid("save"))
	p.see("#invite-created-title", "Send this link")
	p.lookAt(seen, "invite-created")
	p.visit("/settings/secrets")
	ask[chromedp.Void](p, `htmx.ajax("GET", "/settings/secrets/NOT_THERE?edit=1", "#dialog")`)
	p.see("#error-dialog-title", "Not found")
	p.lookAt(seen, "error")

	p.visit("/settings/secrets/STRIPE_SECRET_KEY")
	// However long this takes, the value is not hidden meanwhile.
	ask[chromedp.Void](p, `window.setTimeout = (real => (f, ms) => ms === 30000 ? 0 : real(f, ms))(window.setTimeout)`)
	p.click("#reveal")
	p.see("#reveal-dialog-title", "STRIPE_SECRET_KEY")
	p.lookAt(seen, "reveal")
	p.visit("/settings/import")
	p.fill("#import-value", "FAL_KEY="+p.plant("fal-screens-0123456789")+"\nHF_TOKEN=other\nno line at all")
	p.click(testid("preview"))
	p.see(testid("import-sum"), "1 refused")
	p.lookAt(seen, "import-preview")
	p.visit("/settings/environments/edit")
	p.fill("#sheet", "FAL_KEY="+p.plant("fal-screens-edit-0123456")+"\nHF_TOKEN=other\nSLACK_BOT_TOKEN=\nno line at all\n")
	p.click(testid("preview"))
	p.see(testid("edit-sum"), "1 refused")
	p.lookAt(seen, "edit-preview")
	p.visit("/settings/secrets")
	p.click("#select-HF_TOKEN")
	p.click("#select-DATABASE_URL")
	p.see("#selected", "2 selected")
	p.lookAt(seen, "secrets-selected")
	p.click("#delete-selected")
	p.see("#delete-many-dialog-title", "Delete 2 secrets?")
	p.lookAt(seen, "delete-many")
	p.click(testid("confirm-delete"))
	p.see(testid("undo-toast"), "2 secrets were deleted")
	p.lookAt(seen, "undo")

	// Whoever was away for long is asked who they are.
	s.stale()
	p.visit("/settings/members?role=" + member.UserID)
	p.click(testid("role-form") + " " + testid("save"))
	p.see("#confirm-dialog-title", "Is it you?")
	p.lookAt(seen, "confirm")
	p.visit("/settings/members?role=" + member.UserID)
	p.load("send the form without a script", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=role-form]").submit()`))
	p.see("h1", "Is it you?")
	p.lookAt(seen, "confirm-page")
	p.fill("#confirm-password", owner.Password)
	p.follow(testid("confirm"))
	p.at("/settings/members")

	p.visit("/settings/account")
	p.follow(testid("add-app"))
	p.lookAt(seen, "app-setup")
	p.fill("#app-code", p.code(ask[string](p, `document.querySelector("details pre code").textContent`), false))
	p.follow(testid("save"))
	p.see("h1", "Keep these recovery codes")
	p.lookAt(seen, "recovery-codes")
	p.follow(testid("kept"))
	p.lookAt(seen, "account-two-step")

	// A team without anything in it.
	p.visit("/teams/new")
	p.fill("#team-username", "acme-staging")
	p.follow(testid("save"))
	p.look(seen,
		screen{"secrets-empty", "/settings/secrets"},
		screen{"apps-empty", "/settings/apps"},
		screen{"apikeys-empty", "/settings/apikeys"},
		screen{"webhooks-empty", "/settings/webhooks"},
	)
}

func membersScreens(t *testing.T, browser context.Context, seen *looked) {
	s := newServer(t)
	_, member := furnish(s)
	p := open(t, browser, s)
	p.signIn(member)
	p.look(seen,
		screen{"secrets-member", "/settings/secrets"},
		screen{"secret-member", "/settings/secrets/DATABASE_URL"},
		screen{"members-member", "/settings/members"},
		screen{"activity-member", "/settings/activity"},
		screen{"team-member", "/settings/team"},
	)
}

// screen is a page by the name of its picture.
type screen struct{ name, path string }

// pictures are kept in docs/screenshots, by name, theme and width.
var pictures = map[string]bool{
	"secrets-light-1280": true, "secrets-dark-1280": true, "secrets-light-390": true, "add-light-1280": true, "app-light-1280": true,
	"login-light-1280": true, "activity-light-1280": true, "members-light-1280": true, "apikeys-light-1280": true,
}

// look looks at pages, each light and dark, on a desktop and on a phone.
func (p *tab) look(seen *looked, screens ...screen) {
	p.Helper()
	for _, scr := range screens {
		p.visit(scr.path)
		if moved := ask[float64](p, layoutShift); moved > 0 {
			p.Errorf("%s: what was on the screen moved while the page was loaded, by %g", scr.path, moved)
		}
		p.lookAt(seen, scr.name)
	}
}

// layoutShift is how far what is on the screen has moved since the page began.
const layoutShift = `(() => {
	const shifts = new PerformanceObserver(() => {});
	shifts.observe({ type: "layout-shift", buffered: true });
	return shifts.takeRecords().reduce((sum, shift) => sum + shift.value, 0);
})()`

// lookAt looks at what is shown. On a phone, what is folded is open. A page has its
// theme by an attribute alone, so it need not be loaded again for the other one; and
// nothing but colours differs in the dark, so that its measures are those of the light.
func (p *tab) lookAt(seen *looked, screen string) {
	p.Helper()
	seen.at(p)
	theme := func(name string) {
		ask[chromedp.Void](p, fmt.Sprintf(`document.documentElement.dataset.theme = %q; document.activeElement?.blur()`, name)) // a caret blinks
	}
	theme("light")
	for _, size := range []struct{ width, height int64 }{{390, 844}, {1280, 800}} {
		name := fmt.Sprintf("%s-light-%d", screen, size.width)
		p.resize(size.width, size.height)
		p.fits(name)
		p.accessible(name, "light")
		p.picture(name)
	}
	theme("dark")
	p.drawn()
	p.accessible(screen+"-dark-1280", "dark")
	p.picture(screen + "-dark-1280")
	// Whoever looks at all pictures has that of a phone in the dark, too.
	if os.Getenv("INFSH_SCREENSHOTS") != "" {
		p.resize(390, 844)
		p.picture(screen + "-dark-390")
	}
	theme("light")
	// On a tablet, and on a desktop at 200 %, of which a window of half the width
	// is the same to the page.
	for _, width := range []int64{768, 640} {
		p.resize(width, 400)
		p.fits(fmt.Sprintf("%s-%d", screen, width))
	}
}

// resize gives the page a size, and waits until it is drawn.
func (p *tab) resize(width, height int64) {
	p.Helper()
	p.do("resize", chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1)))
	p.until("the page has its size", fmt.Sprintf(`innerWidth === %d && innerHeight === %d`, width, height))
	ask[chromedp.Void](p, fmt.Sprintf(`[...document.querySelectorAll("main details:not([data-menu])")].slice(0, 6).forEach(d => d.open = %t)`, width < 768))
	p.drawn()
}

// drawn waits until the page is drawn to the end.
func (p *tab) drawn() {
	p.Helper()
	p.until("the page is drawn to the end", `document.fonts.status === "loaded" && document.styleSheets.length > 0 && document.getAnimations().every(a => a.effect.getComputedTiming().iterations === Infinity)`)
}

// fits fails the test if something on the page is wider than the screen.
func (p *tab) fits(name string) {
	p.Helper()
	if wide := ask[[]string](p, overflowing); len(wide) > 0 {
		p.Errorf("%s: wider than the screen: %s", name, strings.Join(wide, "\n\t"))
	}
}

// overflowing lists what makes the page scroll sideways, and text that is cut
// off without a sign of it. What scrolls in its own box, is cut with an
// ellipsis or is there for screen readers only does not count.
const overflowing = `(() => {
	const wide = [];
	const page = document.documentElement;
	if (page.scrollWidth > page.clientWidth) wide.push("the page is " + page.scrollWidth + " wide");
	const contained = e => {
		for (let n = e.parentElement; n; n = n.parentElement) {
			const s = getComputedStyle(n);
			if (s.overflowX !== "visible") return true;
		}
		return false;
	};
	for (const e of document.body.querySelectorAll("*")) {
		if (!e.checkVisibility() || e.closest(".sr-only, .skip, svg")) continue;
		const box = e.getBoundingClientRect();
		if (box.width > 0 && (box.right > page.clientWidth + 1 || box.left < -1) && !contained(e)) wide.push(e.outerHTML.slice(0, 120));
		if (e.matches("button, .btn, .badge, h1, h2, label, td, th") && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).textOverflow !== "ellipsis" && getComputedStyle(e).overflowX === "hidden")
			wide.push("cut off: " + e.outerHTML.slice(0, 120));
	}
	return wide.slice(0, 8);
})()`

// picture takes a picture of what is on the screen, and fails the test if
// there is nothing on it.
func (p *tab) picture(name string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	params := page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng}
	folder := os.Getenv("INFSH_SCREENSHOTS") // all of them, for who looks at them
	if os.Getenv("UPDATE_SCREENSHOTS") == "1" && pictures[name] {
		folder = screenshots
	}
	if folder == "" {
		params.OptimizeForSpeed = new(true)
	}
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, params)
	if err != nil {
		p.Fatalf("take a picture of %s: %v", name, err)
	}
	data := []byte(shot.Data)
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		p.Fatalf("%s: %v", name, err)
	}
	if n := colours(img); n < 12 {
		p.Errorf("%s is blank: it has %d colours", name, n)
	}
	if folder == "" {
		return
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), data, 0o644); err != nil {
		p.Fatal(err)
	}
}

// colours counts the colours of every 3rd pixel.
func colours(img image.Image) int {
	seen := map[[3]uint32]bool{}
	bounds := img.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y += 3 {
		for x := bounds.Min.X; x < bounds.Max.X; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	return len(seen)
}

// versionID is the id of an app's version with that number.
func (s *server) versionID(u user, app string, number int) string {
	s.t.Helper()
	var found struct{ ID string }
	s.call(u.APIKey, "GET", "/api/apps/"+app, nil).json(s.t, &found)
	var versions struct {
		Items []struct {
			ID     string
			Number int
		}
	}
	s.call(u.APIKey, "POST", "/api/apps/"+found.ID+"/versions/list", map[string]any{}).json(s.t, &versions)
	for _, v := range versions.Items {
		if v.Number == number {
			return v.ID
		}
	}
	s.t.Fatalf("%s has no version %d: %v", app, number, versions)
	return ""
}

// inviteLink invites a person and returns the path to which the link leads.
func (s *server) inviteLink(u user) string {
	s.t.Helper()
	var made struct{ Link string }
	s.call(u.APIKey, "POST", "/api/teams/"+u.TeamID+"/invites", map[string]any{"email": "eve@example.com", "role": "member"}).json(s.t, &made)
	return strings.TrimPrefix(made.Link, s.URL)
}

// deviceCode starts a login of a command line and returns its code.
func (s *server) deviceCode() string {
	s.t.Helper()
	var begun struct {
		UserCode string `json:"user_code"`
	}
	s.call("", "POST", "/api/device/code", map[string]any{"client_name": "infsh on ada-laptop"}).json(s.t, &begun)
	return begun.UserCode
}

// furnish gives the server a team as it may be after some weeks.
func furnish(s *server) (owner, member user) {
	s.t.Helper()
	owner = s.createUser("ada@example.com", "acme")
	member = s.createUser("bo@example.com", "acme")
	cyn := s.createUser("cyn@example.com", "acme")
	v := s.signIn(owner)
	page := v.get("/settings/members")
	csrf := between(page.Body, `name="csrf" value="`, `"`)
	if a := v.post("/settings/members/"+cyn.UserID+"/role", map[string][]string{"csrf": {csrf}, "role": {"admin"}}); a.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("the change of a role answered %d: %.300s", a.StatusCode, a.Body)
	}
	must := func(want int, key, method, path string, body any) {
		s.t.Helper()
		if a := s.call(key, method, path, body); a.StatusCode != want {
			s.t.Fatalf("%s %s answered %d: %.300s", method, path, a.StatusCode, a.Body)
		}
	}
	for _, one := range []struct{ by, key, value, description string }{
		{owner.APIKey, "ANTHROPIC_API_KEY", "sk-ant-sample-0000000000004f2A", "For Claude API calls"},
		{cyn.APIKey, "AWS_ACCESS_KEY_ID", "AKIASAMPLE0000007Q2M", "Uploads to the media bucket"},
		{cyn.APIKey, "AWS_SECRET_ACCESS_KEY", "sample/000000000000000000000000000000xW9v", "Uploads to the media bucket"},
		{owner.APIKey, "DATABASE_URL", "postgres://app:sample@db.internal:5432/acme", "PostgreSQL connection string"},
		{owner.APIKey, "HF_TOKEN", "hf_sample00000000000000000000b81K", "Downloads of private models"},
		{cyn.APIKey, "SLACK_BOT_TOKEN", "xoxb-sample-000000000000-d0Zt", "Posts summaries to #daily"},
		{owner.APIKey, "STRIPE_SECRET_KEY", "sk_sample_0000000000000000000051Hq", "Payments"},
	} {
		must(http.StatusCreated, one.by, "POST", "/api/secrets", map[string]any{"key": one.key, "value": one.value, "description": one.description})
	}
	for i, value := range []string{"postgres://app:sample2@db.internal:5432/acme", "postgres://app:sample3@db.internal:5432/acme"} {
		by := []string{owner.APIKey, cyn.APIKey}[i]
		must(http.StatusOK, by, "PUT", "/api/secrets/DATABASE_URL", map[string]any{"value": value})
	}
	must(http.StatusOK, cyn.APIKey, "PUT", "/api/secrets/SLACK_BOT_TOKEN", map[string]any{"rotate_every_days": 90, "expires_at": "2026-01-31"})
	must(http.StatusOK, cyn.APIKey, "PUT", "/api/secrets/STRIPE_SECRET_KEY", map[string]any{"value": "sk_sample_000000000000000000009Kd2"})
	s.deployApp(owner, "summarise", "Summaries of long documents",
		requirement{"OPENAI_API_KEY", "For GPT-4 API calls", false},
		requirement{"ANTHROPIC_API_KEY", "For Claude API calls", false},
		requirement{"DATABASE_URL", "PostgreSQL connection string", true},
		requirement{"SENTRY_DSN", "Error reports", true})
	s.deployApp(cyn, "daily-digest", "A digest of the day for the team's channel",
		requirement{"SLACK_BOT_TOKEN", "Posts the digest", false},
		requirement{"ANTHROPIC_API_KEY", "Writes the digest", false})
	s.deployApp(member, "daily-digest", "A digest of the day for the team's channel",
		requirement{"SLACK_BOT_TOKEN", "Posts the digest", false},
		requirement{"ANTHROPIC_API_KEY", "Writes the digest", false},
		requirement{"HUGGINGFACE_TOKEN", "Downloads of private models", false})
	must(http.StatusOK, cyn.APIKey, "PUT", "/api/secrets/DATABASE_URL", map[string]any{"value": "postgres://app:sample4@db.internal:5432/acme", "stage": true})
	must(http.StatusCreated, owner.APIKey, "POST", "/api/secrets", map[string]any{"key": "REPLICATE_API_TOKEN", "value": "r8_sample0000000000000000000000Zu7", "stage": true})
	must(http.StatusCreated, owner.APIKey, "POST", "/api/webhooks", map[string]any{
		"url": "https://hooks.example.invalid/services/T000/infsh-changes", "description": "Posts changes to #ops", "events": []string{"secret.updated", "apikey.created"},
	})
	must(http.StatusCreated, owner.APIKey, "POST", "/api/trusts", map[string]any{
		"name": "deploy", "preset": "github", "fields": map[string]any{"repository": "acme/summarise", "branch": "main", "environment": "production"}, "apps": []string{"acme/summarise"},
	})
	runner := s.apiKey(owner, "production runner", "apps:execute")
	s.apiKey(cyn, "audit script", "secrets:read", "apps:read")
	must(http.StatusForbidden, member.APIKey, "GET", "/api/secrets/reveal/STRIPE_SECRET_KEY", nil)
	must(http.StatusForbidden, runner, "POST", "/api/secrets/list", map[string]any{})
	must(http.StatusOK, owner.APIKey, "GET", "/api/secrets/reveal/HF_TOKEN", nil)
	must(http.StatusNoContent, runner, "POST", "/internal/v1/findings", map[string]any{"app": "acme/summarise", "run_id": "nightly-2026-11-25", "findings": []map[string]any{
		{"key": "ANTHROPIC_API_KEY", "form": "base64", "count": 1},
		{"key": "ANTHROPIC_API_KEY", "form": "raw", "count": 12},
		{"key": "DATABASE_URL", "form": "password", "count": 3},
	}})
	return owner, member
}

// keyID is the id of an API key by its name.
func (s *server) keyID(u user, name string) string {
	s.t.Helper()
	var list struct{ Items []struct{ ID, Name string } }
	s.call(u.APIKey, "POST", "/api/apikeys/list", map[string]any{}).json(s.t, &list)
	for _, key := range list.Items {
		if key.Name == name {
			return key.ID
		}
	}
	s.t.Fatalf("there is no key %s: %v", name, list)
	return ""
}

// webhookID is the id of the team's only webhook.
func (s *server) webhookID(u user) string {
	s.t.Helper()
	var list struct{ Items []struct{ ID string } }
	s.call(u.APIKey, "POST", "/api/webhooks/list", map[string]any{}).json(s.t, &list)
	if len(list.Items) != 1 {
		s.t.Fatalf("there are %d webhooks, not one", len(list.Items))
	}
	return list.Items[0].ID
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

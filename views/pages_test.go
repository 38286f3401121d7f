package views

import (
	"bytes"
	"encoding/json"
	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"infsh/static"
	"regexp"
	"strings"
	"testing"
	"time"
)

// noValues are lines of a sheet without any value.
var noValues = regexp.MustCompile(`^((#.*|\[[a-z-]+\]|[A-Z_]+=)?\n)*$`)

// The value of a secret never comes from the server, also not after an error,
// and the browser is asked to neither keep, check nor complete it.
func TestSecretFieldsAreEmpty(t *testing.T) {
	fields := 0
	eachSample(t, false, func(t *testing.T, doc *goquery.Document) {
		doc.Find("textarea").Each(func(_ int, s *goquery.Selection) {
			fields++
			name := "value"
			if strings.HasPrefix(s.AttrOr("id", ""), "trust-") {
				return // Conditions and public keys are no secrets.
			}
			if s.AttrOr("id", "") == "sheet" {
				name = "sheet" // It begins with names, and none of them has a value.
			}
			if text := s.Text(); name == "value" && text != "" || !noValues.MatchString(text) {
				t.Errorf("filled: %s", outer(t, s))
			}
			if got := s.AttrOr("name", ""); got != name && !strings.HasPrefix(got, "field_") {
				t.Errorf("name=%q, want %q, or field_ and the name of a provider's field", got, name)
			}
			for attr, want := range map[string]string{"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"} {
				if got := s.AttrOr(attr, ""); got != want {
					t.Errorf("%s=%q, want %q", attr, got, want)
				}
			}
		})
		doc.Find("input[type=password]").Each(func(_ int, s *goquery.Selection) {
			if s.AttrOr("value", "") != "" {
				t.Errorf("filled: %s", outer(t, s))
			}
		})
		doc.Find("input[name=value]").Each(func(_ int, s *goquery.Selection) {
			t.Errorf("a secret's field that is no textarea loses line breaks: %s", outer(t, s))
		})
	})
	if fields == 0 {
		t.Error("no page has a field for a secret, so this test looks at nothing")
	}
}

// What one may not do has no control.
func TestMembersSeeNoControlsForOthers(t *testing.T) {
	p := samplePage("/settings/secrets", ThemeSystem)
	p.Team.Role = "member"
	detail := SecretDetail{Row: sampleSecrets(false).Rows[0], History: []SecretVersion{{Version: 1}}}
	for _, s := range []sample{
		{"secrets", SecretsPage(p, sampleSecrets(false))},
		{"empty", SecretsPage(p, Secrets{Known: sampleKnown})},
		{"secret", SecretPage(p, detail)},
		{"members", MembersPage(p, sampleMembers(false))},
		{"apikeys", APIKeysPage(p, APIKeys{})},
		{"trusts", TrustsPage(p, Trusts{Rows: sampleTrusts("github").Rows})},
		{"webhooks", WebhooksPage(p, Webhooks{Rows: sampleWebhooks().Rows})},
		{"webhook", WebhookPage(p, WebhookDetail{Row: sampleWebhooks().Rows[0], Messages: sampleMessages()})},
		{"app", AppPage(p, AppDetail{AppRef: AppRef{Name: "acme/summariser"}, Versions: sampleAppDetail().Versions, TeamKeys: []string{"OPENAI_API_KEY"}, Check: sampleAppDetail().Check})},
	} {
		t.Run(s.name, func(t *testing.T) {
			_, doc := render(t, s)
			doc.Find("main form[method=post], main [data-testid=edit], main [data-testid=delete], main [data-testid=add-secret], [data-testid=delete-app], [data-testid=make-current], main .chip, main textarea").Each(func(_ int, c *goquery.Selection) {
				t.Errorf("rendered for a member: %s", outer(t, c))
			})
		})
	}
}

// Browser tests and black-box checks find their way by these.
func TestHandlesForBrowserTests(t *testing.T) {
	want := map[string][]string{
		"setup":               {"setup-form"},
		"login":               {"login-form", "login"},
		"login-throttled":     {"throttled", "form-error"},
		"error":               {"status", "request-id"},
		"secrets":             {"add-secret", "search", "secret-row", "edit", "delete", "team-menu", "account-menu", "logout", "secrets-count"},
		"secrets-flash":       {"flash"},
		"secrets-member":      {"member-note"},
		"secrets-empty":       {"empty"},
		"secrets-none":        {"no-match"},
		"secrets-add":         {"add-dialog", "add-form", "secret-value", "save"},
		"secrets-edit":        {"edit-dialog", "edit-form"},
		"secrets-delete":      {"delete-dialog", "delete-form", "confirm-delete"},
		"secrets-delete-many": {"delete-many-dialog", "confirm-delete", "select", "selection", "delete-selected"},
		"import":              {"import-form", "preview"},
		"import-preview":      {"import-line", "import-sum"},
		"import-member":       {"member-note"},
		"secrets-undo":        {"flash", "undo"},
		"secret":              {"version-row", "activate", "rollback"},
		"app":                 {"app-check", "verdict", "check-item", "near-miss", "fix"},
		"app-delete":          {"delete-app", "delete-dialog", "delete-form", "confirm-delete"},
		"app-make-current":    {"make-current", "current-dialog", "current-form", "confirm-current"},
		"trusts":              {"trust-row", "trust-form", "trust-delete", "save"},
		"trusts-empty":        {"empty", "trust-form"},
		"webhooks":            {"webhook-row", "webhook-form", "save"},
		"webhooks-empty":      {"empty", "webhook-form"},
		"webhooks-created":    {"webhook-created", "webhook-secret"},
		"webhook":             {"webhook-test", "webhook-disable", "webhook-rotate", "webhook-delete", "message-row"},
		"webhook-off":         {"webhook-enable", "webhook-rotate"},
		"webhook-rotated":     {"webhook-secret"},
		"apikeys-created":     {"new-apikey"},
		"members":             {"member-row", "members-may-edit", "change-role", "remove"},
		"activity":            {"activity-row", "activity-filter", "run-chart", "run-table", "received", "export-form", "export-csv", "export-jsonl", "counted-to"},
		"activity-none":       {"no-match", "searched-to", "export-form"},
		"edit-preview":        {"edit-form", "preview", "edited-team", "stale", "edit-sum"},
		"environments":        {"selection", "edit-as-text", "grid", "grid-row", "grid-filter", "show-grid", "compare", "grid-count"},
		"account":             {"password-form", "sessions", "sign-out-everywhere"},
		"device":              {"device-code", "device-client", "device-address", "approve", "deny"},
		"team-new":            {"team-form"},
	}
	for _, s := range samplePages(ThemeSystem) {
		_, doc := render(t, s)
		for _, id := range want[s.name] {
			if doc.Find("[data-testid='"+id+"']").Length() == 0 {
				t.Errorf("%s has no data-testid %q", s.name, id)
			}
		}
		delete(want, s.name)
	}
	for name := range want {
		t.Errorf("there is no sample page %q", name)
	}
}

// The theme is chosen by the server from a cookie; anything else follows the
// system.
func TestThemeIsOnTheRoot(t *testing.T) {
	for cookie, want := range map[string]string{"": "system", "system": "system", "light": "light", "dark": "dark", `x" onload="`: "system"} {
		p := samplePage("/settings/secrets", ParseTheme(cookie))
		_, doc := render(t, sample{"secrets", SecretsPage(p, sampleSecrets(true))})
		if got := doc.Find("html").AttrOr("data-theme", ""); got != want {
			t.Errorf("cookie %q: theme %q, want %q", cookie, got, want)
		}
		if got := doc.Find("button[name=theme][aria-pressed=true]").AttrOr("value", ""); got != want {
			t.Errorf("cookie %q: pressed %q, want %q", cookie, got, want)
		}
	}
}

// htmx runs nothing, stores nothing and leaves this site nowhere.
func TestHTMXIsConfined(t *testing.T) {
	_, doc := render(t, sample{"secrets", SecretsPage(samplePage("/settings/secrets", ThemeSystem), sampleSecrets(true))})
	var config map[string]any
	if err := json.Unmarshal([]byte(doc.Find("meta[name=htmx-config]").AttrOr("content", "")), &config); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"allowEval": false, "allowScriptTags": false, "includeIndicatorStyles": false, "selfRequestsOnly": true,
		"historyCacheSize": 0.0, "historyRestoreAsHxRequest": false,
	} {
		if config[name] != want {
			t.Errorf("%s is %v, want %v", name, config[name], want)
		}
	}
	if doc.Find("body[hx-history=false]").Length() != 1 {
		t.Error("htmx may keep a signed-in page")
	}
}

// The first wrong field takes the focus, and only one does.
func TestFocusGoesToTheFirstError(t *testing.T) {
	for _, s := range samplePages(ThemeSystem) {
		_, doc := render(t, s)
		focus := doc.Find("[autofocus]")
		if focus.Length() > 1 {
			t.Errorf("%s: %d elements want the focus", s.name, focus.Length())
		}
		wrong := doc.Find("input[aria-invalid=true], textarea[aria-invalid=true]")
		if wrong.Length() > 0 && focus.AttrOr("id", "none") != wrong.First().AttrOr("id", "") {
			t.Errorf("%s: focus on %q, first error on %q", s.name, focus.AttrOr("id", ""), wrong.First().AttrOr("id", ""))
		}
	}
}

// Each class in a page has a rule, so that a typo or a class that the build did
// not see is noticed.
func TestEveryClassIsStyled(t *testing.T) {
	css, _ := static.File("app.css")
	unstyled := map[string]bool{}
	for _, s := range append(samplePages(ThemeSystem), samplePartials()...) {
		_, doc := render(t, s)
		doc.Find("[class]").Each(func(_ int, e *goquery.Selection) {
			for class := range strings.FieldsSeq(e.AttrOr("class", "")) {
				if !bytes.Contains(css, []byte("."+class)) {
					unstyled[class] = true
				}
			}
		})
	}
	for class := range unstyled {
		t.Errorf("no rule for .%s", class)
	}
}

func TestWellFormed(t *testing.T) {
	for _, s := range samplePages(ThemeSystem) {
		text, _ := render(t, s)
		if depth := unclosed(text); len(depth) > 0 {
			t.Errorf("%s: not closed: %v", s.name, depth)
		}
	}
}

// unclosed returns the elements that are open at the end or closed out of turn.
func unclosed(page string) []string {
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return open
		case html.StartTagToken:
			name, _ := tokens.TagName()
			switch string(name) {
			case "meta", "link", "input", "img", "br", "hr":
			default:
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return append(open, "/"+string(name))
			}
			open = open[:len(open)-1]
		}
	}
}

// The answer to a saved form brings every part of the page up to date that a
// save can change: with the first secret the search appears, and with the last
// one it goes.
func TestSavedAnswersAreOutOfBand(t *testing.T) {
	p := samplePage("/settings/secrets", ThemeSystem)
	p.Flash = &Flash{Kind: FlashSuccess, Message: "Saved."}
	for _, c := range []struct {
		answer sample
		parts  []string
	}{
		{sample{"SecretsSaved", SecretsSaved(p, sampleSecrets(true))}, []string{"#secrets-table", "#secrets-search", "#notice"}},
		{sample{"APIKeyCreated", APIKeyCreated(p, sampleAPIKeys())}, []string{"#apikeys-table"}},
		{sample{"APIKeysSaved", APIKeysSaved(p, sampleAPIKeys())}, []string{"#apikeys-table", "#notice"}},
		{sample{"MembersSaved", MembersSaved(p, sampleMembers(true))}, []string{"#members-table", "#notice"}},
	} {
		_, doc := render(t, c.answer)
		for _, part := range c.parts {
			if doc.Find(part+"[hx-swap-oob=true]").Length() != 1 {
				t.Errorf("%s has no %s out of band", c.answer.name, part)
			}
		}
	}
	_, doc := render(t, sample{"last", SecretsSaved(p, Secrets{CanEdit: true})})
	if doc.Find("#secrets-search form").Length() != 0 {
		t.Error("the search stays after the last secret is gone")
	}
}

func TestStamps(t *testing.T) {
	for _, c := range []struct {
		ago  time.Duration
		want string
	}{
		{0, "just now"}, {-time.Hour, "just now"}, {59 * time.Second, "just now"}, {time.Minute, "1 minute ago"}, {59 * time.Minute, "59 minutes ago"},
		{time.Hour, "1 hour ago"}, {23 * time.Hour, "23 hours ago"}, {24 * time.Hour, "1 day ago"}, {29 * 24 * time.Hour, "29 days ago"}, {30 * 24 * time.Hour, "24 Oct 2026"},
	} {
		if got := Ago(now.Add(-c.ago), now).Text(); got != c.want {
			t.Errorf("%v ago: %q, want %q", c.ago, got, c.want)
		}
	}
	if got := (Stamp{}).Text(); got != "never" {
		t.Errorf("no moment: %q", got)
	}
	if got := Ago(time.Time{}, now).Text(); got != "never" {
		t.Errorf("no moment, ago: %q", got)
	}
	if got := (Stamp{At: now}).Text(); got != "23 Nov 2026, 14:30 UTC" {
		t.Errorf("no words: %q", got)
	}
	at := now.In(time.FixedZone("far", 9*3600))
	if got := (Stamp{At: at}).ISO(); got != "2026-11-23T14:30:00Z" {
		t.Errorf("machine-readable: %q", got)
	}
}

// The check counts what stops a run: a required key that is not set.
func TestCheckVerdict(t *testing.T) {
	for _, c := range []struct {
		items   []CheckItem
		missing int
	}{
		{nil, 0},
		{[]CheckItem{{State: KeySet}, {State: KeyMissingOptional, Optional: true}, {State: KeyUnavailable, Optional: true}}, 0},
		{[]CheckItem{{State: KeyMissing}}, 1},
		{[]CheckItem{{State: KeyMissing}, {State: KeyUnavailable}, {State: KeySet}}, 2},
	} {
		check := AppCheck{Items: c.items}
		if got := check.Missing(); got != c.missing {
			t.Errorf("%v: %d missing, want %d", c.items, got, c.missing)
		}
		_, doc := render(t, sample{"check", AppCheckView(samplePage("/settings/apps/a/b", ThemeSystem), AppDetail{Check: check})})
		if got := doc.Find("[data-testid=verdict]").AttrOr("data-kind", "") == "ok"; got != (c.missing == 0) {
			t.Errorf("%v: the page says ok: %v", c.items, got)
		}
	}
}

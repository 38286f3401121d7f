package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// deployApp registers an app that requires the first key and can do without
// the others.
func (s *server) deployApp(u user, name, description string, keys ...requirement) {
	s.t.Helper()
	a := s.call(u.APIKey, "POST", "/api/apps", map[string]any{
		"name": name, "description": description, "version": map[string]any{"required_secrets": keys},
	})
	if a.StatusCode != http.StatusCreated {
		s.t.Fatalf("the deploy of %s answered %d: %.300s", name, a.StatusCode, a.Body)
	}
}

type requirement struct {
	Key         string `json:"key"`
	Description string `json:"description"`
	Optional    bool   `json:"optional"`
}

// The page of an app says why it would not run, and leads to the form that is
// filled in for it; after saving, a link leads back to the check.
func failedCheck(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	for key, value := range map[string]string{"OPENAI_KEY": "sk-near-1q1q", "DATABASE_URL": "postgres://near-2w2w", "UNRELATED": "unrelated-3e3e"} {
		s.call(u.APIKey, "POST", "/api/secrets", map[string]any{"key": key, "value": p.plant(value)})
	}
	s.deployApp(u, "summarise", "Summaries of long texts",
		requirement{"OPENAI_API_KEY", "For GPT-4 API calls", false},
		requirement{"DATABASE_URL", "PostgreSQL connection string", true},
		requirement{"SENTRY_DSN", "Error reports", true})
	p.signIn(u)
	p.visit("/settings/apps")
	p.see(testid("app-row"), "OPENAI_API_KEY : missing")
	p.follow(testid("app-row") + " a.name")
	p.at("/settings/apps/acme/summarise")

	item := func(key string) string { return testid("check-item") + `[data-key="` + key + `"]` }
	p.see(testid("verdict"), "1 required key is not there")
	p.see(item("OPENAI_API_KEY")+"[data-state=missing]", "For GPT-4 API calls")
	p.see(item("OPENAI_API_KEY")+" "+testid("near-miss"), "OPENAI_KEY is set")
	if told := ask[int](p, `[...document.querySelectorAll('[data-key=OPENAI_API_KEY] > .grow > p')].filter(e => e.textContent.includes("OPENAI_KEY is set")).length`); told != 1 {
		t.Errorf("the near miss is told %d times", told)
	}
	p.see(item("DATABASE_URL")+"[data-state=set]", "v1")
	p.see(item("SENTRY_DSN")+"[data-state=missing_optional]", "not set")
	p.see("#app-check .card-foot", "UNRELATED")

	p.follow(item("OPENAI_API_KEY") + " " + testid("fix"))
	p.until("the dialog is filled in", `document.querySelector("#secret-key").value === "OPENAI_API_KEY" && document.querySelector("#secret-description").value === "For GPT-4 API calls"`)
	p.focused("#secret-value")
	p.see("#add-dialog .notice", "Needed by acme/summarise")
	p.fill("#secret-value", p.plant("sk-fixed-4r4r"))
	p.submitAdd()
	p.see(testid("flash"), "OPENAI_API_KEY was added.")
	p.follow(testid("flash") + " a")
	p.at("/settings/apps/acme/summarise")
	p.see(testid("verdict"), "Everything this app requires is there")
	p.see(item("OPENAI_API_KEY")+"[data-state=set]", "v1")

	// "Check again" looks again, in place.
	s.call(u.APIKey, "DELETE", "/api/secrets/OPENAI_API_KEY", nil)
	p.mark()
	p.click("#check-again")
	p.see(testid("verdict"), "1 required key is not there")
	p.hears("1 required key is not there")
	p.sameDocument()

	// Without JavaScript the way is the same.
	plain := open(t, browser, s, noScript)
	plain.signIn(u)
	plain.visit("/settings/apps/acme/summarise")
	plain.follow(item("OPENAI_API_KEY") + " " + testid("fix"))
	plain.fill("#secret-value", plain.plant("sk-fixed-5t5t"))
	plain.follow(testid("save"))
	plain.at("/settings/apps/acme/summarise")
	plain.see(testid("flash"), "OPENAI_API_KEY was added.")
	plain.see(testid("verdict"), "Everything this app requires is there")
}

// What others wrote in names and descriptions is text, and no element,
// attribute or instruction to HTMX (case W6).
func hostileText(t *testing.T, browser context.Context) {
	s := newServer(t)
	u := s.createUser("ada@example.com", "acme")
	p := open(t, browser, s)
	hostile := []string{
		`<script>document.title = "broken"</script>`,
		`"><img src=x onerror="document.title='broken'">`,
		`<div hx-get="/settings/activity" hx-trigger="load" hx-target="body">x</div>`,
		`<a data-hx-post="/logout" data-hx-trigger="load">x</a>`,
		`<svg onload="document.title='broken'"></svg>`,
		`' hx-on:load='document.title="broken"`,
		`{{constructor.constructor("document.title='broken'")()}}`,
	}
	var keys []requirement
	for i, text := range hostile {
		key := "HOSTILE_" + string(rune('A'+i))
		keys = append(keys, requirement{key, text, false})
		a := s.call(u.APIKey, "POST", "/api/secrets", map[string]any{"key": key, "value": p.plant("hostile-value-" + key), "description": text})
		if a.StatusCode != http.StatusCreated {
			t.Fatalf("%s was not stored: %d %.300s", key, a.StatusCode, a.Body)
		}
	}
	s.deployApp(u, "hostile", hostile[1], keys...)
	s.apiKey(u, hostile[0], "apps:execute")
	p.signIn(u)
	for _, path := range []string{
		"/settings/secrets", "/settings/secrets/HOSTILE_A", "/settings/secrets/HOSTILE_B?delete=1", "/settings/apps", "/settings/apps/acme/hostile",
		"/settings/apikeys", "/settings/activity", "/settings/secrets?" + `q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E`,
		"/settings/secrets?add=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&description=%3Cimg%20src=x%3E",
	} {
		p.visit(path)
		if title := ask[string](p, `document.title`); strings.Contains(title, "broken") {
			t.Errorf("%s ran what a description says", path)
		}
		if n := ask[int](p, `document.querySelectorAll("main img, main script, main [onerror], main [onload], main [hx-trigger=load], main [data-hx-trigger]").length`); n != 0 {
			t.Errorf("%s made %d elements of what others wrote", path, n)
		}
	}
	p.visit("/settings/secrets")
	for i, text := range hostile {
		p.see(row("HOSTILE_"+string(rune('A'+i)))+" "+testid("description"), text)
	}
}

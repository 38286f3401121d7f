package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
)

// A secret has a reminder and an end, what is due is found in the list, and its
// page says who has it, before a rotation and after; with and without JavaScript.
func livesOfSecrets(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner := s.createUser("ada@example.com", "acme")
	for _, tab := range []struct {
		name    string
		key     string
		options []tabOption
	}{{"scripted", "OPENAI_API_KEY", nil}, {"plain", "FAL_KEY", []tabOption{noScript}}} {
		p := open(t, browser, s, tab.options...)
		s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": tab.key, "value": p.plant("sk-lives-5e5e-" + tab.name)})
		s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": tab.key + "_2", "value": p.plant("sk-lives-6f6f-" + tab.name)})
		s.deployApp(owner, tab.name, "", requirement{tab.key, "For pictures", false})
		s.deployApp(owner, tab.name+"-report", "", requirement{tab.key, "For pictures", true})
		run := func() {
			t.Helper()
			if a := s.call(owner.APIKey, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/" + tab.name, "run_id": "run-of-" + tab.name}); a.StatusCode != http.StatusOK {
				t.Fatalf("a run answers %d: %.200s", a.StatusCode, a.Body)
			}
		}
		run()
		p.signIn(owner)
		row := testid("secret-row") + `[data-key="` + tab.key + `"] `
		p.see(row+testid("age"), "new today")
		p.see(row+testid("use-count"), "2 apps")
		p.gone(testid("due-filter"))

		// What an app lacks is suggested, in the list or by its link.
		s.deployApp(owner, tab.name+"-lacks", "", requirement{tab.key + "_LACKING", "For music", false})
		p.visit("/settings/secrets")
		if tab.options != nil {
			p.follow("#suggestions a")
		}
		lacking := testid("missing-row") + `[data-key="` + tab.key + `_LACKING"] `
		p.see(lacking, "acme/"+tab.name+"-lacks")
		p.follow(lacking + testid("set-missing"))
		if got := ask[string](p, `document.querySelector("#secret-key").value + " " + document.querySelector("#secret-description").value`); got != tab.key+"_LACKING For music" {
			t.Errorf("the form has %q", got)
		}
		p.visit("/settings/secrets")
		p.follow(row + "a.key")

		// A reminder and an end.
		put := func(field, value string) {
			t.Helper()
			// The browser's own checks are not the ones that are looked at.
			ask[bool](p, fmt.Sprintf("(() => { const f = document.querySelector(%q); f.value = %q; f.form.noValidate = true; return true })()", field, value))
		}
		put("#life-every", "4000")
		put("#life-ends", "2020-01-31")
		p.follow(testid("save-life"))
		p.errorAt("#life-every", "1 to 3650 days")
		put("#life-every", "90")
		p.follow(testid("save-life"))
		p.see(testid("flash"), "The reminders of "+tab.key+" were saved.")
		p.see(testid("need"), "Ended 31 Jan 2020")
		p.see("#life-card", "every 90 days")
		p.visit("/settings/secrets")
		p.see(row+testid("need"), "Ended 31 Jan 2020")
		p.follow("#show-due")
		p.at("/settings/secrets?show=due")
		p.see(row, tab.key)
		p.gone(testid("secret-row") + `[data-key="` + tab.key + `_2"]`)

		// Who has it, and what a deletion would do.
		p.follow(row + "a.key")
		use := func(app string) string { return testid("use-row") + `[data-app="acme/` + app + `"]` }
		p.see(use(tab.name), "Next run fails")
		p.see(use(tab.name)+" "+testid("holder"), "run run-of-"+tab.name)
		p.see(use(tab.name+"-report"), "Goes on")
		p.gone(testid("old-held"))
		if tab.options == nil {
			p.click(testid("delete"))
		} else {
			p.follow(testid("delete"))
		}
		p.see(testid("fails"), "acme/"+tab.name)
		p.see(testid("goes-on"), "acme/"+tab.name+"-report")

		// After a rotation: who has the old value, until its next run.
		s.call(owner.APIKey, "PUT", "/api/secrets/"+tab.key, map[string]any{"value": p.plant("sk-lives-7a7a-" + tab.name)})
		p.visit("/settings/secrets/" + tab.key)
		p.see(testid("old-held"), "1 app version last ran with another value than v2")
		p.see(use(tab.name)+" "+testid("holder"), "v1 · old value")
		run()
		p.visit("/settings/secrets/" + tab.key)
		p.see(testid("old-free"), "Every last run received v2.")
		p.see(use(tab.name)+" "+testid("holder"), "before: v1")

		// Another team of the same person that has the same value, by its page and
		// when it is stored.
		v := s.signIn(owner)
		form := func(path string, fields map[string][]string) {
			t.Helper()
			fields["csrf"] = []string{between(v.get("/settings/members").Body, `name="csrf" value="`, `"`)}
			if a := v.post(path, fields); a.StatusCode != http.StatusSeeOther {
				t.Fatalf("POST %s answers %d: %.300s", path, a.StatusCode, a.Body)
			}
		}
		form("/teams/new", map[string][]string{"username": {"staging-" + tab.name}})
		shared := p.plant("sk-shared-8b8b-" + tab.name)
		form("/settings/secrets", map[string][]string{"key": {tab.key}, "value": {shared}})
		p.visit("/settings/secrets/" + tab.key)
		if tab.options != nil {
			p.follow(testid("compare-twins"))
			p.see(testid("flash"), "None of your other teams")
		}
		p.gone(testid("twins"))
		p.fill("#rotate-value", shared)
		p.follow(testid("edit-form") + " " + testid("save"))
		p.see(testid("flash"), "Team staging-"+tab.name+" holds the same value")
		p.visit("/settings/secrets/" + tab.key)
		if tab.options == nil {
			p.see(testid("twins"), "Team staging-"+tab.name+" holds the same value")
		} else {
			p.follow(testid("compare-twins"))
			p.see(testid("flash"), "The same value is held by staging-"+tab.name)
		}
		for _, key := range []string{tab.key, tab.key + "_2"} {
			s.call(owner.APIKey, "DELETE", "/api/secrets/"+key, nil)
		}
	}
}

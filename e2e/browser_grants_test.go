package e2e

import (
	"context"
	"net/http"
	"testing"
)

// What a member deploys waits on the app's page, where an owner decides about
// each key, with and without JavaScript; a member sees no such buttons.
func decidingGrants(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner, member := s.createUser("ada@example.com", "acme"), s.createUser("bo@example.com", "acme")
	for _, tab := range []struct {
		name    string
		options []tabOption
	}{{"scripted", nil}, {"plain", []tabOption{noScript}}} {
		p := open(t, browser, s, tab.options...)
		for key, value := range map[string]string{"OPENAI_API_KEY": "sk-granted-1q1q-" + tab.name, "HUGGINGFACE_TOKEN": "hf-bound-2w2w-" + tab.name} {
			s.call(owner.APIKey, "POST", "/api/secrets", map[string]any{"key": key, "value": p.plant(value)})
		}
		app := "acme/" + tab.name
		s.deployApp(member, tab.name, "",
			requirement{"OPENAI_API_KEY", "For GPT-4 API calls", false},
			requirement{"HF_TOKEN", "Model downloads", false},
			requirement{"FAL_KEY", "", true})
		run := func(want int) {
			t.Helper()
			if a := s.call(member.APIKey, "POST", "/internal/v1/resolve", map[string]any{"app": app}); a.StatusCode != want {
				t.Errorf("a run of %s answers %d, want %d", app, a.StatusCode, want)
			}
		}
		run(http.StatusPreconditionFailed)

		p.signIn(owner)
		p.visit("/settings/apps")
		p.see(testid("waiting"), "3 declared keys wait for your approval")
		p.see(testid("app-row")+`[data-app="`+app+`"]`, "3 waiting")
		p.follow(testid("app-row") + `[data-app="` + app + `"] a.name`)
		p.at("/settings/apps/" + app)
		item := func(key string) string { return "#app-check " + testid("check-item") + `[data-key="` + key + `"]` }
		p.see(item("OPENAI_API_KEY")+"[data-state=waiting]", "waits for approval: an owner or admin of team acme")
		p.follow(item("OPENAI_API_KEY") + " " + testid("approve"))
		p.at("/settings/apps/" + app)
		p.see(testid("flash"), "OPENAI_API_KEY was granted.")
		p.see(item("OPENAI_API_KEY")+"[data-state=set]", "v1")
		p.follow(item("HF_TOKEN") + " " + testid("bind"))
		p.see(testid("flash"), "HF_TOKEN was granted, and bound.")
		p.see(item("HF_TOKEN")+"[data-state=set]", "receives HUGGINGFACE_TOKEN")
		p.follow(item("FAL_KEY") + " " + testid("deny"))
		p.see(item("FAL_KEY")+"[data-state=revoked]", "revoked")
		p.see(testid("verdict"), "Everything this app requires is there")
		run(http.StatusOK)
		p.follow(item("OPENAI_API_KEY") + " " + testid("revoke"))
		p.see(item("OPENAI_API_KEY")+"[data-state=revoked]", "can approve it again")
		run(http.StatusPreconditionFailed)
		p.follow(item("OPENAI_API_KEY") + " " + testid("approve"))
		run(http.StatusOK)

		// A version that asks for more waits behind the one that runs.
		s.deployApp(member, tab.name, "",
			requirement{"OPENAI_API_KEY", "For GPT-4 API calls", false},
			requirement{"STRIPE_SECRET_KEY", "Payments", false})
		run(http.StatusOK)
		p.visit("/settings/apps/" + app)
		p.see(testid("pending"), "Version 2 waits for approval")
		p.follow(testid("pending") + " " + testid("approve"))
		p.see(testid("verdict"), "1 required key is not there")
		run(http.StatusPreconditionFailed)

		m := open(t, browser, s, tab.options...)
		m.signIn(member)
		m.visit("/settings/apps/" + app)
		m.see(item("STRIPE_SECRET_KEY"), "missing")
		if n := ask[int](m, `document.querySelectorAll("form.decide, form.bind").length`); n != 0 {
			t.Errorf("a member sees %d forms that decide", n)
		}
		for _, key := range []string{"OPENAI_API_KEY", "HUGGINGFACE_TOKEN"} {
			s.call(owner.APIKey, "DELETE", "/api/secrets/"+key, nil)
		}
	}
}

// An older version becomes the current one, and an app is deleted, after a
// question each, with and without JavaScript. A version that requires what
// nobody has approved can't be chosen, and says why.
func changingApps(t *testing.T, browser context.Context) {
	s := newServer(t)
	owner, member := s.createUser("ada@example.com", "acme"), s.createUser("bo@example.com", "acme")
	for _, tab := range []struct {
		name    string
		options []tabOption
	}{{"scripted", nil}, {"plain", []tabOption{noScript}}} {
		p := open(t, browser, s, tab.options...)
		app := "acme/" + tab.name
		s.deployApp(owner, tab.name, "", requirement{"FAL_KEY", "", true})
		s.deployApp(owner, tab.name, "")
		s.deployApp(member, tab.name, "", requirement{"STRIPE_SECRET_KEY", "Payments", false})
		ran := func() (version float64) {
			t.Helper()
			var got struct{ Version struct{ Number float64 } }
			s.call(member.APIKey, "GET", "/api/apps/"+app, nil).json(t, &got)
			return got.Version.Number
		}
		if n := ran(); n != 2 {
			t.Fatalf("version %v is current, want 2", n)
		}

		p.signIn(member)
		p.visit("/settings/apps/" + app)
		p.gone(testid("delete-app"))
		ask := func(version string) {
			t.Helper()
			button := `[aria-label="Make current: v` + version + `"]`
			if tab.options == nil {
				p.mark()
				p.click(button)
				p.see(testid("current-dialog"), "Make v"+version+" current?")
				p.sameDocument()
			} else {
				p.follow(button)
			}
			p.see(testid("current-dialog"), "Make v"+version+" current?")
		}
		ask("3")
		p.see(testid("current-dialog"), "it requires STRIPE_SECRET_KEY, which an owner or admin has to approve first")
		p.gone(testid("confirm-current"))
		p.visit("/settings/apps/" + app)
		ask("1")
		p.see(testid("current-dialog"), "use v1 from now on, instead of v2")
		p.see(testid("current-dialog"), "v3 does not become current by itself any more")
		p.follow(testid("confirm-current"))
		p.at("/settings/apps/" + app)
		p.see(testid("flash"), "Version 1 is current now.")
		if n := ran(); n != 1 {
			t.Errorf("version %v is current, want 1", n)
		}

		o := open(t, browser, s, tab.options...)
		o.signIn(owner)
		o.visit("/settings/apps/" + app)
		if tab.options == nil {
			o.click(testid("delete-app"))
		} else {
			o.follow(testid("delete-app"))
		}
		o.see(testid("delete-dialog"), "Runs of it are refused from now on")
		o.follow(testid("confirm-delete"))
		o.at("/settings/apps")
		o.see(testid("flash"), app+" was deleted")
		if a := s.call(owner.APIKey, "GET", "/api/apps/"+app, nil); a.StatusCode != http.StatusNotFound {
			t.Errorf("the deleted app answers %d", a.StatusCode)
		}
	}
}

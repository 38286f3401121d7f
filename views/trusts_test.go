package views

import "testing"

// A refused form leads to what was refused, by the focus and, from the top of the
// page, by links.
func TestRefusedTrustLeadsToItsErrors(t *testing.T) {
	apps := []AppChoice{{"acme/summariser", false}, {"acme/hello", false}}
	for name, c := range map[string]struct {
		form  TrustForm
		focus string
		links int
	}{
		"a field":         {TrustForm{Preset: "github", Apps: apps, Errors: FieldErrors{"repository": "It is needed.", "apps": "Name an app."}}, "trust-repository", 2},
		"conditions":      {TrustForm{Preset: "github", Apps: apps, Errors: FieldErrors{"conditions": "One is needed."}}, "trust-conditions", 1},
		"keys":            {TrustForm{Preset: "kubernetes", Apps: apps, Errors: FieldErrors{"jwks": "They can't be read.", "audience": "One line."}}, "trust-jwks", 2},
		"apps":            {TrustForm{Preset: "gitlab", Apps: apps, Errors: FieldErrors{"apps": "Name an app."}}, "trust-app-acme/summariser", 1},
		"no apps":         {TrustForm{Preset: "other", Errors: FieldErrors{"apps": "Name an app."}}, "trust-apps", 1},
		"not in the form": {TrustForm{Preset: "github", Apps: apps, Errors: FieldErrors{"issuer": "It is not GitHub's.", "audience": "One line."}}, "trust-audience", 1},
		"the whole":       {TrustForm{Preset: "github", Apps: apps, Errors: FieldErrors{"": "There are too many."}}, "", 0},
	} {
		_, doc := render(t, sample{name, TrustsPage(samplePage("/settings/runners", ThemeSystem), Trusts{CanEdit: true, Form: c.form})})
		focus := doc.Find("[autofocus]")
		if focus.Length() != 1 || focus.AttrOr("id", "") != c.focus {
			t.Errorf("%s: the focus is at %d elements, the first %s, want #%s", name, focus.Length(), outer(t, focus.First()), c.focus)
		}
		links := doc.Find("[data-testid=refused] a")
		for _, link := range links.EachIter() {
			if at := link.AttrOr("href", "")[1:]; doc.Find("[id='"+at+"']").Length() != 1 {
				t.Errorf("%s: the link leads to %s, which is not there", name, at)
			}
		}
		if links.Length() != c.links || doc.Find("[data-testid=refused] li").Length() != len(c.form.Errors) {
			t.Errorf("%s: %d links in %s", name, links.Length(), doc.Find("[data-testid=refused]").Text())
		}
	}
}

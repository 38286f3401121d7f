package views

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"infsh/static"
)

func render(t *testing.T, s sample) (string, *goquery.Document) {
	t.Helper()
	var page bytes.Buffer
	if err := s.view.Render(t.Context(), &page); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	text := page.String()
	doc, err := goquery.NewDocumentFromReader(&page)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return text, doc
}

// eachSample runs a promise on every page in every theme and, where whole is
// false, on every partial too.
func eachSample(t *testing.T, whole bool, promise func(t *testing.T, doc *goquery.Document)) {
	t.Helper()
	for _, theme := range []Theme{ThemeSystem, ThemeLight, ThemeDark} {
		for _, s := range samplePages(theme) {
			t.Run(s.name+"/"+string(theme), func(t *testing.T) {
				_, doc := render(t, s)
				promise(t, doc)
			})
		}
	}
	if whole {
		return
	}
	for _, s := range samplePartials() {
		t.Run(s.name, func(t *testing.T) {
			_, doc := render(t, s)
			promise(t, doc)
		})
	}
}

func outer(t *testing.T, s *goquery.Selection) string {
	t.Helper()
	text, err := goquery.OuterHtml(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return text
}

// A strict content security policy permits nothing inline: no script, no style,
// no event attribute, and nothing that htmx would evaluate.
func TestNothingIsInline(t *testing.T) {
	eachSample(t, false, func(t *testing.T, doc *goquery.Document) {
		doc.Find("style, script:not([src]), iframe, object, embed, base").Each(func(_ int, s *goquery.Selection) {
			t.Errorf("not permitted: %s", outer(t, s))
		})
		doc.Find("*").Each(func(_ int, s *goquery.Selection) {
			for _, attr := range s.Nodes[0].Attr {
				name := strings.TrimPrefix(strings.ToLower(attr.Key), "data-")
				value := strings.ToLower(strings.TrimSpace(attr.Val))
				switch {
				case strings.HasPrefix(name, "on"), strings.HasPrefix(name, "hx-on"), name == "style":
					t.Errorf("inline %s in %s", attr.Key, outer(t, s))
				case strings.HasPrefix(name, "hx-") && (strings.HasPrefix(value, "js:") || strings.HasPrefix(value, "javascript:")),
					name == "hx-trigger" && strings.Contains(value, "["):
					t.Errorf("%s would be evaluated in %s", attr.Key, outer(t, s))
				case strings.HasPrefix(value, "javascript:"):
					t.Errorf("script address in %s", outer(t, s))
				}
			}
		})
	})
}

// Names and descriptions are written by others. They stay text: no element, no
// attribute, and no htmx instruction comes out of them.
func TestTextOfOthersIsInert(t *testing.T) {
	eachSample(t, false, func(t *testing.T, doc *goquery.Document) {
		if n := doc.Find("img").Length(); n != 0 {
			t.Errorf("%d images came out of a description", n)
		}
		doc.Find("[hx-trigger=load]").Each(func(_ int, s *goquery.Selection) {
			t.Errorf("an htmx trigger came out of a description: %s", outer(t, s))
		})
		doc.Find("script").Each(func(_ int, s *goquery.Selection) {
			if s.Text() != "" {
				t.Errorf("script with text %q", s.Text())
			}
		})
	})

	shown := 0
	for _, s := range samplePages(ThemeSystem) {
		_, doc := render(t, s)
		shown += doc.Find("[data-testid=description]:contains('<script>alert(1)</script>')").Length()
	}
	if shown == 0 {
		t.Error("no page shows the hostile description as text, so this test looks at nothing")
	}
}

// Direction overrides in a description must not turn the text around it.
func TestBidiTextIsIsolated(t *testing.T) {
	css, _ := static.File("app.css")
	if !bytes.Contains(css, []byte("unicode-bidi:isolate")) || !regexp.MustCompile(`span[^{}]*\.wrap\{[^}]*display:inline-block`).Match(css) {
		t.Error("the style sheet does not contain the direction of text that others wrote")
	}
	_, doc := render(t, sample{"secrets", SecretsPage(samplePage("/settings/secrets", ThemeSystem), sampleSecrets(true))})
	cell := doc.Find("[data-key=STRIPE_SECRET_KEY] [data-testid=description]")
	if !cell.HasClass("wrap") {
		t.Errorf("the description is not in an element that isolates it: %s", outer(t, cell))
	}
}

// A page has one title, one main part, one first heading, a way to skip to the
// content, and a live region.
func TestPagesHaveTheirLandmarks(t *testing.T) {
	eachSample(t, true, func(t *testing.T, doc *goquery.Document) {
		for selector, want := range map[string]int{
			"title": 1, "h1": 1, "main#main": 1, "a.skip[href='#main']": 1, "#announce[aria-live=polite]": 1,
			"html[lang=en][data-theme]": 1, "meta[name=htmx-config]": 1,
		} {
			if got := doc.Find(selector).Length(); got != want {
				t.Errorf("%s: %d, want %d", selector, got, want)
			}
		}
		if name := doc.Find("title").Text(); !strings.HasSuffix(name, "infsh") || strings.HasPrefix(name, " ") {
			t.Errorf("title %q", name)
		}
		last := 1
		doc.Find("main h1, main h2, main h3").Each(func(_ int, s *goquery.Selection) {
			level := int(s.Nodes[0].Data[1] - '0')
			if level > last+1 {
				t.Errorf("heading level %d after %d: %s", level, last, s.Text())
			}
			last = level
		})
	})
}

func TestIDsAreUniqueAndReferencesResolve(t *testing.T) {
	eachSample(t, true, func(t *testing.T, doc *goquery.Document) {
		ids := map[string]int{}
		doc.Find("[id]").Each(func(_ int, s *goquery.Selection) { ids[s.AttrOr("id", "")]++ })
		for id, n := range ids {
			if n > 1 {
				t.Errorf("id %q is used %d times", id, n)
			}
		}
		for _, attr := range []string{"for", "aria-describedby", "aria-labelledby", "list"} {
			doc.Find("[" + attr + "]").Each(func(_ int, s *goquery.Selection) {
				for id := range strings.FieldsSeq(s.AttrOr(attr, "")) {
					if ids[id] == 0 {
						t.Errorf("%s=%q leads nowhere: %s", attr, id, outer(t, s))
					}
				}
			})
		}
		doc.Find("[hx-target^='#'], [hx-indicator^='#']").Each(func(_ int, s *goquery.Selection) {
			for _, attr := range []string{"hx-target", "hx-indicator"} {
				for name := range strings.SplitSeq(s.AttrOr(attr, ""), ", ") {
					if id, ok := strings.CutPrefix(name, "#"); ok && ids[id] == 0 {
						t.Errorf("%s=#%s leads nowhere: %s", attr, id, outer(t, s))
					}
				}
			}
		})
	})
}

// Every control has a name that assistive technology can say.
func TestControlsAreLabelled(t *testing.T) {
	eachSample(t, false, func(t *testing.T, doc *goquery.Document) {
		doc.Find("input, textarea, select").Each(func(_ int, s *goquery.Selection) {
			if s.AttrOr("type", "") == "hidden" || s.AttrOr("aria-hidden", "") == "true" {
				return
			}
			id := s.AttrOr("id", "")
			if id == "" || doc.Find("label[for='"+id+"']").Length() != 1 {
				t.Errorf("no label: %s", outer(t, s))
			}
		})
		doc.Find("a, button, summary").Each(func(_ int, s *goquery.Selection) {
			name := s.AttrOr("aria-label", "") + s.AttrOr("aria-labelledby", "") + strings.TrimSpace(s.Text())
			if name == "" {
				t.Errorf("no name: %s", outer(t, s))
			}
		})
		doc.Find("[aria-invalid=true]").Each(func(_ int, s *goquery.Selection) {
			if !strings.Contains(s.AttrOr("aria-describedby", ""), "-error") {
				t.Errorf("an error is not tied to its control: %s", outer(t, s))
			}
		})
	})
}

// Without JavaScript a form works by its own method and action. With it, htmx
// sends the same fields to the same address, so one handler serves both.
func TestFormsWorkWithoutJavaScript(t *testing.T) {
	eachSample(t, false, func(t *testing.T, doc *goquery.Document) {
		doc.Find("form").Each(func(_ int, form *goquery.Selection) {
			method, action := form.AttrOr("method", ""), form.AttrOr("action", "")
			if !strings.HasPrefix(action, "/") || strings.HasPrefix(action, "//") {
				t.Errorf("action %q: %s", action, outer(t, form))
			}
			switch method {
			case "post":
				if form.Find("input[type=hidden][name=csrf]:not([value=''])").Length() != 1 {
					t.Errorf("no csrf token: %s", outer(t, form))
				}
				public := action == "/login" || strings.HasPrefix(action, "/login/") || action == "/setup" || action == "/invite" || form.Find("input[name=next][value='/invite']").Length() == 1
				if n := form.Find("input[type=hidden][name=team]:not([value=''])").Length(); n != 1 && !public {
					t.Errorf("not bound to the team it was rendered for: %s", outer(t, form))
				}
			case "get":
				if form.Find("textarea, input[type=password], input[name=csrf]").Length() != 0 {
					t.Errorf("would put a secret into an address: %s", outer(t, form))
				}
			default:
				t.Errorf("method %q: %s", method, outer(t, form))
			}
			if target, ok := form.Attr("hx-post"); ok && target != action {
				t.Errorf("htmx posts to %s, the form to %s", target, action)
			}
			onlyByScript := form.Closest("dialog:not([open])").Length() > 0 // which nothing else opens
			elsewhere := doc.Find("button[form='"+form.AttrOr("id", "none")+"']").Length() > 0
			if form.Find("button").Length() == 0 && !onlyByScript && !elsewhere {
				t.Errorf("no button: %s", outer(t, form))
			}
		})
		doc.Find("[hx-get]").Each(func(_ int, s *goquery.Selection) {
			if goquery.NodeName(s) == "a" && !strings.HasPrefix(s.AttrOr("href", ""), "/") {
				t.Errorf("does nothing without JavaScript: %s", outer(t, s))
			}
			if goquery.NodeName(s) == "input" && s.AttrOr("hx-params", "") != s.AttrOr("name", "") {
				t.Errorf("may send more than itself in an address: %s", outer(t, s))
			}
		})
		doc.Find("[hx-put], [hx-patch], [hx-delete], [hx-vals], [hx-include], [hx-boost]").Each(func(_ int, s *goquery.Selection) {
			t.Errorf("differs from the plain form: %s", outer(t, s))
		})
	})
}

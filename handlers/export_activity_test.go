package handlers

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The form of the activity's page gives a file, named after the team and the day,
// of the team's own entries and no others.
func TestExportOfTheActivity(t *testing.T) {
	w := newWorld(t)
	post := func(actor, body string) (status int, header http.Header, text string) {
		r := request("POST", "/settings/activity/export", body)
		w.present(r, credentials{cookie: w.actors[actor].cookie})
		res := w.do(r)
		return res.Code, res.Header(), res.Body.String()
	}
	name := regexp.MustCompile(`^attachment; filename="infsh-activity-acme-\d{4}-\d\d-\d\d\.(csv|jsonl)"$`)
	for _, format := range []string{"csv", "jsonl"} {
		status, header, text := post("owner", "kind=secret.set&key=OPENAI_API_KEY&format="+format)
		if status != http.StatusOK || !name.MatchString(header.Get("Content-Disposition")) || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", format, status, header)
		}
		if lines := strings.Count(text, "secret.set"); lines != 2 || strings.Contains(text, "BETA") || strings.Contains(text, "session.login") {
			t.Errorf("%s has %d of 2 entries: %s", format, lines, text)
		}
	}
	for body, want := range map[string]int{"format=xml": http.StatusBadRequest, "": http.StatusBadRequest, "format=csv&from=yesterday": http.StatusBadRequest, "format=csv&kind=Secret": http.StatusBadRequest} {
		if status, _, _ := post("owner", body); status != want {
			t.Errorf("%q is answered %d", body, status)
		}
	}
}

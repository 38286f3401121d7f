package handlers

import (
	"strings"
	"testing"
)

// What a platform's token was exchanged for opens what a runner's key opens, of one
// app alone, and no page.
func TestARunnersCredentialOpensNothingElse(t *testing.T) {
	w := newWorld(t)
	_, rows := parseMatrix(t)
	for _, row := range rows {
		got := w.try(row, "exchanged")
		at := row.route() + " with a runner's credential"
		if c := outcome(got); c != row.want["runner"] {
			t.Errorf("%s: %s (%d), want %s: %.200s", at, c, got.Code, row.want["runner"], got.Body)
		}
		w.searchCanaries(at, row, got)
		if w.committed() {
			if changed := w.changed(""); len(changed) > 0 && !strings.HasPrefix(row.pattern, "/internal/") && outcome(got) != "ok" {
				t.Errorf("%s: refused, and changed %s", at, changed)
			}
			w.restore()
		}
	}
	for _, app := range []string{"acme/painter", "acme/none", "beta/summarizer"} {
		r := request("POST", "/internal/v1/resolve", `{"app":"`+app+`"}`)
		w.present(r, w.actors["exchanged"])
		if got := w.do(r); got.Code != 403 {
			t.Errorf("another app, %s: %d %.200s", app, got.Code, got.Body)
		}
	}
}

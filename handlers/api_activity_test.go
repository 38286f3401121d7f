package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"infsh/api"
)

// The API searches and exports what the page does, with the same filters.
func TestActivityByTheAPI(t *testing.T) {
	w := newWorld(t)
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := request(method, path, body)
		w.present(r, w.actors["full"])
		return w.do(r)
	}
	search := func(query string) (page api.Activity) {
		t.Helper()
		res := ask("GET", "/api/activity?"+query, "")
		if err := json.Unmarshal(res.Body.Bytes(), &page); err != nil || res.Code != http.StatusOK {
			t.Fatalf("%s is answered %d: %s", query, res.Code, res.Body)
		}
		return page
	}
	sets := search("kind=secret.set&key=OPENAI_API_KEY")
	if len(sets.Items) != 2 || sets.NextBefore != 0 || sets.SearchedTo != nil || fmt.Sprint(sets.Items[0].Versions) != "[{OPENAI_API_KEY 2}]" || sets.Items[0].Target != "OPENAI_API_KEY" {
		t.Errorf("of two sets of the key it finds %+v", sets)
	}
	seen := map[int64]bool{}
	for before := int64(0); ; {
		query := "until=2099-01-01"
		if before > 0 {
			query += fmt.Sprintf("&before=%d", before)
		}
		page := search(query)
		for _, e := range page.Items {
			if seen[e.Seq] || e.Seq < 1 {
				t.Fatalf("entry %d comes twice", e.Seq)
			}
			seen[e.Seq] = true
		}
		if before = page.NextBefore; before == 0 {
			break
		}
	}
	if first, last := seen[1], int64(len(seen)); !first || !seen[last] {
		t.Errorf("of the numbers to %d some are missing", last)
	}
	for _, format := range []string{"csv", "jsonl"} {
		res := ask("POST", "/api/activity/export", `{"format":"`+format+`","kind":"secret.set","key":"OPENAI_API_KEY"}`)
		if lines := strings.Count(res.Body.String(), "secret.set"); res.Code != http.StatusOK || lines != 2 {
			t.Errorf("%s: %d with %d of 2 entries", format, res.Code, lines)
		}
	}
	for path, body := range map[string]string{
		"/api/activity?before=-1": "", "/api/activity?from=yesterday": "", "/api/activity?kind=Secret": "", "/api/activity/export": `{"format":"xml"}`,
	} {
		method := "GET"
		if body != "" {
			method = "POST"
		}
		if res := ask(method, path, body); res.Code != http.StatusBadRequest {
			t.Errorf("%s %s is answered %d", path, body, res.Code)
		}
	}
}

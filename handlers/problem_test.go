package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"infsh/api"
)

// What goes wrong below /api and /internal is told as a problem document
// (RFC 9457), whatever it is, and nothing else leads away from there.
func TestProblemsOfPrograms(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		what, method, path, body, title string
		status                          int
		header                          []string
	}{
		{"an unknown route", "GET", "/api/no/such/route/at/all", "", api.TitleNotFound, 404, nil},
		{"an unknown route of a runner", "POST", "/internal/v2/resolve", "{}", api.TitleNotFound, 404, nil},
		{"the root", "GET", "/api", "", api.TitleNotFound, 404, nil},
		{"the root with a slash", "GET", "/api/", "", api.TitleNotFound, 404, nil},
		{"the runners' root", "GET", "/internal", "", api.TitleNotFound, 404, nil},
		{"a call of the SDK that is of no use here", "POST", "/api/agents/run", "{}", api.TitleNotFound, 404, nil},
		{"a slash too many", "GET", "/api//me", "", api.TitleNotFound, 404, nil},
		{"a slash before it", "POST", "//api/secrets", "{}", api.TitleNotFound, 404, nil},
		{"a slash behind it", "GET", "/api/me/", "", api.TitleNotFound, 404, nil},
		{"a step up", "GET", "/api/x/../me", "", api.TitleNotFound, 404, nil},
		{"NUL in a name", "GET", "/api/secrets/A%00B", "", api.TitleNotFound, 404, nil},
		{"what is no UTF-8 in a name", "GET", "/api/secrets/%ff", "", api.TitleNotFound, 404, nil},
		{"a slash in a name", "GET", "/api/secrets/..%2fOPENAI_API_KEY", "", api.TitleSecretNotFound, 404, nil},
		{"another method", "PATCH", "/api/me", "", api.TitleMethodNotAllowed, 405, nil},
		{"another method of a secret", "POST", "/api/secrets/OPENAI_API_KEY", "{}", api.TitleMethodNotAllowed, 405, nil},
		{"asking for the methods", "OPTIONS", "/api/secrets", "", api.TitleMethodNotAllowed, 405, nil},
		{"too much", "POST", "/api/secrets", `{"value":"` + strings.Repeat("x", 600<<10) + `"}`, api.TitleTooLarge, 413, nil},
		{"another type", "POST", "/api/secrets", "key=x", api.TitleUnsupportedMedia, 415, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"long headers", "GET", "/api/me", "", api.TitleHeaderTooLarge, 431, []string{"X-Long", strings.Repeat("x", 40<<10)}},
		{"a long address", "GET", "/api/me?q=" + strings.Repeat("x", 40<<10), "", api.TitleHeaderTooLarge, 431, nil},
		{"another site", "POST", "/api/secrets", "{}", api.TitleCrossOrigin, 403, []string{"Origin", "https://evil.example"}},
		{"what is not offered", "POST", w.ids.Replace("/api/apps/$app/license"), `{}`, api.TitleNotImplemented, 501, nil},
	} {
		r := request(c.method, c.path, c.body, c.header...)
		w.present(r, w.actors["owner"])
		res := w.do(r)
		var p api.Problem
		if err := json.Unmarshal(res.Body.Bytes(), &p); err != nil {
			t.Errorf("%s: %d %.200s", c.what, res.Code, res.Body)
			continue
		}
		if res.Code != c.status || p.Status != c.status || p.Title != c.title || p.Detail == "" || p.Type != "about:blank" || res.Header().Get("Content-Type") != api.ProblemMediaType {
			t.Errorf("%s: %d %s %+v", c.what, res.Code, res.Header().Get("Content-Type"), p)
		}
		if !strings.HasPrefix(p.Instance, "urn:request:") || strings.TrimPrefix(p.Instance, "urn:request:") != res.Header().Get("X-Request-Id") {
			t.Errorf("%s: its instance is %q", c.what, p.Instance)
		}
		if (c.status == http.StatusMethodNotAllowed) != (res.Header().Get("Allow") != "") {
			t.Errorf("%s: Allow is %q", c.what, res.Header().Get("Allow"))
		}
		checkHeaders(t, c.what, res)
	}
}

// A panic is answered in the same way, and says nothing of what it was.
func TestPanicOfAProgramsCall(t *testing.T) {
	w := newWorld(t)
	w.services.Accounts = nil
	w.handlers = New(Config{PublicURL: w.publicURL, Log: discard}, w.services)
	r := request("GET", "/api/me", "")
	w.present(r, w.actors["owner"])
	res := w.do(r)
	var p api.Problem
	if err := json.Unmarshal(res.Body.Bytes(), &p); err != nil || res.Code != 500 || p.Title != api.TitleInternal || strings.Contains(res.Body.String(), "nil") {
		t.Errorf("%d %s", res.Code, res.Body)
	}
}

package handlers

import (
	"net/http"
	"strings"
	"testing"

	"infsh/db/dbtest"
)

// A runner's key that is known from its last run is answered by what it may do
// now, and each run leaves one entry in the log, a refused one too.
func TestAKeyThatIsKnownFromBefore(t *testing.T) {
	w := newWorld(t)
	owner := w.actor("ada@example.com", "acme")
	id, key := w.key(owner, "known", &[]string{"apps:execute"})
	run := func(body string) (int, string) {
		r := request("POST", "/internal/v1/resolve", body, "Authorization", "Bearer "+key)
		res := w.do(r)
		return res.Code, res.Body.String()
	}
	const acme = `{"app":"acme/summarizer"}`
	entries := func() int {
		return dbtest.Count(t, w.d, "SELECT count(*) FROM audit_entries WHERE action = 'app.resolve'")
	}
	for _, step := range []struct {
		name, change, body string
		want, recorded     int
		says               string
	}{
		{"as it is read first", "", acme, http.StatusOK, 1, "OPENAI_API_KEY"},
		{"known", "", acme, http.StatusOK, 1, "OPENAI_API_KEY"},
		{"known, and after a change of the team", "UPDATE teams SET members_may_edit = 1 - members_may_edit WHERE username = 'acme'", acme, http.StatusOK, 1, "OPENAI_API_KEY"},
		{"known, for an app that is not there", "", `{"app":"acme/nothing"}`, http.StatusNotFound, 1, "acme/nothing"},
		{"known, for another team's app", "", `{"app":"beta/summarizer"}`, http.StatusNotFound, 1, "beta/summarizer"},
		{"known, for no app's name", "", `{"app":"//"}`, http.StatusBadRequest, 0, ""},
		{"known, with what can't be read", "", `{"app":`, http.StatusBadRequest, 0, ""},
		{"when it may not run apps any more", "UPDATE api_keys SET scopes = 'secrets:read' WHERE id = '" + id + "'", acme, http.StatusForbidden, 1, "apps:execute"},
		{"known as one that may not run apps", "", acme, http.StatusForbidden, 1, "apps:execute"},
		{"when it may again", "UPDATE api_keys SET scopes = 'apps:execute' WHERE id = '" + id + "'", acme, http.StatusOK, 1, "OPENAI_API_KEY"},
		{"when it has expired", "UPDATE api_keys SET expires_at = 1 WHERE id = '" + id + "'", acme, http.StatusUnauthorized, 0, "expired"},
		{"known as one that has expired", "", acme, http.StatusUnauthorized, 0, "expired"},
		{"when it has no end", "UPDATE api_keys SET expires_at = 0 WHERE id = '" + id + "'", acme, http.StatusOK, 1, "OPENAI_API_KEY"},
		{"when it is gone", "DELETE FROM api_keys WHERE id = '" + id + "'", acme, http.StatusUnauthorized, 0, "not valid"},
		{"gone, with what can't be read", "", `{"app":`, http.StatusUnauthorized, 0, "not valid"},
	} {
		if step.change != "" {
			dbtest.Exec(t, w.d, step.change)
		}
		before := entries()
		status, body := run(step.body)
		if recorded := entries() - before; status != step.want || recorded != step.recorded || !strings.Contains(body, step.says) {
			t.Errorf("%s: %d, want %d; %d entries, want %d: %.200s", step.name, status, step.want, recorded, step.recorded, body)
		}
	}
}

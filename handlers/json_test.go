package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"infsh/api"
	"infsh/problem"
)

// FuzzDecode reads anything as the body of a request. What is accepted means the
// same to a parser that is less strict, which may stand in front of this server;
// what is refused is the client's error, and is not repeated.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"key":"OPENAI_API_KEY","value":"CANARY","description":"x"}`,
		`{"key":"A","key":"CANARY"}`, `{"key":"A","KEY":"CANARY"}`, `{"key":"A","team_id":"CANARY"}`, `{"key":"A","colour":"CANARY"}`,
		`{"key":1}`, `{"value":{"CANARY":1}}`, `{"description":["CANARY"]}`, `{"verbatim":"CANARY"}`, `{"key":"A"} {"key":"CANARY"}`,
		"{\"key\":\"CANARY\xff\"}", `{"key":"\ud800CANARY"}`, `{"key":"CANARY`, `{"CANARY":1}`, "{\"CANARY\xff\":1}", `{"user":{"CANARY":{"a":1,"a":2}}}`,
		"\ufeff{}", `{"key":"A"}//CANARY`, strings.Repeat(`{"team":`, 12000), `{"version":` + strings.Repeat("9", 400) + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/api/secrets", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		var got api.SecretBody
		if err := decode(r, &got); err != nil {
			if !errors.Is(err, problem.BadRequest) || strings.Contains(err.Error(), "CANARY") {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		var lax struct{ Key, Description *string }
		if err := json.Unmarshal(body, &lax); err != nil || !utf8.Valid(body) {
			t.Fatalf("%q is accepted, and is no JSON in UTF-8: %v", body, err)
		}
		if lax.Key != nil && *lax.Key != got.Key || lax.Description != nil && *lax.Description != *got.Description {
			t.Fatalf("%q has two meanings: %q, and %+v", body, got.Key, lax)
		}
	})
}

// A body that is not what its headers say, or that is compressed, is the
// client's error.
func TestBodiesThatAreNotWhatTheySay(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		header, value string
		status        int
	}{
		"compressed":      {"Content-Encoding", "gzip", http.StatusUnsupportedMediaType},
		"of another kind": {"Content-Type", "text/plain", http.StatusUnsupportedMediaType},
		"of none":         {"Content-Type", "", http.StatusUnsupportedMediaType},
	} {
		r := request("POST", "/api/secrets", `{"key":"FAL_KEY","value":"CANARY-submitted"}`, c.header, c.value)
		w.present(r, w.actors["owner"])
		if res := w.do(r); res.Code != c.status || res.Header().Get("Content-Type") != api.ProblemMediaType {
			t.Errorf("%s: %d %s", name, res.Code, res.Body)
		}
	}
}

package handlers

import (
	"net/http"
	"testing"
)

// A change that is meant for a version is refused once there is another, and
// changes nothing then (D6).
func TestIfMatch(t *testing.T) {
	w := newWorld(t)
	call := func(method, path, body string, header ...string) (status int, tag string) {
		t.Helper()
		r := request(method, path, body, append(header, "Content-Type", "application/json")...)
		w.present(r, w.actors["owner"])
		res := w.do(r)
		return res.Code, res.Header().Get("ETag")
	}
	const path = "/api/secrets/MATCHED_API_KEY"
	if status, tag := call("POST", "/api/secrets", `{"key":"MATCHED_API_KEY","value":"the first value"}`); status != http.StatusCreated || tag != `"1"` {
		t.Fatalf("created: %d %s", status, tag)
	}
	for _, tt := range []struct {
		name, match, body string
		status            int
		tag               string
	}{
		{"for the version in use", `"1"`, `{"value":"the second value"}`, http.StatusOK, `"2"`},
		{"for one that is over", `"1"`, `{"value":"a late value"}`, http.StatusPreconditionFailed, ""},
		{"of the description, for one that is over", `"1"`, `{"description":"late"}`, http.StatusPreconditionFailed, ""},
		{"for one that is to come", `"3"`, `{"value":"an early value"}`, http.StatusPreconditionFailed, ""},
		{"for one of several", `"1", "2"`, `{"value":"the third value"}`, http.StatusOK, `"3"`},
		{"for any", `*`, `{"value":"the fourth value"}`, http.StatusOK, `"4"`},
		{"without quotation marks", `4`, `{"value":"no"}`, http.StatusBadRequest, ""},
		{"for a weak tag", `W/"4"`, `{"value":"no"}`, http.StatusBadRequest, ""},
		{"for an empty tag", `""`, `{"value":"no"}`, http.StatusBadRequest, ""},
	} {
		if status, tag := call("PUT", path, tt.body, "If-Match", tt.match); status != tt.status || tag != tt.tag {
			t.Errorf("a change %s: %d %s, want %d %s", tt.name, status, tag, tt.status, tt.tag)
		}
	}
	for _, p := range []string{path, "/api/secrets/reveal/MATCHED_API_KEY"} {
		if status, tag := call("GET", p, ""); status != http.StatusOK || tag != `"4"` {
			t.Errorf("%s: %d %s", p, status, tag)
		}
	}
}

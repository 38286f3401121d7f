package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"infsh/api"
	"infsh/auth"
	"infsh/team"
)

// runnerCredential exchanges the world's token.
func (w *world) runnerCredential() string {
	w.t.Helper()
	res := w.do(request("POST", api.TokenPath, w.ids.Replace(calls["POST /internal/v1/token"].body)))
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(res.Body.Bytes(), &out) != nil || out.AccessToken == "" {
		w.t.Fatal(res.Code, res.Body)
	}
	return out.AccessToken
}

// What a token was exchanged for makes nothing, and is told so whether it wants
// the call to be repeatable or not.
func TestRunWithoutKeyMakesNothing(t *testing.T) {
	w := newWorld(t)
	credential := w.runnerCredential()
	n := 0
	for _, rt := range (&server{}).routes() {
		if !rt.creates {
			continue
		}
		n++
		row := matrixRow{method: rt.method, pattern: rt.path}
		for _, header := range [][]string{nil, {auth.IdempotencyHeader, "the-key"}} {
			r := request(rt.method, w.ids.Replace(pathOf(row)), w.ids.Replace(calls[row.route()].body), header...)
			r.Header.Set("Authorization", "Bearer "+credential)
			if got := w.do(r); got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "Permission denied") {
				t.Errorf("%s with %v: %d %s", row.route(), header, got.Code, got.Body)
			}
		}
	}
	if n == 0 {
		t.Error("no route creates anything")
	}
}

// The limits hold a trust, however many credentials it has given.
func TestTrustHasOneLimit(t *testing.T) {
	w := newWorld(t)
	found := map[string]bool{}
	for range 2 {
		r := request("GET", "/internal/v1/watch", "")
		r.Header.Set("Authorization", "Bearer "+w.runnerCredential())
		actor, err := w.services.Authenticator.Bearer(r)
		if err != nil {
			t.Fatal(err)
		}
		if actor.Kind() != team.Runner || limited(actor) == actor.CredentialID() {
			t.Errorf("%s is limited by its credential", actor.Kind())
		}
		found[limited(actor)] = true
	}
	if len(found) != 1 {
		t.Errorf("two credentials of one trust have the limits of %v", found)
	}
}

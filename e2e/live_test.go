package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// An open page's stream says that something has changed and not what, ends with
// its session or the membership, whatever its client does, and is refused to
// who may not read what it is about.
func TestLiveStreams(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	owner := s.createUser("ada@example.com", "acme")
	cyn := s.createUser("cyn@example.com", "acme")
	member := s.createUser("bo@example.com", "acme")
	path := "/settings/live?team=" + owner.TeamID + "&since="

	ada := s.signIn(owner)
	if a := ada.get(path + "0&seconds=0"); a.Body != "event: ready\nid: 0\ndata: {}\n\n" {
		t.Errorf("the stream begins with %q", a.Body)
	}
	if a := ada.get(strings.Replace(path, owner.TeamID, "another", 1) + "0"); a.StatusCode != http.StatusNoContent {
		t.Errorf("a page of another team: %d", a.StatusCode)
	}
	if a := s.signIn(member).get(strings.Replace(path, "since", "entries", 1) + "0&seconds=0"); a.StatusCode != http.StatusForbidden {
		t.Errorf("a member asked for the activity's entries: %d", a.StatusCode)
	}
	if a := ada.get(path + "many"); a.StatusCode != http.StatusUnprocessableEntity && a.StatusCode != http.StatusBadRequest {
		t.Errorf("since many: %d", a.StatusCode)
	}

	if a := ada.get(strings.Replace(path, "since", "entries", 1) + "0&seconds=2"); !strings.Contains(a.Body, "event: changed\n") {
		t.Errorf("the entries that came before: %q", a.Body)
	}

	// What has happened since is told at once, and what comes then is told too.
	s.set(owner.APIKey, "OPENAI_API_KEY", "sk-live-0123456789")
	ended := func(u user) chan string {
		all := make(chan string, 1)
		v := s.signIn(u)
		go func() { all <- v.get(path + "0").Body }()
		return all
	}
	removed, signedOut := ended(member), ended(cyn)
	begun := time.Now()
	csrf := between(ada.get("/settings/members").Body, `name="csrf" value="`, `"`)
	if a := ada.post("/settings/members/"+member.UserID+"/remove", url.Values{"csrf": {csrf}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("the removal answered %d", a.StatusCode)
	}
	another := s.signIn(cyn)
	csrf = between(another.get("/settings/account").Body, `name="csrf" value="`, `"`)
	if a := another.post("/settings/account/sessions/revoke", url.Values{"csrf": {csrf}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing out everywhere answered %d", a.StatusCode)
	}
	for name, all := range map[string]chan string{"removed": removed, "signed out": signedOut} {
		select {
		case body := <-all:
			t.Logf("%s: ended after %s with %q", name, time.Since(begun), body)
			if !strings.Contains(body, "event: changed\n") || strings.Contains(body, "OPENAI") {
				t.Errorf("%s: the stream said %q", name, body)
			}
		case <-time.After(patience):
			t.Errorf("%s: the stream goes on", name)
		}
	}
	s.stop()
}

package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"infsh/db/dbtest"
)

// What is decided at one instance holds at the next request to another: no
// instance keeps in memory what a second one contradicts.
func TestInstancesAgreeAtOnce(t *testing.T) {
	direct := dbtest.PostgresURL(t)
	data := t.TempDir()
	flags := []string{"--database-url", direct}
	a, b := start(t, data, flags...), start(t, data, flags...)
	owner, member := a.createUser("ada@example.com", "acme"), a.createUser("bo@example.com", "acme")
	elsewhere := func(v *visitor) *visitor { return &visitor{server: b, client: v.client} }
	expect := func(what string, got answer, want int) {
		t.Helper()
		if got.StatusCode != want {
			t.Errorf("%s: %d, want %d: %.300s", what, got.StatusCode, want, got.Body)
		}
	}
	list := func(s *server, key string) answer { return s.call(key, "POST", "/api/secrets/list", map[string]any{}) }
	write := func(s *server, key, value string) answer {
		return s.call(key, "PUT", "/api/secrets/SHARED_API_KEY", map[string]string{"value": value})
	}
	expect("a write at A", a.call(owner.APIKey, "POST", "/api/secrets", map[string]string{"key": "SHARED_API_KEY", "value": "the first value"}), http.StatusCreated)

	// A session, and its end.
	v := a.signIn(owner)
	expect("a session of A, at B", elsewhere(v).get("/settings/secrets"), http.StatusOK)
	cookies := v.client.Jar.Cookies(mustURL(t, a.URL))
	page := v.get("/settings/secrets").Body
	v.post("/logout", url.Values{"csrf": {field(page, "csrf")}})
	again := b.visitor()
	again.client.Jar.SetCookies(mustURL(t, b.URL), cookies)
	expect("a session that ended at A, at B", again.get("/settings/secrets"), http.StatusSeeOther)

	// An API key, and its revocation.
	made := a.call(owner.APIKey, "POST", "/api/apikeys", map[string]any{"name": "to be revoked"})
	var key struct{ ID, Key string }
	made.json(t, &key)
	expect("a key of A, at B", list(b, key.Key), http.StatusOK)
	expect("its revocation at A", a.call(owner.APIKey, "DELETE", "/api/apikeys/"+key.ID, nil), http.StatusNoContent)
	expect("a key that A revoked, at B", list(b, key.Key), http.StatusUnauthorized)

	// A role, and a membership.
	members := "/api/teams/" + owner.TeamID + "/members/" + member.UserID
	role := func(to string) {
		t.Helper()
		if got := a.call(owner.APIKey, "POST", members+"/role", map[string]string{"role": to}); got.StatusCode/100 != 2 {
			t.Fatalf("role %s: %d %.300s", to, got.StatusCode, got.Body)
		}
	}
	role("admin")
	expect("a write at B as an admin since A", write(b, member.APIKey, "by an admin"), http.StatusOK)
	role("member")
	expect("a write at B as a member since A", write(b, member.APIKey, "by a member"), http.StatusForbidden)
	if got := a.call(owner.APIKey, "DELETE", members, nil); got.StatusCode/100 != 2 {
		t.Fatalf("remove: %d %.300s", got.StatusCode, got.Body)
	}
	if got := list(b, member.APIKey); got.StatusCode != http.StatusUnauthorized && got.StatusCode != http.StatusForbidden {
		t.Errorf("whom A removed, at B: %d", got.StatusCode)
	}

	// Keys of the store, which both have in memory.
	mustOperate(t, a.flags, "rotate-dek")
	expect("a write at B after the rotation", write(b, owner.APIKey, "after the rotation"), http.StatusOK)
	var revealed struct{ Value string }
	a.call(owner.APIKey, "GET", "/api/secrets/reveal/SHARED_API_KEY", nil).json(t, &revealed)
	if revealed.Value != "after the rotation" {
		t.Error("A does not read what B wrote after the rotation")
	}

	// Failed logins count together.
	refused := false
	for i := range 20 {
		at := []*server{a, b}[i%2].visitor()
		refused = refused || at.post("/login", url.Values{"email": {owner.Email}, "password": {"a wrong password"}}).StatusCode == http.StatusTooManyRequests
	}
	if !refused {
		t.Error("20 wrong passwords at two instances were not answered with 429")
	}
	for _, s := range []*server{a, b} {
		expect("a further one", s.visitor().post("/login", url.Values{"email": {owner.Email}, "password": {"a wrong password"}}), http.StatusTooManyRequests)
	}
}

// field finds the value of a hidden field in a page.
func field(page, name string) string {
	_, after, _ := strings.Cut(page, `name="`+name+`" value="`)
	value, _, _ := strings.Cut(after, `"`)
	return value
}

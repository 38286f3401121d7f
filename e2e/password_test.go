package e2e

import (
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An operator helps one who forgot the password, beside the running server.
func TestForgottenPassword(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	ada := s.createUser("ada@example.com", "acme")
	before := s.signIn(ada)

	cmd := exec.Command(infsh, append([]string{"admin", "set-password", "--email", ada.Email}, s.flags...)...)
	cmd.Env = cleanEnv()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("set-password: %v", err)
	}
	_, password, ok := strings.Cut(strings.TrimSpace(string(out)), "Password (shown once): ")
	if !ok || len(password) < 20 {
		t.Fatal("no generated password was printed")
	}
	if a := before.get("/settings/secrets"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the old session goes on: %d", a.StatusCode)
	}
	if a := s.visitor().post("/login", url.Values{"email": {ada.Email}, "password": {ada.Password}}); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old password: %d", a.StatusCode)
	}
	ada.Password = password
	if a := s.signIn(ada).get("/settings/secrets"); a.StatusCode != http.StatusOK {
		t.Errorf("the new password: %d", a.StatusCode)
	}
}

// What was changed of a value, and what is to be said of a name, is told when
// it is saved, with and without JavaScript.
func TestNotesOnASavedSecret(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	v := s.signIn(s.createUser("ada@example.com", "acme"))
	for _, c := range []struct{ key, value, note string }{
		{"TOKEN", "a-value-of-some-length", "does not say"},
		{"ONE_LINE_KEY", "a-value-of-some-length\r\n", "The line break at its end is not part of the value."},
		{"PEM_KEY", "first line\r\nsecond line\r\n", "Its line breaks are stored as LF."},
	} {
		a := v.post("/settings/secrets", url.Values{"key": {c.key}, "value": {c.value}})
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d %.200s", c.key, a.StatusCode, a.Body)
		}
		if page := v.get("/settings/secrets"); !strings.Contains(page.Body, c.note) {
			t.Errorf("%s: the page does not say %q", c.key, c.note)
		}
		a = v.post("/settings/secrets", url.Values{"key": {"HX_" + c.key}, "value": {c.value}}, "HX-Request", "true", "HX-Target", "dialog", "HX-Current-URL", s.URL+"/settings/secrets")
		if c.key != "TOKEN" && !strings.Contains(a.Body, c.note) {
			t.Errorf("%s over HTMX: the answer does not say %q", c.key, c.note)
		}
	}
}

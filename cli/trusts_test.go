package cli

import (
	"net/http"
	"testing"
)

// What is wrong with the command line alone is said before the server is asked.
func TestTrustAddIsHeldAgainstItsUsage(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
	}))
	for _, c := range []struct {
		want string
		args []string
	}{
		{"one NAME", []string{"--app", "acme/app", "--github", "acme/app"}},
		{"which issuer?", []string{"x", "--app", "acme/app"}},
		{"goes with --issuer", []string{"x", "--app", "acme/app", "--kubernetes", "prod/app"}},
		{"which app", []string{"x", "--github", "acme/app"}},
		{"--jwks", []string{"x", "--app", "acme/app", "--issuer", "https://ci.example.com", "--jwks", "/nowhere/jwks.json"}},
	} {
		w.run(append([]string{"trust", "add"}, c.args...)...).want(t, ExitUsage, c.want)
	}
}

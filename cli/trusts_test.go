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

// What is to be done at the platform follows what was made.
func TestTrustAddSaysWhatToDoThere(t *testing.T) {
	for preset, want := range map[string]string{"github": "INFSH_ID_TOKEN_AUDIENCE=https://infsh.example", "gitlab": "INFSH_ID_TOKEN: { aud: https://infsh.example }"} {
		w := newWorld(t, serve(t, routes{"POST /api/trusts": `201 {"name":"x","preset":"` + preset + `","issuer":"https://issuer.example","audience":"https://infsh.example","apps":["acme/app"],"conditions":[]}`}))
		w.run("trust", "add", "x", "--app", "acme/app", "--"+preset, "acme/app").want(t, ExitOK, want, "infsh run --app acme/app -- COMMAND", "INFSH_URL="+w.env["INFSH_URL"])
	}
}

package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A job asks GitHub for a token until it has one, and nothing of what it asks with
// is printed; where it can't have one, it says what to do.
func TestAskingGitHub(t *testing.T) {
	const asking = "the-request-token-CANARY"
	for name, c := range map[string]struct {
		statuses []int
		body     string
		want     string
	}{
		"at once":          {[]int{200}, `{"value":"a.b.c"}`, ""},
		"after failures":   {[]int{503, 429, 200}, `{"value":"a.b.c"}`, ""},
		"never":            {[]int{500, 500, 500, 500, 500}, "", "it answered 500"},
		"not permitted":    {[]int{403}, asking, "id-token: write"},
		"led elsewhere":    {[]int{302}, "", "it answered 302"},
		"something else":   {[]int{200}, `{"value":""}`, "could not be read"},
		"no JSON":          {[]int{200}, asking, "could not be read"},
		"plain http":       {nil, "", "no https address"},
		"no name of a job": {nil, "", "no https address"},
	} {
		asked, audience := 0, ""
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			audience = r.URL.Query().Get("audience")
			if r.Header.Get("Authorization") != "Bearer "+asking || r.URL.Query().Get("api-version") != "2.0" {
				t.Errorf("%s: it was asked by %s", name, r.URL)
			}
			w.Header().Set("Location", "https://evil.example")
			w.WriteHeader(c.statuses[asked])
			asked++
			_, _ = w.Write([]byte(c.body))
		}))
		address := server.URL + "/request?api-version=2.0"
		switch name {
		case "plain http":
			address = "http://192.0.2.1/request"
		case "no name of a job":
			address = "ftp://x"
		}
		_, p := build(Options{LookupEnv: func(name string) (string, bool) {
			v, ok := map[string]string{githubURL: address, githubToken: asking, "INFSH_URL": "https://INFSH.example/"}[name]
			return v, ok
		}, projected: filepath.Join(t.TempDir(), "none"), sleep: func(context.Context, time.Duration) error { return nil }})
		from, err := p.findPlatform()
		if err != nil || from == nil {
			t.Fatal(name, from, err)
		}
		token, with, err := from.token(t.Context())
		switch {
		case c.want == "" && (err != nil || token.Reveal() != "a.b.c" || len(with) != 1 || with[0].Reveal() != asking || asked != len(c.statuses) || audience != "https://infsh.example"):
			t.Errorf("%s: %v, asked %d times for %q", name, err, asked, audience)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "CANARY")):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		server.Close()
	}
}

// What is said goes before what is found, and the token of the cluster's own API is
// never taken.
func TestWhichTokenIsTaken(t *testing.T) {
	dir := t.TempDir()
	path, none := filepath.Join(dir, "token"), filepath.Join(dir, "none")
	if err := os.WriteFile(path, []byte("from.a.file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	github := map[string]string{githubURL: "https://x", githubToken: "y", "GITHUB_ACTIONS": "true"}
	for name, c := range map[string]struct {
		env       map[string]string
		projected string
		want      string
	}{
		"nothing":                {nil, none, ""},
		"a variable":             {map[string]string{"INFSH_ID_TOKEN": "a", githubURL: "https://x", githubToken: "y"}, path, "INFSH_ID_TOKEN"},
		"a file":                 {map[string]string{"INFSH_ID_TOKEN_FILE": path}, none, "INFSH_ID_TOKEN_FILE"},
		"GitHub":                 {github, path, "GitHub Actions"},
		"GitHub in a pod":        {map[string]string{"GITHUB_ACTIONS": "true"}, path, path},
		"GitHub without a right": {map[string]string{"GITHUB_ACTIONS": "true"}, none, "error"},
		"GitLab without a token": {map[string]string{"GITLAB_CI": "true"}, none, "error"},
		"two that are said":      {map[string]string{"INFSH_ID_TOKEN": "a", "INFSH_ID_TOKEN_FILE": path}, none, "error"},
	} {
		_, p := build(Options{LookupEnv: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, projected: c.projected})
		from, err := p.findPlatform()
		got := ""
		switch {
		case err != nil:
			got = "error"
		case from != nil:
			got = from.name
		}
		if got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	if strings.Contains(projectedToken, "kubernetes.io") {
		t.Error("the token of the cluster's API is sent to this server")
	}
}

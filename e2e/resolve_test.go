package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type resolved struct {
	App, Version    string
	RunID           string `json:"run_id"`
	Env             map[string]string
	Secrets         []struct{ Key string }
	MissingOptional []string `json:"missing_optional"`
}

// R1: what a run receives is what its app declares and what is set, and nothing
// else; with a required one missing it is nothing at all. The property over
// many more samples is in secret/service_test.go; this is the way through HTTP.
func TestResolveGivesExactlyWhatIsDeclaredAndSet(t *testing.T) {
	w := newTown(t)
	runner := w.apiKey(w.ada, "runner", "apps:execute")
	random := rand.New(rand.NewPCG(1, 2))
	var all, set []string
	for i := range 8 {
		key := fmt.Sprintf("SAMPLE_%d", i)
		all = append(all, key)
		if i%2 == 0 {
			w.set(w.ada.APIKey, key, "value-of-"+key)
			set = append(set, key)
		}
	}
	// Near in name, and declared by no app.
	w.set(w.ada.APIKey, "sample_1", "value-of-another-case")
	refusals := 0
	for sample := range 60 {
		type requirement struct {
			Key      string `json:"key"`
			Optional bool   `json:"optional"`
		}
		declared := []requirement{}
		want, missing, blocked := map[string]string{}, []string{}, []string{}
		for _, key := range all {
			if random.IntN(3) > 0 {
				continue
			}
			r := requirement{key, random.IntN(3) > 0}
			declared = append(declared, r)
			switch {
			case slices.Contains(set, key):
				want[key] = "value-of-" + key
			case r.Optional:
				missing = append(missing, key)
			default:
				blocked = append(blocked, key)
			}
		}
		a := w.call(w.ada.APIKey, "POST", "/api/apps", map[string]any{"name": fmt.Sprintf("sample-%d", sample), "version": map[string]any{"required_secrets": declared}})
		if a.StatusCode != http.StatusCreated {
			t.Fatalf("deploy: %d %s", a.StatusCode, a.Body)
		}
		a = w.call(runner, "POST", "/internal/v1/resolve", map[string]any{"app": fmt.Sprintf("acme/sample-%d", sample), "run_id": "run-1"})
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("R1 Cache-Control: %q", a.Header.Get("Cache-Control"))
		}
		if len(blocked) > 0 {
			refusals++
			if a.StatusCode != http.StatusPreconditionFailed || strings.Contains(a.Body, "value-of-") {
				t.Errorf("R1 %+v: %d, want 412 without a value: %s", declared, a.StatusCode, a.Body)
			}
			var p struct {
				Title  string
				Errors []struct {
					Key    string
					Action struct{ URL string }
				}
			}
			a.json(t, &p)
			var keys []string
			for _, e := range p.Errors {
				keys = append(keys, e.Key)
				if !strings.HasPrefix(e.Action.URL, "/settings/secrets?add="+e.Key) {
					t.Errorf("R1 the fix of %s is at %q", e.Key, e.Action.URL)
				}
			}
			if p.Title != "requirements_not_met" || !slices.Equal(keys, blocked) {
				t.Errorf("R1 %+v: %s %v, want %v", declared, p.Title, keys, blocked)
			}
			continue
		}
		var got resolved
		a.json(t, &got)
		if a.StatusCode != http.StatusOK || !maps.Equal(got.Env, want) || !slices.Equal(got.MissingOptional, missing) || len(got.Secrets) != len(want) || got.RunID != "run-1" {
			t.Errorf("R1 %+v: %d %s", declared, a.StatusCode, a.Body)
		}
	}
	if refusals < 10 || refusals > 50 {
		t.Errorf("%d of 60 samples were refusals, so one side was hardly tried", refusals)
	}
}

// R5: a version of an app says for ever what it said when it was registered.
func TestResolveOfAPinnedVersion(t *testing.T) {
	w := newTown(t)
	runner := w.apiKey(w.ada, "runner", "apps:execute")
	w.set(w.ada.APIKey, "OPENAI_API_KEY", "sk-openai-value")
	w.set(w.ada.APIKey, "HF_TOKEN", "hf-token-value")
	_, first := w.deploy(w.ada.APIKey, "summarizer", "OPENAI_API_KEY")
	resolve := func(version string) (got resolved) {
		t.Helper()
		w.want(http.StatusOK, runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/summarizer", "version": version}).json(t, &got)
		return got
	}
	_, second := w.deploy(w.ada.APIKey, "summarizer", "OPENAI_API_KEY", "HF_TOKEN")
	if first == second {
		t.Fatal("R5 another content is the same version")
	}
	if got := resolve(first); got.Version != first || len(got.Env) != 1 || got.Env["OPENAI_API_KEY"] == "" {
		t.Errorf("R5 the pinned version resolves to %v of %s", slices.Sorted(maps.Keys(got.Env)), got.Version)
	}
	if got := resolve(""); got.Version != second || len(got.Env) != 2 {
		t.Errorf("R5 the current version resolves to %v of %s", slices.Sorted(maps.Keys(got.Env)), got.Version)
	}
	// The same content again is the same version, not one more of its name.
	if _, again := w.deploy(w.ada.APIKey, "summarizer", "OPENAI_API_KEY"); again != first {
		t.Errorf("R5 the same content is version %s, want %s", again, first)
	}
	// Its number within the app names it, too.
	if got := resolve("1"); got.Version != first {
		t.Errorf("R5 version 1 is %s, want %s", got.Version, first)
	}
	// A version belongs to its app.
	_, other := w.deploy(w.ada.APIKey, "painter", "HF_TOKEN")
	for _, version := range []string{other, "00000000-0000-4000-8000-000000000000", "3", "01", "latest", "' OR 1=1 --", first + "\n"} {
		w.want(http.StatusNotFound, runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/summarizer", "version": version})
	}
}

// R7: a runner's key runs its team's apps and does nothing else, and nothing
// but an API key opens the runners' endpoint.
func TestRunnersKey(t *testing.T) {
	w := newTown(t)
	runner := w.apiKey(w.ada, "runner", "apps:execute")
	w.set(w.ada.APIKey, "OPENAI_API_KEY", "sk-openai-value")
	w.set(w.eve.APIKey, "OPENAI_API_KEY", "sk-of-beta")
	w.deploy(w.ada.APIKey, "summarizer", "OPENAI_API_KEY")
	w.deploy(w.eve.APIKey, "painter", "OPENAI_API_KEY")
	ask := map[string]any{"app": "acme/summarizer"}
	w.want(http.StatusOK, runner, "POST", "/internal/v1/resolve", ask)

	t.Run("R7 it opens nothing of the API", func(t *testing.T) {
		for _, route := range []string{
			"GET /api/me", "POST /api/secrets/list", "GET /api/secrets/OPENAI_API_KEY", "GET /api/secrets/reveal/OPENAI_API_KEY", "DELETE /api/secrets/OPENAI_API_KEY",
			"GET /api/teams", "POST /api/apps/list", "GET /api/apps/acme/summarizer", "POST /api/apikeys/list",
		} {
			method, path, _ := strings.Cut(route, " ")
			if title := w.want(http.StatusForbidden, runner, method, path, nil).title(t); title != "scope_required" {
				t.Errorf("%s: %s", route, title)
			}
		}
		w.want(http.StatusForbidden, runner, "POST", "/api/apikeys", map[string]any{"name": "more", "scopes": []string{"apps:execute"}})
		w.want(http.StatusForbidden, runner, "POST", "/api/apps", map[string]any{"name": "greedy", "version": map[string]any{"required_secrets": []any{map[string]any{"key": "HF_TOKEN"}}}})
		w.want(http.StatusForbidden, runner, "POST", "/api/apps/check", map[string]any{"secrets": []any{}, "integrations": []any{}})
	})

	t.Run("R7 it opens no page", func(t *testing.T) {
		for _, path := range []string{"/settings/secrets", "/settings/apikeys", "/settings/members", "/device"} {
			a := w.visitor().get(path, "Authorization", "Bearer "+runner)
			if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/login") {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	})

	t.Run("R7 another team's app is as unknown as one that does not exist", func(t *testing.T) {
		for _, app := range []string{"beta/painter", "acme/painter", "beta/summarizer", "acme/no-such-app"} {
			if title := w.want(http.StatusNotFound, runner, "POST", "/internal/v1/resolve", map[string]any{"app": app}).title(t); title != "not_found" {
				t.Errorf("%s: %s", app, title)
			}
		}
		if a := w.callIn(runner, "beta", "POST", "/internal/v1/resolve", map[string]any{"app": "beta/painter"}); a.StatusCode != http.StatusForbidden || a.title(t) != "wrong_team" {
			t.Errorf("in beta: %d", a.StatusCode)
		}
	})

	t.Run("R7 a person's session opens nothing under /internal", func(t *testing.T) {
		v := w.signIn(w.ada)
		for _, header := range [][]string{nil, {"Authorization", "Bearer " + strings.TrimPrefix(v.cookie(), "infsh_session=")}} {
			if a := w.resolveAs(v.client, w.URL, append(header, "Cookie", v.cookie())...); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%v: %d", header, a.StatusCode)
			}
		}
	})

	t.Run("R7 a key is looked for in the Authorization header alone", func(t *testing.T) {
		for name, header := range map[string][]string{
			"a cookie":                  {"Cookie", "infsh_session=" + runner + "; api_key=" + runner + "; Authorization=Bearer " + runner},
			"another header":            {"X-Api-Key", runner},
			"another scheme":            {"Authorization", "Basic " + runner},
			"no scheme":                 {"Authorization", runner},
			"with a space too many":     {"Authorization", "Bearer  " + runner},
			"in quotes":                 {"Authorization", `Bearer "` + runner + `"`},
			"with something after it":   {"Authorization", "Bearer " + runner + ",x"},
			"in another case":           {"Authorization", "Bearer " + strings.ToUpper(runner)},
			"without its last digit":    {"Authorization", "Bearer " + runner[:len(runner)-1]},
			"with another last digit":   {"Authorization", "Bearer " + runner[:len(runner)-1] + "!"},
			"an empty one":              {"Authorization", "Bearer "},
			"the proxy's authorization": {"Proxy-Authorization", "Bearer " + runner},
		} {
			if a := w.resolveAs(http.DefaultClient, w.URL, header...); a.StatusCode != http.StatusUnauthorized || a.title(t) != "not_signed_in" {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.Body)
			}
		}
		query := url.Values{"access_token": {runner}, "api_key": {runner}, "token": {runner}, "authorization": {"Bearer " + runner}}.Encode()
		w.want(http.StatusUnauthorized, "", "POST", "/internal/v1/resolve?"+query, ask)
		w.want(http.StatusUnauthorized, "", "GET", "/api/me?"+query, nil)
		req, err := http.NewRequest("POST", w.URL+"/internal/v1/resolve", strings.NewReader(`{"app":"acme/summarizer"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header["Authorization"] = []string{"Bearer " + w.eve.APIKey, "Bearer " + runner}
		if a := send(t, http.DefaultClient, req); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("two keys at once: %d", a.StatusCode)
		}
	})

	t.Run("R7 a key that was revoked resolves nothing, at once", func(t *testing.T) {
		var keys struct{ Items []struct{ ID, Name string } }
		w.want(http.StatusOK, w.ada.APIKey, "POST", "/api/apikeys/list", nil).json(t, &keys)
		for _, k := range keys.Items {
			if k.Name == "runner" {
				w.want(http.StatusNoContent, w.ada.APIKey, "DELETE", "/api/apikeys/"+k.ID, nil)
			}
		}
		w.want(http.StatusUnauthorized, runner, "POST", "/internal/v1/resolve", ask)
	})
}

// R7: with a listener for runners, the public one answers 404 under /internal,
// as at any other address that leads nowhere, and the runners' has nothing else.
func TestRunnersListener(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"), "--internal-listen", "127.0.0.1:0")
	w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
	w.set(w.ada.APIKey, "OPENAI_API_KEY", "sk-openai-value")
	w.deploy(w.ada.APIKey, "summarizer", "OPENAI_API_KEY")
	_, rest, ok := strings.Cut(s.stderr.String(), "runners are served on ")
	if !ok {
		t.Fatalf("the server does not say where runners are served: %s", s.stderr)
	}
	internal := strings.Fields(rest)[0]
	bearer := []string{"Authorization", "Bearer " + w.ada.APIKey}

	if a := w.resolveAs(http.DefaultClient, internal, bearer...); a.StatusCode != http.StatusOK || !strings.Contains(a.Body, "sk-openai-value") {
		t.Errorf("on the runners' listener: %d %s", a.StatusCode, a.Body)
	}
	nowhere := w.want(http.StatusNotFound, w.ada.APIKey, "POST", "/internal/v1/no-such", map[string]any{"app": "acme/summarizer"}).problem(t)
	for _, header := range [][]string{nil, bearer} {
		a := w.resolveAs(http.DefaultClient, w.URL, header...)
		if a.StatusCode != http.StatusNotFound || a.problem(t).Detail != nowhere.Detail {
			t.Errorf("on the public listener: %d %s", a.StatusCode, a.Body)
		}
	}
	for _, path := range []string{"/metrics", "/internal/", "/internal/v1/resolve/", "//internal/v1/resolve", "/api/../internal/v1/resolve", "/internal%2fv1%2fresolve"} {
		if a := w.visitor().get(path, bearer...); a.StatusCode == http.StatusOK || strings.Contains(a.Body, "sk-openai-value") {
			t.Errorf("%s on the public listener: %d", path, a.StatusCode)
		}
	}
	for _, path := range []string{"/", "/login", "/setup", "/settings/secrets", "/api/me", "/api/secrets/reveal/OPENAI_API_KEY", "/device", "/static/app.css"} {
		apart := *s
		apart.URL = internal
		if a := apart.visitor().get(path, bearer...); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the runners' listener: %d", path, a.StatusCode)
		}
	}
}

// resolveAs asks for acme/summarizer with the headers alone.
func (s *server) resolveAs(client *http.Client, base string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest("POST", base+"/internal/v1/resolve", strings.NewReader(`{"app":"acme/summarizer"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	setHeaders(req, append([]string{"Content-Type", "application/json"}, header...))
	return send(s.t, client, req)
}

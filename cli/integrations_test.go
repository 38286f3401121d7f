package cli

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const integrationsListed = `{"items":[
	{"id":"11111111-1111-4111-8111-111111111111","provider":"google","type":"oauth","status":"connected","display_name":"Google","account_name":"ada@acme.example","scopes":[],"is_primary":true,"refreshed_at":"2026-03-01T10:00:00Z","expires_at":"2026-03-01T11:00:00Z"},
	{"id":"22222222-2222-4222-8222-222222222222","provider":"x","type":"oauth","status":"expired","display_name":"X","account_name":"acme","scopes":[],"error_message":"X does not renew it any more. Connect it again."}],
	"next_cursor":"","has_next":false,"total_items":2}`

const integrationConfigs = `[
	{"slug":"google-oauth","provider":"google","type":"oauth","name":"Google: Google account","available":false},
	{"slug":"google-service_account","provider":"google","type":"service_account","name":"Google: Service account","available":true},
	{"slug":"x-oauth","provider":"x","type":"oauth","name":"X: X account","short_name":"X","redirect_url":"https://infsh.example/settings/integrations/callback","available":true,"command":"infsh integrations connect x"},
	{"slug":"gcp-workload_identity","provider":"gcp","type":"workload_identity","name":"Google Cloud: Workload identity federation","short_name":"Google Cloud","available":true,
		"issuer":"https://infsh.example","subject":"team:1-2","setup":[{"label":"Trust it","text":"gcloud trust \\\n  --issuer=https://infsh.example"}],
		"secret_fields":[{"key":"project_number","label":"Project number"},{"key":"pool","label":"Pool","default":"infsh"},{"key":"account","label":"Account","optional":true}]},
	{"slug":"discord-api_key","provider":"discord","type":"api_key","name":"Discord: Bot token","available":true,"command":"infsh integrations connect discord --type api_key --field guild=GUILD"}]`

// integrationsServer answers as the server does, and keeps what it receives.
func integrationsServer(t *testing.T) (http.Handler, map[string]map[string]any) {
	sent := map[string]map[string]any{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /api/integrations/list":
			reply(w, integrationsListed)
		case "GET /api/integrations/configs":
			if r.URL.Query().Has("field") {
				sent["typed"] = map[string]any{"query": r.URL.Query()["field"]}
				reply(w, `[{"provider":"gcp","type":"workload_identity","short_name":"Google Cloud","issuer":"http://infsh.example","setup":[{"label":"Trust it","text":"gcloud trust ours"}],"upload":"gcloud upload"}]`)
				return
			}
			reply(w, integrationConfigs)
		case "PUT /api/integrations/x/client":
			sent["client"] = body(t, r)
			reply(w, `{"provider":"x","client_id":"client-1","updated_at":"2026-01-02T03:04:05Z"}`)
		case "PUT /api/integrations/a-2/primary":
			reply(w, `{"id":"a-2","provider":"x","type":"oauth","display_name":"X","account_name":"bob","is_primary":true,"status":"connected","scopes":[]}`)
		case "POST /api/integrations":
			sent["connect"] = body(t, r)
			if needs := fmt.Sprint(sent["connect"]["capabilities"]); needs == "[x.nothing]" {
				reply(w, `400 {"title":"invalid_field","errors":[{"field":"capabilities","message":"X has no such capability"}]}`)
				return
			}
			if sent["connect"]["type"] != "oauth" {
				reply(w, `201 {"integration":{"display_name":"Discord","account_name":"robot"}}`)
				return
			}
			reply(w, `{"auth_url":"https://x.example/authorize?state=s-1","state":"s-1"}`)
		case "POST /api/integrations/complete":
			sent["complete"] = body(t, r)
			reply(w, `{"display_name":"X","account_name":"acme","provider":"x"}`)
		case "DELETE /api/integrations/x":
			w.WriteHeader(http.StatusNoContent)
		default:
			t.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
		}
	}), sent
}

func TestIntegrationsList(t *testing.T) {
	handler, _ := integrationsServer(t)
	w := newWorld(t, handler)
	r := w.run("integrations", "list")
	r.want(t, ExitOK, "Connect it again")
	for _, want := range []string{"google", "ada@acme.example", "connected", "expired", "2026-03-01"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the list lacks %q:\n%s", want, r.out)
		}
	}
	if r := w.run("integrations", "list", "--available"); r.code != ExitOK || !strings.Contains(r.out, "needs the team's client") {
		t.Errorf("what can be connected:\n%s%s", r.out, r.err)
	}
	w.run("integrations", "connect", "nobody").want(t, ExitNotFound, "nobody")
	w.run("integrations", "disconnect", "x").want(t, ExitUsage, "--yes")
	w.run("integrations", "disconnect", "x", "--yes").want(t, ExitOK, "Disconnected x")

	// On a terminal it looks before it asks.
	w.terminal.in, w.stdin = true, "y\n"
	w.run("integrations", "disconnect", "nope").want(t, ExitNotFound, "has no such account")
	w.run("integrations", "disconnect", "x").want(t, ExitOK, "Disconnect X (acme)?", "Disconnected x")
}

// The command waits on this machine for what the browser brings back, and takes
// nothing that is not of what it began.
func TestConnectByTheBrowser(t *testing.T) {
	handler, sent := integrationsServer(t)
	w := newWorld(t, handler)
	w.terminal.in, w.env["DISPLAY"] = true, ":0"
	w.browse = func(address string) {
		if address != "https://x.example/authorize?state=s-1" {
			t.Errorf("opened is %s", address)
		}
		here := fmt.Sprintf("http://127.0.0.1:%v/", sent["connect"]["port"])
		for _, q := range []string{"?state=forged&code=forged", "?state=s-1&code=c-1&iss=https%3A%2F%2Fx.example"} {
			resp, err := http.Get(here + q)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("the browser is led back: %v", err)
				return
			}
			resp.Body.Close()
		}
	}
	r := w.run("integrations", "connect", "x", "--need", "x.tweet.read", "--need", "x.media.write")
	r.want(t, ExitOK, "Connected X (acme)")
	if got := sent["complete"]; got["code"] != "c-1" || got["state"] != "s-1" || got["iss"] != "https://x.example" {
		t.Errorf("handed in is %v", got)
	}
	if got := fmt.Sprint(sent["connect"]["capabilities"]); got != "[x.tweet.read x.media.write]" {
		t.Errorf("asked for is %s", got)
	}
}

// Without a browser what the last page shows is pasted.
func TestConnectByPasting(t *testing.T) {
	for pasted, want := range map[string]string{"code=c-2&iss=https%3A%2F%2Fx.example": "c-2 https://x.example", "c-3\n": "c-3 <nil>"} {
		handler, sent := integrationsServer(t)
		w := newWorld(t, handler)
		w.stdin = pasted
		w.run("integrations", "connect", "x").want(t, ExitOK, "Connected X (acme)")
		if got := fmt.Sprint(sent["complete"]["code"], " ", sent["complete"]["iss"]); got != want {
			t.Errorf("of %q is handed in %q, want %q", pasted, got, want)
		}
		if _, waits := sent["connect"]["port"]; waits {
			t.Error("it waits on a port")
		}
	}
}

// A key comes from standard input, and is nowhere in the output.
func TestConnectAKey(t *testing.T) {
	handler, sent := integrationsServer(t)
	w := newWorld(t, handler)
	w.stdin = canary
	r := w.run("integrations", "connect", "discord", "--field", "guild=12")
	r.want(t, ExitOK, "Connected Discord (robot)")
	if got := sent["connect"]; got["api_key"] != canary || got["type"] != "api_key" || fmt.Sprint(got["metadata"]) != "map[guild:12]" {
		t.Errorf("sent is %d fields, and not the key or its form", len(got))
	}
	if strings.Contains(r.out+r.err, canary) {
		t.Error("the output has the key")
	}
}

// The team's client is set with its secret from standard input, after what is to
// be registered at the provider was said.
func TestSetAClient(t *testing.T) {
	handler, sent := integrationsServer(t)
	w := newWorld(t, handler)
	w.run("integrations", "client", "x").want(t, ExitUsage, "--id")
	w.run("integrations", "client", "nobody", "--id", "client-1").want(t, ExitNotFound, "nobody")
	w.run("integrations", "client", "discord", "--id", "client-1").want(t, ExitUsage, "infsh integrations connect discord --type api_key --field guild=GUILD")
	w.stdin = canary
	r := w.run("integrations", "client", "x", "--id", "client-1")
	r.want(t, ExitOK, "Redirect URL to register at X: https://infsh.example/settings/integrations/callback", "infsh integrations connect x")
	if got := sent["client"]; got["client_id"] != "client-1" || got["client_secret"] != canary {
		t.Errorf("sent are %d fields, and not the id and the secret", len(got))
	}
	if strings.Contains(r.out+r.err, canary) {
		t.Error("the output has the secret")
	}
	w.run("integrations", "primary", "a-2").want(t, ExitOK, "X (bob)")
}

// What trusts the server is connected without a key; without its fields the
// command says what to set there.
func TestConnectAFederation(t *testing.T) {
	handler, sent := integrationsServer(t)
	w := newWorld(t, handler)
	r := w.run("integrations", "connect", "gcp", "--type", "workload_identity")
	r.want(t, ExitUsage, "--field project_number=… is missing")
	for _, want := range []string{"https://infsh.example", "team:1-2", "# Trust it", "\ngcloud trust \\\n  --issuer=https://infsh.example", "Pool (infsh if it is not given)", "Account (may be left out)"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("it does not say %q:\n%s", want, r.err)
		}
	}
	if sent["connect"] != nil {
		t.Error("something was sent")
	}
	w.run("integrations", "connect", "gcp", "--type", "workload_identity", "--field", "project_number=123456789012").want(t, ExitOK, "Connected")
	if got := sent["connect"]; got["api_key"] != nil || got["type"] != "workload_identity" || fmt.Sprint(got["metadata"]) != "map[project_number:123456789012]" {
		t.Errorf("sent is %v", got)
	}
	w.run("integrations", "connect", "x", "--type", "workload_identity").want(t, ExitUsage, "its types are oauth")
	w.run("integrations", "connect", "google", "--type", "api_key").want(t, ExitUsage, "its types are oauth, service_account")
	w.run("integrations", "connect", "x", "--paste", "--need", "x.nothing").want(t, ExitUsage, "--need: X has no such capability")

	// With some of its fields the commands are for these.
	r = w.run("integrations", "connect", "gcp", "--type", "workload_identity", "--field", "pool=ours")
	r.want(t, ExitUsage, "--field project_number=… is missing", "gcloud trust ours", "# Only where Google Cloud can't reach this server", "gcloud upload", "does not begin with https://")
	if got := fmt.Sprint(sent["typed"]["query"]); got != "[pool=ours]" {
		t.Errorf("asked for are %s", got)
	}
	delete(sent, "typed")
	w.run("integrations", "connect", "gcp", "--type", "workload_identity", "--field", "pol="+canary).want(t, ExitUsage, "there are project_number, pool, account")
	if sent["typed"] != nil {
		t.Error("what may be a secret was put into a URL")
	}
}

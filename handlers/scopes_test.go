package handlers

import (
	"slices"
	"strings"
	"testing"

	"infsh/auth"
	"infsh/team"
)

// scopeMatrix is the scope that each route for API keys asks for, or both where
// there are two; "any" is a route that every valid key may call, or that
// answers none.
const scopeMatrix = `
GET    /api/me                        user:read
POST   /api/logout                    any
POST   /api/secrets/list              secrets:read
POST   /api/secrets                   secrets:write
POST   /api/secrets/import            secrets:write
POST   /api/secrets/fingerprints      secrets:read
POST   /api/secrets/scan              secrets:read
GET    /api/secrets/reveal/{key}      secrets:read
GET    /api/secrets/{key}             secrets:read
PUT    /api/secrets/{key}             secrets:write
DELETE /api/secrets/{key}             secrets:write
GET    /api/secrets/versions/{key}    secrets:read
GET    /api/secrets/uses/{key}        secrets:read+apps:read
POST   /api/secrets/rollback/{key}    secrets:write
POST   /api/secrets/activate/{key}    secrets:write
GET    /api/teams                     teams:read
POST   /api/teams                     teams:write
GET    /api/teams/check-username      teams:read
GET    /api/teams/{id}                teams:read
POST   /api/teams/{id}                teams:write
DELETE /api/teams/{id}                teams:write
POST   /api/teams/{id}/transfer       teams:write
POST   /api/teams/{id}/duplicate      teams:write+secrets:read
POST   /api/teams/{id}/diff           any
GET    /api/teams/{id}/expected-keys  secrets:read
GET    /api/teams/{id}/members        teams:read
POST   /api/teams/{id}/members        teams:write
DELETE /api/teams/{id}/members/{user} teams:write
POST   /api/teams/{id}/members/{user}/role   teams:write
GET    /api/teams/{id}/invites        teams:read
POST   /api/teams/{id}/invites        teams:write
DELETE /api/teams/{id}/invites/{invite}      teams:write
POST   /api/apps/list                 apps:read
POST   /api/apps                      apps:write
POST   /api/apps/check                apps:read
GET    /api/apps/{id}                 apps:read
POST   /api/apps/run apps:read
POST   /api/apps/{id} apps:read+apps:write
DELETE /api/apps/{id} apps:write
POST   /api/apps/{id}/versions/list apps:read
GET    /api/apps/{id}/versions/{version} apps:read
PUT    /api/apps/{id}/versions/{version}/current apps:write
POST   /api/apps/{id}/duplicate apps:read
POST   /api/apps/{id}/transfer apps:read
POST   /api/apps/{id}/visibility apps:read
POST   /api/apps/{id}/status apps:read
POST   /api/apps/{id}/license apps:read
GET    /api/apps/{namespace}/{name}   apps:read
POST   /api/apps/{id}/grants/list     apps:read
POST   /api/apps/{id}/grants/approve  secrets:write
POST   /api/apps/{id}/grants/revoke   secrets:write
GET    /api/apps/{namespace}/{name}/why/{key} apps:read
POST   /api/integrations/list        integrations:read
GET    /api/integrations/available   integrations:read
GET    /api/integrations/configs     integrations:read
GET    /api/integrations/capabilities integrations:read
POST   /api/integrations/check       apps:read
POST   /api/integrations             integrations:write
POST   /api/integrations/complete integrations:write
GET    /api/integrations/{provider}  integrations:read
DELETE /api/integrations/{provider}  integrations:write
PUT    /api/integrations/{provider}/client integrations:write
PUT    /api/integrations/{provider}/primary integrations:write
POST   /api/credentials/list         integrations:read
GET    /api/credentials/available    integrations:read
GET    /api/credentials/configs      integrations:read
GET    /api/credentials/capabilities integrations:read
POST   /api/credentials/check        apps:read
POST   /api/credentials              integrations:write
POST   /api/credentials/complete integrations:write
GET    /api/credentials/{provider}   integrations:read
DELETE /api/credentials/{provider}   integrations:write
PUT    /api/credentials/{provider}/client integrations:write
PUT    /api/credentials/{provider}/primary integrations:write
POST   /api/trusts/list               apikeys:read
POST   /api/trusts                    apikeys:write+apps:execute
GET    /api/trusts/{id}               apikeys:read
PUT    /api/trusts/{id}               apikeys:write+apps:execute
DELETE /api/trusts/{id}               apikeys:write
POST   /api/apikeys/list              apikeys:read
POST   /api/apikeys                   apikeys:write
POST   /api/apikeys/{id}/service      apikeys:write
DELETE /api/apikeys/{id}              apikeys:write
GET    /api/activity                  teams:read
POST   /api/activity/export           teams:read
POST   /api/webhooks/list             teams:read
POST   /api/webhooks                  teams:write
GET    /api/webhooks/{id}             teams:read
PUT    /api/webhooks/{id}             teams:write
DELETE /api/webhooks/{id}             teams:write
POST   /api/webhooks/{id}/test        teams:write
POST   /api/webhooks/{id}/rotate      teams:write
GET    /api/webhooks/{id}/deliveries  teams:read

POST   /internal/v1/resolve           apps:execute
POST   /internal/v1/findings          apps:execute
GET    /internal/v1/watch             apps:execute
`

// A key that has only the scope that a route asks for is served as one with all
// of them, and a key that has all but that one is refused. A route
// without a row fails.
func TestScopes(t *testing.T) {
	want := map[string]string{}
	for line := range strings.Lines(scopeMatrix) {
		if f := strings.Fields(line); len(f) == 3 {
			want[f[0]+" "+f[1]] = f[2]
		} else if len(f) != 0 {
			t.Fatalf("a row is a method, a path and a scope: %s", line)
		}
	}
	w := newWorld(t)
	owner := w.actor("ada@example.com", "acme")
	for _, scope := range team.EveryScope() {
		rest := slices.DeleteFunc(team.EveryScope(), func(s team.Scope) bool { return s == scope }).Strings()
		_, only := w.key(owner, "only", &[]string{string(scope)})
		_, without := w.key(owner, "without", &rest)
		w.actors["only "+string(scope)] = credentials{bearer: only}
		w.actors["without "+string(scope)] = credentials{bearer: without}
	}
	w.keep()
	for _, rt := range (&server{}).routes() {
		if rt.api == nil {
			continue
		}
		row := matrixRow{method: rt.method, pattern: rt.path}
		scope, ok := want[row.route()]
		delete(want, row.route())
		if !ok {
			t.Errorf("%s has no row in the scope matrix", row.route())
			continue
		}
		full := outcome(w.try(row, "full"))
		w.restore()
		for _, s := range team.EveryScope() {
			for _, actor := range []string{"only " + string(s), "without " + string(s)} {
				expected := full
				needed := strings.Split(scope, "+")
				lacking := strings.HasPrefix(actor, "without ") && slices.Contains(needed, string(s)) || strings.HasPrefix(actor, "only ") && !slices.Equal(needed, []string{string(s)})
				if scope != "any" && lacking {
					expected = "403"
				}
				if got := outcome(w.try(row, actor)); got != expected {
					t.Errorf("%s with %s: %s, want %s", row.route(), actor, got, expected)
				}
				if w.committed() {
					if tables := w.changed(""); expected == "403" && len(tables) > 0 {
						t.Errorf("%s with %s: refused, and changed %s", row.route(), actor, tables)
					}
					w.restore()
				}
			}
		}
	}
	for route := range want {
		t.Errorf("%s has a row in the scope matrix and is no route", route)
	}
}

// R7: a key of one app opens no route but the runners' endpoint, and there
// that app alone.
func TestAKeyOfOneAppOpensNothingElse(t *testing.T) {
	w := newWorld(t)
	owner := w.actor("ada@example.com", "acme")
	_, value, err := w.services.Keys.Create(t.Context(), owner, auth.NewKey{Name: "bound", App: "acme/summarizer"})
	if err != nil {
		t.Fatal(err)
	}
	w.actors["bound"] = credentials{bearer: value.Reveal()}
	_, rows := parseMatrix(t)
	for _, row := range rows {
		if got, want := outcome(w.try(row, "bound")), row.want["runner"]; got != want {
			t.Errorf("%s: %s, want %s", row.route(), got, want)
		}
	}
	for _, app := range []string{"acme/painter", "beta/summarizer", "acme/none"} {
		r := request("POST", "/internal/v1/resolve", `{"app":"`+app+`"}`)
		w.present(r, w.actors["bound"])
		if got := w.do(r); got.Code != 403 || strings.Contains(got.Body.String(), app) {
			t.Errorf("%s: %d %s", app, got.Code, got.Body)
		}
	}
}

package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"infsh/api"
	"infsh/db/dbtest"
)

// access is who may do what at each route (Z1). The objects that the requests
// name are acme's. The columns are
//
//	anon     nobody
//	other    the owner of another team
//	member, admin, owner   people of acme: a session at pages, an API key at the API
//	removed  a former member, whose session and API key are presented still
//	runner   an API key of acme's owner with the scope apps:execute
//	reader   one with apps:read, secrets:read, teams:read and user:read
//	full     one with every scope
//	login    the login of the owner's command line
//	crossed  the owner's session at the API, and the full key at pages
//
// and a cell is ok, login for being led to the login page, or the status of the
// refusal. It is the same with HTMX as without.
const accessMatrix = `
                                                 anon  other member admin owner removed runner reader full  login crossed
GET    /healthz                                  ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /readyz                                   ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /metrics                                  ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok

GET    /{$}                                      ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /static/                                  ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /docs/api                                 ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /.well-known/openid-configuration         ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /.well-known/jwks.json                    ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /setup                                    login login login  login login login   login  login  login login login
POST   /setup                                    409   409   409    409   409   409     409    409    409   409   409
GET    /login                                    ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
POST   /login                                    ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /login/verify                             login login login  login login login   login  login  login login login
POST   /login/verify                             401   401   401    401   401   401     401    401    401   401   401
POST   /login/options                            ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
POST   /login/passkey                            401   401   401    401   401   401     401    401    401   401   401
POST   /login/sso                                ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
GET    /login/sso/callback                       400   400   400    400   400   400     400    400    400   400   400
GET    /invite                                   ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
POST   /invite                                   400   400   400    400   400   400     400    400    400   400   400
POST   /logout                                   login ok    ok     ok    ok    login   login  login  login login login
POST   /theme                                    login ok    ok     ok    ok    login   login  login  login login login
GET    /device                                   login ok    ok     ok    ok    login   login  login  login login login
POST   /device                                   login ok    ok     ok    ok    login   login  login  login login login
POST   /device/deny                              login ok    ok     ok    ok    login   login  login  login login login

POST   /teams/switch                             login 404   ok     ok    ok    login   login  login  login login login
POST   /teams/open                               login 404   ok     ok    ok    login   login  login  login login login
GET    /teams/new                                login ok    ok     ok    ok    login   login  login  login login login
POST   /teams/new                                login ok    ok     ok    ok    login   login  login  login login login

GET    /settings                                 login ok    ok     ok    ok    login   login  login  login login login
GET    /settings/live                            login ok    ok     ok    ok    login   login  login  login login login
GET    /settings/find                            login ok    ok     ok    ok    login   login  login  login login login
GET    /settings/secrets                         login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/secrets                         login ok    403    ok    ok    login   login  login  login login login
GET    /settings/advice                          login ok    ok     ok    ok    login   login  login  login login login
GET    /settings/import                          login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/import                          login ok    403    ok    ok    login   login  login  login login login
POST   /settings/deletions                       login 404   403    ok    ok    login   login  login  login login login
POST   /settings/deletions/{id}/undo             login 404   403    ok    ok    login   login  login  login login login
GET    /settings/secrets/{key}                   login 404   ok     ok    ok    login   login  login  login login login
POST   /settings/secrets/{key}                   login 404   403    ok    ok    login   login  login  login login login
PUT    /settings/secrets/{key}                   login 404   403    ok    ok    login   login  login  login login login
DELETE /settings/secrets/{key}                   login 404   403    ok    ok    login   login  login  login login login
POST   /settings/secrets/{key}/rollback          login 404   403    ok    ok    login   login  login  login login login
POST   /settings/secrets/{key}/reveal            login 404   403    ok    ok    login   login  login  login login login
POST   /settings/secrets/{key}/activate          login 404   403    ok    ok    login   login  login  login login login
GET    /settings/suggestions                     login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/secrets/{key}/twins             login 404   ok     ok    ok    login   login  login  login login login
POST   /settings/secrets/{key}/reminders         login 404   403    ok    ok    login   login  login  login login login
GET    /settings/apps                            login ok    ok     ok    ok    login   login  login  login login login
GET    /settings/apps/{namespace}/{name}         login 404   ok     ok    ok    login   login  login  login login login
POST   /settings/apps/{namespace}/{name}/grants  login 404   403    ok    ok    login   login  login  login login login
POST   /settings/apps/{namespace}/{name}/current login 404   ok     ok    ok    login   login  login  login login login
POST   /settings/apps/{namespace}/{name}/delete  login 404   403    ok    ok    login   login  login  login login login
GET    /settings/integrations                    login ok    ok     ok    ok    login   login  login  login login login
GET    /settings/integrations/callback           404   404   404    404   404   404     404    404    404   404   404
GET    /settings/integrations/{provider}         login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/integrations/{provider}         login ok    403    ok    ok    login   login  login  login login login
POST   /settings/integrations/{provider}/disconnect login 404 403   ok    ok    login   login  login  login login login
GET    /settings/apikeys                         login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/apikeys                         login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/apikeys/{id}                    login 404   404    ok    ok    login   login  login  login login login
GET    /settings/runners                         login ok    403    ok    ok    login   login  login  login login login
POST   /settings/runners                         login 422   403    ok    ok    login   login  login  login login login
POST   /settings/runners/{id}/delete             login 404   403    ok    ok    login   login  login  login login login
POST   /settings/expected                        login 404   403    ok    ok    login   login  login  login login login
GET    /settings/environments                    login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/environments/compare            login 404   404    404   ok    login   login  login  login login login
GET    /settings/environments/edit               login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/environments/edit               login ok    ok     ok    ok    login   login  login  login login login
GET    /settings/team                            login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/team                            login ok    403    403   ok    login   login  login  login login login
POST   /settings/team/duplicate                  login ok    403    ok    ok    login   login  login  login login login
POST   /settings/team/delete                     login 422   403    403   ok    login   login  login  login login login
GET    /settings/webhooks                        login ok    403    ok    ok    login   login  login  login login login
POST   /settings/webhooks                        login ok    403    ok    ok    login   login  login  login login login
GET    /settings/webhooks/{id}                   login 404   403    ok    ok    login   login  login  login login login
POST   /settings/webhooks/{id}                   login 404   403    ok    ok    login   login  login  login login login
GET    /settings/members                         login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/members/policy                  login ok    403    ok    ok    login   login  login  login login login
POST   /settings/members/invites                 login ok    403    ok    ok    login   login  login  login login login
POST   /settings/members/invites/{id}/revoke     login 404   403    ok    ok    login   login  login  login login login
POST   /settings/members/transfer                login 404   403    403   ok    login   login  login  login login login
POST   /settings/members/{id}/role               login 404   403    ok    ok    login   login  login  login login login
POST   /settings/members/{id}/remove             login 404   403    ok    ok    login   login  login  login login login
GET    /settings/activity                        login ok    403    ok    ok    login   login  login  login login login
POST   /settings/activity/export                 login ok    403    ok    ok    login   login  login  login login login
GET    /settings/account                         login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/account/password                login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/account/sessions/revoke         login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/account/sessions/{id}/end       login 404   404    404   404   login   login  login  login login login
POST   /settings/account/app                     login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/account/app/confirm             login 404   404    404   404   login   login  login  login login login
POST   /settings/account/app/remove              login 404   404    404   404   login   login  login  login login login
POST   /settings/account/passkeys/options        login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/account/passkeys                login 422   422    422   422   login   login  login  login login login
POST   /settings/account/passkeys/{id}/remove    login 404   404    404   404   login   login  login  login login login
POST   /settings/account/sso                     login ok    ok     ok    ok    login   login  login  login login login
POST   /settings/account/sso/confirm             login 409   409    409   409   login   login  login  login login login
POST   /settings/account/sso/disconnect          login 404   404    404   404   login   login  login  login login login
POST   /settings/account/recovery                login 409   409    409   409   login   login  login  login login login

GET    /api/me                                   401   ok    ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/logout                               401   409   409    409   409   401     409    409    409   ok    401
POST   /api/secrets/list                         401   ok    ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/secrets                              401   ok    403    ok    ok    401     403    403    ok    ok    401
POST   /api/secrets/import                       401   ok    403    ok    ok    401     403    403    ok    ok    401
GET    /api/secrets/reveal/{key}                 401   404   403    ok    ok    401     403    ok     ok    ok    401
POST   /api/secrets/fingerprints                 401   ok    403    ok    ok    401     403    ok     ok    ok    401
POST   /api/secrets/scan                         401   ok    403    ok    ok    401     403    ok     ok    ok    401
GET    /api/secrets/{key}                        401   404   ok     ok    ok    401     403    ok     ok    ok    401
PUT    /api/secrets/{key}                        401   404   403    ok    ok    401     403    403    ok    ok    401
DELETE /api/secrets/{key}                        401   404   403    ok    ok    401     403    403    ok    ok    401
GET    /api/secrets/versions/{key}               401   404   ok     ok    ok    401     403    ok     ok    ok    401
GET    /api/secrets/uses/{key}                   401   404   ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/secrets/rollback/{key}               401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/secrets/activate/{key}               401   404   403    ok    ok    401     403    403    ok    ok    401
GET    /api/teams                                401   ok    ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/teams                                401   ok    ok     ok    ok    401     403    403    ok    ok    401
GET    /api/teams/check-username                 401   ok    ok     ok    ok    401     403    ok     ok    ok    401
GET    /api/teams/{id}                           401   404   ok     ok    ok    401     403    ok     ok    ok    401
DELETE /api/teams/{id}                           401   404   403    403   ok    401     403    403    ok    ok    401
POST   /api/teams/{id}                           401   404   403    403   ok    401     403    403    ok    ok    401
POST   /api/teams/{id}/transfer                  401   404   403    403   ok    401     403    403    ok    ok    401
POST   /api/teams/{id}/duplicate                 401   404   403    ok    ok    401     403    403    ok    ok    401
GET    /api/teams/{id}/expected-keys             401   404   ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/teams/{id}/diff                      401   404   404    404   404   401     404    404    404   ok    401
GET    /api/teams/{id}/members                   401   404   ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/teams/{id}/members                   401   404   403    ok    ok    401     403    403    ok    ok    401
DELETE /api/teams/{id}/members/{user}            401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/teams/{id}/members/{user}/role       401   404   403    ok    ok    401     403    403    ok    ok    401
GET    /api/teams/{id}/invites                   401   404   403    ok    ok    401     403    ok     ok    ok    401
POST   /api/teams/{id}/invites                   401   404   403    ok    ok    401     403    403    ok    ok    401
DELETE /api/teams/{id}/invites/{invite}          401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/apps/list                            401   ok    ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/apps                                 401   ok    ok     ok    ok    401     403    403    ok    ok    401
POST   /api/apps/check                           401   ok    ok     ok    ok    401     403    ok     ok    ok    401
GET    /api/apps/{id}                            401   404   ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/apps/run                             401   404   501    501   501   401     403    501    501   501   401
POST   /api/apps/{id}                            401   404   ok     ok    ok    401     403    403    ok    ok    401
DELETE /api/apps/{id}                            401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/apps/{id}/versions/list              401   404   ok     ok    ok    401     403    ok     ok    ok    401
GET    /api/apps/{id}/versions/{version}         401   404   ok     ok    ok    401     403    ok     ok    ok    401
PUT    /api/apps/{id}/versions/{version}/current 401   404   ok     ok    ok    401     403    403    ok    ok    401
POST   /api/apps/{id}/duplicate                  401   404   501    501   501   401     403    501    501   501   401
POST   /api/apps/{id}/transfer                   401   404   501    501   501   401     403    501    501   501   401
POST   /api/apps/{id}/visibility                 401   404   501    501   501   401     403    501    501   501   401
POST   /api/apps/{id}/status                     401   404   501    501   501   401     403    501    501   501   401
POST   /api/apps/{id}/license                    401   404   501    501   501   401     403    501    501   501   401
GET    /api/apps/{namespace}/{name}              401   404   ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/integrations/list                    401   ok    ok     ok    ok    401     403    403    ok    ok    401
GET    /api/integrations/available               401   ok    ok     ok    ok    401     403    403    ok    ok    401
GET    /api/integrations/configs                 401   ok    ok     ok    ok    401     403    403    ok    ok    401
GET    /api/integrations/capabilities            401   ok    ok     ok    ok    401     403    403    ok    ok    401
POST   /api/apps/{id}/grants/list                401   404   ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/apps/{id}/grants/approve             401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/apps/{id}/grants/revoke              401   404   403    ok    ok    401     403    403    ok    ok    401
GET    /api/apps/{namespace}/{name}/why/{key}    401   404   ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/integrations/check                   401   ok    ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/integrations                         401   412   403    ok    ok    401     403    403    ok    ok    401
POST   /api/integrations/complete                401   404   403    404   404   401     403    403    404   404   401
GET    /api/integrations/{provider}              401   404   ok     ok    ok    401     403    403    ok    ok    401
DELETE /api/integrations/{provider}              401   404   403    ok    ok    401     403    403    ok    ok    401
PUT    /api/integrations/{provider}/client       401   ok    403    ok    ok    401     403    403    ok    ok    401
PUT    /api/integrations/{provider}/primary      401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/credentials/list                     401   ok    ok     ok    ok    401     403    403    ok    ok    401
GET    /api/credentials/available                401   ok    ok     ok    ok    401     403    403    ok    ok    401
GET    /api/credentials/configs                  401   ok    ok     ok    ok    401     403    403    ok    ok    401
GET    /api/credentials/capabilities             401   ok    ok     ok    ok    401     403    403    ok    ok    401
POST   /api/credentials/check                    401   ok    ok     ok    ok    401     403    ok     ok    ok    401
POST   /api/credentials                         401   412   403    ok    ok    401     403    403    ok    ok    401
POST   /api/credentials/complete                401   404   403    404   404   401     403    403    404   404   401
GET    /api/credentials/{provider}              401   404   ok     ok    ok    401     403    403    ok    ok    401
DELETE /api/credentials/{provider}              401   404   403    ok    ok    401     403    403    ok    ok    401
PUT    /api/credentials/{provider}/client        401   ok    403    ok    ok    401     403    403    ok    ok    401
PUT    /api/credentials/{provider}/primary       401   404   403    ok    ok    401     403    403    ok    ok    401
GET    /api/activity                             401   ok    403    ok    ok    401     403    ok     ok    ok    401
POST   /api/activity/export                      401   ok    403    ok    ok    401     403    ok     ok    ok    401
POST   /api/webhooks/list                        401   ok    403    ok    ok    401     403    ok     ok    ok    401
POST   /api/webhooks                             401   ok    403    ok    ok    401     403    403    ok    ok    401
GET    /api/webhooks/{id}                        401   404   403    ok    ok    401     403    ok     ok    ok    401
PUT    /api/webhooks/{id}                        401   404   403    ok    ok    401     403    403    ok    ok    401
DELETE /api/webhooks/{id}                        401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/webhooks/{id}/test                   401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/webhooks/{id}/rotate                 401   404   403    ok    ok    401     403    403    ok    ok    401
GET    /api/webhooks/{id}/deliveries             401   404   403    ok    ok    401     403    ok     ok    ok    401
POST   /api/trusts/list                          401   ok    403    ok    ok    401     403    403    ok    ok    401
POST   /api/trusts                               401   400   403    ok    ok    401     403    403    ok    ok    401
GET    /api/trusts/{id}                          401   404   403    ok    ok    401     403    403    ok    ok    401
PUT    /api/trusts/{id}                          401   404   403    ok    ok    401     403    403    ok    ok    401
DELETE /api/trusts/{id}                          401   404   403    ok    ok    401     403    403    ok    ok    401
POST   /api/apikeys/list                         401   ok    ok     ok    ok    401     403    403    ok    ok    401
POST   /api/apikeys                              401   ok    ok     ok    ok    401     403    403    ok    ok    401
POST   /api/apikeys/{id}/service                 401   404   403    ok    ok    401     403    403    ok    ok    401
DELETE /api/apikeys/{id}                         401   404   404    ok    ok    401     403    403    ok    ok    401
POST   /api/device/code                          ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
POST   /api/device/token                         400   400   400    400   400   400     400    400    400   400   400

GET    /api/openapi.json                         ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok

POST   /internal/v1/resolve                      401   404   ok     ok    ok    401     ok     403    ok    ok    401
POST   /internal/v1/token                        ok    ok    ok     ok    ok    ok      ok     ok     ok    ok    ok
POST   /internal/v1/findings                     401   404   ok     ok    ok    401     ok     403    ok    ok    401
GET    /internal/v1/watch                        401   404   ok     ok    ok    401     ok     403    ok    ok    401
`

// calls fill in what a route needs beyond its address: acme's objects, and a
// body that is valid, so that nothing but the rights decides.
var calls = map[string]struct{ path, body string }{
	"GET /{$}":                                      {path: "/"},
	"GET /static/":                                  {path: "/static/app.css"},
	"POST /setup":                                   {body: "code=guessed&email=mallory@example.com&password=$password&team=mallory"},
	"POST /login":                                   {body: "email=ada@example.com&password=$password"},
	"POST /theme":                                   {body: "theme=dark"},
	"GET /device":                                   {path: "/device?code=$usercode"},
	"POST /device":                                  {body: "code=$usercode&decision=approve"},
	"POST /device/deny":                             {body: "code=$usercode"},
	"POST /teams/switch":                            {body: "team_id=$team"},
	"POST /teams/open":                              {body: "open=$team+OPENAI_API_KEY"},
	"POST /settings/environments/compare":           {body: "in=$team&in=$zeta"},
	"POST /settings/environments/edit":              {body: "sheet=%5Bacme%5D%0AFAL_KEY%3Dfal-CANARY-submitted"},
	"POST /teams/new":                               {body: "username=gamma"},
	"POST /settings/secrets":                        {body: "key=FAL_KEY&value=fal-CANARY-submitted"},
	"GET /settings/live":                            {path: "/settings/live?team=$team&since=0&seconds=0"},
	"GET /settings/find":                            {path: "/settings/find?q=a"},
	"POST /settings/secrets/{key}/reveal":           {path: "/settings/secrets/OPENAI_API_KEY/reveal"},
	"POST /settings/import":                         {body: "value=FAL_KEY%3Dfal-CANARY-submitted&act=import"},
	"POST /settings/deletions":                      {body: "key=OPENAI_API_KEY&key=HF_TOKEN&confirmed=true"},
	"POST /settings/deletions/{id}/undo":            {path: "/settings/deletions/$deletion/undo"},
	"GET /settings/advice":                          {path: "/settings/advice?key=openai_api_key"},
	"GET /settings/secrets/{key}":                   {path: "/settings/secrets/OPENAI_API_KEY"},
	"POST /settings/secrets/{key}":                  {path: "/settings/secrets/OPENAI_API_KEY", body: "_method=PUT&value=sk-CANARY-submitted"},
	"PUT /settings/secrets/{key}":                   {path: "/settings/secrets/OPENAI_API_KEY", body: "value=sk-CANARY-submitted"},
	"DELETE /settings/secrets/{key}":                {path: "/settings/secrets/OPENAI_API_KEY"},
	"POST /settings/secrets/{key}/rollback":         {path: "/settings/secrets/OPENAI_API_KEY/rollback", body: "version=1"},
	"GET /settings/apps/{namespace}/{name}":         {path: "/settings/apps/acme/summarizer"},
	"POST /settings/apps/{namespace}/{name}/grants": {path: "/settings/apps/acme/summarizer/grants", body: "key=FAL_KEY&act=revoke"},
	"POST /settings/apikeys":                        {body: "name=laptop&preset=runner"},
	"GET /settings/integrations/callback":           {path: "/settings/integrations/callback?state=guessed&code=guessed"},
	"GET /settings/integrations/{provider}":         {path: "/settings/integrations/notion"},
	"POST /settings/integrations/{provider}":        {path: "/settings/integrations/notion", body: "do=client&client_id=id&client_secret=secret"},
	"POST /settings/apikeys/{id}":                   {path: "/settings/apikeys/$key", body: "_method=DELETE"},
	"POST /settings/members/policy":                 {body: "members_may_edit=on"},
	"POST /settings/activity/export":                {body: "format=csv&kind=secret&person=ada"},
	"POST /invite":                                  {body: "password=$password"},
	"POST /settings/runners":                        {body: "preset=gitlab&name=lab&issuer=https%3A%2F%2Fgitlab.com&project=acme%2Fapp&apps=acme%2Fsummarizer"},
	"POST /settings/runners/{id}/delete":            {path: "/settings/runners/$trust/delete"},
	"POST /settings/expected":                       {body: "key=NOT_YET_SET"},
	"POST /settings/team":                           {body: "username=acme-two&name=Acme"},
	"POST /settings/team/duplicate":                 {body: "as=staging&this=production&username=acme-stage"},
	"POST /settings/team/delete":                    {body: "username=acme"},
	"POST /api/teams/{id}/duplicate":                {path: "/api/teams/$team/duplicate", body: `{"as":"staging","username":"acme-stage"}`},
	"GET /api/teams/{id}/expected-keys":             {path: "/api/teams/$team/expected-keys"},
	"POST /api/teams/{id}/diff":                     {path: "/api/teams/$team/diff", body: `{"with":"$zeta"}`},
	"POST /settings/members/invites":                {body: "email=new%40example.com&role=member"},
	"POST /settings/members/invites/{id}/revoke":    {path: "/settings/members/invites/$invite/revoke"},
	"POST /settings/members/transfer":               {body: "user_id=$colleague"},
	"POST /settings/members/{id}/role":              {path: "/settings/members/$colleague/role", body: "role=admin"},
	"POST /settings/members/{id}/remove":            {path: "/settings/members/$colleague/remove"},
	"POST /api/teams/{id}":                          {path: "/api/teams/$team", body: `{"username":"acme-two","name":"Acme"}`},
	"POST /api/teams/{id}/transfer":                 {path: "/api/teams/$team/transfer", body: `{"user_id":"$colleague"}`},
	"GET /api/teams/{id}/members":                   {path: "/api/teams/$team/members"},
	"POST /api/teams/{id}/members":                  {path: "/api/teams/$team/members", body: `{"email":"eve@example.com","role":"member"}`},
	"DELETE /api/teams/{id}/members/{user}":         {path: "/api/teams/$team/members/$colleague"},
	"POST /api/teams/{id}/members/{user}/role":      {path: "/api/teams/$team/members/$colleague/role", body: `{"role":"admin"}`},
	"GET /api/teams/{id}/invites":                   {path: "/api/teams/$team/invites"},
	"POST /api/teams/{id}/invites":                  {path: "/api/teams/$team/invites", body: `{"email":"new@example.com","role":"member"}`},
	"DELETE /api/teams/{id}/invites/{invite}":       {path: "/api/teams/$team/invites/$invite"},
	"POST /settings/account/password":               {body: "current=$password&new=another+long+CANARY+password"},
	"POST /api/secrets":                             {body: `{"key":"FAL_KEY","value":"fal-CANARY-submitted"}`},
	"POST /api/secrets/import":                      {body: `{"items":[{"key":"FAL_KEY","value":"fal-CANARY-submitted"}]}`},
	"GET /api/secrets/reveal/{key}":                 {path: "/api/secrets/reveal/OPENAI_API_KEY"},
	"GET /api/secrets/{key}":                        {path: "/api/secrets/OPENAI_API_KEY"},
	"PUT /api/secrets/{key}":                        {path: "/api/secrets/OPENAI_API_KEY", body: `{"value":"sk-CANARY-submitted"}`},
	"DELETE /api/secrets/{key}":                     {path: "/api/secrets/OPENAI_API_KEY"},
	"GET /api/secrets/versions/{key}":               {path: "/api/secrets/versions/OPENAI_API_KEY"},
	"GET /api/secrets/uses/{key}":                   {path: "/api/secrets/uses/OPENAI_API_KEY"},
	"POST /api/secrets/rollback/{key}":              {path: "/api/secrets/rollback/OPENAI_API_KEY", body: `{"version":1}`},
	"POST /api/teams":                               {body: `{"username":"gamma"}`},
	"GET /api/teams/check-username":                 {path: "/api/teams/check-username?username=beta"},
	"GET /api/teams/{id}":                           {path: "/api/teams/$team"},
	"DELETE /api/teams/{id}":                        {path: "/api/teams/$team"},
	"POST /api/apps":                                {body: `{"name":"painter","version":{"required_secrets":[{"key":"FAL_KEY"}]}}`},
	"POST /api/apps/check":                          {body: `{"secrets":[{"key":"OPENAI_API_KEY"}],"integrations":[]}`},
	"GET /api/apps/{id}":                            {path: "/api/apps/$app"},
	"GET /api/apps/{namespace}/{name}":              {path: "/api/apps/acme/summarizer"},
	"POST /api/apps/run":                            {body: `{"app":"acme/summarizer","input":{}}`},
	"POST /api/apps/{id}":                           {path: "/api/apps/$app", body: `{"description":"Shortens"}`},
	"DELETE /api/apps/{id}":                         {path: "/api/apps/$app"},
	"POST /api/apps/{id}/versions/list":             {path: "/api/apps/$app/versions/list"},
	"GET /api/apps/{id}/versions/{version}":         {path: "/api/apps/$app/versions/$version"},
	"PUT /api/apps/{id}/versions/{version}/current": {path: "/api/apps/$app/versions/$version/current"},
	"POST /api/apps/{id}/duplicate":                 {path: "/api/apps/$app/duplicate"},
	"POST /api/apps/{id}/transfer":                  {path: "/api/apps/$app/transfer"},
	"POST /api/apps/{id}/visibility":                {path: "/api/apps/$app/visibility"},
	"POST /api/apps/{id}/status":                    {path: "/api/apps/$app/status"},
	"POST /api/apps/{id}/license":                   {path: "/api/apps/$app/license"},
	"POST /api/apps/{id}/grants/list":               {path: "/api/apps/$app/grants/list"},
	"POST /api/apps/{id}/grants/approve":            {path: "/api/apps/$app/grants/approve", body: `{"bind":{"FAL_KEY":"HF_TOKEN"}}`},
	"POST /api/apps/{id}/grants/revoke":             {path: "/api/apps/$app/grants/revoke", body: `{"keys":["FAL_KEY"]}`},
	"GET /api/apps/{namespace}/{name}/why/{key}":    {path: "/api/apps/acme/summarizer/why/OPENAI_API_KEY"},
	"POST /api/credentials/check":                   {body: `{"secrets":[{"key":"OPENAI_API_KEY"}],"integrations":[]}`},
	"POST /api/integrations/check":                  {body: `{"secrets":[{"key":"OPENAI_API_KEY"}],"integrations":[]}`},
	"POST /api/trusts/list":                         {},
	"POST /api/trusts":                              {body: `{"name":"lab","preset":"gitlab","fields":{"project":"acme/app"},"apps":["summarizer"]}`},
	"GET /api/trusts/{id}":                          {path: "/api/trusts/$trust"},
	"PUT /api/trusts/{id}":                          {path: "/api/trusts/$trust", body: `{"name":"lab","preset":"gitlab","fields":{"project":"acme/app"},"apps":["summarizer"]}`},
	"DELETE /api/trusts/{id}":                       {path: "/api/trusts/$trust"},
	"POST /internal/v1/token":                       {body: "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&audience=acme%2Fsummarizer&subject_token=$idtoken"},
	"POST /api/apikeys":                             {body: `{"name":"laptop"}`},
	"POST /api/apikeys/{id}/service":                {path: "/api/apikeys/$bare/service"},
	"DELETE /api/apikeys/{id}":                      {path: "/api/apikeys/$key"},
	"POST /api/device/code":                         {body: `{"client_name":"a laptop"}`},
	"POST /api/device/token":                        {body: `{"device_code":"$devicecode"}`},
	"POST /internal/v1/resolve":                     {body: `{"app":"acme/summarizer"}`},
	"POST /api/secrets/fingerprints":                {},
	"POST /api/secrets/scan":                        {body: `{"candidates":["` + strings.Repeat("0f", 32) + `"]}`},
	"POST /internal/v1/findings":                    {body: `{"app":"acme/summarizer","findings":[{"key":"OPENAI_API_KEY","form":"raw","count":1}]}`},
	"POST /settings/account/sessions/revoke":        {},
	"POST /settings/account/sessions/{id}/end":      {path: "/settings/account/sessions/$key/end"},
	"POST /settings/account/app":                    {},
	"POST /settings/account/app/confirm":            {body: "code=123456"},
	"POST /settings/account/app/remove":             {},
	"POST /settings/account/passkeys/options":       {body: "for=register"},
	"POST /settings/account/passkeys":               {body: "name=phone&credential=%7B%7D"},
	"POST /settings/account/passkeys/{id}/remove":   {path: "/settings/account/passkeys/$key/remove"},
	"POST /settings/account/recovery":               {},
	"POST /settings/account/sso":                    {},
	"POST /settings/account/sso/confirm":            {body: "back=/settings/apps"},
	"POST /settings/account/sso/disconnect":         {},
	"POST /login/sso":                               {body: "next=/settings/apps"},
	"POST /login/verify":                            {body: "code=123456"},
	"POST /login/options":                           {body: "for=login"},
	"POST /login/passkey":                           {body: "credential=%7B%7D"},
	"POST /logout":                                  {},
	"POST /api/logout":                              {},
	"POST /api/secrets/list":                        {},
	"POST /api/apps/list":                           {},
	"POST /api/apikeys/list":                        {},
	"POST /api/integrations/list":                   {},
	"POST /api/integrations":                        {body: `{"provider":"google","type":"oauth"}`},
	"GET /api/integrations/{provider}":              {path: "/api/integrations/notion"},
	"DELETE /api/integrations/{provider}":           {path: "/api/integrations/notion"},
	"PUT /api/integrations/{provider}/client":       {path: "/api/integrations/google/client", body: `{"client_id":"id","client_secret":"secret"}`},
	"PUT /api/integrations/{provider}/primary":      {path: "/api/integrations/$integration/primary"},
	"POST /api/integrations/complete":               {body: `{"state":"guessed","code":"guessed"}`},
	"POST /api/credentials/list":                    {},
	"POST /api/credentials":                         {body: `{"provider":"google","type":"oauth"}`},
	"GET /api/credentials/{provider}":               {path: "/api/credentials/notion"},
	"DELETE /api/credentials/{provider}":            {path: "/api/credentials/notion"},
	"PUT /api/credentials/{provider}/client":        {path: "/api/credentials/google/client", body: `{"client_id":"id","client_secret":"secret"}`},
	"PUT /api/credentials/{provider}/primary":       {path: "/api/credentials/$integration/primary"},
	"POST /api/credentials/complete":                {body: `{"state":"guessed","code":"guessed"}`},

	"POST /settings/apps/{namespace}/{name}/current": {path: "/settings/apps/acme/summarizer/current", body: "version=$version"},
	"POST /settings/apps/{namespace}/{name}/delete":  {path: "/settings/apps/acme/summarizer/delete"},

	"POST /settings/webhooks":                {body: "url=https%3A%2F%2Fhooks.example.com%2Fmore"},
	"GET /settings/webhooks/{id}":            {path: "/settings/webhooks/$webhook"},
	"POST /settings/webhooks/{id}":           {path: "/settings/webhooks/$webhook", body: "do=test"},
	"GET /api/activity":                      {path: "/api/activity?kind=secret&until=2099-01-01"},
	"POST /api/activity/export":              {body: `{"format":"jsonl","kind":"secret"}`},
	"POST /api/webhooks/list":                {},
	"POST /api/webhooks":                     {body: `{"url":"https://hooks.example.com/more"}`},
	"GET /api/webhooks/{id}":                 {path: "/api/webhooks/$webhook"},
	"PUT /api/webhooks/{id}":                 {path: "/api/webhooks/$webhook", body: `{"enabled":false}`},
	"DELETE /api/webhooks/{id}":              {path: "/api/webhooks/$webhook"},
	"POST /api/webhooks/{id}/test":           {path: "/api/webhooks/$webhook/test"},
	"POST /api/webhooks/{id}/rotate":         {path: "/api/webhooks/$webhook/rotate"},
	"GET /api/webhooks/{id}/deliveries":      {path: "/api/webhooks/$webhook/deliveries"},
	"GET /internal/v1/watch":                 {path: "/internal/v1/watch?app=acme/summarizer&seconds=0"},
	"POST /settings/secrets/{key}/activate":  {path: "/settings/secrets/OPENAI_API_KEY/activate", body: "version=1"},
	"POST /settings/secrets/{key}/twins":     {path: "/settings/secrets/OPENAI_API_KEY/twins"},
	"POST /settings/secrets/{key}/reminders": {path: "/settings/secrets/OPENAI_API_KEY/reminders", body: "rotate_every_days=90&expires_at=2027-01-31"},

	"POST /settings/integrations/{provider}/disconnect": {path: "/settings/integrations/notion/disconnect", body: "account=$integration"},
	"POST /api/secrets/activate/{key}":                  {path: "/api/secrets/activate/OPENAI_API_KEY", body: `{"version":1}`},
}

// A matrixRow is a route and what each actor gets there.
type matrixRow struct {
	method, pattern string
	want            map[string]string
}

func (r matrixRow) route() string { return r.method + " " + r.pattern }

func (r matrixRow) isPage() bool {
	return !strings.HasPrefix(r.pattern, "/api/") && !strings.HasPrefix(r.pattern, "/internal/")
}

func parseMatrix(t *testing.T) (actors []string, rows []matrixRow) {
	t.Helper()
	for line := range strings.Lines(accessMatrix) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case actors == nil:
			actors = fields
		case len(fields) != len(actors)+2:
			t.Fatalf("a row needs %d cells: %s", len(actors), line)
		default:
			row := matrixRow{method: fields[0], pattern: fields[1], want: map[string]string{}}
			for i, a := range actors {
				row.want[a] = fields[i+2]
			}
			rows = append(rows, row)
		}
	}
	return actors, rows
}

// A route without a row fails, and so does a row without a route. A route that
// changes something has a call, so that no refusal is one of a bad request.
func TestAccessMatrixCoversTheRoutes(t *testing.T) {
	_, rows := parseMatrix(t)
	var have, want []string
	for _, r := range (&server{}).routes() {
		have = append(have, r.method+" "+r.path)
	}
	for _, r := range rows {
		want = append(want, r.route())
		if _, ok := calls[r.route()]; !ok && r.method != http.MethodGet {
			t.Errorf("%s has no call", r.route())
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	for _, r := range have {
		if n := count(want, r); n != 1 {
			t.Errorf("%s has %d rows in the access matrix, not one", r, n)
		}
	}
	for _, r := range want {
		if !slices.Contains(have, r) {
			t.Errorf("%s has a row in the access matrix and is no route", r)
		}
	}
	for r := range calls {
		if !slices.Contains(have, r) {
			t.Errorf("%s has a call and is no route", r)
		}
	}
}

func count(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}

// forged are headers by which a client might claim to be somebody, or
// somewhere, else. Nothing asks them (Z3).
var forged = []string{
	"X-Team-Id", "$beta", "X-Team", "beta", "X-User-Id", "$member", "X-Role", "owner",
	"HX-Current-URL", origin + "/settings/secrets?team=$beta", "HX-Boosted", "true", "HX-Target", "secrets-table", "HX-Prompt", "owner",
	"X-Forwarded-For", "203.0.113.7", "X-Real-Ip", "203.0.113.7", "Forwarded", "for=203.0.113.7;host=evil.example;proto=http",
	"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-Forwarded-Prefix", "//evil.example", "X-Forwarded-User", "ada@example.com",
	"X-Original-Url", "/healthz", "X-Rewrite-Url", "/healthz", "X-Http-Method-Override", "GET", "X-Request-Id", "forged",
}

// TestAccess walks the matrix on a whole server (Z1), plainly, with HTMX, and
// with HTMX and forged headers (Z3). What is refused changes nothing, and another team's
// owner changes nothing of acme's. No answer holds a value, a password or a
// credential, but that of a reveal or a resolution to who may have it.
func TestAccess(t *testing.T) {
	w := newWorld(t)
	actors, rows := parseMatrix(t)
	acme := w.ids.Replace("$team")
	variants := []struct {
		name   string
		header []string
	}{
		{"plain", nil},
		{"htmx", []string{"HX-Request", "true"}},
		{"forged", append([]string{"HX-Request", "true"}, forged...)},
	}
	for _, row := range rows {
		for _, name := range actors {
			for _, v := range variants {
				got := w.try(row, name, v.header...)
				at := row.route() + " as " + name + ", " + v.name
				if c := outcome(got); c != row.want[name] {
					t.Errorf("%s: %s (%d), want %s: %.200s", at, c, got.Code, row.want[name], got.Body)
				}
				w.searchCanaries(at, row, got)
				checkHeaders(t, at, got)
				if !w.committed() {
					continue
				}
				changed := w.changed("")
				if name == "removed" {
					// The session of one who is in no team ends when it is presented.
					changed = slices.DeleteFunc(changed, func(table string) bool { return table == "sessions" })
				}
				if len(changed) > 0 && (row.method == http.MethodGet || outcome(got) != "ok") {
					t.Errorf("%s: refused or safe, and changed %s", at, changed)
				}
				if name == "other" && len(changed) > 0 {
					if tables := w.changed(acme); len(tables) > 0 {
						t.Errorf("%s: changed acme's %s", at, tables)
					}
				}
				if n := w.claimed("203.0.113.7"); n > 0 {
					t.Errorf("%s: the audit log has the address that the client claims", at)
				}
				w.restore()
			}
		}
	}
	w.connectOverTheAPI()
	w.checkAnswered()
}

// A key can't act in a team that the header names and that its user is not in,
// or that is not the key's. At pages the header means nothing.
func TestTeamHeaderOpensNoOtherTeam(t *testing.T) {
	w := newWorld(t)
	actors, rows := parseMatrix(t)
	for _, row := range rows {
		for _, name := range actors {
			foreign := "beta"
			if name == "other" {
				foreign = "acme"
			}
			want := row.want[name]
			if !row.isPage() && want != "401" && row.pattern != api.TokenPath && !strings.HasPrefix(row.pattern, "/api/device/") && row.pattern != "/api/openapi.json" {
				want = "403"
			}
			got := w.try(row, name, "X-Infsh-Team", foreign)
			if c := outcome(got); c != want {
				t.Errorf("%s as %s in %s: %s (%d), want %s: %.200s", row.route(), name, foreign, c, got.Code, want, got.Body)
			}
			committed := w.committed()
			if committed && want != "ok" && name != "removed" {
				if tables := w.changed(""); len(tables) > 0 {
					t.Errorf("%s as %s in %s: refused, and changed %s", row.route(), name, foreign, tables)
				}
			}
			w.searchCanaries(row.route()+" as "+name+" in "+foreign, row, got)
			if committed {
				w.restore()
			}
		}
	}
}

// try sends the row's call as the actor.
func (w *world) try(row matrixRow, actor string, header ...string) *httptest.ResponseRecorder {
	call := calls[row.route()]
	path := call.path
	if path == "" {
		path = row.pattern
	}
	for i := 1; i < len(header); i += 2 {
		header = slices.Clone(header)
		header[i] = w.ids.Replace(header[i])
	}
	r := request(row.method, w.ids.Replace(path), w.ids.Replace(call.body), header...)
	c := w.actors[actor]
	switch {
	case actor == "crossed" && row.isPage():
		c = credentials{bearer: w.actors["full"].bearer}
	case actor == "crossed":
		c = credentials{cookie: w.actors["owner"].cookie}
	case row.isPage() && c.cookie != "":
		c = credentials{cookie: c.cookie}
	case !row.isPage():
		c = credentials{bearer: c.bearer}
	}
	w.present(r, c)
	return w.do(r)
}

// outcome is the class of an answer: HTMX gets a redirect as 200 with a header,
// and leaving (with Clear-Site-Data) also leads to the login page.
func outcome(res *httptest.ResponseRecorder) string {
	to := res.Header().Get("Location") + res.Header().Get("HX-Redirect")
	u, err := url.Parse(to)
	switch {
	case err != nil || u.Host != "":
		return "elsewhere"
	case u.Path == "/login" && res.Header().Get("Clear-Site-Data") == "":
		return "login"
	case res.Code < 300 || res.Code == http.StatusSeeOther:
		return "ok"
	}
	return map[int]string{400: "400", 401: "401", 403: "403", 404: "404", 409: "409", 412: "412", 415: "415", 422: "422", 429: "429", 501: "501"}[res.Code]
}

// disclosing are the routes whose answer holds a value, for who may have it.
var disclosing = []string{"GET /api/secrets/reveal/{key}", "POST /settings/secrets/{key}/reveal", "POST /internal/v1/resolve"}

func (w *world) searchCanaries(at string, row matrixRow, res *httptest.ResponseRecorder) {
	w.t.Helper()
	header := res.Header().Clone()
	header.Del("Set-Cookie")
	var text strings.Builder
	if err := header.Write(&text); err != nil {
		w.t.Fatal(err)
	}
	text.WriteString(res.Body.String())
	disclosed := text.String()
	if row.pattern == api.TokenPath && outcome(res) == "ok" && strings.Count(disclosed, `"access_token":"infsh_run_`) != 1 {
		w.t.Errorf("%s: does not hold the credential once: %.300s", at, disclosed)
	}
	if slices.Contains(disclosing, row.route()) && outcome(res) == "ok" {
		const value = "sk-second-CANARY-0123456789abcdef"
		if strings.Count(disclosed, value) != 1 {
			w.t.Errorf("%s: does not hold the value once: %.300s", at, disclosed)
		}
		disclosed = strings.Replace(disclosed, value, "", 1)
	}
	for _, c := range w.canaries {
		if i := strings.Index(disclosed, c); i >= 0 {
			w.t.Errorf("%s: the answer holds what it must not: …%.80s", at, disclosed[max(0, i-40):])
		}
	}
}

// claimed counts the entries of the audit log with an address.
func (w *world) claimed(addr string) (n int) {
	w.t.Helper()
	if err := w.state.GetContext(w.t.Context(), &n, "SELECT count(*) FROM main.audit_entries WHERE remote_addr = ?", addr); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// With a listener of their own, runners are served there alone, and nothing
// else is (R7).
func TestRunnersApart(t *testing.T) {
	w := newWorld(t)
	apart := New(Config{
		PublicURL: w.publicURL, InternalApart: true, Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
	}, w.services)
	_, rows := parseMatrix(t)
	for _, row := range rows {
		inside := strings.HasPrefix(row.pattern, "/internal/") || row.pattern == "/metrics"
		for _, face := range []struct {
			name    string
			handler http.Handler
			want    bool
		}{
			{"the main listener", apart.Main, !inside},
			{"the runners' listener", apart.Internal, inside || row.pattern == "/healthz" || row.pattern == "/readyz"},
		} {
			w.handlers.Main = face.handler
			got := w.try(row, "owner")
			if served := !strings.Contains(got.Body.String(), "There is nothing at this address."); served != face.want {
				t.Errorf("%s on %s: %d", row.route(), face.name, got.Code)
			}
			if w.committed() {
				w.restore()
			}
		}
	}
}

// Each page's form, and each public one, refuses what comes from another site
// (W1), and changes nothing: not by its route's own care but by the way in.
func TestEachFormRefusesOtherSites(t *testing.T) {
	w := newWorld(t)
	_, rows := parseMatrix(t)
	for _, row := range rows {
		if row.method == http.MethodGet || !row.isPage() {
			continue
		}
		for name, header := range map[string][]string{
			"another site":                     {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
			"another host of the site":         {"Origin", "https://blog.infsh.example", "Sec-Fetch-Site", "same-site"},
			"another site in an older browser": {"Origin", "https://evil.example", "Sec-Fetch-Site", ""},
			"a hidden origin":                  {"Origin", "null", "Sec-Fetch-Site", ""},
			"the host over plain http":         {"Origin", "http://infsh.example", "Sec-Fetch-Site", ""},
			"nobody says from where":           {"Origin", "", "Sec-Fetch-Site", ""},
		} {
			for _, htmx := range []string{"", "true"} {
				got := w.try(row, "owner", append([]string{"HX-Request", htmx}, header...)...)
				if outcome(got) != "403" {
					t.Errorf("%s from %s: %d", row.route(), name, got.Code)
				}
				if w.committed() {
					t.Errorf("%s from %s: refused, and changed %s", row.route(), name, w.changed(""))
					w.restore()
				}
			}
		}
	}
}

// The headers are on the answer of a fault too, which tells nothing of it (W9).
func TestFaultsTellNothing(t *testing.T) {
	w := newWorld(t)
	dbtest.Exec(t, w.d, "UPDATE teams SET wrapped_dek = ?", []byte("not a wrapped key"))
	for _, c := range []struct {
		method, path, actor string
		status              int
	}{
		{"GET", "/settings/secrets", "owner", 500}, {"POST", "/api/secrets/list", "owner", 500}, {"GET", "/api/secrets/reveal/OPENAI_API_KEY", "owner", 500},
		{"POST", "/internal/v1/resolve", "runner", 500}, {"GET", "/no-such-page", "owner", 404}, {"GET", "/api/no-such", "owner", 404}, {"DELETE", "/login", "owner", 405},
		{"PATCH", "/api/me", "owner", 405},
	} {
		for _, htmx := range []string{"", "true"} {
			body := ""
			if c.actor == "runner" {
				body = `{"app":"acme/summarizer"}`
			}
			r := request(c.method, c.path, body, "HX-Request", htmx)
			w.present(r, w.actors[c.actor])
			got := w.do(r)
			at := c.method + " " + c.path
			checkHeaders(t, at, got)
			if got.Code != c.status {
				t.Errorf("%s: %d, want %d", at, got.Code, c.status)
			}
			for _, inside := range []string{"DEK", "wrapped", "tink", "SELECT", "sqlite", ".go:", "goroutine", "panic", "CANARY"} {
				if strings.Contains(got.Body.String(), inside) {
					t.Errorf("%s: the answer tells of %q: %s", at, inside, got.Body)
				}
			}
		}
	}
}

// referrerPolicy is what a page says of its address to where it leads. That of
// the provider's answer has a code.
func referrerPolicy(at string) string {
	if strings.Contains(at, "/login/sso/callback") || strings.Contains(at, "/settings/integrations/callback") {
		return "no-referrer"
	}
	return "same-origin"
}

// checkHeaders fails unless the answer can't be framed, kept, guessed at or
// made to run a script (W5, W9).
func checkHeaders(t *testing.T, at string, res *httptest.ResponseRecorder) {
	t.Helper()
	h := res.Header()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": referrerPolicy(at), "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=63072000; includeSubDomains", "Content-Security-Policy": contentSecurityPolicy,
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s is %q, want %q", at, name, got, want)
		}
	}
	public := strings.Contains(at, "/static/") || strings.Contains(at, "/.well-known/openid-configuration")
	if !public && h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control is %q", at, h.Get("Cache-Control"))
	}
}

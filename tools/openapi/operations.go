package main

import "infsh/api"

// operations is every route below /api and /internal. The test of the routes in
// handlers/openapi_test.go fails for one that is missing here; add a line, run
// `make generate`, and commit openapi/openapi.json.
//
// What the messages hold is read from the types of package api, and what there is
// to say about a field from the comment above it there.
var operations = concat([]operation{
	{route: "GET /api/me", tag: "Account", summary: "Who the credential is, and in which team it acts", scope: "user:read", answer: ok(api.Me{})},
	{route: "POST /api/logout", tag: "Account", summary: "End the login of a command line", about: "An API key is not ended by this; revoke it.", answer: empty()},

	{route: "POST /api/secrets/list", tag: "Secrets", summary: "List secrets, masked", scope: "secrets:read", list: true, answer: ok(api.List[api.Secret]{})},
	{route: "POST /api/secrets", creates: true, tag: "Secrets", summary: "Set a new secret", about: roleNeeded + " 409 if the key is set already.", scope: "secrets:write", body: need(api.SecretBody{}, "key", "value"), answer: created(api.Secret{})},
	{route: "POST /api/secrets/import", creates: true, tag: "Secrets", summary: "Set several secrets, all or none", about: roleNeeded, scope: "secrets:write", body: need(api.ImportRequest{}, "items"), answer: ok(api.ImportResponse{})},
	{route: "GET /api/secrets/reveal/{key}", tag: "Secrets", summary: "Reveal a secret's value", about: "Needs the role owner or admin. Stands in the team's activity.", scope: "secrets:read", answer: ok(api.Secret{})},
	{route: "POST /api/secrets/fingerprints", tag: "Secrets", summary: "Fetch what a search of files for the team's values needs", about: roleNeeded + " A few bits of a hash of each value that is long and can't be guessed. Stands in the team's activity.", scope: "secrets:read", body: may(struct{}{}), answer: ok(api.Fingerprints{})},
	{route: "POST /api/secrets/scan", tag: "Secrets", summary: "Ask which windows of files are of the team's values", about: roleNeeded + " Stands in the team's activity.", scope: "secrets:read", body: need(api.ScanCandidates{}, "candidates"), answer: ok(api.ScanFound{})},
	{route: "GET /api/secrets/{key}", tag: "Secrets", summary: "Show a secret, masked", scope: "secrets:read", answer: ok(api.Secret{})},
	{route: "PUT /api/secrets/{key}", versioned: true, tag: "Secrets", summary: "Change a secret", about: roleNeeded + " What is left out stays. 404 if the key is not set.", scope: "secrets:write", body: need(api.SecretBody{}), answer: ok(api.Secret{})},
	{route: "DELETE /api/secrets/{key}", tag: "Secrets", summary: "Delete a secret with all of its versions", about: roleNeeded + " No run receives it after the answer. Its ciphertexts are erased after 30 seconds, in which a deletion made in the web pages can be undone there.", scope: "secrets:write", answer: empty()},
	{route: "GET /api/secrets/versions/{key}", tag: "Secrets", summary: "List a secret's versions", scope: "secrets:read", answer: ok(api.SecretVersions{})},
	{route: "GET /api/secrets/uses/{key}", tag: "Secrets", summary: "Say which apps have a secret, and in which version", about: "Also needs apps:read.", scope: "secrets:read", answer: ok(api.SecretUses{})},
	{route: "POST /api/secrets/rollback/{key}", tag: "Secrets", summary: "Make a new version that equals an earlier one", about: roleNeeded, scope: "secrets:write", body: need(api.RollbackRequest{}, "version"), answer: ok(api.Secret{})},
	{route: "POST /api/secrets/activate/{key}", tag: "Secrets", summary: "Use a version that is staged, or was used before", about: roleNeeded, scope: "secrets:write", body: need(api.ActivateRequest{}, "version"), answer: ok(api.Secret{})},

	{route: "POST /api/apps/list", tag: "Apps", summary: "List apps", scope: "apps:read", list: true, answer: ok(api.List[api.App]{})},
	{route: "POST /api/apps", creates: true, tag: "Apps", summary: "Register an app, or its next version", about: "201 where that made a version, 200 where the same was registered already.", scope: "apps:write", body: need(api.AppBody{}, "name"), answer: either(api.DeployedApp{})},
	{route: "POST /api/apps/check", tag: "Apps", summary: "Say key by key what an app would receive", scope: "apps:read", body: need(api.CheckRequest{}), answer: ok(api.CheckResponse{})},
	{route: "GET /api/apps/{id}", tag: "Apps", summary: "Show an app by its id", scope: "apps:read", answer: ok(api.App{})},
	{route: "GET /api/apps/{namespace}/{name}", tag: "Apps", summary: "Show an app by its name", scope: "apps:read", answer: ok(api.App{})},
	{route: "POST /api/apps/run", tag: "Apps", summary: "Ask whether an app could run", about: "412 with requirement errors where something is missing, else 501: this server runs nothing itself. The official SDK calls it to run an app.", scope: "apps:read", body: need(api.RunBody{}, "app"), answer: never()},
	{route: "POST /api/apps/{id}", tag: "Apps", summary: "Change what is said of an app", scope: "apps:write", body: need(api.AppChangeBody{}), answer: ok(api.App{})},
	{route: "DELETE /api/apps/{id}", tag: "Apps", summary: "Delete an app with its versions and grants", about: roleNeeded, scope: "apps:write", answer: empty()},
	{route: "POST /api/apps/{id}/versions/list", tag: "Apps", summary: "List an app's versions, the newest first", scope: "apps:read", list: true, answer: ok(api.List[api.AppVersion]{})},
	{route: "GET /api/apps/{id}/versions/{version}", tag: "Apps", summary: "Show an app as it is in a version", scope: "apps:read", answer: ok(api.App{})},
	{route: "PUT /api/apps/{id}/versions/{version}/current", tag: "Apps", summary: "Make a version the one that runs", about: "409 while a key that it requires is not granted.", scope: "apps:write", body: may(struct{}{}), answer: ok(api.App{})},
	{route: "POST /api/apps/{id}/grants/list", tag: "Grants", summary: "List which keys the team lets an app have", scope: "apps:read", body: may(struct{}{}), answer: ok(api.Grants{})},
	{route: "POST /api/apps/{id}/grants/approve", tag: "Grants", summary: "Let an app have keys", about: roleNeeded, scope: "secrets:write", body: need(api.GrantApproval{}), answer: ok(api.GrantDecision{})},
	{route: "POST /api/apps/{id}/grants/revoke", tag: "Grants", summary: "Take keys away from an app", about: roleNeeded + " The next run does not receive them.", scope: "secrets:write", body: need(api.GrantRevocation{}, "keys"), answer: ok(api.GrantDecision{})},
	{route: "GET /api/apps/{namespace}/{name}/why/{key}", tag: "Grants", summary: "Explain why an app receives a key or not", scope: "apps:read", query: []parameter{{name: "version", meaning: "The version's id or number; the current one if left out.", optional: true}}, answer: ok(api.WhyResponse{})},
	notOffered("duplicate"),
	notOffered("transfer"),
	notOffered("visibility"),
	notOffered("status"),
	notOffered("license"),

	{route: "POST /api/apikeys/list", tag: "API keys", summary: "List API keys", about: "To a member, those of their own.", scope: "apikeys:read", list: true, answer: ok(api.List[api.APIKey]{})},
	{route: "POST /api/apikeys", creates: true, tag: "API keys", summary: "Make an API key", about: "The answer shows the key, this one time. A key can't give what its maker's credential may not do.", scope: "apikeys:write", body: need(api.APIKeyCreate{}, "name"), answer: created(api.APIKeyCreated{})},
	{route: "POST /api/apikeys/{id}/service", tag: "API keys", summary: "Make a key the team's own", about: "Needs the role owner or admin. It stays when its maker leaves.", scope: "apikeys:write", body: may(api.APIKeyTakeOver{}), answer: ok(api.APIKey{})},
	{route: "DELETE /api/apikeys/{id}", tag: "API keys", summary: "Revoke an API key, at once", scope: "apikeys:write", answer: empty()},

	{route: "POST /api/trusts/list", tag: "Trusts", summary: "List which issuers of tokens the team trusts", about: "Needs the role owner or admin.", scope: "apikeys:read", list: true, answer: ok(api.List[api.Trust]{})},
	{route: "POST /api/trusts", creates: true, tag: "Trusts", summary: "Trust an issuer of tokens under conditions, for some apps", about: "Needs the role owner or admin, and of a key apps:execute too.", scope: "apikeys:write", body: need(api.TrustBody{}, "name", "apps"), answer: created(api.Trust{})},
	{route: "GET /api/trusts/{id}", tag: "Trusts", summary: "Show a trust", about: "Needs the role owner or admin.", scope: "apikeys:read", answer: ok(api.Trust{})},
	{route: "PUT /api/trusts/{id}", tag: "Trusts", summary: "Put another trust in the place of one", about: "Needs the role owner or admin, and of a key apps:execute too. The credentials that came of it end.", scope: "apikeys:write", body: need(api.TrustBody{}, "name", "apps"), answer: ok(api.Trust{})},
	{route: "DELETE /api/trusts/{id}", tag: "Trusts", summary: "Delete a trust", about: "Needs the role owner or admin. The credentials that came of it end at once.", scope: "apikeys:write", answer: empty()},

	{route: "GET /api/activity", tag: "Activity", summary: "Search the team's activity, the newest first", about: "Needs the role owner or admin.", scope: "teams:read", query: activityQuery, answer: ok(api.Activity{})},
	{route: "POST /api/activity/export", tag: "Activity", summary: "Export the team's activity as CSV or JSON lines", about: "Needs the role owner or admin. Stands in the team's activity.", scope: "teams:read", body: need(api.ActivityExport{}, "format"), answer: stream("text/csv", "application/jsonl")},

	{route: "POST /api/webhooks/list", tag: "Webhooks", summary: "List webhooks", about: "Needs the role owner or admin.", scope: "teams:read", list: true, answer: ok(api.List[api.Webhook]{})},
	{route: "POST /api/webhooks", tag: "Webhooks", summary: "Add an endpoint that receives the team's events", about: "Needs the role owner or admin. The answer holds the signing secret, this one time.", scope: "teams:write", body: need(api.WebhookCreate{}, "url"), answer: created(api.WebhookCreated{})},
	{route: "GET /api/webhooks/{id}", tag: "Webhooks", summary: "Show a webhook", about: "Needs the role owner or admin.", scope: "teams:read", answer: ok(api.Webhook{})},
	{route: "PUT /api/webhooks/{id}", tag: "Webhooks", summary: "Change a webhook", about: "Needs the role owner or admin. What is left out stays.", scope: "teams:write", body: need(api.WebhookUpdate{}), answer: ok(api.Webhook{})},
	{route: "DELETE /api/webhooks/{id}", tag: "Webhooks", summary: "Remove a webhook", about: "Needs the role owner or admin.", scope: "teams:write", answer: empty()},
	{route: "POST /api/webhooks/{id}/test", tag: "Webhooks", summary: "Send a message for a trial", about: "Needs the role owner or admin.", scope: "teams:write", body: may(struct{}{}), answer: accepted(api.WebhookMessage{})},
	{route: "POST /api/webhooks/{id}/rotate", tag: "Webhooks", summary: "Make a new signing secret", about: "Needs the role owner or admin. The answer holds it, this one time.", scope: "teams:write", body: may(struct{}{}), answer: ok(api.WebhookCreated{})},
	{route: "GET /api/webhooks/{id}/deliveries", tag: "Webhooks", summary: "List the latest messages, the newest first", about: "Needs the role owner or admin.", scope: "teams:read", answer: ok(api.WebhookMessages{})},

	{route: "GET /api/teams", tag: "Teams", summary: "List the teams that the credential may act in", scope: "teams:read", answer: ok([]api.Team{})},
	{route: "POST /api/teams", creates: true, tag: "Teams", summary: "Make a team", scope: "teams:write", body: need(api.TeamBody{}, "username"), answer: created(api.Team{})},
	{route: "GET /api/teams/check-username", tag: "Teams", summary: "Whether a team can have a name", scope: "teams:read", query: []parameter{{name: "username", meaning: "The name that is asked about."}}, answer: ok(api.UsernameAvailability{})},
	{route: "GET /api/teams/{id}", tag: "Teams", summary: "Show a team", scope: "teams:read", answer: ok(api.Team{})},
	{route: "POST /api/teams/{id}", tag: "Teams", summary: "Rename a team", about: "Needs the role owner or admin.", scope: "teams:write", body: need(api.TeamChangeBody{}), answer: ok(api.Team{})},
	{route: "DELETE /api/teams/{id}", tag: "Teams", summary: "Delete a team and everything in it", about: "Needs the role owner. The team's encryption key goes with it.", scope: "teams:write", answer: empty()},
	{route: "POST /api/teams/{id}/transfer", tag: "Teams", summary: "Make another member the owner", about: "Needs the role owner.", scope: "teams:write", body: need(api.TeamTransfer{}, "user_id"), answer: ok(api.Member{})},
	{route: "POST /api/teams/{id}/duplicate", creates: true, tag: "Teams", summary: "Make a team for another environment", about: "Needs the role owner or admin. The new team expects the same keys, and has no values.", scope: "teams:write", body: need(api.TeamDuplicate{}, "as"), answer: created(api.TeamDuplicated{})},
	{route: "GET /api/teams/{id}/expected-keys", tag: "Teams", summary: "List the keys that the team means to have and has not set", scope: "secrets:read", answer: ok([]api.ExpectedKey{})},
	{route: "POST /api/teams/{id}/diff", tag: "Teams", summary: "Say which secrets differ between two teams", about: "Never a value. Whether values are equal is told to those who may read both.", scope: "secrets:read", body: need(api.TeamDiffRequest{}, "with"), answer: ok(api.TeamDiff{})},
	{route: "GET /api/teams/{id}/members", tag: "Teams", summary: "List members", scope: "teams:read", answer: ok([]api.Member{})},
	{route: "POST /api/teams/{id}/members", creates: true, tag: "Teams", summary: "Add a person who has an account here", about: "Needs the role owner or admin.", scope: "teams:write", body: need(api.MemberAdd{}, "email", "role"), answer: created(api.Member{})},
	{route: "DELETE /api/teams/{id}/members/{user}", tag: "Teams", summary: "Remove a member", about: "Needs the role owner or admin. It takes effect with their next request.", scope: "teams:write", answer: empty()},
	{route: "POST /api/teams/{id}/members/{user}/role", tag: "Teams", summary: "Give a member another role", about: "Needs the role owner or admin.", scope: "teams:write", body: need(api.MemberRole{}, "role"), answer: ok(api.Member{})},
	{route: "GET /api/teams/{id}/invites", tag: "Teams", summary: "List open invites", about: "Needs the role owner or admin.", scope: "teams:read", answer: ok([]api.Invite{})},
	{route: "POST /api/teams/{id}/invites", creates: true, tag: "Teams", summary: "Invite an address", about: "Needs the role owner or admin. The answer holds the link, this one time.", scope: "teams:write", body: need(api.MemberAdd{}, "email", "role"), answer: created(api.InviteCreated{})},
	{route: "DELETE /api/teams/{id}/invites/{invite}", tag: "Teams", summary: "Revoke an invite", about: "Needs the role owner or admin.", scope: "teams:write", answer: empty()},
},
	integrations("/api/integrations", ""),
	integrations("/api/credentials", "The same as under /integrations; the official SDK calls it so."),
	[]operation{
		{route: "POST /api/device/code", tag: "Command line login", summary: "Start a login that a person approves in a browser", about: "RFC 8628, section 3.1.", public: true, body: need(api.DeviceCodeRequest{}), answer: ok(api.DeviceCodeResponse{})},
		{route: "POST /api/device/token", tag: "Command line login", summary: "Ask whether the login was approved", about: "Until then the answer is 400 with a title of RFC 8628, section 3.5.", public: true, body: need(api.DeviceTokenRequest{}, "device_code"), answer: ok(api.DeviceTokenResponse{})},

		{route: "POST /internal/v1/resolve", tag: "Runners", summary: "Fetch the values that a run of an app needs", about: "412 with requirement errors where a required one is missing; then no value is answered, not even of those that are set. The runners' endpoint may be on a listener of its own. Stands in the team's activity.", scope: "apps:execute", body: need(api.ResolveRequest{}, "app"), answer: ok(api.ResolveResponse{})},
		{route: "POST /internal/v1/token", tag: "Runners", summary: "Exchange a platform's token for a credential that runs one app", about: "RFC 8693. The credential lasts for 15 minutes and may do nothing but resolve, watch and report for that app. Errors have the members of RFC 6749, section 5.2, beside those of a problem. Stands in the team's activity, refusals too where the team trusts the token's issuer.", public: true, body: form(api.TokenRequest{}, "grant_type", "subject_token", "subject_token_type", "audience"), answer: ok(api.TokenResponse{})},
		{route: "POST /internal/v1/findings", tag: "Runners", summary: "Report what an app printed of its secrets", about: "In counts by key and form, at the end of a run. The keys are ones that the version declares, or INFSH_API_KEY for the runner's own. Stands in the team's activity.", scope: "apps:execute", body: need(api.FindingsReport{}, "app", "findings"), answer: empty()},
		{route: "GET /internal/v1/watch", tag: "Runners", summary: "Wait for a change of what a run of an app receives", about: "A stream of server-sent events: `ready` with the present state, `changed` with another one. The id of an event names the state and holds no value.", scope: "apps:execute", query: []parameter{
			{name: "app", meaning: "The app, namespace/name."}, {name: "version", meaning: "The version's id or number; the current one if left out.", optional: true},
			{name: "seconds", meaning: "How long the stream lasts at most.", optional: true},
		}, answer: stream("text/event-stream")},

		{route: "GET /api/openapi.json", tag: "Description", summary: "This description", public: true, answer: ok(map[string]any{})},
	},
)

const roleNeeded = "Needs the role owner or admin, or a team whose members may edit."

// notOffered are calls of the SDK for which this server has no use.
func notOffered(what string) operation {
	return operation{route: "POST /api/apps/{id}/" + what, tag: "Apps", summary: "Not offered: " + what, about: "501: an app belongs to its team, and is registered here for its secrets alone.", scope: "apps:read", body: may(api.NotOfferedBody{}), answer: never()}
}

var setupQuery = []parameter{
	{name: "provider", meaning: "Only what this provider has.", optional: true},
	{name: "type", meaning: "Only what is connected in this way.", optional: true},
	{name: "field", meaning: "A field of the form, KEY=TEXT, that the commands in setup are to be for; may be given several times, and with provider and type alone.", optional: true},
}

func integrations(base, about string) []operation {
	say := func(text string) string {
		if about == "" {
			return text
		}
		return text + " " + about
	}
	return []operation{
		{route: "POST " + base + "/list", tag: "Integrations", summary: "List integrations", about: say("The accounts that the team has connected. No token is in it."), scope: "integrations:read", list: true, answer: ok(api.List[api.Integration]{})},
		{route: "GET " + base + "/available", tag: "Integrations", summary: "List what can be connected", about: say("The same as configs."), scope: "integrations:read", answer: ok([]api.IntegrationConfig{})},
		{route: "GET " + base + "/configs", tag: "Integrations", summary: "List what can be connected, and how", about: about, scope: "integrations:read", query: setupQuery, answer: ok([]api.IntegrationConfig{})},
		{route: "GET " + base + "/capabilities", tag: "Integrations", summary: "List what apps may declare", about: about, scope: "integrations:read", answer: ok([]api.Capability{})},
		{route: "POST " + base + "/check", tag: "Integrations", summary: "Whether the team satisfies requirements", about: about, scope: "apps:read", body: need(api.IntegrationsCheckRequest{}), answer: ok(api.IntegrationsCheckResponse{})},
		{route: "POST " + base, tag: "Integrations", summary: "Connect an integration", about: say("Of the type oauth it answers 200 with the address to which a person goes, and 412 while the team has no client at the provider. A key or a service account is stored once the provider has accepted it, and answered with 201. Needs the role owner or admin."),
			scope: "integrations:write", body: need(api.IntegrationConnect{}, "provider"), answer: either(api.IntegrationConnected{})},
		{route: "POST " + base + "/complete", tag: "Integrations", summary: "Hand in what a provider sent back", about: say("With the API key that began it, once, within ten minutes."), scope: "integrations:write", body: need(api.IntegrationComplete{}, "state"), answer: ok(api.Integration{})},
		{route: "GET " + base + "/{provider}", tag: "Integrations", summary: "Show an integration", about: say("By the provider, of which it is the primary one, or by its id."), scope: "integrations:read", answer: ok(api.Integration{})},
		{route: "PUT " + base + "/{provider}/client", tag: "Integrations", summary: "Set the team's client at a provider", about: say("The client ID and secret of an app that the team registered at the provider, with the redirect URL that configs tells. Accounts that were connected with another client ID have to be connected again. Needs the role owner or admin."), scope: "integrations:write", body: need(api.IntegrationClientWrite{}, "client_id", "client_secret"), answer: ok(api.IntegrationClient{})},
		{route: "PUT " + base + "/{provider}/primary", tag: "Integrations", summary: "Make an integration primary", about: say("By its id. Apps receive the primary account of a provider, unless they were given another one. Needs the role owner or admin."), scope: "integrations:write", answer: ok(api.Integration{})},
		{route: "DELETE " + base + "/{provider}", tag: "Integrations", summary: "Disconnect an integration", about: say("By its id, or by a provider of which the team has one account, and 409 where it has more. Its tokens are removed and, where the provider offers that, revoked there. Needs the role owner or admin."), scope: "integrations:write", answer: empty()},
	}
}

// parameters are what the names in paths mean.
var parameters = map[string]string{
	"key":       "The secret's key; case matters.",
	"id":        "The object's id.",
	"namespace": "The app's namespace.",
	"name":      "The app's name.",
	"user":      "The user's id.",
	"invite":    "The invite's id.",
	"provider":  "The provider, such as google, or the id of an integration.",
	"version":   "The version's id.",
}

// nested are the fields that an object inside a request must have.
var nested = map[string][]string{
	"SecretRequirement": {"key"}, "TrustCondition": {"claim", "values"}, "IntegrationRequirement": {"key"}, "ImportItem": {"key", "value"}, "Sort": {"field"}, "Filter": {"field"},
}

const about = `A secrets manager for teams that run AI agents and apps.

**Compatible with the official inference.sh SDK**: make it a client with ` + "`baseUrl: \"https://HOST/api\"`" + ` and an API key of this server.

**Credentials.** Send an API key as ` + "`Authorization: Bearer infsh_…`" + `. A key acts in one team; a command line's login names another team of its user in ` + "`X-Infsh-Team`" + `. What belongs to another team is answered as if it did not exist.

**Bodies** are JSON in UTF-8, with ` + "`Content-Type: application/json`" + `. A name that stands twice, that is unknown, or whose value has the wrong type is refused, and the error names the field and repeats no value.

**Errors** are problem documents (RFC 9457). Rely on their ` + "`title`" + `; their ` + "`detail`" + ` is for people.

**Lists** are asked for by ` + "`POST …/list`" + `, without a body for the first page. ` + "`next_cursor`" + ` and ` + "`prev_cursor`" + ` lead to the pages beside it, and stay right while objects come and go.`

var activityQuery = []parameter{
	{name: "key", meaning: "The name of a secret.", optional: true},
	{name: "app", meaning: "An app, as namespace/name.", optional: true},
	{name: "person", meaning: "A part of an email address.", optional: true},
	{name: "kind", meaning: "An act, such as secret.reveal, or what stands before the dot.", optional: true},
	{name: "outcome", meaning: "allowed, unchanged, denied or failed.", optional: true},
	{name: "from", meaning: "The first day, in UTC, such as 2026-03-01.", optional: true},
	{name: "until", meaning: "The last day.", optional: true},
	{name: "before", meaning: "The number of an entry: the page begins before it.", optional: true},
}

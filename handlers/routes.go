package handlers

import (
	"net/http"
	"slices"

	"infsh/auth"
	"infsh/issuer"
	"infsh/team"
)

// access says what a route asks of who calls it.
type access string

const (
	// public asks nothing.
	public access = "public"
	// page asks for a session, and sends anyone else to the login page.
	page access = "page"
	// machine asks for an API key as a bearer token.
	machine access = "api"
	// runner asks for the same, on the listener for runners.
	runner access = "runner"
	// operator asks nothing, and is where runners are.
	operator access = "operator"
	// health asks nothing, and is on both listeners.
	health access = "health"
)

type (
	publicFunc func(http.ResponseWriter, *http.Request) error
	pageFunc   func(http.ResponseWriter, *http.Request, auth.Session) error
	apiFunc    func(http.ResponseWriter, *http.Request, team.Actor) error
	// presumedFunc compares by itself whether the actor is still what it was, and
	// asks confirm for the actor as it is where it isn't, and before it refuses.
	presumedFunc func(w http.ResponseWriter, r *http.Request, presumed team.Presumed, confirm func() (team.Actor, error)) error
)

type route struct {
	method, path string
	access       access
	public       publicFunc
	page         pageFunc
	api          apiFunc
	// presumed is how the route is served where the key is known from before;
	// nil where it is always asked for.
	presumed presumedFunc
	// creates says that an Idempotency-Key keeps a repeated call from making
	// something twice.
	creates bool
	// confirm says, in words that go on "To …", what is asked for a fresh proof
	// of who the person is; empty where the session is enough. Such a route
	// takes a form (POST) that holds no value of a secret and no password.
	confirm string
	// signOn is a route that there is only where there is single sign-on.
	signOn bool
	// inside is a route that is where runners are, whatever it asks.
	inside bool
	// uploads says that the form may have a file, and be as large as an import.
	uploads bool
}

// internal reports whether the route is served apart from the others if the
// operator wants that.
func (r route) internal() bool { return r.access == runner || r.access == operator || r.inside }

func (r route) ofSignOn() route {
	r.signOn = true
	return r
}

// routes is every route of the program. Who may do what behind them stands in
// team/policy.go; access_test.go has a row for each.
func (s *server) routes() []route {
	pub := func(method, path string, f publicFunc) route {
		return route{method: method, path: path, access: public, public: f}
	}
	pg := func(method, path string, f pageFunc) route {
		return route{method: method, path: path, access: page, page: f}
	}
	sure := func(path, to string, f pageFunc) route {
		return route{method: "POST", path: path, access: page, page: f, confirm: to}
	}
	ap := func(method, path string, f apiFunc) route {
		return route{method: method, path: path, access: machine, api: f}
	}
	creating := func(path string, f apiFunc) route {
		return route{method: "POST", path: path, access: machine, api: f, creates: true}
	}
	return slices.Concat([]route{
		// Health.
		{method: "GET", path: "/healthz", access: health, public: s.healthz},
		{method: "GET", path: "/readyz", access: health, public: s.readyz},
		{method: "GET", path: "/metrics", access: operator, public: s.serveMetrics},

		// Signing in.
		pub("GET", "/{$}", s.home),
		pub("GET", "/static/", s.static),
		pub("GET", "/docs/api", s.apiDocsPage),
		{method: "GET", path: issuer.DiscoveryPath, access: public, public: s.issuerMetadata},
		{method: "GET", path: issuer.KeysPath, access: public, public: s.issuerKeys},
		pub("GET", "/setup", s.setupPage),
		pub("POST", "/setup", s.setup),
		pub("GET", "/login", s.loginPage),
		pub("POST", "/login", s.login),
		pub("GET", "/login/verify", s.secondStepPage),
		pub("POST", "/login/verify", s.secondStep),
		pub("POST", "/login/options", s.loginOptions),
		pub("POST", "/login/passkey", s.passkeyLogin),
		pub("POST", "/login/sso", s.beginSignOn).ofSignOn(),
		pub("GET", "/login/sso/callback", s.signOnCallback).ofSignOn(),
		pub("GET", "/invite", s.invitePage),
		pub("POST", "/invite", s.acceptInvite),
		pg("POST", "/logout", s.logout),
		pg("POST", "/theme", s.setTheme),
		pg("GET", "/device", s.devicePage),
		sure("/device", "sign in a command line", s.approveDevice),
		pg("POST", "/device/deny", s.denyDevice),

		// Teams.
		pg("POST", "/teams/switch", s.switchTeam),
		pg("POST", "/teams/open", s.openInTeam),
		pg("GET", "/teams/new", s.newTeamPage),
		pg("POST", "/teams/new", s.newTeam),

		// Settings.
		pg("GET", "/settings", s.settings),
		pg("GET", "/settings/live", s.live),
		pg("GET", "/settings/find", s.findPage),
		pg("GET", "/settings/secrets", s.secretsPage),
		pg("POST", "/settings/secrets", s.addSecretForm),
		pg("GET", "/settings/advice", s.nameAdvice),
		pg("GET", "/settings/suggestions", s.suggestionsPage),
		pg("GET", "/settings/import", s.importPage),
		{method: "POST", path: "/settings/import", access: page, page: s.importSecretsForm, uploads: true},
		pg("POST", "/settings/deletions", s.deleteSecretsForm),
		pg("POST", "/settings/deletions/{id}/undo", s.restoreSecretsForm),
		pg("GET", "/settings/secrets/{key}", s.secretPage),
		pg("POST", "/settings/secrets/{key}", s.secretForm),
		pg("PUT", "/settings/secrets/{key}", s.editSecretForm),
		pg("DELETE", "/settings/secrets/{key}", s.deleteSecretForm),
		pg("POST", "/settings/secrets/{key}/rollback", s.rollbackSecretForm),
		sure("/settings/secrets/{key}/reveal", "see the value of a secret", s.revealSecretForm),
		pg("POST", "/settings/secrets/{key}/activate", s.activateSecretForm),
		pg("POST", "/settings/secrets/{key}/reminders", s.remindersForm),
		pg("POST", "/settings/secrets/{key}/twins", s.twinsForm),
		pg("GET", "/settings/apps", s.appsPage),
		pg("GET", "/settings/apps/{namespace}/{name}", s.appPage),
		pg("POST", "/settings/apps/{namespace}/{name}/grants", s.grantsForm),
		pg("POST", "/settings/apps/{namespace}/{name}/current", s.makeCurrentForm),
		pg("POST", "/settings/apps/{namespace}/{name}/delete", s.deleteAppForm),
		pg("GET", "/settings/integrations", s.integrationsPage),
		pub("GET", "/settings/integrations/callback", s.integrationCallback),
		pg("GET", "/settings/integrations/{provider}", s.integrationPage),
		pg("POST", "/settings/integrations/{provider}", s.integrationForm),
		sure("/settings/integrations/{provider}/disconnect", "disconnect an account", s.disconnectAccountForm),
		pg("GET", "/settings/apikeys", s.apiKeysPage),
		sure("/settings/apikeys", "make an API key", s.createAPIKeyForm),
		sure("/settings/apikeys/{id}", "change an API key", s.changeAPIKeyForm),
		pg("GET", "/settings/runners", s.trustsPage),
		sure("/settings/runners", "trust an issuer of tokens", s.createTrustForm),
		sure("/settings/runners/{id}/delete", "delete a trust", s.deleteTrustForm),
		pg("POST", "/settings/expected", s.dismissKeyForm),
		pg("GET", "/settings/environments", s.environmentsPage),
		pg("POST", "/settings/environments/compare", s.compareTeamsForm),
		pg("GET", "/settings/environments/edit", s.editTeamsPage),
		pg("POST", "/settings/environments/edit", s.editTeamsForm),
		pg("GET", "/settings/team", s.teamPage),
		pg("POST", "/settings/team", s.renameTeamForm),
		pg("POST", "/settings/team/duplicate", s.duplicateTeamForm),
		sure("/settings/team/delete", "delete the team", s.deleteTeamForm),
		pg("GET", "/settings/members", s.membersPage),
		sure("/settings/members/policy", "change what members may do", s.membersPolicyForm),
		sure("/settings/members/invites", "invite a person", s.inviteForm),
		pg("POST", "/settings/members/invites/{id}/revoke", s.revokeInviteForm),
		sure("/settings/members/transfer", "hand the team over", s.transferForm),
		sure("/settings/members/{id}/role", "change a role", s.memberRoleForm),
		pg("POST", "/settings/members/{id}/remove", s.removeMemberForm),
		pg("GET", "/settings/webhooks", s.webhooksPage),
		pg("POST", "/settings/webhooks", s.createWebhookForm),
		pg("GET", "/settings/webhooks/{id}", s.webhookPage),
		pg("POST", "/settings/webhooks/{id}", s.webhookForm),
		pg("GET", "/settings/activity", s.activityPage),
		pg("POST", "/settings/activity/export", s.exportActivityForm),
		pg("GET", "/settings/account", s.accountPage),
		pg("POST", "/settings/account/password", s.changePassword),
		pg("POST", "/settings/account/sessions/revoke", s.signOutEverywhere),
		pg("POST", "/settings/account/sessions/{id}/end", s.endSignIn),
		sure("/settings/account/app", "add a second factor", s.beginApp),
		sure("/settings/account/app/confirm", "add a second factor", s.confirmApp),
		sure("/settings/account/app/remove", "remove a second factor", s.removeApp),
		pg("POST", "/settings/account/passkeys/options", s.passkeyOptions),
		sure("/settings/account/passkeys", "add a passkey", s.addPasskey),
		sure("/settings/account/passkeys/{id}/remove", "remove a passkey", s.removePasskey),
		sure("/settings/account/sso", "connect a provider", s.beginConnect).ofSignOn(),
		pg("POST", "/settings/account/sso/confirm", s.beginProof).ofSignOn(),
		sure("/settings/account/sso/disconnect", "disconnect a provider", s.disconnectSignOn).ofSignOn(),
		sure("/settings/account/recovery", "make recovery codes", s.newRecoveryCodes),

		// JSON API.
		ap("GET", "/api/me", s.me),
		ap("POST", "/api/logout", s.apiLogout),
		ap("POST", "/api/secrets/list", s.listSecrets),
		creating("/api/secrets", s.createSecret),
		creating("/api/secrets/import", s.importSecrets),
		ap("GET", "/api/secrets/reveal/{key}", s.revealSecret),
		ap("POST", "/api/secrets/fingerprints", s.scanFingerprints),
		ap("POST", "/api/secrets/scan", s.scanCandidates),
		ap("GET", "/api/secrets/{key}", s.getSecret),
		ap("PUT", "/api/secrets/{key}", s.updateSecret),
		ap("DELETE", "/api/secrets/{key}", s.deleteSecret),
		ap("GET", "/api/secrets/versions/{key}", s.secretVersions),
		ap("GET", "/api/secrets/uses/{key}", s.secretUses),
		ap("POST", "/api/secrets/rollback/{key}", s.rollbackSecret),
		ap("POST", "/api/secrets/activate/{key}", s.activateSecret),
		ap("GET", "/api/teams", s.listTeams),
		creating("/api/teams", s.createTeam),
		ap("GET", "/api/teams/check-username", s.checkUsername),
		ap("GET", "/api/teams/{id}", s.getTeam),
		ap("POST", "/api/teams/{id}", s.updateTeam),
		ap("DELETE", "/api/teams/{id}", s.deleteTeam),
		ap("POST", "/api/teams/{id}/transfer", s.transferTeam),
		creating("/api/teams/{id}/duplicate", s.duplicateTeam),
		ap("GET", "/api/teams/{id}/expected-keys", s.expectedKeys),
		ap("POST", "/api/teams/{id}/diff", s.diffTeams),
		ap("GET", "/api/teams/{id}/members", s.listMembers),
		creating("/api/teams/{id}/members", s.addMember),
		ap("DELETE", "/api/teams/{id}/members/{user}", s.removeMember),
		ap("POST", "/api/teams/{id}/members/{user}/role", s.setMemberRole),
		ap("GET", "/api/teams/{id}/invites", s.listInvites),
		creating("/api/teams/{id}/invites", s.createInvite),
		ap("DELETE", "/api/teams/{id}/invites/{invite}", s.revokeInvite),
		ap("POST", "/api/apps/list", s.listApps),
		creating("/api/apps", s.deployApp),
		ap("POST", "/api/apps/check", s.check),
		ap("POST", "/api/apps/run", s.runApp),
		ap("GET", "/api/apps/{id}", s.getApp),
		ap("POST", "/api/apps/{id}", s.updateApp),
		ap("DELETE", "/api/apps/{id}", s.deleteApp),
		ap("POST", "/api/apps/{id}/versions/list", s.listVersions),
		ap("GET", "/api/apps/{id}/versions/{version}", s.getVersion),
		ap("PUT", "/api/apps/{id}/versions/{version}/current", s.makeVersionCurrent),
		ap("POST", "/api/apps/{id}/duplicate", s.notOffered),
		ap("POST", "/api/apps/{id}/transfer", s.notOffered),
		ap("POST", "/api/apps/{id}/visibility", s.notOffered),
		ap("POST", "/api/apps/{id}/status", s.notOffered),
		ap("POST", "/api/apps/{id}/license", s.notOffered),
		ap("GET", "/api/apps/{namespace}/{name}", s.getAppByName),
		ap("POST", "/api/apps/{id}/grants/list", s.listGrants),
		ap("POST", "/api/apps/{id}/grants/approve", s.approveGrants),
		ap("POST", "/api/apps/{id}/grants/revoke", s.revokeGrants),
		ap("GET", "/api/apps/{namespace}/{name}/why/{key}", s.why),
		ap("GET", "/api/activity", s.listActivity),
		ap("POST", "/api/activity/export", s.exportActivity),
		ap("POST", "/api/webhooks/list", s.listWebhooks),
		ap("POST", "/api/webhooks", s.createWebhook),
		ap("GET", "/api/webhooks/{id}", s.getWebhook),
		ap("PUT", "/api/webhooks/{id}", s.updateWebhook),
		ap("DELETE", "/api/webhooks/{id}", s.deleteWebhook),
		ap("POST", "/api/webhooks/{id}/test", s.testWebhook),
		ap("POST", "/api/webhooks/{id}/rotate", s.rotateWebhook),
		ap("GET", "/api/webhooks/{id}/deliveries", s.webhookDeliveries),
		ap("POST", "/api/trusts/list", s.listTrusts),
		creating("/api/trusts", s.createTrust),
		ap("GET", "/api/trusts/{id}", s.getTrust),
		ap("PUT", "/api/trusts/{id}", s.updateTrust),
		ap("DELETE", "/api/trusts/{id}", s.deleteTrust),
		ap("POST", "/api/apikeys/list", s.listAPIKeys),
		creating("/api/apikeys", s.createAPIKey),
		ap("POST", "/api/apikeys/{id}/service", s.takeOverAPIKey),
		ap("DELETE", "/api/apikeys/{id}", s.revokeAPIKey),
		pub("POST", "/api/device/code", s.startDevice),
		pub("POST", "/api/device/token", s.pollDevice),

		pub("GET", "/api/openapi.json", s.openAPI),

		// Runners.
		{method: "POST", path: "/internal/v1/resolve", access: runner, api: s.resolve, presumed: s.resolvePresumed},
		{method: "POST", path: "/internal/v1/token", access: public, public: s.exchangeToken, inside: true},
		{method: "POST", path: "/internal/v1/findings", access: runner, api: s.reportPrinted},
		{method: "GET", path: "/internal/v1/watch", access: runner, api: s.watch},
	}, s.integrationRoutes("/api/integrations"), s.integrationRoutes("/api/credentials")) // as the official SDK calls them
}

// mount is the only way from a route to a handler: it obtains the actor that
// the route asks for, or refuses.
func (s *server) mount(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.serve(rt, w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *server) serve(rt route, w http.ResponseWriter, r *http.Request) error {
	switch rt.access {
	case public, operator, health:
		if rt.access == public && rt.path != "/static/" {
			if err := s.takeForAddress(r); err != nil {
				return err
			}
		}
		if err := s.checkPublicForm(r); err != nil {
			return err
		}
		return rt.public(w, r)
	case machine, runner:
		limits := s.perCredential
		if rt.access == runner {
			limits = s.perRunner
		}
		bearer := func() (team.Actor, error) {
			actor, err := s.Authenticator.Bearer(r)
			if err != nil {
				err = s.unauthenticated(r, err)
			}
			return actor, err
		}
		if rt.presumed != nil {
			if presumed, ok := s.Authenticator.Presumed(r); ok {
				if err := limits.take(presumed.CredentialID(), s.now()); err != nil {
					return err
				}
				return rt.presumed(w, r, presumed, bearer)
			}
		}
		actor, err := bearer()
		if err != nil {
			return err
		}
		err = limits.take(limited(actor), s.now())
		if rt.access == machine {
			limits.tell(w.Header(), limited(actor), s.now())
		}
		if err != nil {
			return err
		}
		if rt.creates && len(r.Header.Values(auth.IdempotencyHeader)) > 0 {
			return s.once(rt, w, r, actor)
		}
		return rt.api(w, r, actor)
	case page:
		session, err := s.Authenticator.Session(r)
		if err != nil {
			return s.unauthenticated(r, err)
		}
		if err := s.perCredential.take(session.ID, s.now()); err != nil {
			return err
		}
		if !isSafe(r.Method) {
			if err := s.checkForm(rt, r, session); err != nil {
				return err
			}
		}
		if rt.confirm != "" {
			if session, err = s.confirm(rt, w, r, session); err != nil || session.ID == "" {
				return err
			}
		}
		return rt.page(w, r, session)
	}
	return notFound()
}

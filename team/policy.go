package team

// Action is something that an actor may be allowed to do in a team. The name
// also stands in the audit log.
type Action string

const (
	ListSecrets  Action = "secret.list"
	SetSecret    Action = "secret.set"
	DeleteSecret Action = "secret.delete"
	// RestoreSecret undoes a deletion.
	RestoreSecret  Action = "secret.restore"
	RevealSecret   Action = "secret.reveal"
	SecretHistory  Action = "secret.history"
	RollbackSecret Action = "secret.rollback"
	StageSecret    Action = "secret.stage"
	ActivateSecret Action = "secret.activate"
	DismissKey     Action = "secret.dismiss"
	// RemindSecret changes when a secret is to be rotated, or when its value ends.
	RemindSecret Action = "secret.remind"
	// ScanSecrets is looking for the team's values in files.
	ScanSecrets    Action = "secret.scan"
	CompareSecrets Action = "secret.compare"

	ListApps   Action = "app.list"
	DeployApp  Action = "app.deploy"
	CheckApp   Action = "app.check"
	ResolveApp Action = "app.resolve"
	// ReportPrinted says what a run of an app printed of its secrets, in counts.
	ReportPrinted Action = "app.printed"
	// UpdateApp changes what is said of an app, MoveCurrent which version runs.
	UpdateApp   Action = "app.update"
	MoveCurrent Action = "app.current"
	DeleteApp   Action = "app.delete"

	// AllowGrant lets an app have a key that it declares. Who may set secrets
	// may do it.
	AllowGrant  Action = "grant.allow"
	RevokeGrant Action = "grant.revoke"
	DenyGrant   Action = "grant.deny"
	// AskGrant is deploying a version with a key that somebody else must grant.
	AskGrant Action = "grant.request"

	ListIntegrations Action = "integration.list"
	// ConfigureIntegration sets the team's client of OAuth at a provider, and
	// BeginIntegration leads a person there.
	ConfigureIntegration  Action = "integration.client"
	BeginIntegration      Action = "integration.begin"
	ConnectIntegration    Action = "integration.connect"
	DisconnectIntegration Action = "integration.disconnect"

	ListAPIKeys  Action = "apikey.list"
	CreateAPIKey Action = "apikey.create"
	RevokeAPIKey Action = "apikey.revoke"
	// ServiceAPIKey makes a key the team's own, at its creation or later.
	ServiceAPIKey Action = "apikey.service"

	// Trusts are issuers whose tokens are exchanged for credentials of runners.
	ListTrusts  Action = "trust.list"
	CreateTrust Action = "trust.create"
	UpdateTrust Action = "trust.update"
	DeleteTrust Action = "trust.delete"

	ViewTeam      Action = "team.view"
	CreateTeam    Action = "team.create"
	EditTeam      Action = "team.edit"
	RenameTeam    Action = "team.rename"
	TransferTeam  Action = "team.transfer"
	DuplicateTeam Action = "team.duplicate"
	DeleteTeam    Action = "team.delete"
	ListMembers   Action = "member.list"
	AddMember     Action = "member.add"
	ChangeRole    Action = "member.role"
	RemoveMember  Action = "member.remove"
	LeaveTeam     Action = "member.leave"

	ListInvites  Action = "invite.list"
	InviteMember Action = "invite.create"
	RevokeInvite Action = "invite.revoke"

	ListWebhooks  Action = "webhook.list"
	CreateWebhook Action = "webhook.create"
	UpdateWebhook Action = "webhook.update"
	RotateWebhook Action = "webhook.rotate"
	TestWebhook   Action = "webhook.test"
	DeleteWebhook Action = "webhook.delete"

	ReadAudit Action = "audit.read"
	// ExportAudit takes entries of the log out of the server.
	ExportAudit Action = "audit.export"
	ViewSelf    Action = "user.view"
	// ChangeSelf is an act on one's own account; no API key has a scope for it.
	ChangeSelf Action = "user.change"
)

// rule is what an action needs: a role of the person, and a scope of the
// credential where it is an API key.
type rule struct {
	role Role
	// membersMayEdit lowers the role to member in teams that say so.
	membersMayEdit bool
	scope          Scope
	// words continue "needs the role … for" in an error.
	words string
}

// least is the role that is needed in a team with that setting.
func (r rule) least(membersMayEdit bool) Role {
	if r.membersMayEdit && membersMayEdit {
		return Member
	}
	return r.role
}

// sessionOnly is a scope that no key can hold: what needs it needs a person.
const sessionOnly Scope = "session"

// policy is the only place where rights are written down.
var policy = map[Action]rule{
	ListSecrets:    {role: Member, scope: ScopeSecretsRead, words: "seeing the list of secrets"},
	SecretHistory:  {role: Member, scope: ScopeSecretsRead, words: "seeing a secret's history"},
	SetSecret:      {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "setting secrets"},
	DeleteSecret:   {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "deleting secrets"},
	RestoreSecret:  {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "restoring deleted secrets"},
	RollbackSecret: {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "rolling secrets back"},
	StageSecret:    {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "staging a secret's next value"},
	ActivateSecret: {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "activating a secret's version"},
	RemindSecret:   {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "setting reminders of secrets"},
	CompareSecrets: {role: Member, scope: ScopeSecretsRead, words: "comparing teams"},
	DismissKey:     {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "doing without a key"},
	// Who may write can find out whether a value is the one in use by setting it,
	// so this tells nobody more.
	ScanSecrets:  {role: Admin, membersMayEdit: true, scope: ScopeSecretsRead, words: "looking for secrets in files"},
	RevealSecret: {role: Admin, scope: ScopeSecretsRead, words: "revealing a secret's value"},

	ListApps:      {role: Member, scope: ScopeAppsRead, words: "seeing apps"},
	CheckApp:      {role: Member, scope: ScopeAppsRead, words: "checking an app's requirements"},
	DeployApp:     {role: Member, scope: ScopeAppsWrite, words: "deploying apps"},
	ResolveApp:    {role: Member, scope: ScopeAppsExecute, words: "running apps"},
	ReportPrinted: {role: Member, scope: ScopeAppsExecute, words: "running apps"},
	UpdateApp:     {role: Member, scope: ScopeAppsWrite, words: "changing apps"},
	MoveCurrent:   {role: Member, scope: ScopeAppsWrite, words: "choosing an app's current version"},
	DeleteApp:     {role: Admin, membersMayEdit: true, scope: ScopeAppsWrite, words: "deleting apps"},

	AllowGrant:  {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "granting keys to apps"},
	RevokeGrant: {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "revoking keys of apps"},
	DenyGrant:   {role: Admin, membersMayEdit: true, scope: ScopeSecretsWrite, words: "denying keys to apps"},
	AskGrant:    {role: Member, scope: ScopeAppsWrite, words: "deploying apps"},

	ListIntegrations:      {role: Member, scope: ScopeIntegrationsRead, words: "seeing integrations"},
	ConfigureIntegration:  {role: Admin, scope: ScopeIntegrationsWrite, words: "configuring integrations"},
	BeginIntegration:      {role: Admin, scope: ScopeIntegrationsWrite, words: "connecting integrations"},
	ConnectIntegration:    {role: Admin, scope: ScopeIntegrationsWrite, words: "connecting integrations"},
	DisconnectIntegration: {role: Admin, scope: ScopeIntegrationsWrite, words: "disconnecting integrations"},

	ListAPIKeys:   {role: Member, scope: ScopeAPIKeysRead, words: "seeing API keys"},
	CreateAPIKey:  {role: Member, scope: ScopeAPIKeysWrite, words: "making API keys"},
	RevokeAPIKey:  {role: Member, scope: ScopeAPIKeysWrite, words: "revoking API keys"},
	ServiceAPIKey: {role: Admin, scope: ScopeAPIKeysWrite, words: "making service keys"},

	ListTrusts:  {role: Admin, scope: ScopeAPIKeysRead, words: "seeing which issuers are trusted"},
	CreateTrust: {role: Admin, scope: ScopeAPIKeysWrite, words: "trusting an issuer"},
	UpdateTrust: {role: Admin, scope: ScopeAPIKeysWrite, words: "changing a trust"},
	DeleteTrust: {role: Admin, scope: ScopeAPIKeysWrite, words: "deleting a trust"},

	ViewTeam:      {role: Member, scope: ScopeTeamsRead, words: "seeing the team"},
	CreateTeam:    {role: Member, scope: ScopeTeamsWrite, words: "making teams"},
	EditTeam:      {role: Admin, scope: ScopeTeamsWrite, words: "changing the team's settings"},
	RenameTeam:    {role: Owner, scope: ScopeTeamsWrite, words: "renaming the team"},
	TransferTeam:  {role: Owner, scope: ScopeTeamsWrite, words: "handing the team over"},
	DuplicateTeam: {role: Admin, scope: ScopeTeamsWrite, words: "duplicating the team"},
	DeleteTeam:    {role: Owner, scope: ScopeTeamsWrite, words: "deleting the team"},
	ListMembers:   {role: Member, scope: ScopeTeamsRead, words: "seeing the members"},
	AddMember:     {role: Admin, scope: ScopeTeamsWrite, words: "adding members"},
	ChangeRole:    {role: Admin, scope: ScopeTeamsWrite, words: "changing roles"},
	RemoveMember:  {role: Admin, scope: ScopeTeamsWrite, words: "removing members"},
	LeaveTeam:     {role: Member, scope: ScopeTeamsWrite, words: "leaving the team"},

	ListInvites:  {role: Admin, scope: ScopeTeamsRead, words: "seeing the invites"},
	InviteMember: {role: Admin, scope: ScopeTeamsWrite, words: "inviting people"},
	RevokeInvite: {role: Admin, scope: ScopeTeamsWrite, words: "revoking invites"},

	ListWebhooks:  {role: Admin, scope: ScopeTeamsRead, words: "seeing webhooks"},
	CreateWebhook: {role: Admin, scope: ScopeTeamsWrite, words: "adding webhooks"},
	UpdateWebhook: {role: Admin, scope: ScopeTeamsWrite, words: "changing webhooks"},
	RotateWebhook: {role: Admin, scope: ScopeTeamsWrite, words: "replacing a webhook's signing secret"},
	TestWebhook:   {role: Admin, scope: ScopeTeamsWrite, words: "testing webhooks"},
	DeleteWebhook: {role: Admin, scope: ScopeTeamsWrite, words: "deleting webhooks"},

	ReadAudit:   {role: Admin, scope: ScopeTeamsRead, words: "reading the activity"},
	ExportAudit: {role: Admin, scope: ScopeTeamsRead, words: "exporting the activity"},
	ViewSelf:    {role: Member, scope: ScopeUserRead, words: "seeing who is signed in"},
	ChangeSelf:  {role: Member, scope: sessionOnly, words: "changing the account"},
}

// MayChange reports whether a person of role r may give another person the
// role to, who has the role from now. The empty role is that of one who is not
// in the team: from it is an invite, to it a removal. Admins manage admins and
// members; only owners make or unmake owners.
func (r Role) MayChange(from, to Role) bool {
	touchesOwner := from == Owner || to == Owner
	return r.AtLeast(Admin) && (!touchesOwner || r == Owner)
}

// Backed returns those of the scopes with which somebody of that role can do
// anything at all: a key's scopes bound what its owner's role allows, and never
// add to it. A scope that stands for several, and one that no action asks for
// yet, stays.
func Backed(scopes Scopes, role Role, membersMayEdit, service bool) Scopes {
	out := make(Scopes, 0, len(scopes))
	for _, s := range scopes {
		if s.backedBy(role, membersMayEdit, service) {
			out = append(out, s)
		}
	}
	return out
}

func (s Scope) backedBy(role Role, membersMayEdit, service bool) bool {
	if service && !s.ofService() {
		return false
	}
	asked := false
	for _, r := range policy {
		if r.scope != s {
			continue
		}
		if role.AtLeast(r.least(membersMayEdit)) {
			return true
		}
		asked = true
	}
	return !asked
}

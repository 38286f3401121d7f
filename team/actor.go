package team

import (
	"log/slog"

	"infsh/problem"
)

// Kind is how an actor has proved who it is.
type Kind string

const (
	// Session is a person in a browser.
	Session Kind = "session"
	// Key is an API key: one team, limited scopes.
	Key Kind = "key"
	// Login is a command line's login: a person, in any team of theirs.
	Login Kind = "login"
	// Runner is a run that a platform's token was exchanged for: one app of one team.
	Runner Kind = "runner"
	// Operator is a person at the machine itself, who runs `infsh admin`.
	Operator Kind = "operator"
)

// Identity is what authentication found out. Only package auth and the
// operator's commands make one; a test holds the list of callers of NewActor.
type Identity struct {
	Kind           Kind
	UserID, Email  string
	CredentialID   string
	CredentialName string
	TeamID         string
	TeamName       string
	Role           Role
	MembersMayEdit bool
	Scopes         Scopes
	// Service says that the credential is the team's own and nobody's: UserID
	// is then the credential's id.
	Service bool
	// App is the only app that the credential may run; zero for any.
	App AppBinding
	// RemoteAddr and RequestID are for the audit log.
	RemoteAddr, RequestID string
}

// AppBinding binds a credential to one app of its team, by the app's id: an app
// that is made later under the same name is another one.
type AppBinding struct {
	ID string
	// Name is namespace/name; empty if the app is there no more.
	Name string
}

// IsZero reports that nothing is bound.
func (b AppBinding) IsZero() bool { return b.ID == "" }

// Actor is who does something, in which team, with which rights. It carries
// exactly one team, so a domain function that takes an actor can't be asked
// about another one. The zero Actor is denied everything.
type Actor struct{ id Identity }

// NewActor makes an actor of a proven identity.
func NewActor(id Identity) Actor { return Actor{id: id} }

func (a Actor) Kind() Kind             { return a.id.Kind }
func (a Actor) UserID() string         { return a.id.UserID }
func (a Actor) Email() string          { return a.id.Email }
func (a Actor) CredentialID() string   { return a.id.CredentialID }
func (a Actor) CredentialName() string { return a.id.CredentialName }
func (a Actor) TeamID() string         { return a.id.TeamID }
func (a Actor) TeamName() string       { return a.id.TeamName }
func (a Actor) Role() Role             { return a.id.Role }
func (a Actor) Scopes() Scopes         { return a.id.Scopes }
func (a Actor) MembersMayEdit() bool   { return a.id.MembersMayEdit }
func (a Actor) IsService() bool        { return a.id.Service }
func (a Actor) RemoteAddr() string     { return a.id.RemoteAddr }
func (a Actor) RequestID() string      { return a.id.RequestID }

// IsZero reports whether nobody is signed in.
func (a Actor) IsZero() bool { return a.id.UserID == "" || a.id.TeamID == "" }

// LogValue names the actor in logs by ids alone.
func (a Actor) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", a.id.UserID), slog.String("team", a.id.TeamID), slog.String("kind", string(a.id.Kind)))
}

// Authorize returns nil if the actor may do the action in its team, and else a
// *problem.Error (NotSignedIn, TeamRoleRequired or ScopeRequired) that says
// what is missing and who can help. An action without a rule is denied.
//
// It does not write the audit log: call audit.Guard, which does both.
func (a Actor) Authorize(action Action) error {
	if a.IsZero() {
		return problem.New(problem.NotSignedIn, "Not signed in. Run `infsh login`, or set INFSH_API_KEY.")
	}
	r, ok := policy[action]
	if !ok {
		return problem.New(problem.PermissionDenied, "Permission denied: %s is not a known action.", action)
	}
	need := r.least(a.id.MembersMayEdit)
	if !a.id.Role.AtLeast(need) {
		needs := "owner or admin"
		if need == Owner {
			needs = "owner"
		}
		if need == Member {
			needs = "member"
		}
		return problem.New(problem.TeamRoleRequired,
			"Permission denied: %s in team %s needs the role %s, and you are %s there. Ask an owner of %s, or switch to the right team.",
			r.words, a.id.TeamName, needs, a.id.Role, a.id.TeamName)
	}
	if a.id.Service && !r.scope.ofService() {
		return problem.New(problem.ScopeRequired, "Permission denied: %s is done by a person, who answers for it, and not with a service key.", r.words)
	}
	if a.limitedByScopes() && !a.id.Scopes.Allow(r.scope) {
		if r.scope == sessionOnly {
			return problem.New(problem.ScopeRequired, "Permission denied: %s is done in the browser, not with an API key.", r.words)
		}
		return problem.New(problem.ScopeRequired,
			"Permission denied: %s needs an API key with the scope %s; this one has not got it. Make another key in Settings → API keys.", r.words, r.scope)
	}
	return nil
}

// AuthorizeApp returns nil if the actor may run the app of that namespace/name.
// What a bound key is told of any other app does not depend on whether it
// exists.
func (a Actor) AuthorizeApp(name string) error {
	switch b := a.id.App; {
	case b.IsZero(), b.Name == name && name != "":
		return nil
	case a.id.Kind == Runner:
		return problem.New(problem.ScopeRequired, "Permission denied: this credential is for app %s and runs no other. Exchange another token for that one.", b.Name)
	case b.Name == "":
		return problem.New(problem.ScopeRequired, "Permission denied: this API key is bound to an app that was deleted. Make another key in Settings → API keys.")
	default:
		return problem.New(problem.ScopeRequired, "Permission denied: this API key is bound to app %s and runs no other. Make another key in Settings → API keys.", b.Name)
	}
}

// EffectiveScopes returns those of the credential's scopes that the present
// role backs.
func (a Actor) EffectiveScopes() Scopes {
	return Backed(a.id.Scopes, a.id.Role, a.id.MembersMayEdit, a.id.Service)
}

// Can reports whether Authorize would allow the action, for pages that show
// only what works. It is no protection.
func (a Actor) Can(action Action) bool { return a.Authorize(action) == nil }

// Unlimited reports whether the actor may do all that its person may: it is
// the person in a browser, or a credential with every scope.
func (a Actor) Unlimited() bool {
	return !a.IsZero() && (!a.limitedByScopes() || a.id.Scopes.Cover(EveryScope()))
}

func (a Actor) limitedByScopes() bool {
	return a.id.Kind != Session && a.id.Kind != Operator
}

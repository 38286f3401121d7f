package auth

import (
	"context"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

const (
	// MaxKeyNameLength is in characters.
	MaxKeyNameLength = 64
	// maxKeys is how many API keys one user has in one team, and how many
	// service keys a team has.
	maxKeys = 100
	// maxLogins is how many command lines one user is logged in on; a further
	// one logs out the one that has been idle the longest.
	maxLogins = 20
	// LoginIdle ends a command line's login that nobody uses.
	LoginIdle = 90 * 24 * time.Hour
)

// Key is an API key as it may be shown. The key itself is in no field.
type Key struct {
	ID string
	// TeamID is the team that a key of kind team.Key acts in, and the one that
	// a team.Login starts in.
	TeamID, UserID, Email string
	Kind                  team.Kind
	Name                  string
	LastFour              string
	Scopes                team.Scopes
	CreatedAt, LastUsedAt time.Time
	// ExpiresAt is zero for a key that does not expire.
	ExpiresAt time.Time
	// Service is the role of a service key, and empty for a person's: such a
	// key is the team's own, whoever made it.
	Service team.Role
	// App is the only app that the key runs; zero for any.
	App team.AppBinding
	// Role is with which role the key acts in its team now, empty if its owner
	// is not in it; MembersMayEdit is the team's setting.
	Role           team.Role
	MembersMayEdit bool
}

// IsService reports whether the key is the team's own.
func (k Key) IsService() bool { return k.Service != "" }

// EffectiveScopes returns those of the key's scopes that its role backs now.
func (k Key) EffectiveScopes() team.Scopes {
	return team.Backed(k.Scopes, k.Role, k.MembersMayEdit, k.IsService())
}

// Masked returns the form in which the key is shown.
func (k Key) Masked() string { return TokenPrefix + "…" + k.LastFour }

// RevokedKey is what is remembered of a key that was revoked.
type RevokedKey struct {
	KeyID, TeamID, UserID, Name string
	// TriedAt is when it was last presented; zero if it was not.
	TriedAt time.Time
}

// rememberRevoked is how long.
const rememberRevoked = 90 * 24 * time.Hour

// KeyTx is the part of a transaction that is about API keys.
type KeyTx interface {
	InsertKey(ctx context.Context, k Key, tokenHash []byte) error
	// TeamKey finds a key of a team; problem.NotFound if there is none.
	TeamKey(ctx context.Context, team, id string) (Key, error)
	// CountKeys counts a user's API keys in a team, without service keys;
	// CountServiceKeys counts those, whoever made them.
	CountKeys(ctx context.Context, team, user string) (int, error)
	CountServiceKeys(ctx context.Context, team string) (int, error)
	// AppID finds an app of the team; problem.NotFound if there is none.
	AppID(ctx context.Context, team, namespace, name string) (string, error)
	// SetService makes a key the team's own, with a role.
	SetService(ctx context.Context, team, id string, role team.Role) error
	// DeleteKey reports whether there was such a key. Its hash is remembered,
	// so that whoever presents it still is noticed.
	DeleteKey(ctx context.Context, team, id string, now time.Time) (bool, error)
	// TriedRevoked stores that a revoked key was presented now, and reports
	// whether that was last so before the given time: of two at once, one is.
	TriedRevoked(ctx context.Context, tokenHash []byte, now, before time.Time) (bool, error)
	// ForgetCalls forgets the answers of calls that were made before.
	ForgetCalls(ctx context.Context, before time.Time) error
	// ForgetRevoked forgets the hashes of keys that were revoked before.
	ForgetRevoked(ctx context.Context, before time.Time) error
	// DeleteLogin removes one login of a user, whichever team it started in.
	DeleteLogin(ctx context.Context, user, id string) (bool, error)
	// DeleteLogins removes all logins of a user. API keys stay.
	DeleteLogins(ctx context.Context, user string) error
	// KeepLogins removes all but the user's most recently used logins.
	KeepLogins(ctx context.Context, user string, keep int) error
}

// Keys makes and revokes API keys.
type Keys struct {
	store Store
	now   func() time.Time
}

// NewKeys makes a Keys.
func NewKeys(store Store) *Keys {
	return &Keys{store: store, now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
}

// List returns API keys and logins of the actor's team, the newest first: to
// an owner or admin all of them, to a member their own without service keys.
func (k *Keys) List(ctx context.Context, actor team.Actor) ([]Key, error) {
	if err := audit.Guard(ctx, k.store, actor, team.ListAPIKeys, ""); err != nil {
		return nil, err
	}
	user := actor.UserID()
	if actor.Role().AtLeast(team.Admin) {
		user = ""
	}
	return k.store.Keys(ctx, actor.TeamID(), user)
}

// Revoke ends an API key or login of the actor's team, at once: one's own, or
// as owner or admin anybody's and service keys. Any other is problem.NotFound, as one that does
// not exist.
func (k *Keys) Revoke(ctx context.Context, actor team.Actor, id string) error {
	if err := audit.Guard(ctx, k.store, actor, team.RevokeAPIKey, ""); err != nil {
		return err
	}
	if uuid.Validate(id) != nil {
		return noKey()
	}
	return k.store.Update(ctx, func(tx Tx) error {
		key, err := tx.TeamKey(ctx, actor.TeamID(), id)
		if err != nil {
			return err
		}
		if (key.UserID != actor.UserID() || key.IsService()) && !actor.Role().AtLeast(team.Admin) {
			return noKey()
		}
		if _, err := tx.DeleteKey(ctx, actor.TeamID(), id, k.now()); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.RevokeAPIKey, key.Name, audit.Allowed))
	})
}

// RevokePresented ends the login that the actor came with.
//
// Errors: problem.NotSignedIn for the zero actor, problem.Conflict for an
// actor that came with something else.
func (k *Keys) RevokePresented(ctx context.Context, actor team.Actor) error {
	switch {
	case actor.IsZero():
		return actor.Authorize(team.ViewSelf)
	case actor.Kind() != team.Login:
		return problem.New(problem.Conflict, "This is an API key and not a login; logging out does not revoke it. Revoke it in Settings → API keys, and remove it from INFSH_API_KEY.")
	}
	return k.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.DeleteLogin(ctx, actor.UserID(), actor.CredentialID()); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, audit.ActLogout, actor.CredentialID(), audit.Allowed))
	})
}

func noKey() error {
	return problem.New(problem.NotFound, "Not found: the team has no such API key. It may have been revoked already.")
}

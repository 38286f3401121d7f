package auth

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// MaxKeyNameLength is in characters.
	MaxKeyNameLength = 64
	// maxKeys is how many API keys one user has in one team.
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
}

// Masked returns the form in which the key is shown.
func (k Key) Masked() string { return TokenPrefix + "…" + k.LastFour }

// KeyTx is the part of a transaction that is about API keys.
type KeyTx interface {
	InsertKey(ctx context.Context, k Key, tokenHash []byte) error
	// TeamKey finds a key of a team; problem.NotFound if there is none.
	TeamKey(ctx context.Context, team, id string) (Key, error)
	CountKeys(ctx context.Context, team, user string) (int, error)
	// DeleteKey reports whether there was such a key.
	DeleteKey(ctx context.Context, team, id string) (bool, error)
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
	return &Keys{store: store, now: func() time.Time { return time.Now().UTC() }}
}

// List returns API keys and logins of the actor's team, the newest first: to
// an owner or admin all of them, to a member their own.
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

// Create makes an API key for the actor's team and returns it, the only time.
// Nil scopes are all that the actor has, by name; empty scopes allow nothing.
// A key made with a key can neither do more nor live longer than that one.
//
// Errors: problem.InvalidField (fields name, scopes, expires_at),
// problem.ScopeRequired for more scopes than the actor has, problem.Conflict
// for too many keys, and those of audit.Guard.
func (k *Keys) Create(ctx context.Context, actor team.Actor, name string, scopes *[]string, expires time.Time) (Key, redact.Value, error) {
	if err := audit.Guard(ctx, k.store, actor, team.CreateAPIKey, ""); err != nil {
		return Key{}, redact.Value{}, err
	}
	now := k.now()
	var fields []problem.Field
	name, err := parseKeyName(name)
	if err != nil {
		fields = append(fields, problem.Field{Name: "name", Message: err.Error()})
	}
	has := actorScopes(actor)
	granted := has
	if scopes != nil {
		if granted, err = team.ParseScopes(*scopes); err != nil {
			fields = append(fields, problem.Field{Name: "scopes", Message: err.Error()})
		}
	}
	if !expires.IsZero() && !expires.After(now) {
		fields = append(fields, problem.Field{Name: "expires_at", Message: "this time is past"})
	}
	if len(fields) > 0 {
		return Key{}, redact.Value{}, &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	if limited(actor) && !actor.Scopes().Cover(granted) {
		return Key{}, redact.Value{}, k.deny(ctx, actor, team.CreateAPIKey, name, problem.New(problem.ScopeRequired,
			"Permission denied: an API key can't make one that may do more than itself. It has %s.", strings.Join(actor.Scopes().Strings(), ", ")))
	}

	token := newToken()
	key := Key{
		ID: uuid.NewString(), TeamID: actor.TeamID(), UserID: actor.UserID(), Email: actor.Email(), Kind: team.Key, Name: name,
		LastFour: token.lastFour(), Scopes: granted, CreatedAt: now, ExpiresAt: expires,
	}
	err = k.store.Update(ctx, func(tx Tx) error {
		key.ExpiresAt = expires
		if actor.Kind() == team.Key {
			maker, err := tx.TeamKey(ctx, actor.TeamID(), actor.CredentialID())
			if err != nil {
				return err
			}
			if !maker.ExpiresAt.IsZero() && (expires.IsZero() || expires.After(maker.ExpiresAt)) {
				key.ExpiresAt = maker.ExpiresAt
			}
		}
		n, err := tx.CountKeys(ctx, actor.TeamID(), actor.UserID())
		if err != nil {
			return err
		}
		if n >= maxKeys {
			return problem.New(problem.Conflict, "You have %d API keys in team %s, which is the most there can be. Revoke one that is not used any more.", n, actor.TeamName())
		}
		if err := tx.InsertKey(ctx, key, token.hash()); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.CreateAPIKey, key.Name, audit.Allowed))
	})
	if err != nil {
		return Key{}, redact.Value{}, err
	}
	return key, token.Value(), nil
}

// Revoke ends an API key or login of the actor's team, at once: one's own, or
// as owner or admin anybody's. Any other is problem.NotFound, as one that does
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
		if key.UserID != actor.UserID() && !actor.Role().AtLeast(team.Admin) {
			return noKey()
		}
		if _, err := tx.DeleteKey(ctx, actor.TeamID(), id); err != nil {
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

// deny records a refusal that depends on more than the policy's table.
func (k *Keys) deny(ctx context.Context, actor team.Actor, action team.Action, target string, denial error) error {
	e := audit.By(actor, action, target, audit.Denied)
	e.Reason = string(problem.CodeOf(denial))
	if err := k.store.AppendAudit(ctx, e); err != nil {
		return unrecorded(err)
	}
	return denial
}

// limited reports whether scopes bound the actor; a person has them all.
func limited(actor team.Actor) bool {
	return actor.Kind() == team.Key || actor.Kind() == team.Login
}

// actorScopes names, one by one, the scopes that the actor has.
func actorScopes(actor team.Actor) team.Scopes {
	if !limited(actor) {
		return team.EveryScope()
	}
	has := team.Scopes{}
	for _, s := range team.EveryScope() {
		if actor.Scopes().Allow(s) {
			has = append(has, s)
		}
	}
	return has
}

func parseKeyName(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", fmt.Errorf("a name is needed, such as the machine that will use the key")
	case utf8.RuneCountInString(s) > MaxKeyNameLength:
		return "", fmt.Errorf("a name has at most %d characters", MaxKeyNameLength)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return "", fmt.Errorf("a name is one line of plain text")
	}
	return s, nil
}

func noKey() error {
	return problem.New(problem.NotFound, "Not found: the team has no such API key. It may have been revoked already.")
}

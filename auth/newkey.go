package auth

import (
	"context"
	"errors"
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

// NewKey says what an API key is to be.
type NewKey struct {
	Name string
	// Scopes bound what the key may do. Nil stands for all that the actor has,
	// by name, or for apps:execute in a key of one app; an empty list allows
	// nothing.
	Scopes *[]string
	// ExpiresAt is zero for a key that does not expire.
	ExpiresAt time.Time
	// App binds the key to an app of the team: namespace/name, or the name
	// alone. It may then only run that one.
	App string
	// ServiceRole, member or admin, makes the key the team's own instead of
	// the actor's; empty for the actor's.
	ServiceRole string
}

// Create makes an API key for the actor's team and returns it, the only time.
// A key made with a key can neither do more nor live longer than that one.
//
// Errors: problem.InvalidField (fields name, scopes, expires_at, app,
// service_role), problem.ScopeRequired for more scopes than the actor has,
// problem.TeamRoleRequired for a scope that the role does not back,
// problem.Conflict for too many keys, and those of audit.Guard.
func (k *Keys) Create(ctx context.Context, actor team.Actor, want NewKey) (Key, redact.Value, error) {
	if err := audit.Guard(ctx, k.store, actor, team.CreateAPIKey, ""); err != nil {
		return Key{}, redact.Value{}, err
	}
	if want.ServiceRole != "" {
		if err := audit.Guard(ctx, k.store, actor, team.ServiceAPIKey, ""); err != nil {
			return Key{}, redact.Value{}, err
		}
	}
	token := newToken()
	key := Key{
		ID: uuid.NewString(), TeamID: actor.TeamID(), UserID: actor.UserID(), Email: actor.Email(), Kind: team.Key,
		LastFour: token.lastFour(), CreatedAt: k.now(), Role: actor.Role(), MembersMayEdit: actor.MembersMayEdit(),
	}
	if err := want.check(actor, &key); err != nil {
		return Key{}, redact.Value{}, err
	}
	if denial := mayGive(actor, key, want.Scopes != nil); denial != nil {
		return Key{}, redact.Value{}, audit.Deny(ctx, k.store, actor, team.CreateAPIKey, key.Name, denial)
	}
	err := k.store.Update(ctx, func(tx Tx) error {
		key.ExpiresAt = want.ExpiresAt
		if actor.Kind() == team.Key {
			maker, err := tx.TeamKey(ctx, actor.TeamID(), actor.CredentialID())
			if err != nil {
				return err
			}
			if !maker.ExpiresAt.IsZero() && (key.ExpiresAt.IsZero() || key.ExpiresAt.After(maker.ExpiresAt)) {
				key.ExpiresAt = maker.ExpiresAt
			}
		}
		if err := enough(ctx, tx, actor, key.IsService()); err != nil {
			return err
		}
		if want.App != "" {
			var err error
			if key.App, err = findApp(ctx, tx, actor, want.App); err != nil {
				return err
			}
		}
		if err := tx.InsertKey(ctx, key, token.hash()); err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, audit.By(actor, team.CreateAPIKey, key.Name, audit.Allowed)); err != nil || !key.IsService() {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.ServiceAPIKey, serviceTarget(key), audit.Allowed))
	})
	if err != nil {
		return Key{}, redact.Value{}, err
	}
	return key, token.Value(), nil
}

// check puts what is wanted into the key, as far as it makes sense.
func (want NewKey) check(actor team.Actor, key *Key) (err error) {
	var fields []problem.Field
	bad := func(name, format string, args ...any) {
		fields = append(fields, problem.Field{Name: name, Message: fmt.Sprintf(format, args...)})
	}
	if key.Name, err = parseKeyName(want.Name); err != nil {
		bad("name", "%v", err)
	}
	if want.ServiceRole != "" {
		if key.Service, err = parseServiceRole(want.ServiceRole); err != nil {
			bad("service_role", "%v", err)
		}
		key.Role = key.Service
	}
	switch {
	case want.Scopes != nil:
		if key.Scopes, err = team.ParseScopes(*want.Scopes); err != nil {
			bad("scopes", "%v", err)
		}
	case want.App != "":
		key.Scopes = team.Scopes{team.ScopeAppsExecute}
	default:
		key.Scopes = actorScopes(actor)
		if key.IsService() {
			// Nobody's role can bring the others back later.
			key.Scopes = key.EffectiveScopes()
		}
	}
	if want.App != "" && err == nil && (len(key.Scopes) != 1 || key.Scopes[0] != team.ScopeAppsExecute) {
		bad("scopes", "a key of one app has the scope %s alone", team.ScopeAppsExecute)
	}
	if !want.ExpiresAt.IsZero() && !want.ExpiresAt.After(key.CreatedAt) {
		bad("expires_at", "this time is past")
	}
	if len(fields) > 0 {
		return &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return nil
}

// mayGive returns why the actor can't give the key its scopes: the credential
// has them not, or the role does not back one that was asked for by name.
func mayGive(actor team.Actor, key Key, named bool) error {
	if limited(actor) && !actor.Scopes().Cover(key.Scopes) {
		return problem.New(problem.ScopeRequired, "Permission denied: an API key can't make one that may do more than itself. It has %s.", strings.Join(actor.Scopes().Strings(), ", "))
	}
	if !named {
		return nil
	}
	backed := key.EffectiveScopes()
	for _, s := range key.Scopes {
		switch {
		case backed.Allow(s):
		case key.IsService():
			return problem.New(problem.TeamRoleRequired, "Permission denied: a service key with the role %s can't have the scope %s. Leave it out.", key.Service, s)
		default:
			return problem.New(problem.TeamRoleRequired, "Permission denied: the role %s in team %s does not allow what the scope %s is for. Leave it out, or ask an owner of %s.", key.Role, actor.TeamName(), s, actor.TeamName())
		}
	}
	return nil
}

// enough refuses a key too many.
func enough(ctx context.Context, tx Tx, actor team.Actor, service bool) error {
	if service {
		n, err := tx.CountServiceKeys(ctx, actor.TeamID())
		if err == nil && n >= maxKeys {
			err = problem.New(problem.Conflict, "Team %s has %d service keys, which is the most there can be. Revoke one that is not used any more.", actor.TeamName(), n)
		}
		return err
	}
	n, err := tx.CountKeys(ctx, actor.TeamID(), actor.UserID())
	if err == nil && n >= maxKeys {
		err = problem.New(problem.Conflict, "You have %d API keys in team %s, which is the most there can be. Revoke one that is not used any more.", n, actor.TeamName())
	}
	return err
}

func findApp(ctx context.Context, tx Tx, actor team.Actor, app string) (team.AppBinding, error) {
	namespace, name, ok := strings.Cut(app, "/")
	if !ok {
		namespace, name = actor.TeamName(), app
	}
	id, err := tx.AppID(ctx, actor.TeamID(), namespace, name)
	if errors.Is(err, problem.NotFound) {
		return team.AppBinding{}, problem.Invalid("app", "team %s has no app of that name; `infsh app list` shows them", actor.TeamName())
	}
	return team.AppBinding{ID: id, Name: namespace + "/" + name}, err
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

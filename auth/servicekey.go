package auth

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// TakeOver makes an API key of the team the team's own: from then on it acts
// with a role of its own, bounded by its scopes as before, and goes on when
// its maker leaves the team. An empty role is the maker's present one, as far
// as a service key can have it.
//
// Errors: problem.InvalidField (field service_role), problem.NotFound for a
// key that the team has not, problem.Conflict for a login, a service key and
// one that has expired, problem.ScopeRequired for a key that may do more than
// the actor's own, and those of audit.Guard.
func (k *Keys) TakeOver(ctx context.Context, actor team.Actor, id, role string) (Key, error) {
	if err := audit.Guard(ctx, k.store, actor, team.ServiceAPIKey, ""); err != nil {
		return Key{}, err
	}
	var as team.Role
	if role != "" {
		var err error
		if as, err = parseServiceRole(role); err != nil {
			return Key{}, problem.Invalid("service_role", "%v", err)
		}
	}
	if uuid.Validate(id) != nil {
		return Key{}, noKey()
	}
	var key Key
	var denial error
	err := k.store.Update(ctx, func(tx Tx) (err error) {
		if key, err = tx.TeamKey(ctx, actor.TeamID(), id); err != nil {
			return err
		}
		switch {
		case key.Kind != team.Key:
			return problem.New(problem.Conflict, "%s is the login of a person's command line, and stays that. Make an API key instead.", key.Name)
		case key.IsService():
			return problem.New(problem.Conflict, "%s is a service key already.", key.Name)
		case !key.ExpiresAt.IsZero() && !k.now().Before(key.ExpiresAt):
			return problem.New(problem.Conflict, "%s has expired. Make a new key.", key.Name)
		case limited(actor) && !actor.Scopes().Cover(key.Scopes):
			denial = problem.New(problem.ScopeRequired, "Permission denied: an API key can't take over one that may do more than itself. It has %s.", strings.Join(actor.Scopes().Strings(), ", "))
			return denial
		}
		if err := enough(ctx, tx, actor, true); err != nil {
			return err
		}
		if key.Service = as; as == "" {
			key.Service = team.Member
			if key.Role.AtLeast(team.Admin) {
				key.Service = team.Admin
			}
		}
		key.Role = key.Service
		if err := tx.SetService(ctx, actor.TeamID(), id, key.Service); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.ServiceAPIKey, serviceTarget(key), audit.Allowed))
	})
	if denial != nil {
		return Key{}, audit.Deny(ctx, k.store, actor, team.ServiceAPIKey, key.Name, denial)
	}
	if err != nil {
		return Key{}, err
	}
	return key, nil
}

// serviceTarget names a service key and its role in the audit log.
func serviceTarget(k Key) string { return k.Name + " " + string(k.Service) }

// parseServiceRole takes no owner: nobody leaves a key behind that can do what
// only owners can.
func parseServiceRole(s string) (team.Role, error) {
	role, ok := team.ParseRole(s)
	if !ok || role == team.Owner {
		return "", errors.New("the role of a service key is member or admin")
	}
	return role, nil
}

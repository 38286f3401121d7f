package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// change is a grant as it has become, the act that made it so, and why.
type change struct {
	grant secret.Grant
	act   team.Action
	note  string
}

// Approval grants one declared key.
type Approval struct {
	Key string
	// SourceKey is the team's key whose value is given; empty leaves it as it
	// is, which is the declared key unless it was bound.
	SourceKey string
}

// Decision is what came of an approval or a revocation.
type Decision struct {
	App App
	// Grants are those that changed.
	Grants []secret.Grant
	// Promoted tells whether the version that waited is the current one now.
	Promoted bool
}

// Grants returns an app's grants, sorted by key.
func (s *Service) Grants(ctx context.Context, actor team.Actor, appID string) ([]secret.Grant, error) {
	return read(ctx, s, actor, auditID(appID), func(r Reader) ([]secret.Grant, error) {
		if _, err := r.AppByID(ctx, actor.TeamID(), appID); err != nil {
			return nil, err
		}
		grants, err := r.Grants(ctx, actor.TeamID(), appID)
		return sorted(grants), err
	})
}

// Approve grants keys that versions of the app declare, whether they wait or
// were revoked, and binds them. It needs at least one key. A version that
// waited for them becomes current.
func (s *Service) Approve(ctx context.Context, actor team.Actor, appID string, wanted []Approval) (Decision, error) {
	return s.decide(ctx, actor, team.AllowGrant, appID, len(wanted), func(tx Tx, a App, versions []Version, grants secret.Grants) ([]change, error) {
		var changes []change
		for _, w := range wanted {
			g, err := asked(a, versions, grants, w.Key)
			if err != nil {
				return nil, err
			}
			before := g
			if w.SourceKey != "" {
				if g.SourceKey, err = source(ctx, tx, actor, versions, g, w.SourceKey); err != nil {
					return nil, err
				}
			}
			if before.State == secret.Granted && before.SourceKey == g.SourceKey {
				continue
			}
			note := ""
			if before.SourceKey != g.SourceKey || g.Bound() {
				note = "bound to " + string(g.SourceKey)
			}
			changes = append(changes, change{decided(g, secret.Granted, actor, s.now()), team.AllowGrant, note})
		}
		return changes, nil
	})
}

// Revoke takes keys away from the app, or denies them where they wait. The next
// resolution obeys. It needs at least one key.
func (s *Service) Revoke(ctx context.Context, actor team.Actor, appID string, keys []string) (Decision, error) {
	return s.decide(ctx, actor, team.RevokeGrant, appID, len(keys), func(tx Tx, a App, versions []Version, grants secret.Grants) ([]change, error) {
		var changes []change
		for _, key := range keys {
			g, err := asked(a, versions, grants, key)
			if err != nil {
				return nil, err
			}
			if g.State == secret.GrantRevoked {
				continue
			}
			act := team.DenyGrant
			if g.State == secret.Granted {
				act = team.RevokeGrant
			}
			changes = append(changes, change{decided(g, secret.GrantRevoked, actor, s.now()), act, ""})
		}
		return changes, nil
	})
}

// decide changes grants of an app in one transaction, and moves its current
// version where that is what one waited for.
func (s *Service) decide(ctx context.Context, actor team.Actor, action team.Action, appID string, keys int, changes func(Tx, App, []Version, secret.Grants) ([]change, error)) (Decision, error) {
	if err := audit.Guard(ctx, s.store, actor, action, auditID(appID)); err != nil {
		return Decision{}, err
	}
	if keys == 0 || keys > secret.MaxRequirements {
		return Decision{}, problem.Invalid("keys", "name 1 to %d keys that the app declares", secret.MaxRequirements)
	}
	var out Decision
	err := s.store.Update(ctx, func(tx Tx) error {
		// The transaction may run again, so its outcome starts anew.
		out = Decision{}
		if _, err := tx.LockTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		a, err := tx.AppByID(ctx, actor.TeamID(), appID)
		if err != nil {
			return err
		}
		versions, err := tx.Versions(ctx, actor.TeamID(), appID)
		if err != nil {
			return err
		}
		grants, err := tx.Grants(ctx, actor.TeamID(), appID)
		if err != nil {
			return err
		}
		changed, err := changes(tx, a, versions, grants)
		if err != nil {
			return err
		}
		for _, c := range changed {
			grants[c.grant.Key] = c.grant
			out.Grants = append(out.Grants, c.grant)
		}
		if err := record(ctx, tx, actor, a, changed); err != nil {
			return err
		}
		pending, ok := withID(versions, a.PendingID)
		if ok && len(grants.Stops(pending.Requirements)) == 0 {
			out.Promoted = true
			if a, err = s.move(ctx, tx, actor, a, pending, "approved"); err != nil {
				return err
			}
		}
		out.App = a
		return nil
	})
	if err != nil {
		return Decision{}, err
	}
	return out, nil
}

// record stores changed grants, each with its entry in the audit log.
func record(ctx context.Context, tx Tx, actor team.Actor, a App, changes []change) error {
	for _, c := range changes {
		if err := tx.SetGrant(ctx, actor.TeamID(), c.grant); err != nil {
			return err
		}
		entry := audit.By(actor, c.act, a.FullName()+" "+string(c.grant.Key), audit.Allowed)
		entry.Reason = c.note
		if err := tx.AppendAudit(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}

// asked returns the grant of a key that a version of the app declares.
func asked(a App, versions []Version, grants secret.Grants, name string) (secret.Grant, error) {
	key := envvar.Key(name)
	if g, ok := grants[key]; ok {
		return g, nil
	}
	for _, v := range versions {
		if r, ok := v.integration(name); ok {
			key = r.GrantKey()
		}
	}
	if g, ok := grants[key]; ok {
		return g, nil
	}
	var declared []envvar.Key
	for _, v := range versions {
		if slices.Contains(v.Asks(), key) {
			// A release that knew no grants registered this version.
			return secret.Grant{
				AppID: a.ID, Key: key, SourceKey: key,
				RequestedBy: v.CreatedBy, RequestedVersionID: v.ID, RequestedVersion: v.Number, RequestedAt: v.CreatedAt,
			}, nil
		}
		declared = append(declared, v.Asks()...)
	}
	if _, err := envvar.ParseKey(name); err != nil && !strings.Contains(name, ".") {
		return secret.Grant{}, problem.Invalid("keys", "%v", err)
	}
	if !secret.PlainText(name) || len(name) > 128 {
		return secret.Grant{}, problem.Invalid("keys", "that is no key")
	}
	return secret.Grant{}, problem.Invalid("keys", "no version of %s declares %s%s", a.FullName(), name, meant(key, declared))
}

// source is what a grant is bound to: a key of the team, or for an integration
// one of the team's accounts.
func source(ctx context.Context, tx Tx, actor team.Actor, versions []Version, g secret.Grant, name string) (envvar.Key, error) {
	for _, v := range versions {
		if r, ok := v.integration(string(g.Key)); ok {
			return account(ctx, tx, actor, r, name)
		}
	}
	return sourceKey(ctx, tx, actor, name)
}

// account finds an account by its id or name at the provider that a declared
// integration is of. The integration's own name stands for the primary one.
func account(ctx context.Context, tx Tx, actor team.Actor, r secret.Requirement, name string) (envvar.Key, error) {
	if name == r.Key || name == string(r.GrantKey()) {
		return r.GrantKey(), nil
	}
	provider, _, _ := strings.Cut(r.Key, ".")
	all, err := tx.Connections(ctx, actor.TeamID())
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if c.Provider == provider && (c.ID == name || c.AccountName != "" && c.AccountName == name) {
			return envvar.Key(c.ID), nil
		}
	}
	return "", problem.Invalid("source_key", "team %s has no such account at %s; `infsh integrations list` shows those that it has", actor.TeamName(), provider)
}

// sourceKey checks the name of a team's key to bind to: one that is set, so
// that a slip of the pen is found here and not in the app.
func sourceKey(ctx context.Context, tx Tx, actor team.Actor, name string) (envvar.Key, error) {
	key, err := envvar.ParseKey(name)
	if err != nil {
		return "", problem.Invalid("source_key", "%v", err)
	}
	have, err := tx.Keys(ctx, actor.TeamID())
	if err != nil {
		return "", err
	}
	if !slices.Contains(have, key) {
		return "", problem.Invalid("source_key", "%s is not set in team %s, so nothing can be bound to it%s", key, actor.TeamName(), meant(key, have))
	}
	return key, nil
}

// meant names the keys that may have been meant, to end a sentence with.
func meant(key envvar.Key, have []envvar.Key) string {
	near := envvar.NearMisses(key, have)
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s (%s)?", near[0].Key, near[0].Reason)
}

func requested(g secret.Grant, actor team.Actor, v Version, at time.Time) secret.Grant {
	g.State = secret.GrantWaiting
	g.RequestedByID, g.RequestedBy = actor.UserID(), actor.Email()
	g.RequestedVersionID, g.RequestedVersion, g.RequestedAt = v.ID, v.Number, at
	g.DecidedByID, g.DecidedBy, g.DecidedAt = "", "", time.Time{}
	return g
}

func decided(g secret.Grant, state secret.GrantState, actor team.Actor, at time.Time) secret.Grant {
	g.State, g.DecidedByID, g.DecidedBy, g.DecidedAt = state, actor.UserID(), actor.Email(), at
	return g
}

func sorted(grants secret.Grants) []secret.Grant {
	out := make([]secret.Grant, 0, len(grants))
	for _, g := range grants {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b secret.Grant) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// auditID keeps what is no id of ours out of the audit log.
func auditID(id string) string {
	if _, err := uuid.Parse(id); err != nil {
		return "(not an app's id)"
	}
	return id
}

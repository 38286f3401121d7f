package secret

import (
	"context"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/team"
)

// Expected is a key that the team means to have: it came with the team from
// another environment, and has no value here yet.
type Expected struct {
	Key         envvar.Key
	Description string
}

// Expected returns the keys that the team means to have and that are not set,
// sorted.
func (s *Service) Expected(ctx context.Context, actor team.Actor) ([]Expected, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListSecrets, ""); err != nil {
		return nil, err
	}
	var out []Expected
	err := s.store.View(ctx, func(r Reader) (err error) {
		out, err = r.Expected(ctx, actor.TeamID())
		return err
	})
	return out, err
}

// Dismiss lets the team do without a key that it meant to have.
//
// Errors: problem.NotFound for a key that is not expected, and those of
// audit.Guard.
func (s *Service) Dismiss(ctx context.Context, actor team.Actor, key string) error {
	if err := audit.Guard(ctx, s.store, actor, team.DismissKey, auditKey(key)); err != nil {
		return err
	}
	noKey := problem.New(problem.NotFound, "Not found: the team expects no such key.")
	name, err := envvar.ParseKey(key)
	if err != nil {
		return noKey
	}
	return s.store.Update(ctx, func(tx Tx) error {
		was, err := tx.DeleteExpected(ctx, actor.TeamID(), name)
		if err != nil {
			return err
		}
		if !was {
			return noKey
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.DismissKey, key, audit.Allowed))
	})
}

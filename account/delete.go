package account

import (
	"context"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// DeleteTeam removes the actor's team for good: its DEK, and with it the sense
// of every ciphertext that is left in a backup, its secrets, apps, API keys and
// memberships. Its audit entries stay.
//
// Errors: problem.Conflict if it is the only team of the actor's user, since
// everybody has a team, and those of audit.Guard.
func (s *Service) DeleteTeam(ctx context.Context, actor team.Actor) error {
	if err := audit.Guard(ctx, s.store, actor, team.DeleteTeam, actor.TeamName()); err != nil {
		return err
	}
	return s.locked(ctx, actor, team.DeleteTeam, actor.TeamName(), func(tx Tx, role team.Role) error {
		if role != team.Owner {
			return problem.New(problem.TeamRoleRequired, "Permission denied: only an owner deletes team %s.", actor.TeamName())
		}
		if err := keepATeam(ctx, tx, actor); err != nil {
			return err
		}
		if err := tx.DeleteTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.DeleteTeam, actor.TeamName(), audit.Allowed))
	})
}

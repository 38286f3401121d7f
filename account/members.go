package account

import (
	"context"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// Members returns who belongs to the actor's team, sorted by address.
func (s *Service) Members(ctx context.Context, actor team.Actor) ([]Member, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListMembers, ""); err != nil {
		return nil, err
	}
	var members []Member
	err := s.store.View(ctx, func(r Reader) (err error) {
		members, err = r.Members(ctx, actor.TeamID())
		return err
	})
	return members, err
}

// SetRole changes a member's role in the actor's team. It takes effect at the
// member's next request.
//
// Errors: problem.NotFound for one who is not in the team,
// problem.InvalidField (field role), problem.Conflict for the last owner,
// problem.TeamRoleRequired if an owner is made or unmade by anybody but an
// owner, and those of audit.Guard.
func (s *Service) SetRole(ctx context.Context, actor team.Actor, userID, role string) (Member, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ChangeRole, auditID(userID)); err != nil {
		return Member{}, err
	}
	to, ok := team.ParseRole(role)
	if !ok {
		return Member{}, problem.Invalid("role", "a role is owner, admin or member")
	}
	var out Member
	err := s.change(ctx, actor, team.ChangeRole, userID, to, func(tx Tx, m Member) error {
		out = m
		out.Role = to
		if err := tx.SetRole(ctx, actor.TeamID(), m.UserID, to); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.ChangeRole, m.UserID+" "+string(to), audit.Allowed))
	})
	if err != nil {
		return Member{}, err
	}
	return out, nil
}

// RemoveMember takes a person out of the actor's team, with the person's API
// keys in it, at once.
//
// Errors: as SetRole.
func (s *Service) RemoveMember(ctx context.Context, actor team.Actor, userID string) error {
	if err := audit.Guard(ctx, s.store, actor, team.RemoveMember, auditID(userID)); err != nil {
		return err
	}
	return s.change(ctx, actor, team.RemoveMember, userID, "", func(tx Tx, m Member) error {
		if err := tx.RemoveMember(ctx, actor.TeamID(), m.UserID); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.RemoveMember, m.UserID, audit.Allowed))
	})
}

// change runs fn on a member while nobody else changes the team's members. It
// protects the last owner, and lets only owners make or unmake owners; to is
// the member's new role, empty if there will be none.
func (s *Service) change(ctx context.Context, actor team.Actor, action team.Action, userID string, to team.Role, fn func(Tx, Member) error) error {
	if uuid.Validate(userID) != nil {
		return NoMember()
	}
	var denial error
	err := s.store.Update(ctx, func(tx Tx) error {
		denial = nil
		if err := tx.LockMembers(ctx, actor.TeamID()); err != nil {
			return err
		}
		m, err := tx.Member(ctx, actor.TeamID(), userID)
		if err != nil {
			return err
		}
		// The actor's role is read again under the lock: it may have been
		// taken away since the request began.
		role := actor.Role()
		if actor.Kind() != team.Operator {
			self, err := tx.Member(ctx, actor.TeamID(), actor.UserID())
			if err != nil {
				return err
			}
			role = self.Role
		}
		touchesOwner := m.Role == team.Owner || to == team.Owner
		if !role.AtLeast(team.Admin) || touchesOwner && role != team.Owner {
			denial = problem.New(problem.TeamRoleRequired, "Permission denied: only an owner of %s makes or removes owners. Ask one of them.", actor.TeamName())
			return denial
		}
		if m.Role == team.Owner && to != team.Owner {
			owners, err := tx.CountOwners(ctx, actor.TeamID())
			if err != nil {
				return err
			}
			if owners <= 1 {
				return problem.New(problem.Conflict, "%s is the last owner of %s. Make somebody else owner first.", m.Email, actor.TeamName())
			}
		}
		return fn(tx, m)
	})
	if denial != nil {
		return s.deny(ctx, actor, action, auditID(userID), denial)
	}
	return err
}

// auditID bounds what an untrusted id can put into the audit log.
func auditID(s string) string {
	if uuid.Validate(s) != nil {
		return "(not a valid id)"
	}
	return s
}

// NoMember is the answer for a person who is not in the team.
func NoMember() error {
	return problem.New(problem.NotFound, "Not found: the team has no such member.")
}

package account

import (
	"context"
	"errors"

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

// AddMember puts a person who has an account into the actor's team.
//
// Errors: problem.InvalidField (fields email, also where nobody has an account
// of that address, and role), problem.Conflict for one who is in the team,
// problem.TeamRoleRequired if an owner is made by anybody but an owner, and
// those of audit.Guard.
func (s *Service) AddMember(ctx context.Context, actor team.Actor, email, role string) (Member, error) {
	if err := audit.Guard(ctx, s.store, actor, team.AddMember, ""); err != nil {
		return Member{}, err
	}
	_, folded, to, err := parseInvitee(email, role)
	if err != nil {
		return Member{}, err
	}
	var out Member
	err = s.locked(ctx, actor, team.AddMember, string(to), func(tx Tx, self team.Role) error {
		if !self.MayChange("", to) {
			return ownersOnly(actor)
		}
		user, err := tx.UserByEmail(ctx, folded)
		if errors.Is(err, problem.NotFound) {
			return problem.Invalid("email", "nobody has an account with this address here; invite them instead")
		}
		if err != nil {
			return err
		}
		if err := tx.InsertMember(ctx, actor.TeamID(), user.ID, to, s.now()); err != nil {
			return err
		}
		if err := tx.RevokeInvitesTo(ctx, actor.TeamID(), folded); err != nil {
			return err
		}
		if out, err = tx.Member(ctx, actor.TeamID(), user.ID); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.AddMember, user.ID+" "+string(to), audit.Allowed))
	})
	if err != nil {
		return Member{}, err
	}
	return out, nil
}

// RemoveMember takes a person out of the actor's team, with the person's API
// keys in it, at once. For the actor's own person it is LeaveTeam.
//
// Errors: as SetRole.
func (s *Service) RemoveMember(ctx context.Context, actor team.Actor, userID string) error {
	if !actor.IsZero() && userID == actor.UserID() && actor.Kind() != team.Operator {
		return s.LeaveTeam(ctx, actor)
	}
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

// LeaveTeam takes the actor's own person out of its team, with their API keys
// in it, at once.
//
// Errors: problem.Conflict for the last owner, and for one who would be left
// without a team; those of audit.Guard.
func (s *Service) LeaveTeam(ctx context.Context, actor team.Actor) error {
	if err := audit.Guard(ctx, s.store, actor, team.LeaveTeam, actor.UserID()); err != nil {
		return err
	}
	return s.locked(ctx, actor, team.LeaveTeam, actor.UserID(), func(tx Tx, role team.Role) error {
		if role == team.Owner {
			if err := keepAnOwner(ctx, tx, actor, actor.Email()); err != nil {
				return err
			}
		}
		if err := keepATeam(ctx, tx, actor); err != nil {
			return err
		}
		if err := tx.RemoveMember(ctx, actor.TeamID(), actor.UserID()); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.LeaveTeam, actor.UserID(), audit.Allowed))
	})
}

// TransferTeam makes a member owner, and the actor's own person admin, both or
// neither.
//
// Errors: problem.NotFound for one who is not in the team, problem.Conflict for
// one who owns it already, and those of audit.Guard.
func (s *Service) TransferTeam(ctx context.Context, actor team.Actor, userID string) (Member, error) {
	if err := audit.Guard(ctx, s.store, actor, team.TransferTeam, auditID(userID)); err != nil {
		return Member{}, err
	}
	var out Member
	err := s.change(ctx, actor, team.TransferTeam, userID, team.Owner, func(tx Tx, m Member) error {
		if m.Role == team.Owner {
			return problem.New(problem.Conflict, "%s owns %s already.", m.Email, actor.TeamName())
		}
		out = m
		out.Role = team.Owner
		if err := tx.SetRole(ctx, actor.TeamID(), m.UserID, team.Owner); err != nil {
			return err
		}
		if err := tx.SetRole(ctx, actor.TeamID(), actor.UserID(), team.Admin); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.TransferTeam, m.UserID, audit.Allowed))
	})
	if err != nil {
		return Member{}, err
	}
	return out, nil
}

// change runs fn on a member while nobody else changes the team's members. It
// protects the last owner, and asks the policy who may make whom what; to is
// the member's new role, empty if there will be none.
func (s *Service) change(ctx context.Context, actor team.Actor, action team.Action, userID string, to team.Role, fn func(Tx, Member) error) error {
	if uuid.Validate(userID) != nil {
		return NoMember()
	}
	return s.locked(ctx, actor, action, userID, func(tx Tx, self team.Role) error {
		m, err := tx.Member(ctx, actor.TeamID(), userID)
		if err != nil {
			return err
		}
		if !self.MayChange(m.Role, to) {
			return ownersOnly(actor)
		}
		if m.Role == team.Owner && to != team.Owner {
			if err := keepAnOwner(ctx, tx, actor, m.Email); err != nil {
				return err
			}
		}
		return fn(tx, m)
	})
}

// locked runs fn while nobody else changes who is in the actor's team, with the
// actor's role as it is then: it may have been taken away since the request
// began. A refusal for want of a role is recorded.
func (s *Service) locked(ctx context.Context, actor team.Actor, action team.Action, target string, fn func(tx Tx, self team.Role) error) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := tx.LockMembers(ctx, actor.TeamID()); err != nil {
			return err
		}
		role := actor.Role()
		if actor.Kind() != team.Operator {
			self, err := tx.Member(ctx, actor.TeamID(), actor.UserID())
			if errors.Is(err, problem.NotFound) {
				return NoTeam()
			}
			if err != nil {
				return err
			}
			role = self.Role
		}
		return fn(tx, role)
	})
	if problem.CodeOf(err) == problem.TeamRoleRequired {
		return s.deny(ctx, actor, action, target, err)
	}
	return err
}

// keepAnOwner refuses to take away the last owner.
func keepAnOwner(ctx context.Context, tx Tx, actor team.Actor, email string) error {
	owners, err := tx.CountOwners(ctx, actor.TeamID())
	if err != nil {
		return err
	}
	if owners <= 1 {
		return problem.New(problem.Conflict, "%s is the last owner of %s. Make somebody else owner first.", email, actor.TeamName())
	}
	return nil
}

// keepATeam refuses to leave the actor's person without a team.
func keepATeam(ctx context.Context, tx Tx, actor team.Actor) error {
	teams, err := tx.TeamsOf(ctx, actor.UserID())
	if err != nil {
		return err
	}
	if len(teams) < 2 {
		return problem.New(problem.Conflict, "Team %s is your only one, and everybody has a team. Make another first.", actor.TeamName())
	}
	return nil
}

func ownersOnly(actor team.Actor) error {
	return problem.New(problem.TeamRoleRequired, "Permission denied: only an owner of %s makes or removes owners. Ask one of them.", actor.TeamName())
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

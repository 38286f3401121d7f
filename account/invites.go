package account

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// InviteLifetime is how long an invite waits to be accepted.
	InviteLifetime = 7 * 24 * time.Hour
	// maxInvites bounds a team's invites that are neither accepted nor revoked.
	maxInvites = 100
)

// InviteStatus is what has become of an invite.
type InviteStatus string

const (
	InvitePending  InviteStatus = "pending"
	InviteAccepted InviteStatus = "accepted"
	// InviteRevoked is one that was taken back, or replaced by another to the
	// same address, or whose inviter may not invite any more.
	InviteRevoked InviteStatus = "revoked"
	InviteExpired InviteStatus = "expired"
)

// Invite is an offer to one address to join a team. The code in its link is
// known to the inviter alone, who is shown it once; only its SHA-256 is stored.
type Invite struct {
	ID        string
	TeamID    string
	Email     string
	Role      team.Role
	Status    InviteStatus
	CreatedAt time.Time
	ExpiresAt time.Time
	// InvitedByID and InvitedBy are the inviter's id and address.
	InvitedByID, InvitedBy string
}

// StoredInvite is an invite's row, with what its inviter is in the team now.
type StoredInvite struct {
	Invite
	EmailFolded string
	// InviterRole is empty for one who has left the team.
	InviterRole team.Role
	// TeamUsername and TeamName are the team's.
	TeamUsername, TeamName string
}

// InviteReader is the part of a snapshot that is about invites.
type InviteReader interface {
	// OpenInvites returns the team's invites that were neither accepted nor
	// revoked, the newest first.
	OpenInvites(ctx context.Context, team string) ([]StoredInvite, error)
	// Invite returns problem.NotFound if the team has none of that id.
	Invite(ctx context.Context, team, id string) (StoredInvite, error)
	// InviteByCode finds an invite of any team, in any state, by the hash of
	// its code; problem.NotFound if there is none.
	InviteByCode(ctx context.Context, hash []byte) (StoredInvite, error)
}

// InviteTx is the part of a transaction that is about invites.
type InviteTx interface {
	InsertInvite(ctx context.Context, i StoredInvite, codeHash []byte) error
	// EndInvite gives a pending invite its last status, and reports whether it
	// was pending: of two that use it one does.
	EndInvite(ctx context.Context, team, id string, status InviteStatus) (bool, error)
	// RevokeInvitesTo revokes the team's pending invites to an address.
	RevokeInvitesTo(ctx context.Context, team, folded string) error
	// ForgetInvites removes the invites of the team that were made before a time.
	ForgetInvites(ctx context.Context, team string, before time.Time) error
}

// Offer is an invite as the holder of its link sees it.
type Offer struct {
	Invite
	TeamUsername, TeamName string
	// HasAccount reports whether somebody has an account with the address: they
	// sign in, anybody else makes an account.
	HasAccount bool
}

// Invite offers a person to join the actor's team, and returns the code for
// the link, which is shown once. An earlier pending invite to the address ends.
//
// Errors: problem.InvalidField (fields email, role), problem.Conflict (field
// email) for one who is in the team and for too many invites,
// problem.TeamRoleRequired if an owner is invited by anybody but an owner, and
// those of audit.Guard.
func (s *Service) Invite(ctx context.Context, actor team.Actor, email, role string) (Invite, redact.Value, error) {
	if err := audit.Guard(ctx, s.store, actor, team.InviteMember, ""); err != nil {
		return Invite{}, redact.Value{}, err
	}
	address, folded, to, err := parseInvitee(email, role)
	if err != nil {
		return Invite{}, redact.Value{}, err
	}
	now, code := s.now(), rand.Text()
	made := StoredInvite{EmailFolded: folded, Invite: Invite{
		ID: uuid.NewString(), TeamID: actor.TeamID(), Email: address, Role: to, Status: InvitePending,
		CreatedAt: now, ExpiresAt: now.Add(InviteLifetime), InvitedByID: actor.UserID(), InvitedBy: actor.Email(),
	}}
	err = s.locked(ctx, actor, team.InviteMember, string(to), func(tx Tx, self team.Role) error {
		if !self.MayChange("", to) {
			return ownersOnly(actor)
		}
		if err := refuseMember(ctx, tx, actor, folded); err != nil {
			return err
		}
		if err := tx.ForgetInvites(ctx, actor.TeamID(), now.Add(-4*InviteLifetime)); err != nil {
			return err
		}
		open, err := tx.OpenInvites(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		if len(open) >= maxInvites {
			return problem.New(problem.Conflict, "Team %s has %d open invites. Revoke some of them first.", actor.TeamName(), len(open))
		}
		for _, o := range open {
			if o.EmailFolded == folded && !self.MayChange("", o.Role) {
				return ownersOnly(actor)
			}
		}
		if err := tx.RevokeInvitesTo(ctx, actor.TeamID(), folded); err != nil {
			return err
		}
		if err := tx.InsertInvite(ctx, made, hashCode(code)); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.InviteMember, address+" "+string(to), audit.Allowed))
	})
	if err != nil {
		return Invite{}, redact.Value{}, err
	}
	return made.Invite, redact.NewValue(code), nil
}

// parseInvitee tells all errors of an address and a role at once.
func parseInvitee(email, role string) (address, folded string, to team.Role, err error) {
	var fields []problem.Field
	address, folded, err = ParseEmail(email)
	if err != nil {
		fields = append(fields, problem.Field{Name: "email", Message: err.Error()})
	}
	to, ok := team.ParseRole(role)
	if !ok {
		fields = append(fields, problem.Field{Name: "role", Message: "a role is owner, admin or member"})
	}
	if len(fields) > 0 {
		return "", "", "", &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return address, folded, to, nil
}

// refuseMember refuses the address of one who is in the team.
func refuseMember(ctx context.Context, tx Tx, actor team.Actor, folded string) error {
	user, err := tx.UserByEmail(ctx, folded)
	if err == nil {
		_, err = tx.Member(ctx, actor.TeamID(), user.ID)
	}
	switch {
	case errors.Is(err, problem.NotFound):
		return nil
	case err != nil:
		return err
	}
	return &problem.Error{
		Code: problem.Conflict, Detail: user.Email + " is in team " + actor.TeamName() + " already.",
		Fields: []problem.Field{{Name: "email", Message: user.Email + " is in the team already"}},
	}
}

// Invites returns the actor's team's invites that were neither accepted nor
// revoked, the newest first.
func (s *Service) Invites(ctx context.Context, actor team.Actor) ([]Invite, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListInvites, ""); err != nil {
		return nil, err
	}
	var out []Invite
	err := s.store.View(ctx, func(r Reader) error {
		open, err := r.OpenInvites(ctx, actor.TeamID())
		for _, i := range open {
			out = append(out, s.judged(i))
		}
		return err
	})
	return out, err
}

// judged is the invite with its status as it is now.
func (s *Service) judged(i StoredInvite) Invite {
	out := i.Invite
	switch {
	case i.Status != InvitePending:
	case !s.now().Before(i.ExpiresAt):
		out.Status = InviteExpired
	case !i.InviterRole.MayChange("", i.Role):
		// Who was removed has no way to leave a door open.
		out.Status = InviteRevoked
	}
	return out
}

// RevokeInvite ends an invite of the actor's team.
//
// Errors: problem.NotFound for one that is not there or has ended,
// problem.TeamRoleRequired for anybody but an owner if it is an owner's, and
// those of audit.Guard.
func (s *Service) RevokeInvite(ctx context.Context, actor team.Actor, id string) error {
	if err := audit.Guard(ctx, s.store, actor, team.RevokeInvite, auditID(id)); err != nil {
		return err
	}
	if uuid.Validate(id) != nil {
		return NoInvite()
	}
	return s.locked(ctx, actor, team.RevokeInvite, id, func(tx Tx, self team.Role) error {
		found, err := tx.Invite(ctx, actor.TeamID(), id)
		if err != nil {
			return err
		}
		if !self.MayChange("", found.Role) {
			return ownersOnly(actor)
		}
		ended, err := tx.EndInvite(ctx, actor.TeamID(), id, InviteRevoked)
		if err != nil {
			return err
		}
		if !ended {
			return NoInvite()
		}
		return tx.AppendAudit(ctx, audit.By(actor, team.RevokeInvite, found.Email, audit.Allowed))
	})
}

// NoInvite is the answer for an invite that the team does not have.
func NoInvite() error {
	return problem.New(problem.NotFound, "Not found: the team has no such invite. It may have been accepted or revoked already.")
}

package account

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Whoever holds an invite's code is the person to whom the inviter gave it, and
// has that address as far as anybody knows. Someone who has an account must
// also be signed in with it: a code that went astray adds nobody's account.

// FindInvite returns what the code of an invite offers, whatever has become of
// it; problem.NotFound if there is none.
func (s *Service) FindInvite(ctx context.Context, code redact.Value) (Offer, error) {
	var out Offer
	err := s.store.View(ctx, func(r Reader) error {
		found, err := r.InviteByCode(ctx, hashOf(code))
		if err != nil {
			return err
		}
		out = Offer{Invite: s.judged(found), TeamUsername: found.TeamUsername, TeamName: found.TeamName}
		_, err = r.UserByEmail(ctx, found.EmailFolded)
		out.HasAccount = err == nil
		if errors.Is(err, problem.NotFound) {
			return nil
		}
		return err
	})
	return out, err
}

// AcceptInvite makes the actor's person a member of the inviting team, and
// returns its id. Only a person can, in a browser.
//
// Errors: problem.NotFound for a code that was revoked or never was,
// problem.Conflict for one that was used or has expired, and for one who is in
// the team, problem.PermissionDenied for a person with another address, and
// those of audit.Guard.
func (s *Service) AcceptInvite(ctx context.Context, actor team.Actor, code redact.Value) (teamID string, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActAcceptInvite); err != nil {
		return "", err
	}
	return s.AcceptInviteAs(ctx, actor.UserID(), code, Origin{RemoteAddr: actor.RemoteAddr(), RequestID: actor.RequestID()})
}

// AcceptInviteAs does so for a person who has just shown their password, and
// who may belong to no team.
func (s *Service) AcceptInviteAs(ctx context.Context, userID string, code redact.Value, from Origin) (teamID string, err error) {
	hash := hashOf(code)
	var refused *audit.Entry
	err = s.store.Update(ctx, func(tx Tx) error {
		refused = nil
		user, err := tx.UserByID(ctx, userID)
		if err != nil {
			return err
		}
		found, err := s.usableInvite(ctx, tx, hash)
		if err != nil {
			return err
		}
		teamID = found.TeamID
		if found.EmailFolded != FoldEmail(user.Email) {
			e := acceptance(found, user, from, audit.Denied)
			e.Reason = string(problem.PermissionDenied)
			refused = &e
			return problem.New(problem.PermissionDenied, "Permission denied: this invite is for another address than %s. Sign in with the account that was invited.", user.Email)
		}
		return s.accept(ctx, tx, found, user, from)
	})
	if refused != nil {
		if err := audit.Record(ctx, s.store, *refused); err != nil {
			return "", err
		}
	}
	if err != nil {
		return "", err
	}
	return teamID, nil
}

// JoinByInvite makes an account with the invited address and that password, and
// a member of the inviting team of it.
//
// Errors: those of AcceptInvite, problem.InvalidField (field password), and
// problem.Conflict if the address has an account, or if accounts have no
// passwords here.
func (s *Service) JoinByInvite(ctx context.Context, code, password redact.Value, from Origin) (Created, error) {
	if s.signOn.Only {
		return Created{}, problem.New(problem.Conflict, "Accounts here have no passwords. Continue with %s.", s.signOn.Provider)
	}
	// The code is asked for first, so that only its holder can make the server
	// hash, and again in the transaction, which uses it up.
	offer, err := s.FindInvite(ctx, code)
	if err != nil {
		return Created{}, err
	}
	if err := usable(offer.Invite); err != nil {
		return Created{}, err
	}
	if err := CheckPassword(password, offer.Email); err != nil {
		return Created{}, err
	}
	hash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return Created{}, err
	}
	now := s.now()
	user := NewUser{ID: uuid.NewString(), Email: offer.Email, EmailFolded: FoldEmail(offer.Email), PasswordHash: hash, CreatedAt: now}
	err = s.store.Update(ctx, func(tx Tx) error {
		found, err := s.usableInvite(ctx, tx, hashOf(code))
		if err != nil {
			return err
		}
		if err := tx.InsertUser(ctx, user); err != nil {
			return err
		}
		return s.accept(ctx, tx, found, User{ID: user.ID, Email: user.Email}, from)
	})
	if err != nil {
		return Created{}, err
	}
	return Created{UserID: user.ID, Email: user.Email, TeamID: offer.TeamID, TeamUsername: offer.TeamUsername, Role: offer.Role, NewUser: true}, nil
}

// usableInvite finds the invite and keeps others from using or revoking it, and
// from changing its inviter, until the transaction ends.
func (s *Service) usableInvite(ctx context.Context, tx Tx, codeHash []byte) (StoredInvite, error) {
	found, err := tx.InviteByCode(ctx, codeHash)
	if err != nil {
		return found, err
	}
	if err := tx.LockMembers(ctx, found.TeamID); err != nil {
		return found, noSuchInvite()
	}
	if found, err = tx.InviteByCode(ctx, codeHash); err != nil {
		return found, err
	}
	return found, usable(s.judged(found))
}

func usable(i Invite) error {
	switch i.Status {
	case InvitePending:
		return nil
	case InviteAccepted:
		return problem.New(problem.Conflict, "This invite was used already. If it was not you, tell the person who invited you.")
	case InviteExpired:
		return problem.New(problem.Conflict, "This invite has expired. Ask for another one.")
	}
	return noSuchInvite()
}

func noSuchInvite() error {
	return problem.New(problem.NotFound, "Not found: this invite is not valid. It may have been taken back, or replaced by a newer one. Ask for another one.")
}

// accept makes the person a member and uses the invite up.
func (s *Service) accept(ctx context.Context, tx Tx, i StoredInvite, user User, from Origin) error {
	if err := tx.InsertMember(ctx, i.TeamID, user.ID, i.Role, s.now()); err != nil {
		return err
	}
	used, err := tx.EndInvite(ctx, i.TeamID, i.ID, InviteAccepted)
	if err != nil {
		return err
	}
	if !used {
		return noSuchInvite()
	}
	return tx.AppendAudit(ctx, acceptance(i, user, from, audit.Allowed))
}

// acceptance is an entry of the inviting team, in which the person has no
// actor yet.
func acceptance(i StoredInvite, user User, from Origin, outcome audit.Outcome) audit.Entry {
	return audit.Entry{
		TeamID: i.TeamID, ActorKind: string(team.Session), ActorID: user.ID, ActorName: user.Email,
		Action: audit.ActAcceptInvite, Target: string(i.Role), Outcome: outcome, RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	}
}

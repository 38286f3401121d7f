package account

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// CreateUser makes a user for an operator at the machine. A team that does not
// exist is made, and the user owns it; else the user joins as a member. A zero
// password is generated and returned.
//
// An address that has an account joins the team and keeps its password; giving
// one for it is problem.Conflict, as is joining a team twice. Other errors:
// problem.PermissionDenied for anybody but an operator, problem.InvalidField
// (fields email, password, team).
func (s *Service) CreateUser(ctx context.Context, operator team.Actor, email, teamUsername string, password redact.Value) (Created, error) {
	generated := password.IsZero()
	if generated {
		password = redact.NewValue(rand.Text())
	}
	return s.createUser(ctx, operator, email, teamUsername, &password, generated)
}

// CreateUserWithoutPassword does so for one who will sign in by a provider, and
// is connected by the verified address at the first time.
func (s *Service) CreateUserWithoutPassword(ctx context.Context, operator team.Actor, email, teamUsername string) (Created, error) {
	return s.createUser(ctx, operator, email, teamUsername, nil, false)
}

// createUser makes a user without a password if that is nil.
func (s *Service) createUser(ctx context.Context, operator team.Actor, email, teamUsername string, password *redact.Value, generated bool) (Created, error) {
	if operator.Kind() != team.Operator {
		return Created{}, s.deny(ctx, operator, audit.ActCreateUser, "", problem.New(problem.PermissionDenied, "Permission denied: users are made at the server itself, with `infsh admin create-user`."))
	}
	email, folded, err := checkNewAccount(email, teamUsername, password)
	if err != nil {
		return Created{}, err
	}
	var hash string // Which is the hash of no password.
	if password != nil {
		if hash, err = s.hasher.Hash(ctx, *password); err != nil {
			return Created{}, err
		}
	}
	now := s.now()
	fresh := NewUser{ID: uuid.NewString(), Email: email, EmailFolded: folded, PasswordHash: hash, CreatedAt: now}

	var out Created
	err = s.store.Update(ctx, func(tx Tx) error {
		out = Created{Email: email, TeamUsername: teamUsername, Role: team.Member}
		if err := tx.ClearSetupCodes(ctx); err != nil {
			return err
		}
		user, err := tx.UserByEmail(ctx, folded)
		switch {
		case errors.Is(err, problem.NotFound):
			if err := tx.InsertUser(ctx, fresh); err != nil {
				return err
			}
			out.UserID, out.NewUser = fresh.ID, true
			if generated {
				out.Password = *password
			}
		case err != nil:
			return err
		case password != nil && !generated:
			return problem.New(problem.Conflict, "%s has an account already, and this command does not change its password. Leave the password out to add the account to team %s.", user.Email, teamUsername)
		default:
			out.UserID, out.Email = user.ID, user.Email
		}
		if err := s.join(ctx, tx, &out); err != nil {
			return err
		}
		entry := audit.By(operator, audit.ActCreateUser, out.UserID, audit.Allowed)
		entry.TeamID = out.TeamID
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return Created{}, err
	}
	return out, nil
}

// join puts the user into the named team, and makes the team if it is missing.
func (s *Service) join(ctx context.Context, tx Tx, out *Created) error {
	id, err := tx.TeamID(ctx, out.TeamUsername)
	if errors.Is(err, problem.NotFound) {
		made := newTeam(out.TeamUsername, out.TeamUsername, out.UserID, s.now())
		out.TeamID, out.Role, out.NewTeam = made.ID, team.Owner, true
		return s.insertOwned(ctx, tx, made, out.UserID)
	}
	if err != nil {
		return err
	}
	out.TeamID = id
	return tx.InsertMember(ctx, id, out.UserID, out.Role, s.now())
}

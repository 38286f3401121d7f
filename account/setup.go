package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// maxSetupCodes bounds the codes of a store that is started often and set up
// late; several instances have one each.
const maxSetupCodes = 16

// NewAccount is what the first user types.
type NewAccount struct {
	Code     redact.Value
	Email    string
	Password redact.Value
	// Team is the username of the team to make.
	Team string
}

// NeedsSetup reports whether nobody has an account yet.
func (s *Service) NeedsSetup(ctx context.Context) (bool, error) {
	var has bool
	err := s.store.View(ctx, func(r Reader) (err error) {
		has, err = r.HasUsers(ctx)
		return err
	})
	return !has, err
}

// NewSetupCode makes a code with which the first user may be made; ok is false
// if there are users already. Only the code's hash is stored, and earlier
// codes stay valid, since other instances have shown them.
func (s *Service) NewSetupCode(ctx context.Context) (code redact.Value, ok bool, err error) {
	text := rand.Text()
	err = s.store.Update(ctx, func(tx Tx) error {
		has, err := tx.HasUsers(ctx)
		if ok = !has; err != nil || has {
			return err
		}
		return tx.AddSetupCode(ctx, hashCode(text), s.now(), maxSetupCodes)
	})
	if err != nil || !ok {
		return redact.Value{}, false, err
	}
	return redact.NewValue(text), true, nil
}

// Setup makes the very first user, who owns the first team. Of several at
// once, one wins.
//
// Errors: problem.Conflict if there are users, problem.PermissionDenied for a
// code that is not valid, problem.InvalidField (fields email, password, team).
func (s *Service) Setup(ctx context.Context, in NewAccount, from Origin) (Created, error) {
	// The code is asked for first, so that only its holder can make the server
	// hash, and again in the transaction, which uses it up.
	code := hashOf(in.Code)
	err := s.store.View(ctx, func(r Reader) error {
		valid, err := r.HasSetupCode(ctx, code)
		if err != nil {
			return err
		}
		return maySetUp(ctx, r, valid)
	})
	if err != nil {
		return Created{}, err
	}
	email, folded, err := checkNewAccount(in.Email, in.Team, &in.Password)
	if err != nil {
		return Created{}, err
	}
	hash, err := s.hasher.Hash(ctx, in.Password)
	if err != nil {
		return Created{}, err
	}
	now := s.now()
	user := NewUser{ID: uuid.NewString(), Email: email, EmailFolded: folded, PasswordHash: hash, CreatedAt: now}
	first := newTeam(in.Team, in.Team, user.ID, now)
	err = s.store.Update(ctx, func(tx Tx) error {
		valid, err := tx.UseSetupCode(ctx, code)
		if err != nil {
			return err
		}
		if err := maySetUp(ctx, tx, valid); err != nil {
			return err
		}
		if err := tx.ClearSetupCodes(ctx); err != nil {
			return err
		}
		if err := tx.InsertUser(ctx, user); err != nil {
			return err
		}
		if err := s.insertOwned(ctx, tx, first, user.ID); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.Entry{
			At: now, TeamID: first.ID, ActorKind: string(team.Session), ActorID: user.ID, ActorName: user.Email,
			Action: audit.ActSetup, Target: first.Username, Outcome: audit.Allowed, RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
		})
	})
	if err != nil {
		return Created{}, err
	}
	return Created{UserID: user.ID, Email: email, TeamID: first.ID, TeamUsername: first.Username, Role: team.Owner, NewUser: true, NewTeam: true}, nil
}

// checkNewAccount tells all errors of a new account at once. A nil password is
// not checked.
func checkNewAccount(address, username string, password *redact.Value) (email, folded string, err error) {
	var fields []problem.Field
	email, folded, err = ParseEmail(address)
	if err != nil {
		fields = append(fields, problem.Field{Name: "email", Message: err.Error()})
	}
	if password != nil {
		var e *problem.Error
		if errors.As(CheckPassword(*password, address), &e) {
			fields = append(fields, e.Fields...)
		}
	}
	if err := ParseUsername(username); err != nil {
		fields = append(fields, problem.Field{Name: "team", Message: err.Error()})
	}
	if len(fields) > 0 {
		return "", "", &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return email, folded, nil
}

func newTeam(username, name, maker string, now time.Time) NewTeam {
	return NewTeam{ID: uuid.NewString(), Username: username, Name: name, CreatedBy: maker, CreatedAt: now}
}

// insertOwned makes the team's data key within the transaction, since the key
// encryption key may be replaced at any time before it.
func (s *Service) insertOwned(ctx context.Context, tx Tx, t NewTeam, owner string) error {
	storeID, check, err := tx.KEKInUse(ctx)
	if err != nil {
		return err
	}
	if t.WrappedDEK, t.KEKID, err = s.keys.WrapDEKFor(storeID, check, t.ID); err != nil {
		return fmt.Errorf("make the team's key: %w", err)
	}
	if err := tx.InsertTeam(ctx, t); err != nil {
		return err
	}
	return tx.InsertMember(ctx, t.ID, owner, team.Owner, t.CreatedAt)
}

// maySetUp refuses a server that has users, whatever the code, and a code that
// is not valid.
func maySetUp(ctx context.Context, r Reader, valid bool) error {
	has, err := r.HasUsers(ctx)
	switch {
	case err != nil:
		return err
	case has:
		return problem.New(problem.Conflict, "This server is set up already. Sign in instead.")
	case !valid:
		return problem.New(problem.PermissionDenied, "This setup link is not valid. Use the one that the server printed last; a restart prints a new one.")
	}
	return nil
}

// hashOf is what is stored of a code. A fast hash suffices: there are 2^128 of
// them to try.
func hashOf(code redact.Value) []byte { return hashCode(code.Reveal()) }

func hashCode(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

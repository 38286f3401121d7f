package auth

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// What a person proves who they are with, as the audit log names it.
const (
	byPassword = "password"
	byApp      = "authenticator app"
	byPasskey  = "passkey"
	byRecovery = "recovery code"
)

// Reasons of failed proofs in the audit log.
const (
	reasonCode      = "wrong_code"
	reasonPasskey   = "wrong_passkey"
	reasonSignCount = "passkey_was_copied"
)

// Factors are what a person has beside the password. Who has one is asked for it
// after the password.
type Factors struct {
	// App is when the authenticator app was added; zero if there is none.
	App time.Time
	// Passkeys are in the order in which they were added.
	Passkeys []Passkey
	// RecoveryCodes is how many were not used yet.
	RecoveryCodes int
	// NoPassword says that there is none: the person signs in by a provider.
	NoPassword bool
}

// On reports whether a password alone does not sign in.
func (f Factors) On() bool { return !f.App.IsZero() || len(f.Passkeys) > 0 }

// FactorTx is the part of a transaction that is about second factors.
type FactorTx interface {
	Factors(ctx context.Context, user string) (Factors, error)
	// App finds the authenticator app, confirmed or not, and keeps others from
	// changing it until the transaction ends; problem.NotFound if there is none.
	App(ctx context.Context, user string) (AppRecord, error)
	// PutApp stores one that waits for its first code, in the place of another
	// such one. It reports whether it did: a confirmed one stays.
	PutApp(ctx context.Context, a AppRecord) (bool, error)
	// UseApp stores that a code of a time step was used, and reports whether
	// that is after the last one. It confirms the app if it was not.
	UseApp(ctx context.Context, user string, step int64, now time.Time) (bool, error)
	DeleteApp(ctx context.Context, user string) error
	// InsertPasskey is problem.Conflict for one that somebody has already.
	InsertPasskey(ctx context.Context, p Passkey) error
	// UsedPasskey stores how a passkey was used last, and reports whether it is
	// there as it was read: of two uses at once with a counter, one counts.
	UsedPasskey(ctx context.Context, p Passkey, before uint32) (bool, error)
	// DeletePasskey reports whether there was one.
	DeletePasskey(ctx context.Context, user, id string) (bool, error)
	DeletePasskeys(ctx context.Context, user string) error
	// SetRecoveryCodes forgets all that there were.
	SetRecoveryCodes(ctx context.Context, user string, hashes [][]byte) error
	// UseRecoveryCode reports whether there was one; now there is none.
	UseRecoveryCode(ctx context.Context, user string, hash []byte) (bool, error)
	// KEKInUse is as account.Tx has it.
	KEKInUse(ctx context.Context) (storeID string, check []byte, err error)

	PutChallenge(ctx context.Context, c Challenge) error
	// TakeChallenge finds a holder's challenge and removes it; problem.NotFound
	// if there is none, or none any more.
	TakeChallenge(ctx context.Context, holder string, now time.Time) ([]byte, error)
	// KeepChallenges removes all but the newest challenges of a network.
	KeepChallenges(ctx context.Context, network string, keep int) error

	InsertPending(ctx context.Context, p PendingLogin) error
	// Pending finds a login that waits for its second factor; problem.NotFound
	// if there is none that has not expired.
	Pending(ctx context.Context, tokenHash []byte, now time.Time) (PendingLogin, error)
	// FailPending counts a wrong code, and returns how many there were.
	FailPending(ctx context.Context, tokenHash []byte) (int, error)
	// DeletePending reports whether it was there: of two uses one counts.
	DeletePending(ctx context.Context, tokenHash []byte) (bool, error)
	DeletePendingOf(ctx context.Context, user string) error
}

// Factors returns what the session's person has beside the password.
func (s *Sessions) Factors(ctx context.Context, cur Session) (Factors, error) {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ViewSelf, ""); err != nil {
		return Factors{}, err
	}
	return s.store.Factors(ctx, cur.Actor.UserID())
}

// RemoveApp removes the authenticator app of the session's person, a confirmed
// one or one that waits.
func (s *Sessions) RemoveApp(ctx context.Context, cur Session) error {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ChangeSelf, audit.ActRemoveFactor); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		app, err := tx.App(ctx, cur.Actor.UserID())
		if err != nil {
			return err
		}
		if err := tx.DeleteApp(ctx, cur.Actor.UserID()); err != nil || app.ConfirmedAt.IsZero() {
			return err
		}
		return removed(ctx, tx, cur.Actor, byApp)
	})
}

// RemovePasskey removes a passkey of the session's person.
//
// Errors: problem.NotFound, also for one of somebody else.
func (s *Sessions) RemovePasskey(ctx context.Context, cur Session, id string) error {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ChangeSelf, audit.ActRemoveFactor); err != nil {
		return err
	}
	if uuid.Validate(id) != nil {
		return noPasskey()
	}
	return s.store.Update(ctx, func(tx Tx) error {
		before, err := tx.Factors(ctx, cur.Actor.UserID())
		if err != nil {
			return err
		}
		for _, p := range before.Passkeys {
			if p.ID != id {
				continue
			}
			if ok, err := tx.DeletePasskey(ctx, cur.Actor.UserID(), id); err != nil || !ok {
				return errors.Join(err, noPasskey())
			}
			return removed(ctx, tx, cur.Actor, byPasskey+" "+p.Name)
		}
		return noPasskey()
	})
}

func noPasskey() error {
	return problem.New(problem.NotFound, "Not found: you have no such passkey. It may have been removed already.")
}

// removed records what was removed. Recovery codes without anything to recover
// would be a second password.
func removed(ctx context.Context, tx Tx, actor team.Actor, what string) error {
	left, err := tx.Factors(ctx, actor.UserID())
	if err == nil && !left.On() {
		err = tx.SetRecoveryCodes(ctx, actor.UserID(), nil)
	}
	if err != nil {
		return err
	}
	return tx.AppendAudit(ctx, audit.By(actor, audit.ActRemoveFactor, what, audit.Allowed))
}

// added records what was added, and makes recovery codes if it is the first.
func added(ctx context.Context, tx Tx, actor team.Actor, what string) (codes []redact.Value, err error) {
	now, err := tx.Factors(ctx, actor.UserID())
	if err != nil {
		return nil, err
	}
	if now.RecoveryCodes == 0 {
		var hashes [][]byte
		codes, hashes = newRecoveryCodes(actor.UserID())
		if err := tx.SetRecoveryCodes(ctx, actor.UserID(), hashes); err != nil {
			return nil, err
		}
	}
	return codes, tx.AppendAudit(ctx, audit.By(actor, audit.ActAddFactor, what, audit.Allowed))
}

// ResetFactors removes all second factors of an account, for an operator at the
// machine and for one who has lost theirs. All sessions and command line logins
// of the account end; the password and API keys stay.
//
// Errors: problem.PermissionDenied for anybody but an operator,
// problem.NotFound for an address without an account.
func (s *Sessions) ResetFactors(ctx context.Context, operator team.Actor, email string) (Factors, error) {
	if operator.Kind() != team.Operator {
		return Factors{}, problem.New(problem.PermissionDenied, "Permission denied: only an operator at the server itself removes another's second factors.")
	}
	var before Factors
	err := s.store.Update(ctx, func(tx Tx) error {
		person, err := operatorFinds(ctx, tx, email)
		if err != nil {
			return err
		}
		if before, err = tx.Factors(ctx, person.UserID); err != nil {
			return err
		}
		err = errors.Join(
			tx.DeleteApp(ctx, person.UserID),
			tx.DeletePasskeys(ctx, person.UserID),
			tx.SetRecoveryCodes(ctx, person.UserID, nil),
			revokeLogins(ctx, tx, person.UserID, ""),
		)
		if err != nil {
			return err
		}
		entry := audit.By(operator, audit.ActResetFactors, person.Email, audit.Allowed)
		entry.TeamID = person.First.TeamID
		return tx.AppendAudit(ctx, entry)
	})
	return before, err
}

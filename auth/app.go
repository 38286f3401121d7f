package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"infsh/account"
	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// An authenticator app shows a code of six digits for each half minute
	// (RFC 6238); every app knows these settings, and few know others.
	stepSeconds = 30
	codeLength  = 6
	// skewSteps lets the clocks of two machines differ.
	skewSteps = 1
	// appWaits is how long a new seed waits for its first code.
	appWaits = 15 * time.Minute
	issuer   = "infsh"
)

// AppRecord is an authenticator app's row. The seed is sealed for the person.
type AppRecord struct {
	UserID     string
	WrappedDEK []byte
	KEKID      string
	Seed       []byte
	// LastStep is the time step of the last code that was used.
	LastStep int64
	// ConfirmedAt is zero until a code has shown that the app has the seed.
	CreatedAt, ConfirmedAt time.Time
}

// NewApp is what an authenticator app is told, once.
type NewApp struct {
	// Secret is the seed as a person types it, and URL as a QR code has it.
	Secret, URL redact.Value
}

// Sealer seals what belongs to a person: *envelope.KEK.
type Sealer interface {
	WrapDEKFor(storeID string, check []byte, owner string) (wrapped []byte, kekID string, err error)
	OpenDEK(owner string, wrapped []byte) (*envelope.DEK, error)
}

// seedData is the place of a seed: a row that is moved to another person does
// not open.
func seedData(user string) envelope.AssociatedData {
	return envelope.AssociatedData{Purpose: envelope.TOTPSeed, Team: user, Key: "totp", Version: 1}
}

var base32NoPadding = base32.StdEncoding.WithPadding(base32.NoPadding)

// BeginApp makes a seed for an authenticator app of the session's person. It
// counts for nothing until ConfirmApp.
//
// Errors: problem.Conflict if there is an app, and those of audit.Guard.
func (s *Sessions) BeginApp(ctx context.Context, cur Session) (NewApp, error) {
	actor := cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActAddFactor); err != nil {
		return NewApp{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: actor.Email()})
	if err != nil {
		return NewApp{}, fmt.Errorf("make a seed: %w", err)
	}
	seed, err := base32NoPadding.DecodeString(key.Secret())
	if err != nil {
		return NewApp{}, errors.New("the seed that was made can't be read")
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		record := AppRecord{UserID: actor.UserID(), CreatedAt: s.now()}
		storeID, check, err := tx.KEKInUse(ctx)
		if err != nil {
			return err
		}
		if record.WrappedDEK, record.KEKID, err = s.keys.WrapDEKFor(storeID, check, actor.UserID()); err != nil {
			return fmt.Errorf("make a key for the seed: %w", err)
		}
		dek, err := s.keys.OpenDEK(actor.UserID(), record.WrappedDEK)
		if err != nil {
			return err
		}
		if record.Seed, err = dek.Seal(seedData(actor.UserID()), seed); err != nil {
			return err
		}
		ok, err := tx.PutApp(ctx, record)
		if err == nil && !ok {
			err = problem.New(problem.Conflict, "You have an authenticator app already. Remove it first, or go on with it.")
		}
		return err
	})
	if err != nil {
		return NewApp{}, err
	}
	return NewApp{Secret: redact.NewValue(key.Secret()), URL: redact.NewValue(key.URL())}, nil
}

// WaitingApp is what BeginApp returned, for a code that was wrong.
//
// Errors: problem.NotFound if no app waits.
func (s *Sessions) WaitingApp(ctx context.Context, cur Session) (NewApp, error) {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ChangeSelf, audit.ActAddFactor); err != nil {
		return NewApp{}, err
	}
	record, err := s.waiting(ctx, cur.Actor.UserID())
	if err != nil {
		return NewApp{}, err
	}
	seed, err := s.openSeed(record)
	if err != nil {
		return NewApp{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: cur.Actor.Email(), Secret: seed})
	if err != nil {
		return NewApp{}, fmt.Errorf("show a seed: %w", err)
	}
	return NewApp{Secret: redact.NewValue(key.Secret()), URL: redact.NewValue(key.URL())}, nil
}

// ConfirmApp turns the app on, if the code shows that it has the seed. It
// returns recovery codes if there were none.
//
// Errors: problem.InvalidField (field code), problem.NotFound if no app waits,
// problem.RateLimited, and those of audit.Guard.
func (s *Sessions) ConfirmApp(ctx context.Context, cur Session, code redact.Value) (codes []redact.Value, err error) {
	actor := cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActAddFactor); err != nil {
		return nil, err
	}
	record, err := s.waiting(ctx, actor.UserID())
	if err != nil {
		return nil, err
	}
	var try attempt
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		try, err = admitCode(ctx, tx, s.now(), actor.UserID(), actor.RemoteAddr(), false)
		return err
	})
	if err != nil {
		return nil, err
	}
	step, ok, err := s.stepOf(record, typedCode(code))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, wrongCode()
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		now, err := tx.App(ctx, actor.UserID())
		if err != nil {
			return err
		}
		if !now.ConfirmedAt.IsZero() || subtle.ConstantTimeCompare(now.Seed, record.Seed) == 0 {
			return problem.New(problem.Conflict, "Another authenticator app was set up at the same moment. Reload the page.")
		}
		if ok, err := tx.UseApp(ctx, actor.UserID(), step, s.now()); err != nil || !ok {
			return errors.Join(err, wrongCode())
		}
		if err := try.succeed(ctx, tx); err != nil {
			return err
		}
		codes, err = added(ctx, tx, actor, byApp)
		return err
	})
	return codes, err
}

// waiting finds an app that was begun and is not confirmed.
func (s *Sessions) waiting(ctx context.Context, user string) (record AppRecord, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		if record, err = tx.App(ctx, user); err != nil {
			return err
		}
		if !record.ConfirmedAt.IsZero() || s.now().Sub(record.CreatedAt) >= appWaits {
			return noApp()
		}
		return nil
	})
	return record, err
}

func noApp() error {
	return problem.New(problem.NotFound, "Not found: no authenticator app waits for its first code. Begin anew.")
}

func (s *Sessions) openSeed(record AppRecord) ([]byte, error) {
	dek, err := s.keys.OpenDEK(record.UserID, record.WrappedDEK)
	if err != nil {
		return nil, fmt.Errorf("open the key of a seed: %w", err)
	}
	seed, err := dek.Open(seedData(record.UserID), record.Seed)
	if err != nil {
		return nil, fmt.Errorf("open a seed: %w", err)
	}
	return seed, nil
}

// stepOf finds the time step, now or next to it, whose code it is.
func (s *Sessions) stepOf(record AppRecord, code string) (step int64, ok bool, err error) {
	seed, err := s.openSeed(record)
	if err != nil {
		return 0, false, err
	}
	now := s.now().Unix() / stepSeconds
	secret := base32NoPadding.EncodeToString(seed)
	for at := now - skewSteps; at <= now+skewSteps; at++ {
		want, err := hotp.GenerateCode(secret, uint64(at))
		if err != nil {
			return 0, false, errors.New("the seed makes no code")
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && at > record.LastStep {
			step, ok = at, true
		}
	}
	return step, ok, nil
}

// typedCode removes what people put between the characters of a code.
func typedCode(code redact.Value) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(code.Reveal()))
}

func isAppCode(typed string) bool {
	return len(typed) == codeLength && strings.Trim(typed, "0123456789") == ""
}

func wrongCode() error {
	return problem.Invalid("code", "this code is wrong, or was used already; wait for the next one, and see that the clock of your device is right")
}

// tryCode finds out whether a person's code is right, of an app or for
// recovery. It has been counted as failed until use is called, in the
// transaction of what it is for.
//
// Errors: problem.InvalidField (field code) without a word on which kind it was
// taken for, problem.RateLimited.
func (s *Sessions) tryCode(ctx context.Context, user string, code redact.Value, from account.Origin) (shown, error) {
	typed := typedCode(code)
	forApp := isAppCode(typed)
	var try attempt
	var record AppRecord
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		if try, err = admitCode(ctx, tx, s.now(), user, from.RemoteAddr, forApp); err != nil || !forApp {
			return err
		}
		if record, err = tx.App(ctx, user); errors.Is(err, problem.NotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return shown{}, err
	}
	if !forApp {
		hash := hashRecoveryCode(user, typed)
		return shown{by: byRecovery, use: func(ctx context.Context, tx Tx) error {
			if ok, err := tx.UseRecoveryCode(ctx, user, hash); err != nil || !ok {
				return errors.Join(err, wrongCode())
			}
			return try.succeed(ctx, tx)
		}}, nil
	}
	if record.ConfirmedAt.IsZero() {
		return shown{}, wrongCode()
	}
	step, ok, err := s.stepOf(record, typed)
	if err != nil {
		return shown{}, err
	}
	if !ok {
		return shown{}, wrongCode()
	}
	return shown{by: byApp, use: func(ctx context.Context, tx Tx) error {
		if ok, err := tx.UseApp(ctx, user, step, s.now()); err != nil || !ok {
			return errors.Join(err, wrongCode())
		}
		return try.succeed(ctx, tx)
	}}, nil
}

// shown is a proof that was found right. use takes it, once, in the transaction
// of what it is for, and is an error if somebody else was faster.
type shown struct {
	by string
	// old says that it may be of a time before, and so is no fresh proof.
	old bool
	use func(context.Context, Tx) error
}

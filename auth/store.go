// Package auth turns a request into an actor: passwords, browser sessions, API
// keys, device login, and the throttle that guards them. It is the only
// package that makes actors.
package auth

import (
	"context"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/team"
)

// Membership is what a person is in a team, as it stands now.
type Membership struct {
	TeamID, TeamName string
	Role             team.Role
	MembersMayEdit   bool
}

// IsZero reports that there is no membership.
func (m Membership) IsZero() bool { return m.Role == "" }

// Person is what signing in needs to know of a user.
type Person struct {
	UserID, Email string
	PasswordHash  string
	// HasFactors says that the password alone does not sign in.
	HasFactors bool
	// First is the membership that the user has had the longest; zero if none.
	First Membership
}

// Reader answers what each request asks, in one statement each, so that a
// revocation or a changed role is obeyed by the next request.
type Reader interface {
	// Session finds a session with its user's membership in its current team,
	// which is zero if the user was removed; problem.NotFound if there is none.
	Session(ctx context.Context, tokenHash []byte) (SessionRecord, Membership, error)
	// Key finds an API key with its user's membership in the named team, or
	// in the key's own team if the name is empty. problem.NotFound if there is
	// no such key; the membership is zero if there is no such team or the user
	// is not in it. That of a service key is its own, in its own team.
	Key(ctx context.Context, tokenHash []byte, teamName string) (Key, Membership, error)
	// LastKey is what Key last found, in the key's own team, and the revision of
	// the team that it is true of; without asking the database.
	LastKey(tokenHash []byte) (key Key, m Membership, revision int64, ok bool)
	// RunnerCredential finds what a token was exchanged for, with its team and its
	// app; problem.NotFound if there is none.
	RunnerCredential(ctx context.Context, tokenHash []byte) (RunnerRecord, error)
	// RevokedKey finds what is remembered of a revoked key; problem.NotFound
	// if nothing is.
	RevokedKey(ctx context.Context, tokenHash []byte) (RevokedKey, error)
	// Membership is problem.NotFound alike for a team that does not exist and
	// for one that the user is not in.
	Membership(ctx context.Context, team, user string) (Membership, error)
	// Keys returns the API keys of the team, the newest first; of one user
	// unless user is empty.
	Keys(ctx context.Context, team, user string) ([]Key, error)
	// HasDevice reports whether there is a device login with that hash.
	HasDevice(ctx context.Context, deviceHash []byte) (bool, error)
	// Factors reads what a user has beside the password.
	Factors(ctx context.Context, user string) (Factors, error)
	// IdentityOf is as account.IdentityReader has it.
	IdentityOf(ctx context.Context, user, issuer string) (account.Identity, error)
	// SignIns lists a user's live sessions and logins, the last used first.
	SignIns(ctx context.Context, user string, now, idleSince time.Time) ([]SignIn, error)
}

// AccountTx is the part of a transaction that is about users.
type AccountTx interface {
	// PersonByEmail finds a user by folded address. For one that does not
	// exist it is the zero Person.
	PersonByEmail(ctx context.Context, folded string) (Person, error)
	// PersonByID finds a user, and keeps others from changing the password until
	// the transaction ends; problem.NotFound if the user is gone.
	PersonByID(ctx context.Context, user string) (Person, error)
	// PasswordHash returns problem.NotFound if the user is gone.
	PasswordHash(ctx context.Context, user string) (string, error)
	SetPasswordHash(ctx context.Context, user, hash string, now time.Time) error
	// FirstMembership returns the zero Membership for one who has no team.
	FirstMembership(ctx context.Context, user string) (Membership, error)
	Membership(ctx context.Context, team, user string) (Membership, error)
}

// Tx is a transaction: all or nothing, with its audit entries.
type Tx interface {
	audit.Log
	AccountTx
	SessionTx
	KeyTx
	DeviceTx
	ThrottleTx
	FactorTx
	SignOnTx
}

// Store keeps credentials. Update runs fn in a transaction and may run it
// again after a serialization failure, so fn has no effect but through its Tx.
type Store interface {
	audit.Log
	Reader
	Update(ctx context.Context, fn func(Tx) error) error
	// Once runs fn in a transaction that all stores' transactions with the
	// context it gets are a part of, and stores the call with fn's answer in
	// it. A call by the same credential with the same key, if it is not older
	// than expired, is returned instead; one that is under way is waited for.
	// After a serialization failure fn runs again.
	Once(ctx context.Context, call Call, expired time.Time, fn func(context.Context) ([]byte, error)) (before Call, found bool, err error)
	// TouchSession stores that the session was used now, if it was last seen
	// before the given time.
	TouchSession(ctx context.Context, tokenHash []byte, now, before time.Time) error
	// TouchKey does so for an API key; expires, if not zero, is its new end.
	TouchKey(ctx context.Context, team, id string, now, before, expires time.Time) error
}

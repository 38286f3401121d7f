package federation

import (
	"context"
	"time"

	"infsh/audit"
	"infsh/auth"
	"infsh/team"
)

// Reader reads trusts.
type Reader interface {
	// Trusts returns those of a team, the oldest first.
	Trusts(ctx context.Context, teamID string) ([]Trust, error)
	// Trust is problem.NotFound for one that the team has not.
	Trust(ctx context.Context, teamID, id string) (Trust, error)
	// Trusted returns those trusts of a team, named by its username, that are of the
	// issuer and for the app; none alike if there is no such team, app or trust.
	Trusted(ctx context.Context, teamName, namespace, name, issuer string) (teamID string, trusts []Trust, err error)
}

// Tx is a transaction: all or nothing, with its audit entries.
type Tx interface {
	audit.Log
	Reader
	// LockTeam keeps others from changing the team's trusts until the end.
	LockTeam(ctx context.Context, teamID string) error
	// App finds an app of the team; problem.NotFound if there is none.
	App(ctx context.Context, teamID, namespace, name string) (team.AppBinding, error)
	// KeyEnds is when an API key of the team ends; zero for never.
	KeyEnds(ctx context.Context, teamID, keyID string) (time.Time, error)
	Insert(ctx context.Context, t Trust) error
	// Save stores a trust anew, and ends the credentials that came of it.
	Save(ctx context.Context, t Trust) error
	Delete(ctx context.Context, teamID, id string) error
	// Used stores that a token was exchanged under a trust. It reports false if the
	// trust is not as it was read; else it stays so until the end.
	Used(ctx context.Context, t Trust, subject string, now time.Time) (bool, error)
	// UseToken reports whether the token was not used before: of two uses at once,
	// one is the first. It is remembered until the time that is given.
	UseToken(ctx context.Context, id []byte, until time.Time) (first bool, err error)
	// CountCredentials counts those of a trust that have not ended.
	CountCredentials(ctx context.Context, trustID string, now time.Time) (int, error)
	// InsertCredential reports false if the trust is for the app no more.
	InsertCredential(ctx context.Context, c auth.RunnerCredential) (bool, error)
	// Refusals returns how many were counted of a team, and since when; SetRefusals
	// stores that. Tokens that the issuer signed are counted by themselves. The count
	// is locked until the end.
	Refusals(ctx context.Context, teamID string, signed bool) (n int, since time.Time, err error)
	SetRefusals(ctx context.Context, teamID string, signed bool, n int, since time.Time) error
}

// Store keeps trusts; see secret.Store for Update.
type Store interface {
	audit.Log
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

package integration

import (
	"context"
	"time"

	"infsh/audit"
)

// Reader reads a team's integrations. Each method but Flow takes the team first.
type Reader interface {
	// WrappedDEK returns the team's wrapped keyset.
	WrappedDEK(ctx context.Context, team string) ([]byte, error)
	// Connections returns all, by provider, type and age, with their sealed
	// material.
	Connections(ctx context.Context, team string) ([]Held, error)
	// Connection returns problem.NotFound if there is none.
	Connection(ctx context.Context, team, id string) (Held, error)
	// Clients returns those of OAuth.
	Clients(ctx context.Context, team string) ([]Client, error)
	// Value returns what is sealed of an owner, a connection or a client, in a
	// version; problem.NotFound if there is none.
	Value(ctx context.Context, team, owner string, version int64) ([]byte, error)
	// Flow finds an authorization that waits, of any team, by the hash of its
	// state; problem.NotFound if there is none.
	Flow(ctx context.Context, stateHash []byte) (Flow, error)
}

// Tx is a transaction.
type Tx interface {
	Reader
	audit.Log
	// LockTeam waits for other writers of the same team, and returns the team's
	// wrapped keyset.
	LockTeam(ctx context.Context, team string) (wrappedDEK []byte, err error)
	InsertConnection(ctx context.Context, c Connection) error
	// SaveConnection stores what tokens and an account make of it, and gives up
	// its lease. Whether it is the primary one, who made it and when stays.
	SaveConnection(ctx context.Context, c Connection) error
	// SetRefreshAt leaves all else, the lease too, as it is.
	SetRefreshAt(ctx context.Context, team, id string, at time.Time) error
	SetPrimary(ctx context.Context, team, id string, primary bool) error
	DeleteConnection(ctx context.Context, team, id string) error
	InsertClient(ctx context.Context, c Client) error
	SaveClient(ctx context.Context, c Client) error
	// SetValue stores what is sealed of an owner, and removes its other versions.
	SetValue(ctx context.Context, team, owner string, version int64, sealed []byte) error
	DeleteValues(ctx context.Context, team, owner string) error
	InsertFlow(ctx context.Context, f Flow) error
	// CountFlows counts those of a team that have not expired.
	CountFlows(ctx context.Context, team string, now time.Time) (int, error)
	// DeleteFlow reports whether it was there: of two uses one counts.
	DeleteFlow(ctx context.Context, stateHash []byte) (bool, error)
	// Calls returns how many calls of a team were counted, and since when; SetCalls
	// stores that.
	Calls(ctx context.Context, team string) (n int, since time.Time, err error)
	SetCalls(ctx context.Context, team string, n int, since time.Time) error
	// Leased reports whether the lease that ends then is still held.
	Leased(ctx context.Context, team, id string, until time.Time) (bool, error)
}

// Ref names a connection.
type Ref struct{ TeamID, ID string }

// Store keeps integrations; see secret.Store for Update.
type Store interface {
	audit.Log
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
	// Due returns connections whose tokens are to be asked for anew, and that
	// nobody has leased, but for those of some providers; those that wait the
	// longest first.
	Due(ctx context.Context, now time.Time, exceptProviders []string, limit int) ([]Ref, error)
	// Lease makes the caller the only one who refreshes a connection until a
	// time. It reports false where another one does, or where the version is no
	// longer the given one.
	Lease(ctx context.Context, ref Ref, version int64, now, until time.Time) (bool, error)
	// ForgetFlows removes those that have expired, of all teams.
	ForgetFlows(ctx context.Context, now time.Time) error
}

// Package rotation replaces keys while servers use them: the key encryption
// key (KEK), by wrapping each team's data encryption keyset (DEK) anew, and the
// DEK itself, by sealing each record of the team anew.
//
// Both are sequences of small transactions. After each one, every value opens
// with what the store then holds, and the store alone tells what is left to do:
// whoever is interrupted, in whatever way, is continued by running it again.
// docs/operations.md has the steps for the operator.
package rotation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/team"
)

// defaultBatch is how many rows are read, and sealed anew in one transaction. At the
// largest size of a value it is 13 MB.
const defaultBatch = 100

// Service rotates keys.
type Service struct {
	store Store
	// have holds every KEK that the operator named.
	have  *envelope.KEK
	now   func() time.Time
	batch int
}

// NewService makes a Service that opens keysets with the keys of have.
func NewService(store Store, have *envelope.KEK) *Service {
	return &Service{store: store, have: have, now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }, batch: defaultBatch}
}

// Progress is told how much of a rotation is done. The total may grow while
// people make teams and secrets.
type Progress func(done, total int)

// Stuck names what could not be rotated, because it does not open: its rows
// were damaged before. Everything else was rotated, and the keys that the named
// ones would need are kept.
type Stuck struct{ What []string }

// stuckShown bounds a message.
const stuckShown = 10

func (e *Stuck) Error() string {
	shown := e.What
	more := ""
	if len(shown) > stuckShown {
		more = fmt.Sprintf(" and %d more", len(shown)-stuckShown)
		shown = shown[:stuckShown]
	}
	return fmt.Sprintf("the rotation is not complete, since these do not open: %s%s. They were damaged or moved in the database, or another key is needed that --kek and --kek-old do not name. Restore them or delete them, then run the same command again", strings.Join(shown, ", "), more)
}

// errMoved says that a row changed between reading and writing it.
var errMoved = errors.New("the row was changed meanwhile")

// maxTurns bounds how often one thing is tried that others keep changing.
const maxTurns = 1000

func (s *Service) authorize(operator team.Actor) error {
	if operator.Kind() != team.Operator {
		return problem.New(problem.PermissionDenied, "Permission denied: only an operator at the server itself rotates keys.")
	}
	return nil
}

func (s *Service) entry(operator team.Actor, teamID, action, from, to string) audit.Entry {
	e := audit.By(operator, team.Action(action), from+" → "+to, audit.Allowed)
	e.TeamID, e.At = teamID, s.now()
	return e
}

// usable makes sure that keys opens everything in the store, before anything
// is changed.
func usable(keys *envelope.KEK, k KEKs) error {
	if err := keys.VerifyCheck(k.StoreID, k.Check); err != nil {
		return fmt.Errorf("this store uses %s, which is none of the keys that were named; nothing was changed; name it with --kek: %w", k.ID, err)
	}
	if len(k.OldCheck) == 0 {
		return nil
	}
	if err := keys.VerifyCheck(k.StoreID, k.OldCheck); err != nil {
		return fmt.Errorf("a rotation from %s to %s is under way, and teams may need the old key, which is none of those that were named; nothing was changed; name it with --kek-old: %w", k.OldID, k.ID, err)
	}
	return nil
}

// keks reads which KEKs the store uses.
func (s *Service) keks(ctx context.Context) (k KEKs, err error) {
	err = s.store.View(ctx, func(r Reader) (err error) {
		k, err = r.KEKs(ctx)
		return err
	})
	return k, err
}

// pause lets others write: on SQLite there is one writer at a time, and one
// that never rests would starve a server beside it.
func pause(ctx context.Context, took time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(took, time.Second)):
		return nil
	}
}

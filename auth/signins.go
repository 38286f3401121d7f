package auth

import (
	"context"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// SignIn is a browser or a command line on which a person is signed in, as it
// may be shown to that person.
type SignIn struct {
	ID string
	// CommandLine is false for a browser.
	CommandLine bool
	// Name is what it says of itself: a browser's user agent, or the name of a
	// command line's login. It is not to be believed.
	Name string
	// RemoteAddr is where a browser signed in from.
	RemoteAddr            string
	CreatedAt, LastUsedAt time.Time
}

// SignIns returns where the session's person is signed in, what was used last
// first.
func (s *Sessions) SignIns(ctx context.Context, cur Session) ([]SignIn, error) {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ViewSelf, ""); err != nil {
		return nil, err
	}
	now := s.now()
	return s.store.SignIns(ctx, cur.Actor.UserID(), now, now.Add(-SessionIdle))
}

// EndSignIn signs the session's person out on one browser or command line, at
// once.
//
// Errors: problem.NotFound, also for one of somebody else.
func (s *Sessions) EndSignIn(ctx context.Context, cur Session, id string) error {
	if err := audit.Guard(ctx, s.store, cur.Actor, team.ChangeSelf, audit.ActEndSignIn); err != nil {
		return err
	}
	gone := problem.New(problem.NotFound, "Not found: you are not signed in there. It may have ended already.")
	if uuid.Validate(id) != nil {
		return gone
	}
	return s.store.Update(ctx, func(tx Tx) error {
		ended, err := tx.DeleteSessionOf(ctx, cur.Actor.UserID(), id)
		if err == nil && !ended {
			ended, err = tx.DeleteLogin(ctx, cur.Actor.UserID(), id)
		}
		if err != nil {
			return err
		}
		if !ended {
			return gone
		}
		return tx.AppendAudit(ctx, audit.By(cur.Actor, audit.ActEndSignIn, id, audit.Allowed))
	})
}

package integration

import (
	"context"
	"time"

	"infsh/problem"
)

const (
	// maxCalls is how often a team may connect, or try to, within callsWithin:
	// each time this server asks a provider, with what a person typed.
	maxCalls    = 30
	callsWithin = time.Minute
)

// countCall admits a call to a provider, or answers problem.RateLimited. The
// count is in the database, for all instances; the team is locked.
func (s *Service) countCall(ctx context.Context, tx Tx, team string) error {
	n, since, err := tx.Calls(ctx, team)
	if err != nil {
		return err
	}
	now := s.now()
	left := since.Add(callsWithin).Sub(now)
	if left <= 0 || left > callsWithin {
		n, since = 0, now
	}
	if n >= maxCalls {
		return &problem.Error{Code: problem.RateLimited, Detail: "This team has asked providers often within a minute. Wait a little, and connect again.", RetryAfter: max(left, time.Second)}
	}
	return tx.SetCalls(ctx, team, n+1, since)
}

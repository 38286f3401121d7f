package audit

import (
	"context"
	"time"

	"infsh/team"
)

// Store keeps the log.
type Store interface {
	Log
	// Entries returns up to limit entries of a team, the newest first, those
	// before the given sequence number if it is not 0.
	Entries(ctx context.Context, team string, before int64, limit int) ([]Entry, error)
	// LastAllowed returns when the act was last allowed; the zero time if never.
	LastAllowed(ctx context.Context, team, action, target string) (time.Time, error)
}

// Service reads a team's activity.
type Service struct{ store Store }

// NewService makes a Service.
func NewService(store Store) *Service { return &Service{store: store} }

// PageSize is how many entries Activity returns at once.
const PageSize = 50

// Activity returns a page of the team's log, the newest first, and the
// sequence number to go on before, 0 at the end.
func (s *Service) Activity(ctx context.Context, actor team.Actor, before int64) (entries []Entry, next int64, err error) {
	if err := Guard(ctx, s.store, actor, team.ReadAudit, ""); err != nil {
		return nil, 0, err
	}
	entries, err = s.store.Entries(ctx, actor.TeamID(), before, PageSize+1)
	if err != nil {
		return nil, 0, err
	}
	if len(entries) > PageSize {
		entries = entries[:PageSize]
		next = entries[PageSize-1].Seq
	}
	return entries, next, nil
}

// Latest returns the sequence number of the team's newest entry.
func (s *Service) Latest(ctx context.Context, actor team.Actor) (int64, error) {
	if err := Guard(ctx, s.store, actor, team.ReadAudit, ""); err != nil {
		return 0, err
	}
	entries, err := s.store.Entries(ctx, actor.TeamID(), 0, 1)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	return entries[0].Seq, nil
}

// LastRun returns when an app of the team last received its secrets.
func (s *Service) LastRun(ctx context.Context, actor team.Actor, app string) (time.Time, error) {
	if err := Guard(ctx, s.store, actor, team.ListApps, app); err != nil {
		return time.Time{}, err
	}
	return s.store.LastAllowed(ctx, actor.TeamID(), string(team.ResolveApp), app)
}

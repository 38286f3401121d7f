package audit

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"infsh/team"
)

// Store keeps the log.
type Store interface {
	Log
	// Span returns the numbers between which a team's entries of a time stand: the
	// first of them, and the one after the last. A zero time has no bound. Entries
	// of up to an hour more may be among them: clocks differ, and an entry is timed
	// before it is numbered.
	Span(ctx context.Context, team string, from, until time.Time) (first, end int64, err error)
	// Search returns up to limit entries that the filter wants, numbered from first
	// to before end, the newest first.
	Search(ctx context.Context, team string, f Filter, first, end int64, limit int) ([]Link, error)
	// At returns the time of an entry.
	At(ctx context.Context, team string, seq int64) (time.Time, error)
	// CountRuns counts the requests of runs that are numbered from first to before
	// end, for each day of UTC.
	CountRuns(ctx context.Context, team string, first, end int64) ([]RunDay, error)
	// LastAllowed returns when the act was last allowed; the zero time if never.
	LastAllowed(ctx context.Context, team, action, target string) (time.Time, error)
}

// Service reads a team's activity.
type Service struct {
	store Store
	// counted is what is known of the days of teams.
	counted *lru.Cache[string, counted]
	// reach is MaxScan, but in tests.
	reach int64
}

// NewService makes a Service.
func NewService(store Store) *Service {
	c, err := lru.New[string, counted](countedTeams)
	if err != nil {
		panic(err) // countedTeams is not positive.
	}
	return &Service{store: store, counted: c, reach: MaxScan}
}

// PageSize is how many entries Search returns at once.
const PageSize = 50

// Latest returns the sequence number of the team's newest entry.
func (s *Service) Latest(ctx context.Context, actor team.Actor) (int64, error) {
	if err := Guard(ctx, s.store, actor, team.ReadAudit, ""); err != nil {
		return 0, err
	}
	_, end, err := s.store.Span(ctx, actor.TeamID(), time.Time{}, time.Time{})
	return end - 1, err
}

// LastRun returns when an app of the team last received its secrets.
func (s *Service) LastRun(ctx context.Context, actor team.Actor, app string) (time.Time, error) {
	if err := Guard(ctx, s.store, actor, team.ListApps, app); err != nil {
		return time.Time{}, err
	}
	return s.store.LastAllowed(ctx, actor.TeamID(), string(team.ResolveApp), app)
}

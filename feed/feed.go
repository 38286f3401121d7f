// Package feed tells those who wait that something of their team has changed:
// runners that watch an app, and pages that stay up to date. It says that, not
// what: who is told asks the domain anew.
//
// Each team has a number that every transaction with an effect increments. One
// goroutine per instance reads the numbers of the teams that somebody waits
// for, one query for all of them, each Interval and after each change of its
// own instance. So a change made anywhere is told everywhere within about
// Interval, also through a pooler such as pgbouncer, over which the
// notifications of PostgreSQL don't come.
package feed

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Interval is how often the numbers are read.
const Interval = time.Second

// Source reads the numbers. A team without a change has none.
type Source interface {
	Changes(ctx context.Context, teams []string) (map[string]int64, error)
}

// Feed is an instance's change feed. Make it with New, and run it with Run.
type Feed struct {
	source Source
	log    *slog.Logger
	wake   chan struct{}

	mu     sync.Mutex
	ended  bool
	seen   map[string]int64 // of the teams with subscribers, once it was read
	teams  map[string]map[*Subscription]struct{}
	failed bool
}

// New makes a Feed.
func New(source Source, log *slog.Logger) *Feed {
	return &Feed{
		source: source, log: log, wake: make(chan struct{}, 1),
		seen: map[string]int64{}, teams: map[string]map[*Subscription]struct{}{},
	}
}

// Subscription is one who waits.
type Subscription struct {
	feed *Feed
	team string
	// changed holds one notice at most: several changes are one.
	changed chan struct{}
}

// Changed delivers a notice after each change, or several in one. It is closed
// when the feed has ended. The first notice may come without a change.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Number is the team's number when it was last read; false before that.
func (s *Subscription) Number() (int64, bool) {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	n, ok := s.feed.seen[s.team]
	return n, ok
}

// Close ends the subscription.
func (s *Subscription) Close() {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.teams[s.team], s)
	if len(f.teams[s.team]) == 0 {
		delete(f.teams, s.team)
		delete(f.seen, s.team)
	}
}

// Subscribe begins to wait for changes of a team. Whoever reads the team's
// state after it misses none.
func (f *Feed) Subscribe(team string) *Subscription {
	s := &Subscription{feed: f, team: team, changed: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		close(s.changed)
		return s
	}
	if f.teams[team] == nil {
		f.teams[team] = map[*Subscription]struct{}{}
	}
	f.teams[team][s] = struct{}{}
	return s
}

// Number reads a team's number now. Whoever reads the team's state after it can
// wait for what changes then.
func (f *Feed) Number(ctx context.Context, team string) (int64, error) {
	numbers, err := f.source.Changes(ctx, []string{team})
	return numbers[team], err
}

// Wake makes the feed look at once: this instance has changed something.
func (f *Feed) Wake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run looks for changes until ctx is done, and then ends all subscriptions.
func (f *Feed) Run(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.end()
			return
		case <-tick.C:
		case <-f.wake:
		}
		f.look(ctx)
	}
}

func (f *Feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for _, subscriptions := range f.teams {
		for s := range subscriptions {
			close(s.changed)
		}
	}
	clear(f.teams)
}

// look reads the numbers and tells those whose team has another one.
func (f *Feed) look(ctx context.Context) {
	f.mu.Lock()
	teams := make([]string, 0, len(f.teams))
	for team := range f.teams {
		teams = append(teams, team)
	}
	f.mu.Unlock()
	if len(teams) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*Interval)
	defer cancel()
	numbers, err := f.source.Changes(ctx, teams)
	if err != nil {
		if !f.failed && ctx.Err() == nil {
			f.log.Error("the change feed can't read the database; it goes on trying", "error", err)
		}
		f.failed = true
		return
	}
	f.failed = false
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, team := range teams {
		before, known := f.seen[team]
		if known && before == numbers[team] || f.teams[team] == nil {
			continue
		}
		f.seen[team] = numbers[team]
		for s := range f.teams[team] {
			select {
			case s.changed <- struct{}{}:
			default: // It has a notice that it has not taken yet.
			}
		}
	}
}

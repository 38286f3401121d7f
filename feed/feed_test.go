package feed_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"infsh/feed"
)

// numbers are the teams' numbers, as a database keeps them.
type numbers struct {
	mu     sync.Mutex
	of     map[string]int64
	broken bool
	asked  int
}

func (n *numbers) Changes(_ context.Context, teams []string) (map[string]int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if n.broken {
		return nil, errors.New("the database is gone")
	}
	out := map[string]int64{}
	for _, t := range teams {
		if of, ok := n.of[t]; ok {
			out[t] = of
		}
	}
	return out, nil
}

func (n *numbers) change(team string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of[team]++
}

func (n *numbers) set(broken bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = broken
}

func start(t *testing.T) (*feed.Feed, *numbers, context.CancelFunc) {
	t.Helper()
	n := &numbers{of: map[string]int64{}}
	f := feed.New(n, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		f.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return f, n, cancel
}

// A change is told to those who wait for that team, whichever instance made
// it, and to nobody else.
func TestAChangeIsTold(t *testing.T) {
	f, n, _ := start(t)
	acme, again, beta := f.Subscribe("acme"), f.Subscribe("acme"), f.Subscribe("beta")
	// The first notice says that the number is known from now on.
	<-acme.Changed()
	<-again.Changed()
	<-beta.Changed()
	n.change("acme") // No Wake: another instance's change.
	<-acme.Changed()
	<-again.Changed()
	select {
	case <-beta.Changed():
		t.Error("beta was told of acme's change")
	default:
	}
	// Who went away is told nothing, and the others are.
	again.Close()
	n.change("acme")
	f.Wake()
	<-acme.Changed()
	select {
	case <-again.Changed():
		t.Error("a closed subscription was told")
	default:
	}
}

// A change while the database does not answer is told when it does again.
func TestAChangeIsToldAfterAnOutage(t *testing.T) {
	f, n, _ := start(t)
	s := f.Subscribe("acme")
	<-s.Changed()
	n.set(true)
	n.change("acme")
	f.Wake()
	n.set(false)
	<-s.Changed()
}

// When the server stops, everybody who waits is let go, and so is whoever
// comes later.
func TestEndOfTheFeed(t *testing.T) {
	f, _, cancel := start(t)
	s := f.Subscribe("acme")
	cancel()
	for range s.Changed() {
	}
	for range f.Subscribe("acme").Changed() {
		t.Error("a notice after the end")
	}
	s.Close()
}

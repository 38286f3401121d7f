package integration

import (
	"sync"
	"time"
)

const (
	// breakAfter failures in a row, of connections of two teams or more, nobody
	// asks a provider for a while: it is not the connections that are broken. One
	// team's failures may be of its own making, and pause its connections alone.
	breakAfter = 5
	firstPause = 15 * time.Second
	longPause  = 5 * time.Minute
)

// breakers keep an instance from asking providers that don't answer.
type breakers struct {
	mu sync.Mutex
	of map[string]*breaker
}

type breaker struct {
	failures int
	// team had the first failure, and several says that another one had some too.
	team    string
	several bool
	until   time.Time
}

func newBreakers() *breakers { return &breakers{of: map[string]*breaker{}} }

// open reports whether the provider is left alone, and until when.
func (b *breakers) open(provider string, now time.Time) (until time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.of[provider]
	if one == nil || !now.Before(one.until) {
		return time.Time{}, false
	}
	return one.until, true
}

// opened lists the providers that are left alone.
func (b *breakers) opened(now time.Time) (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for provider, one := range b.of {
		if now.Before(one.until) {
			out = append(out, provider)
		}
	}
	return out
}

// failed counts a team's request that the provider did not answer. When the pause is
// over, one more failure begins the next, longer one.
func (b *breakers) failed(provider, team string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.of[provider]
	if one == nil {
		one = &breaker{team: team}
		b.of[provider] = one
	}
	one.failures++
	one.several = one.several || team != one.team
	if one.several && one.failures >= breakAfter {
		pause := min(firstPause<<min(one.failures-breakAfter, 8), longPause)
		one.until = now.Add(pause)
	}
}

// answered closes it: whatever the answer was, the provider is there.
func (b *breakers) answered(provider string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, provider)
}

package webhook

import (
	"context"
	"net/netip"
	"time"
)

// At makes the sender live at another time.
func (s *Sender) At(now func() time.Time) { s.now = now }

// Tries is how often a message is sent at most.
func Tries() int { return len(pauses) + 1 }

// Public is what the guard decides of an address.
func Public(a string) bool { return public(netip.MustParseAddr(a)) }

// SendDue sends until nothing is due.
func (s *Sender) SendDue(ctx context.Context) error {
	for {
		if more, err := s.deliver(ctx); err != nil || !more {
			return err
		}
	}
}

package webhook

import (
	"context"
	"net/http"
	"time"
)

// At makes the sender live at another time.
func (s *Sender) At(now func() time.Time) { s.now = now }

// WaitLong lets a call hang for as long as a lease lasts.
func (s *Sender) WaitLong() {
	s.client.Timeout, s.client.Transport.(*http.Transport).ResponseHeaderTimeout = 0, 0
}

// Tries is how often a message is sent at most.
func Tries() int { return len(pauses) + 1 }

// SendDue sends until nothing is due.
func (s *Sender) SendDue(ctx context.Context) error {
	for {
		err := s.deliver(ctx)
		if s.underWay == 0 {
			return err
		}
		s.end(<-s.ended)
	}
}

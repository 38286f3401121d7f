package secret

import "time"

// At makes the service believe that it is later.
func (s *Service) At(later time.Duration) {
	s.now = func() time.Time { return time.Now().UTC().Truncate(time.Microsecond).Add(later) }
}

package issuer

import "time"

// At makes the service live at another time.
func (s *Service) At(now func() time.Time) *Service {
	s.now = now
	return s
}

package audit

// SetReach makes requests read less than MaxScan.
func (s *Service) SetReach(entries int64) { s.reach = entries }

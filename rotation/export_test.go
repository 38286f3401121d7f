package rotation

// SetBatch makes batches small enough that few rows need several.
func (s *Service) SetBatch(n int) *Service {
	s.batch = n
	return s
}

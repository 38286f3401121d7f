//go:build !linux

package runner

// Harden does nothing on this system.
func Harden() error { return nil }

func restoreLimits(int) {}

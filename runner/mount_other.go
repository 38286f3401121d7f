//go:build !linux

package runner

import (
	"errors"

	"infsh/redact"
)

// Mount: only Linux has one here, see the package's documentation.
type Mount struct{}

// OpenMount refuses on this system.
func OpenMount(string, bool) (*Mount, error) {
	return nil, errors.New("--mount works on Linux only: leave it out, and the command gets its secrets in its environment")
}

// Close does nothing on this system.
func (*Mount) Close() error { return nil }

func (*Mount) file(string) string          { return "" }
func (*Mount) write([]redact.Needle) error { return nil }

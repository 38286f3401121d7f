//go:build unix

package envelope

import "testing"

// Only the user who runs the process, and root, can have written the file.
func TestTrustedOwner(t *testing.T) {
	for _, c := range []struct {
		owner, self int
		want        bool
	}{{1000, 1000, true}, {0, 1000, true}, {0, 0, true}, {1001, 1000, false}, {1000, 0, false}} {
		if got := trustedOwner(c.owner, c.self); got != c.want {
			t.Errorf("owner %d, process %d: %v", c.owner, c.self, got)
		}
	}
}

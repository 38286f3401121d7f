//go:build !linux && !windows

package runner

// maxEntry: only the total is limited.
const maxEntry = 1 << 20

// maxTotal is ARG_MAX of macOS, less a page. Where a system takes less, it refuses
// by itself, and startError says so.
func maxTotal() int { return 1<<20 - 4<<10 }

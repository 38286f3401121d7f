//go:build !linux

package runner

// closeOnExec does nothing on this system: descriptors that this process
// inherited reach the command.
func closeOnExec() error { return nil }

//go:build unix

package cli

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// endings delivers the signals by which a person or a supervisor ends a run.
// While the command runs they are the runner's to forward; in between they
// would end this process without a word.
func endings() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 8)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	return c, func() { signal.Stop(c) }
}

// parseSignal reads HUP, SIGHUP or usr1.
func parseSignal(name string) (os.Signal, bool) {
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	s := unix.SignalNum(name)
	return s, s != 0 && s != syscall.SIGSTOP
}

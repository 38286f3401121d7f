package cli

import (
	"os"
	"os/signal"
)

func endings() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 8)
	signal.Notify(c, os.Interrupt)
	return c, func() { signal.Stop(c) }
}

// parseSignal finds none: Windows has no signals to send.
func parseSignal(string) (os.Signal, bool) { return nil, false }

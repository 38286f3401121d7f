package webhook

import (
	"syscall"

	"infsh/publicnet"
)

// Guard keeps messages away from the server's own network: whoever may add an
// endpoint must not reach through it what only this machine can reach.
type Guard struct {
	// AllowPrivate is the operator's leave to call any address, and plain http.
	AllowPrivate bool
}

// checkHost refuses an address, and names that only ever mean this machine.
func (g Guard) checkHost(host string) error {
	if g.AllowPrivate {
		return nil
	}
	return publicnet.CheckHost(host)
}

// control is called with the address that a connection is about to be made to.
func (g Guard) control(network, address string, c syscall.RawConn) error {
	if g.AllowPrivate {
		return nil
	}
	return publicnet.Control(network, address, c)
}

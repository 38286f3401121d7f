package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Guard keeps messages away from the server's own network: whoever may add an
// endpoint must not reach through it what only this machine can reach.
type Guard struct {
	// AllowPrivate is the operator's leave to call any address, and plain http.
	AllowPrivate bool
}

var errPrivateAddress = errors.New("it leads to a private, local or reserved address, which is not called")

// refused are the networks that no message goes to, beyond what netip says of
// an address: IANA's special-purpose registries (RFC 6890), and the address at
// which Azure answers about a machine.
var refused = func() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "168.63.129.16/32",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// public reports whether an address is one of the internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// checkHost refuses an address, and names that only ever mean this machine.
func (g Guard) checkHost(host string) error {
	if g.AllowPrivate {
		return nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(name); err == nil && !public(a) || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return errPrivateAddress
	}
	return nil
}

// control is called with the address that a connection is about to be made to,
// after the name was looked up: a name that leads elsewhere at the next look
// gains nothing.
func (g Guard) control(network, address string, _ syscall.RawConn) error {
	if g.AllowPrivate {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(host)
	if err != nil || !strings.HasPrefix(network, "tcp") || !public(a) {
		return fmt.Errorf("%w", errPrivateAddress)
	}
	return nil
}

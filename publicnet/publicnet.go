// Package publicnet keeps requests that others give rise to away from the
// server's own network: nobody reaches through them what only this machine can
// reach.
package publicnet

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ErrPrivate is an address that is not called.
var ErrPrivate = errors.New("it leads to a private, local or reserved address, which is not called")

// refused are the networks that no request goes to, beyond what netip says of
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

// Address reports whether an address is one of the internet.
func Address(a netip.Addr) bool {
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

// CheckHost refuses an address that is not public, and names that only ever
// mean this machine.
func CheckHost(host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(name); err == nil && !Address(a) || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return ErrPrivate
	}
	return nil
}

// Control is a net.Dialer's. It is called with the address that a connection is
// about to be made to, after the name was looked up: a name that leads elsewhere
// at the next look gains nothing.
func Control(network, address string, _ syscall.RawConn) error {
	a, err := addressOf(network, address)
	if err != nil || !Address(a) {
		return ErrPrivate
	}
	return nil
}

// Loopback is a Control that lets only this machine be called.
func Loopback(network, address string, _ syscall.RawConn) error {
	a, err := addressOf(network, address)
	if err != nil || !a.Unmap().IsLoopback() {
		return errors.New("it leads away from this machine, where it is said to be")
	}
	return nil
}

func addressOf(network, address string) (netip.Addr, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}, err
	}
	if !strings.HasPrefix(network, "tcp") {
		return netip.Addr{}, ErrPrivate
	}
	return netip.ParseAddr(host)
}

package handlers

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// behindProxies puts the client's address in the place of a trusted proxy's.
// X-Forwarded-For is read from its end, where the nearest proxy wrote: the
// first address there that is not a trusted proxy's is the client. Without
// trusted proxies, and from any other peer, the header is not believed, since
// anyone can send it.
func (s *server) behindProxies(next http.Handler) http.Handler {
	if len(s.config.TrustedProxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && s.isProxy(peer.Addr()) {
			if client, ok := s.clientOf(r.Header.Values("X-Forwarded-For")); ok {
				r.RemoteAddr = net.JoinHostPort(client.String(), "0")
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) clientOf(headers []string) (client netip.Addr, ok bool) {
	hops := strings.Split(strings.Join(headers, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			// What stands before a word that is no address can't be trusted.
			return client, ok
		}
		client, ok = addr.Unmap().WithZone(""), true
		if !s.isProxy(client) {
			return client, true
		}
	}
	return client, ok
}

func (s *server) isProxy(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range s.config.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

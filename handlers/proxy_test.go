package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// The client's address is the peer's, unless the operator trusts the peer as a
// proxy; then it is the last one that no trusted proxy wrote (U6).
func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		trusted    []netip.Prefix
		want       string
	}{
		{"no proxy is trusted", "10.0.0.1:1234", []string{"192.0.2.7"}, nil, "10.0.0.1:1234"},
		{"a stranger forwards", "198.51.100.9:1234", []string{"192.0.2.7"}, proxies, "198.51.100.9:1234"},
		{"a proxy forwards", "10.0.0.1:1234", []string{"192.0.2.7"}, proxies, "192.0.2.7:0"},
		{"the client wrote some itself", "10.0.0.1:1234", []string{"127.0.0.1, 203.0.113.5, 192.0.2.7"}, proxies, "192.0.2.7:0"},
		{"in several headers", "10.0.0.1:1234", []string{"203.0.113.5", "192.0.2.7"}, proxies, "192.0.2.7:0"},
		{"two proxies", "10.0.0.1:1234", []string{"192.0.2.7, 10.0.0.2"}, proxies, "192.0.2.7:0"},
		{"an address that is none", "10.0.0.1:1234", []string{"192.0.2.7, evil\x1b[2J"}, proxies, "10.0.0.1:1234"},
		{"garbage before a proxy", "10.0.0.1:1234", []string{"evil, 10.0.0.2"}, proxies, "10.0.0.2:0"},
		{"no header", "10.0.0.1:1234", nil, proxies, "10.0.0.1:1234"},
		{"IPv6", "[fd00::1]:1234", []string{"2001:db8::7"}, proxies, "[2001:db8::7]:0"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1234", []string{"::ffff:192.0.2.7"}, proxies, "192.0.2.7:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &server{config: Config{TrustedProxies: c.trusted}}
			var got string
			h := s.behindProxies(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("the client is %s, want %s", got, c.want)
			}
		})
	}
}

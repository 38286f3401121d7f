package sso

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"infsh/publicnet"
)

// client asks the provider. It follows no redirect, reads no more than
// maxAnswer, and takes what is not a success as none, so that no text of a
// failure gets into a log.
type client struct {
	http       *http.Client
	issuerHost string
	// private says that the issuer itself is in a private network.
	private atomic.Bool
}

func newClient(issuer *url.URL) *client {
	c := &client{issuerHost: issuer.Hostname()}
	c.http = publicnet.Client(c.dial, requestTimeout, func(next http.RoundTripper) http.RoundTripper { return bounded{next} })
	return c
}

// in is how the library is told what to ask with.
func (c *client) in(ctx context.Context) context.Context { return oidc.ClientContext(ctx, c.http) }

// dial connects to the issuer wherever that is, since the operator named it. A
// host that only its discovery document names must not be one that only this
// server can reach, unless the issuer is in such a network too.
func (c *client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host != c.issuerHost {
		d.Control = c.control
		return d.DialContext(ctx, network, address)
	}
	conn, err := d.DialContext(ctx, network, address)
	if err == nil {
		c.private.Store(!public(conn.RemoteAddr().String()))
	}
	return conn, err
}

// control is called with the address that a connection is about to be made to,
// after the name was looked up.
func (c *client) control(_, address string, _ syscall.RawConn) error {
	if !c.private.Load() && !public(address) {
		return errors.New("the discovery document names a host in a private network, which the issuer is not in")
	}
	return nil
}

func public(address string) bool {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	return publicnet.Address(a.Addr())
}

type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// The token endpoint says in a 400 or 401 what it does not accept.
	refusal := r.Method == http.MethodPost && (res.StatusCode == http.StatusBadRequest || res.StatusCode == http.StatusUnauthorized)
	if res.StatusCode != http.StatusOK && !refusal {
		_ = res.Body.Close()
		return nil, fmt.Errorf("it answered %d", res.StatusCode)
	}
	res.Body = http.MaxBytesReader(nil, res.Body, maxAnswer)
	return res, nil
}

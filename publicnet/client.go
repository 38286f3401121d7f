package publicnet

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Dial connects to an address.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer connects as a net.Dialer does whose control is asked before each
// connection; nil asks nobody.
func Dialer(control func(network, address string, c syscall.RawConn) error) Dial {
	d := net.Dialer{Timeout: dialTimeout, Control: control}
	return d.DialContext
}

const dialTimeout = 5 * time.Second

// Client makes a client for requests that others give rise to: it follows no
// redirect, which would lead to wherever an answer says, and bounds each step. A
// proxy is not used: it would connect in our place, to addresses that we refuse.
// around may bound what is read of an answer.
func Client(dial Dial, timeout time.Duration, around func(http.RoundTripper) http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: around(&http.Transport{
			DialContext: dial, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: timeout,
			DisableCompression: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 32 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"infsh/redact"
)

const (
	// DefaultTimeout bounds a call with all of its retries.
	DefaultTimeout = 30 * time.Second
	// maxResponseBytes leaves room for the largest resolve: 64 values of 64 KiB,
	// of which JSON may make six times as much in the worst case.
	maxResponseBytes = 32 << 20
	maxHeaderBytes   = 64 << 10
)

// Options are a client's settings. The zero value is usable.
type Options struct {
	// Team is the username of the team that the calls are meant for. Empty
	// means the credential's own.
	Team string
	// InternalURL is where Resolve goes, if not to the base URL.
	InternalURL string
	// AllowInsecure permits plain http to other hosts than this one. The
	// credential and every value then cross the network unencrypted.
	AllowInsecure bool
	UserAgent     string
	// Timeout bounds a call with all of its retries; 0 means DefaultTimeout.
	Timeout time.Duration
	// Logger gets the method, path, status and duration of each request at
	// debug level, and nothing else: no header, body or value.
	Logger *slog.Logger
	// Renew gets another credential when the server does not accept the one that
	// there is any more. Nil gets none.
	Renew func(context.Context) (redact.Value, error)
	// Transport is nil but in tests.
	Transport http.RoundTripper

	// wait is time.After with a context. Tests replace it.
	wait func(context.Context, time.Duration) error
}

// Client speaks to one server with one credential. It is safe for concurrent
// use.
type Client struct {
	base     string
	internal string
	opts     Options
	http     *http.Client

	mu         sync.Mutex
	credential redact.Value
	renewing   sync.Mutex
}

// New makes a client. The base URL is the server's own, without "/api". An
// unset credential makes a client for the calls that need none.
func New(baseURL string, credential redact.Value, opts Options) (*Client, error) {
	base, err := checkURL(baseURL, opts.AllowInsecure)
	if err != nil {
		return nil, err
	}
	internal := base
	if opts.InternalURL != "" {
		if internal, err = checkURL(opts.InternalURL, opts.AllowInsecure); err != nil {
			return nil, err
		}
	}
	if !credential.IsZero() {
		if err := CheckCredential(credential); err != nil {
			return nil, err
		}
	}
	for _, r := range opts.Team {
		if r <= ' ' || r >= 0x7f {
			return nil, errors.New("the team's name contains a character that no team's name has")
		}
	}
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.UserAgent == "" {
		opts.UserAgent = "infsh"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.wait == nil {
		opts.wait = wait
	}
	if opts.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxResponseHeaderBytes = maxHeaderBytes
		opts.Transport = transport
	}
	return &Client{
		base: base, internal: internal, credential: credential, opts: opts,
		http: &http.Client{
			Transport: opts.Transport,
			// The API has no redirects. Following one would carry the
			// credential, and often a value, to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// bearer is the credential that is sent now.
func (c *Client) bearer() redact.Value {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.credential
}

// renew gets another credential where err says that the given one is not accepted
// any more, and reports whether there is one. Of several calls at once one gets it.
func (c *Client) renew(ctx context.Context, old redact.Value, err error) (bool, error) {
	var answered *Error
	if c.opts.Renew == nil || !errors.As(err, &answered) || answered.Status != http.StatusUnauthorized {
		return false, err
	}
	c.renewing.Lock()
	defer c.renewing.Unlock()
	if !c.bearer().Equal(old) {
		return true, nil
	}
	fresh, err := c.opts.Renew(ctx)
	if err == nil {
		err = CheckCredential(fresh)
	}
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.credential = fresh
	return true, nil
}

// URL is the server's base URL, in the form under which a saved login is kept.
func (c *Client) URL() string { return c.base }

// CheckCredential reports whether v can be an API key at all: it is sent in a
// header, so it is printable ASCII without spaces. The error does not quote it.
func CheckCredential(v redact.Value) error {
	s := v.Reveal()
	if s == "" {
		return errors.New("the API key is empty")
	}
	if len(s) > 512 {
		return errors.New("the API key is too long: a key has fewer than 512 characters")
	}
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			return errors.New("the API key contains a space or a line break: copy the key alone, without anything around it")
		case r <= ' ' || r >= 0x7f:
			return errors.New("the API key contains a character that no API key has: copy it again")
		}
	}
	return nil
}

// NormalizeURL gives the form of a server's URL in which [Client.URL] names it.
// It does not judge whether the URL is safe to use.
func NormalizeURL(raw string) (string, error) { return checkURL(raw, true) }

// checkURL accepts https anywhere, and plain http to this machine or where
// allowInsecure is set. Its errors don't quote user information.
func checkURL(raw string, allowInsecure bool) (string, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return "", errors.New("the server's URL is not one: it looks like https://infsh.example.com")
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.User != nil {
		return "", fmt.Errorf("the URL of %s contains a user name or password: leave it out", u.Host)
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", fmt.Errorf("the URL of %s has a query or a fragment: leave it out", u.Host)
	}
	switch u.Scheme {
	case "https":
	case "http":
		if !allowInsecure && !IsLoopback(u.Hostname()) {
			return "", fmt.Errorf("%s://%s is not encrypted, so the API key and every secret would cross the network in the clear: "+
				"use https, or set INFSH_ALLOW_HTTP=1 if you know that this network is safe", u.Scheme, u.Host)
		}
	default:
		return "", fmt.Errorf("the server's URL starts with %q: it must start with https://, or http:// for this machine", u.Scheme+"://")
	}
	return strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/"), nil
}

// IsLoopback reports whether a host is this machine, to which plain http may go.
func IsLoopback(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Package sso speaks OpenID Connect with the provider that the operator has
// chosen. It finds out who somebody is there, and knows nothing of accounts
// here: package auth binds its requests to browsers, package account decides
// who is let in.
package sso

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"infsh/redact"
)

const (
	// requestTimeout bounds one request to the provider, its body included, and
	// exchangeTimeout all that one sign-in asks of it.
	requestTimeout  = 8 * time.Second
	exchangeTimeout = 15 * time.Second
	// maxAnswer is in bytes; the largest documents, those of keys, have some 20 kB.
	maxAnswer = 256 << 10
	// keepDiscovery is how long what a provider says of itself is believed, and
	// keepFailure how long it is left alone after it did not answer.
	keepDiscovery = time.Hour
	keepFailure   = 2 * time.Second
	// clockSkew is how far the provider's clock may be from ours, and lateSkew
	// how long an ID token is good after its end.
	clockSkew = 5 * time.Minute
	lateSkew  = time.Minute
	// freshSkew is how much older than a sign-in here the one at the provider may
	// be and still be taken for the same act.
	freshSkew = 10 * time.Second
	// maxSubject is in bytes (OpenID Connect Core, section 8).
	maxSubject = 255
)

// Config is what the operator has said of the provider.
type Config struct {
	// Issuer is compared to the letter, as the protocol has it.
	Issuer   string
	ClientID string
	// ClientSecret is zero for a client that has none; PKCE is used either way.
	ClientSecret redact.Value
	// Name is what people call the provider.
	Name string
	// RedirectURL is where the provider sends people back to.
	RedirectURL string
}

// Provider is an OpenID Connect provider. Nothing is asked of it before
// somebody wants to sign in.
type Provider struct {
	config Config
	issuer *url.URL
	client *client
	now    func() time.Time

	mu       sync.Mutex
	current  *metadata
	failed   error
	failedAt time.Time
	asking   chan struct{}
}

// metadata is what the provider says of itself.
type metadata struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth    oauth2.Config
	// namesItself says that each answer comes with the issuer (RFC 9207).
	namesItself bool
	at          time.Time
}

// New makes a Provider.
func New(config Config) (*Provider, error) {
	issuer, err := ParseIssuer(config.Issuer)
	if err != nil {
		return nil, err
	}
	p := &Provider{config: config, issuer: issuer, now: time.Now}
	p.client = newClient(issuer)
	return p, nil
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.config.Name }

// Issuer identifies the provider, and with it the people whom it names.
func (p *Provider) Issuer() string { return p.config.Issuer }

// ParseIssuer checks an issuer's address: it is https, or on this machine.
func ParseIssuer(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !safe(u, nil) {
		return nil, errors.New("it must be like https://login.example.com, as the provider's discovery document has it; plain http is for this machine alone")
	}
	return u, nil
}

// safe reports whether something may be asked at an address: over https, or over
// http on this machine if the issuer is there too.
func safe(u, issuer *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) && (issuer == nil || isLoopback(issuer.Hostname()))
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || strings.EqualFold(host, "localhost")
}

// metadata returns what the provider says of itself. It is asked again after a
// while, beside those who sign in meanwhile; one that does not answer is as it
// was.
func (p *Provider) metadata(ctx context.Context) (*metadata, error) {
	p.mu.Lock()
	known, now := p.current, p.now()
	old := known == nil || now.Sub(known.at) >= keepDiscovery
	left := p.failed != nil && now.Sub(p.failedAt) < keepFailure
	if old && !left && p.asking == nil {
		p.asking = make(chan struct{})
		go p.ask()
	}
	asking, failed := p.asking, p.failed
	p.mu.Unlock()
	switch {
	case known != nil:
		return known, nil
	case asking == nil:
		return nil, failed
	}
	select {
	case <-asking:
	case <-ctx.Done():
		return nil, fail(Unavailable, ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		return nil, p.failed
	}
	return p.current, nil
}

// ask asks for the discovery document. The request that wanted it may be gone
// before it comes; the next one finds it.
func (p *Provider) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	found, err := p.discover(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed = err; err != nil {
		p.failed, p.failedAt = fail(Unavailable, err), p.now()
	} else {
		p.current = found
	}
	close(p.asking)
	p.asking = nil
}

func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	provider, err := oidc.NewProvider(p.client.in(ctx), p.config.Issuer)
	if err != nil {
		return nil, err
	}
	var says struct {
		KeysURL     string   `json:"jwks_uri"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
		NamesItself bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&says); err != nil {
		return nil, fmt.Errorf("read the discovery document: %w", err)
	}
	endpoint := provider.Endpoint()
	for _, e := range []struct {
		name, url string
		optional  bool
	}{
		{name: "authorization_endpoint", url: endpoint.AuthURL}, {name: "token_endpoint", url: endpoint.TokenURL},
		{name: "jwks_uri", url: says.KeysURL}, {name: "userinfo_endpoint", url: provider.UserInfoEndpoint(), optional: true},
	} {
		u, err := url.Parse(e.url)
		if e.optional && e.url == "" {
			continue
		}
		if err != nil || u.Host == "" || u.User != nil || !safe(u, p.issuer) {
			return nil, fmt.Errorf("the %s of the discovery document is not an https address", e.name)
		}
	}
	endpoint.AuthStyle = authStyle(says.AuthMethods, p.config.ClientSecret.IsZero())
	return &metadata{
		provider: provider,
		verifier: provider.VerifierContext(p.client.in(ctx), &oidc.Config{ClientID: p.config.ClientID, Now: func() time.Time { return p.now().Add(-lateSkew) }}),
		oauth: oauth2.Config{
			ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret.Reveal(), Endpoint: endpoint,
			RedirectURL: p.config.RedirectURL, Scopes: []string{oidc.ScopeOpenID, "email"},
		},
		namesItself: says.NamesItself, at: p.now(),
	}, nil
}

// authStyle chooses how this server shows its secret. It is not tried out: a
// code that was shown once is used.
func authStyle(methods []string, public bool) oauth2.AuthStyle {
	header := len(methods) == 0 // What a provider that says nothing takes.
	for _, m := range methods {
		header = header || m == "client_secret_basic"
	}
	if header && !public {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

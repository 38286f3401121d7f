package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"infsh/publicnet"
	"infsh/redact"
)

const (
	// callTimeout bounds a whole request to a provider.
	callTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 256 << 10
	userAgent = "infsh-integrations"
)

// caller makes the requests to providers: to the hosts of the catalogue alone,
// through no redirect, to public addresses unless the operator's catalogue says
// that a provider is elsewhere, and within bounds.
type caller struct{ clients map[network]*http.Client }

func newCaller() *caller {
	c := &caller{clients: map[network]*http.Client{}}
	for _, where := range []network{public, private, loopback} {
		var control func(network, address string, c syscall.RawConn) error
		switch where {
		case public:
			control = publicnet.Control
		case loopback:
			control = publicnet.Loopback
		}
		c.clients[where] = publicnet.Client(publicnet.Dialer(control), callTimeout, func(next http.RoundTripper) http.RoundTripper { return bounded{next} })
	}
	return c
}

// bounded cuts answers, and says who asks.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", userAgent)
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

func (c *caller) context(ctx context.Context, p *Provider) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.clients[p.network])
}

// config is the OAuth client of a team at a provider.
func (k *Kind) config(client Client, secret redact.Value, redirect string) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if k.clientAuth == "body" || secret.IsZero() {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: client.ClientID, ClientSecret: secret.Reveal(), RedirectURL: redirect,
		Endpoint: oauth2.Endpoint{AuthURL: k.authorize, TokenURL: k.token, AuthStyle: style},
	}
}

// authorization is the address to which a person is led.
func (k *Kind) authorization(config *oauth2.Config, state, verifier string, scopes []string) string {
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if len(scopes) > 0 {
		options = append(options, oauth2.SetAuthURLParam("scope", strings.Join(scopes, k.separator)))
	}
	for name, value := range k.params {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	return config.AuthCodeURL(state, options...)
}

// refusal is what a provider said, in words that are safe to show: its code of
// RFC 6749 and nothing else of its answer.
type refusal struct {
	code   string
	status int
	// at names the request where there are several.
	at string
}

func (r *refusal) Error() string {
	if r.at == impersonated {
		return fmt.Sprintf("it answered %d where the service account’s token was asked for", r.status)
	}
	if r.code != "" {
		return "it answered " + r.code
	}
	return fmt.Sprintf("it answered %d", r.status)
}

// final reports whether the same request will be refused again.
func (r *refusal) final() bool {
	return r.code == "invalid_grant" || r.code == "unauthorized_client" || r.code == "invalid_scope"
}

var (
	errSlow        = errors.New("it did not answer in time")
	errUnreachable = errors.New("it could not be reached")
	errNonsense    = errors.New("its answer could not be read")
	// errNotAsked is a failure of this server's own.
	errNotAsked = errors.New("it could not be asked")
)

// failed turns an error of a request into one that holds nothing of what was
// sent or answered: libraries quote both.
func failed(err error) error {
	var retrieve *oauth2.RetrieveError
	var timedOut net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &retrieve):
		status := 0
		if retrieve.Response != nil {
			status = retrieve.Response.StatusCode
		}
		code := retrieve.ErrorCode
		if code == "" {
			code = errorCode(retrieve.Body)
		}
		return &refusal{code: plainCode(code), status: status}
	case errors.Is(err, publicnet.ErrPrivate):
		return publicnet.ErrPrivate
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timedOut) && timedOut.Timeout():
		return errSlow
	case errors.As(err, new(*url.Error)), errors.As(err, new(*net.OpError)):
		return errUnreachable
	}
	return errNonsense
}

func errorCode(body []byte) string {
	var answer struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // what is no JSON has no code
	return answer.Error
}

// plainCode keeps a code of RFC 6749 and drops anything else that stands in its
// place.
func plainCode(code string) string {
	if len(code) > 64 || strings.ContainsFunc(code, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
		return ""
	}
	return code
}

// materialOf reads the answer of a token endpoint.
func (k *Kind) materialOf(t *oauth2.Token, asked []string, now time.Time) (m Material, answer map[string]any) {
	answer = map[string]any{}
	m = Material{access: redact.NewValue(t.AccessToken), tokenType: t.Type(), scopes: asked, fields: map[string]redact.Value{}, answers: map[string]redact.Value{}}
	if t.RefreshToken != "" {
		m.refresh = redact.NewValue(t.RefreshToken)
	}
	if !t.Expiry.IsZero() {
		m.expires = now.Add(time.Until(t.Expiry)).UTC().Truncate(time.Second)
	} else if k.lifetime > 0 {
		m.expires = now.Add(k.lifetime).UTC().Truncate(time.Second)
	}
	if granted, ok := t.Extra("scope").(string); ok && granted != "" {
		m.scopes = strings.FieldsFunc(granted, func(r rune) bool { return r == ' ' || r == ',' })
		slices.Sort(m.scopes)
		m.scopes = slices.Compact(m.scopes)
	}
	for _, from := range k.env {
		if name, ok := strings.CutPrefix(string(from), answerSource); ok {
			if text := lookUp(t.Extra, name); text != "" {
				m.answers[name] = redact.NewValue(text)
			}
		}
	}
	for _, name := range []string{k.account.id, k.account.name} {
		first, _, _ := strings.Cut(name, ".")
		if v := t.Extra(first); first != "" && v != nil {
			answer[first] = v
		}
	}
	return m, answer
}

// lookUp reads a text or number of an answer by its path, such as team.id.
func lookUp(of func(string) any, path string) string {
	first, rest, more := strings.Cut(path, ".")
	if first == "" {
		return ""
	}
	v := of(first)
	if more {
		inner, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		return lookUp(func(name string) any { return inner[name] }, rest)
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	return ""
}

// exchange trades a code for tokens (RFC 6749, section 4.1.3; RFC 7636).
func (c *caller) exchange(ctx context.Context, p *Provider, k *Kind, config *oauth2.Config, code string, verifier redact.Value, asked []string, now time.Time) (Material, map[string]any, error) {
	t, err := config.Exchange(c.context(ctx, p), code, oauth2.VerifierOption(verifier.Reveal()))
	if err != nil {
		return Material{}, nil, failed(err)
	}
	m, answer := k.materialOf(t, asked, now)
	return m, answer, nil
}

// refresh asks for new tokens (RFC 6749, section 6). What was typed stays.
func (c *caller) refresh(ctx context.Context, p *Provider, k *Kind, config *oauth2.Config, old Material, now time.Time) (Material, error) {
	source := config.TokenSource(c.context(ctx, p), &oauth2.Token{RefreshToken: old.refresh.Reveal()})
	t, err := source.Token()
	if err != nil {
		return Material{}, failed(err)
	}
	m, _ := k.materialOf(t, old.scopes, now)
	m.fields = old.fields
	for name, v := range old.answers {
		if _, told := m.answers[name]; !told {
			m.answers[name] = v
		}
	}
	return m, nil
}

// serviceAccount is what is read of Google's JSON key.
type serviceAccount struct {
	Type     string `json:"type"`
	Email    string `json:"client_email"`
	Key      string `json:"private_key"`
	KeyID    string `json:"private_key_id"`
	Project  string `json:"project_id"`
	TokenURI string `json:"token_uri"`
}

// assert asks for a token with a signed assertion (RFC 7523). The address is the
// catalogue's, whatever the key names.
func (c *caller) assert(ctx context.Context, p *Provider, k *Kind, account serviceAccount, fields map[string]redact.Value, now time.Time) (Material, error) {
	config := &jwt.Config{Email: account.Email, PrivateKey: []byte(account.Key), PrivateKeyID: account.KeyID, Scopes: k.scopes, TokenURL: k.token}
	t, err := config.TokenSource(c.context(ctx, p)).Token()
	if err = failed(err); errors.Is(err, errNonsense) {
		err = errUnreachable // The library wraps what a connection failed of as text.
	}
	if err != nil {
		return Material{}, err
	}
	m, _ := k.materialOf(t, k.scopes, now)
	m.scopes, m.refresh, m.fields = k.scopes, redact.Value{}, fields
	return m, nil
}

// identify asks whose a token or key is. Without an address to ask at, the
// answer of the token endpoint says it.
func (c *caller) identify(ctx context.Context, p *Provider, k *Kind, token redact.Value, answer map[string]any) (id, name string, err error) {
	if k.account.url != "" {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.account.url, nil)
		if err != nil {
			return "", "", errNonsense
		}
		req.Header.Set("Authorization", k.account.scheme+" "+token.Reveal())
		resp, err := c.clients[p.network].Do(req)
		if err != nil {
			return "", "", failed(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return "", "", failed(err)
		}
		if resp.StatusCode != http.StatusOK {
			return "", "", &refusal{status: resp.StatusCode}
		}
		answer = map[string]any{}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if dec.Decode(&answer) != nil {
			return "", "", errNonsense
		}
	}
	of := func(field string) any { return answer[field] }
	return plainAccount(lookUp(of, k.account.id)), plainAccount(lookUp(of, k.account.name)), nil
}

// maxAccount is in characters.
const maxAccount = 200

// plainAccount makes a provider's words fit for a page and the log.
func plainAccount(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == '\uFFFD' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > maxAccount {
		s = string(runes[:maxAccount])
	}
	return strings.TrimSpace(s)
}

// revoke ends a token at the provider (RFC 7009).
func (c *caller) revoke(ctx context.Context, p *Provider, k *Kind, client Client, secret, token redact.Value) error {
	form := url.Values{"token": {token.Reveal()}}
	if k.clientAuth == "body" || secret.IsZero() {
		form.Set("client_id", client.ClientID)
		if !secret.IsZero() {
			form.Set("client_secret", secret.Reveal())
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.revoke, strings.NewReader(form.Encode()))
	if err != nil {
		return errNonsense
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if k.clientAuth == "header" && !secret.IsZero() {
		req.SetBasicAuth(url.QueryEscape(client.ClientID), url.QueryEscape(secret.Reveal()))
	}
	resp, err := c.clients[p.network].Do(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &refusal{status: resp.StatusCode}
	}
	return nil
}

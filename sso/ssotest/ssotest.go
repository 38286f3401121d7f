// Package ssotest is an OpenID Connect provider for tests: one that does what
// the protocol asks, and on demand what it forbids. e2e has a real one.
package ssotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
)

// The client that the provider knows.
const (
	ClientID     = "infsh-test"
	ClientSecret = "client-secret-CANARY"
)

// Provider is a provider whose answers a test may change before it asks.
type Provider struct {
	URL string
	// Claims changes what the next ID tokens say.
	Claims func(claims map[string]any)
	// Sign makes an ID token of its claims; nil signs as announced.
	Sign func(claims string) string
	// Discovery changes what the provider says of itself.
	Discovery func(document map[string]any)
	// UserInfo changes what it says of somebody's address.
	UserInfo func(info map[string]any)
	// Instead answers in place of the provider at a path, if it returns true.
	Instead func(w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	asked map[string]int
	codes map[string]grant
	key   *ecdsa.PrivateKey
	keyID string
}

// Person is somebody who has an account at the provider.
type Person struct {
	Subject, Email string
	Verified       bool
	// SignedInAt is when the person signed in there; zero for just now.
	SignedInAt time.Time
}

type grant struct {
	Person
	redirect, nonce, challenge string
}

// New starts a provider on this machine.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{asked: map[string]int{}, codes: map[string]grant{}}
	p.Rotate(t)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Rotate replaces the key that signs.
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.keyID = key, rand.Text()
}

// Asked is how often a path was asked for.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Key is the key that signs, with its id.
func (p *Provider) Key() (*ecdsa.PrivateKey, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key, p.keyID
}

// SignIn does what a person does at the address that leads to the provider, and
// returns what the browser then brings back.
func (p *Provider) SignIn(t testing.TB, authURL string, who Person) (back *url.URL) {
	t.Helper()
	u, err := url.Parse(authURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": ClientID, "code_challenge_method": "S256"} {
		if got := q.Get(name); got != want {
			t.Fatalf("the provider is asked with %s=%q, not %q", name, got, want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge", "redirect_uri"} {
		if q.Get(name) == "" {
			t.Fatalf("the provider is asked without %s", name)
		}
	}
	if who.SignedInAt.IsZero() {
		who.SignedInAt = time.Now()
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = grant{Person: who, redirect: q.Get("redirect_uri"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge")}
	p.mu.Unlock()
	back, err = url.Parse(q.Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode()
	return back
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	p.mu.Unlock()
	if p.Instead != nil && p.Instead(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		document := map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"userinfo_endpoint": p.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{oidc.ES256, "HS256", "none"},
			"authorization_response_iss_parameter_supported": true,
		}
		if p.Discovery != nil {
			p.Discovery(document)
		}
		answer(w, http.StatusOK, document)
	case "/keys":
		key, id := p.Key()
		public, err := key.PublicKey.Bytes()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		half := (len(public) - 1) / 2
		answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": oidc.ES256, "kid": id,
			"x": base64.RawURLEncoding.EncodeToString(public[1 : 1+half]), "y": base64.RawURLEncoding.EncodeToString(public[1+half:]),
		}}})
	case "/token":
		p.token(w, r)
	case "/userinfo":
		p.userInfo(w, r)
	default:
		http.NotFound(w, r)
	}
}

// token gives tokens for a code, once, to whoever has its PKCE verifier.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != ClientID || secret != ClientSecret {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	code := r.PostFormValue("code")
	p.mu.Lock()
	g, ok := p.codes[code]
	delete(p.codes, code)
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "aud": ClientID, "sub": g.Subject, "nonce": g.nonce,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": g.SignedInAt.Unix(),
	}
	if p.Claims != nil {
		p.Claims(claims)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sign := p.Sign
	if sign == nil {
		sign = func(claims string) string {
			key, id := p.Key()
			return oidctest.SignIDToken(key, id, oidc.ES256, claims)
		}
	}
	access := rand.Text()
	p.mu.Lock()
	p.codes[access] = g
	p.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": sign(string(text))})
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	var access string
	if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s", &access); err != nil {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	g, ok := p.codes[access]
	p.mu.Unlock()
	if !ok {
		http.Error(w, "another token", http.StatusUnauthorized)
		return
	}
	info := map[string]any{"sub": g.Subject, "email": g.Email, "email_verified": g.Verified}
	if p.UserInfo != nil {
		p.UserInfo(info)
	}
	maps.DeleteFunc(info, func(_ string, v any) bool { return v == nil })
	answer(w, http.StatusOK, info)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Package issuertest is an issuer of OIDC tokens for tests: it publishes its keys,
// replaces and withdraws them, signs what it is told to, and can be away.
package issuertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is one, on this machine, by plain http.
type Issuer struct {
	URL string
	tb  testing.TB

	mu     sync.Mutex
	keys   []jose.JSONWebKey
	status int
	asked  int
	now    func() time.Time
	// document replaces members of the discovery document.
	document map[string]any
	next     int
}

// firstKey is made once for all tests: to make one takes long.
var firstKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // it never fails
	}
	return k
})

// New starts one with one key.
func New(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{tb: tb, now: time.Now, document: map[string]any{}}
	i.keys = []jose.JSONWebKey{{Key: firstKey(), KeyID: "rsa-0", Algorithm: string(jose.RS256), Use: "sig"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /jwks", i.jwks)
	mux.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/jwks", http.StatusFound) })
	// As GitHub's runner offers it to a job.
	mux.HandleFunc("GET /request", i.request)
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// RequestToken is what /request asks for.
const RequestToken = "github-request-CANARY-4c0d9be1"

// request answers as the address does that GitHub tells a job.
func (i *Issuer) request(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+RequestToken || r.URL.Query().Get("api-version") != "2.0" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	claims := map[string]any{"aud": r.URL.Query().Get("audience"), "sub": "repo:acme/app:ref:refs/heads/main", "repository": "acme/app", "ref": "refs/heads/main"}
	_ = json.NewEncoder(w).Encode(map[string]any{"count": 1, "value": i.Token(claims)})
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	if i.status != 0 {
		w.WriteHeader(i.status)
		return
	}
	document := map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/jwks"}
	maps.Copy(document, i.document)
	_ = json.NewEncoder(w).Encode(document)
}

func (i *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(i.Keys())
}

// Keys are the public ones, as the issuer publishes them.
func (i *Issuer) Keys() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	set := jose.JSONWebKeySet{}
	for _, k := range i.keys {
		set.Keys = append(set.Keys, k.Public())
	}
	b, err := json.Marshal(set)
	if err != nil {
		i.tb.Error(err)
	}
	return b
}

// Asked is how often the discovery document was asked for.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Fail makes it answer a status; 0 ends that.
func (i *Issuer) Fail(status int) { i.set(func() { i.status = status }) }

// Say puts a member into the discovery document.
func (i *Issuer) Say(name string, value any) { i.set(func() { i.document[name] = value }) }

// Clock sets what time its tokens are made at.
func (i *Issuer) Clock(now func() time.Time) { i.set(func() { i.now = now }) }

// Rotate adds a key, which signs from then on.
func (i *Issuer) Rotate() {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.tb.Fatal(err)
	}
	i.set(func() {
		i.next++
		i.keys = append(i.keys, jose.JSONWebKey{Key: k, KeyID: fmt.Sprintf("ec-%d", i.next), Algorithm: string(jose.ES256), Use: "sig"})
	})
}

// Withdraw removes all keys but the newest.
func (i *Issuer) Withdraw() { i.set(func() { i.keys = slices.Clone(i.keys[len(i.keys)-1:]) }) }

// Key is the one that signs.
func (i *Issuer) Key() jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

func (i *Issuer) set(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

// Claims are those of a good token, which lasts for five minutes, with some set
// otherwise; nil leaves one out.
func (i *Issuer) Claims(with map[string]any) map[string]any {
	i.mu.Lock()
	now := i.now()
	i.next++
	claims := map[string]any{"iss": i.URL, "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "nbf": now.Unix(), "jti": fmt.Sprint(i.next)}
	i.mu.Unlock()
	for name, v := range with {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	return claims
}

// Token signs Claims with the newest key.
func (i *Issuer) Token(with map[string]any) string { return i.Sign(i.Key(), i.Claims(with)) }

// Sign signs claims with any key.
func (i *Issuer) Sign(key jose.JSONWebKey, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		i.tb.Error(err)
		return ""
	}
	body, err := json.Marshal(claims)
	if err != nil {
		i.tb.Error(err)
		return ""
	}
	signed, err := signer.Sign(body)
	if err != nil {
		i.tb.Error(err)
		return ""
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		i.tb.Error(err)
	}
	return text
}

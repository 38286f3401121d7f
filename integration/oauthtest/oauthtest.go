// Package oauthtest is a provider for tests: an OAuth 2.0 server that is as
// strict as the specifications let it be, and that can be slow, failing or gone.
package oauthtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The client that the server knows.
const (
	ClientID     = "client-of-acme"
	ClientSecret = "cs-7d1f0a52c9e84b36"
	// BotToken is the key that /me accepts.
	BotToken = "bot-4be1c09a77d24f35"
)

// Server is the provider.
type Server struct {
	URL string

	mu sync.Mutex
	// Redirect is the registered redirect URL.
	redirect string
	lifetime int
	account  string
	noScopes bool // says nothing of what was granted
	issuer   string
	status   int           // answers the token endpoint with that, if not 0
	gate     chan struct{} // the token endpoint waits for it
	codes    map[string]code
	// refresh is what a refresh token stands for; used are those that were replaced.
	refresh map[string]grant
	used    map[string]bool
	access  map[string]grant
	log     []string
	key     *rsa.PrivateKey
	sts     sts
	next    int
}

type code struct {
	grant
	redirect, challenge string
}

type grant struct {
	scopes, account string
}

// New starts a server.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{lifetime: 3600, account: "ada@provider.example", codes: map[string]code{}, refresh: map[string]grant{}, used: map[string]bool{}, access: map[string]grant{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /revoke", s.revoke)
	mux.HandleFunc("GET /me", s.me)
	mux.HandleFunc("POST /sts", s.exchangeSubject)
	mux.HandleFunc("POST /accounts/{account}", s.actAs)
	server := httptest.NewServer(mux)
	tb.Cleanup(func() {
		s.Open()
		server.Close()
	})
	s.URL = server.URL
	s.issuer = s.URL
	return s
}

// Register tells the server the redirect URL, which must be that exactly.
func (s *Server) Register(redirect string) { s.set(func() { s.redirect = redirect }) }

// Lifetime sets for how many seconds new tokens live.
func (s *Server) Lifetime(seconds int) { s.set(func() { s.lifetime = seconds }) }

// Account sets who is signed in.
func (s *Server) Account(name string) { s.set(func() { s.account = name }) }

// Issuer sets what it says in iss; empty says nothing.
func (s *Server) Issuer(iss string) { s.set(func() { s.issuer = iss }) }

// Fail makes the token endpoint answer a status; 0 ends that.
func (s *Server) Fail(status int) { s.set(func() { s.status = status }) }

// Close makes the token endpoint hang until Open.
func (s *Server) Close() {
	s.set(func() {
		if s.gate == nil {
			s.gate = make(chan struct{})
		}
	})
}

// Open lets it answer again.
func (s *Server) Open() {
	s.set(func() {
		if s.gate != nil {
			close(s.gate)
			s.gate = nil
		}
	})
}

// Forget makes all refresh tokens void, as a person does who takes the leave
// back at the provider.
func (s *Server) Forget() { s.set(func() { clear(s.refresh) }) }

func (s *Server) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// Count is how often something was done: authorize, exchange, refresh, reuse,
// assertion, revoke.
func (s *Server) Count(what string) (n int) {
	s.set(func() {
		for _, l := range s.log {
			if l == what {
				n++
			}
		}
	})
	return n
}

// Knows reports whether an access token is one of the server's, and its scopes.
func (s *Server) Knows(token string) (scopes []string, ok bool) {
	s.set(func() {
		var g grant
		g, ok = s.access[token]
		scopes = strings.Fields(g.scopes)
	})
	return scopes, ok
}

// Catalogue is an operator's file in which the server is the provider of that
// name, with capabilities read and write.
func (s *Server) Catalogue(id string) []byte {
	return fmt.Appendf(nil, `%[1]s:
  name: Test provider
  about: What the tests connect.
  network: loopback
  kinds:
    - type: oauth
      name: Test account
      steps: [Make a client there.]
      authorize: %[2]s/authorize
      token: %[2]s/token
      revoke: %[2]s/revoke
      issuer: %[2]s
      always: [offline]
      account: {url: %[2]s/me, id: sub, name: email}
      env: {TEST_ACCESS_TOKEN: access_token, TEST_CREDENTIALS: credentials}
    - type: service_account
      name: Test service account
      steps: [Make a key there.]
      named: true
      token: %[2]s/token
      scopes: [cloud]
      fields:
        - {key: service_account_key, label: Key file, sensitive: true, long: true}
        - {key: project_number, label: Project number, pattern: "[0-9]+"}
      env: {TEST_SA_TOKEN: access_token, TEST_PROJECT: "field:project_number"}
    - type: api_key
      name: Test bot
      steps: [Make a bot there.]
      named: true
      account: {url: %[2]s/me, scheme: Bot, id: sub, name: email}
      fields:
        - {key: bot_token, label: Bot token, sensitive: true}
      env: {TEST_BOT_TOKEN: "field:bot_token"}
%[3]s  capabilities:
    - {key: %[1]s.notes.read, words: Read your notes, scopes: [notes.read]}
    - {key: %[1]s.notes.write, words: Write your notes, scopes: [notes.write]}
    - {key: %[1]s.cloud, words: Use the cloud, scopes: [cloud], kinds: [service_account]}
    - {key: %[1]s.bot, words: Act as a bot, kinds: [api_key]}
    - {key: %[1]s.federated, words: Use the cloud without a key, scopes: [cloud], kinds: [workload_identity]}
  implies:
    notes.write: [notes.read]
`, id, s.URL, s.federationKind())
}

// ServiceAccountKey makes a key that the server accepts assertions of.
func (s *Server) ServiceAccountKey(tb testing.TB) string {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	s.set(func() { s.key = key })
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "robot@project.example", "private_key_id": "k1", "project_id": "project",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		// It must not be believed.
		"token_uri": "http://169.254.169.254/token",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// Allow does what a person does who is led to an address and allows what is
// asked for; it returns the address to which the browser is led back.
func (s *Server) Allow(tb testing.TB, address string) *url.URL { return s.decide(tb, address, "allow") }

// Deny says no instead.
func (s *Server) Deny(tb testing.TB, address string) *url.URL { return s.decide(tb, address, "deny") }

func (s *Server) decide(tb testing.TB, address, decision string) *url.URL {
	tb.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address + "&decision=" + decision)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		tb.Fatalf("the provider answered %d: %v", resp.StatusCode, err)
	}
	return back
}

func (s *Server) random(kind string) string {
	s.next++
	b := make([]byte, 12)
	_, _ = rand.Read(b) // it never fails
	return fmt.Sprintf("%s-%d-%s", kind, s.next, base64.RawURLEncoding.EncodeToString(b))
}

func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("redirect_uri") != s.redirect {
		http.Error(w, "unknown client, or another redirect URL than "+s.redirect, http.StatusBadRequest)
		return
	}
	decision := q.Get("decision")
	if decision == "" {
		address := html.EscapeString(r.URL.RequestURI())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>Provider</title><h1>Allow %s?</h1><a id="allow" href="%s&amp;decision=allow">Allow</a> <a id="deny" href="%s&amp;decision=deny">Deny</a>`,
			html.EscapeString(q.Get("scope")), address, address)
		return
	}
	s.log = append(s.log, "authorize")
	back := url.Values{"state": {q.Get("state")}}
	if s.issuer != "" {
		back.Set("iss", s.issuer)
	}
	switch {
	case q.Get("response_type") != "code" || q.Get("state") == "" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
		back.Set("error", "invalid_request")
	case decision == "deny":
		back.Set("error", "access_denied")
	default:
		c := s.random("code")
		s.codes[c] = code{grant{q.Get("scope"), s.account}, q.Get("redirect_uri"), q.Get("code_challenge")}
		back.Set("code", c)
	}
	http.Redirect(w, r, s.redirect+"?"+back.Encode(), http.StatusFound)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A careless provider quotes what it was sent.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": "refused: " + BotToken + ClientSecret})
}

func (s *Server) client(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	return id == ClientID && secret == ClientSecret
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	var gate chan struct{}
	s.set(func() { gate = s.gate })
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request")
		return
	}
	if s.status != 0 {
		s.log = append(s.log, "failed")
		http.Error(w, "out of order "+r.PostForm.Get("refresh_token"), s.status)
		return
	}
	f := r.PostForm
	if f.Get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		s.assertion(w, f.Get("assertion"))
		return
	}
	if !s.client(r) {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	switch f.Get("grant_type") {
	case "authorization_code":
		c, ok := s.codes[f.Get("code")]
		delete(s.codes, f.Get("code"))
		sum := sha256.Sum256([]byte(f.Get("code_verifier")))
		if !ok || c.redirect != f.Get("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
			refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
		s.log = append(s.log, "exchange")
		s.issue(w, c.grant)
	case "refresh_token":
		old := f.Get("refresh_token")
		g, ok := s.refresh[old]
		if s.used[old] {
			// A replaced one that comes again was stolen: nothing of it is good any more.
			s.log = append(s.log, "reuse")
			clear(s.refresh)
		}
		if !ok || s.used[old] {
			refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
		s.used[old] = true
		delete(s.refresh, old)
		s.log = append(s.log, "refresh")
		s.issue(w, g)
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type")
	}
}

func (s *Server) issue(w http.ResponseWriter, g grant) {
	access, refresh := s.random("access"), s.random("refresh")
	s.access[access], s.refresh[refresh] = g, g
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": s.lifetime, "refresh_token": refresh}
	if !s.noScopes {
		answer["scope"] = g.scopes
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) assertion(w http.ResponseWriter, assertion string) {
	var claims struct {
		jwt.Claims
		Scope string `json:"scope"`
	}
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256})
	if s.key == nil || err != nil || token.Claims(&s.key.PublicKey, &claims) != nil ||
		claims.Validate(jwt.Expected{Issuer: "robot@project.example", AnyAudience: jwt.Audience{s.URL + "/token"}, Time: time.Now()}) != nil {
		refuse(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	s.log = append(s.log, "assertion")
	access := s.random("access")
	s.access[access] = grant{claims.Scope, claims.Issuer}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": s.lifetime})
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ParseForm() != nil || !s.client(r) {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	if _, ok := s.refresh[r.PostForm.Get("token")]; ok {
		s.log = append(s.log, "revoke")
		delete(s.refresh, r.PostForm.Get("token"))
	}
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	g, ok := s.access[token]
	if !ok && scheme == "Bot" && token == BotToken {
		g, ok = grant{account: "robot"}, true
	}
	if !ok || !slices.Contains([]string{"Bearer", "Bot"}, scheme) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"sub": "id-of-" + g.account, "email": g.account})
}

package sso

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"infsh/redact"
	"infsh/sso/ssotest"
)

const redirectURL = "https://infsh.example/login/sso/callback"

var ada = ssotest.Person{Subject: "ada-at-the-provider", Email: "ada@example.com", Verified: true}

func newProvider(t *testing.T, of *ssotest.Provider) *Provider {
	t.Helper()
	p, err := New(Config{Issuer: of.URL, ClientID: ssotest.ClientID, ClientSecret: redact.NewValue(ssotest.ClientSecret), Name: "Test", RedirectURL: redirectURL})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signIn walks the whole way, and lets a test change what comes back.
func signIn(t *testing.T, p *Provider, at *ssotest.Provider, who ssotest.Person, change func(*Answer)) (Identity, error) {
	t.Helper()
	to, err := p.AuthURL(t.Context(), Request{State: "state", Nonce: "nonce", Verifier: strings.Repeat("v", 43)})
	if err != nil {
		return Identity{}, err
	}
	q := at.SignIn(t, to, who).Query()
	a := Answer{Code: q.Get("code"), Issuer: q.Get("iss"), Nonce: "nonce", Verifier: strings.Repeat("v", 43), Begun: time.Now()}
	if change != nil {
		change(&a)
	}
	return p.Identify(t.Context(), a)
}

func wantReason(t *testing.T, err error, want Reason) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) || f.Reason != want {
		t.Fatalf("the error is %v, not %s", err, want)
	}
	if strings.Contains(err.Error(), "CANARY") {
		t.Errorf("the error holds a secret, or what the provider wrote: %v", err)
	}
}

func TestWhoSomebodyIs(t *testing.T) {
	at := ssotest.New(t)
	p := newProvider(t, at)
	if n := at.Asked("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("the provider was asked %d times before anybody wanted to sign in", n)
	}
	for range 2 {
		got, err := signIn(t, p, at, ada, nil)
		if want := (Identity{Issuer: at.URL, Subject: ada.Subject, Email: ada.Email, EmailVerified: true, Fresh: true}); err != nil || got != want {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}
	if n := at.Asked("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the discovery document was asked for %d times", n)
	}
	// Keys that the provider replaces are asked for when they are met.
	at.Rotate(t)
	if _, err := signIn(t, p, at, ada, nil); err != nil {
		t.Errorf("after a rotation of its keys: %v", err)
	}
}

func TestWhatTheProviderIsAsked(t *testing.T) {
	at := ssotest.New(t)
	p := newProvider(t, at)
	verifier := strings.Repeat("v", 43)
	for _, anew := range []bool{false, true} {
		to, err := p.AuthURL(t.Context(), Request{State: "the state", Nonce: "the nonce", Verifier: verifier, Anew: anew})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(verifier))
		want := url.Values{
			"client_id": {ssotest.ClientID}, "redirect_uri": {redirectURL}, "response_type": {"code"}, "scope": {"openid email"},
			"state": {"the state"}, "nonce": {"the nonce"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
		}
		if anew {
			want.Set("prompt", "login")
			want.Set("max_age", "0")
		}
		if to != at.URL+"/authorize?"+want.Encode() {
			t.Errorf("it leads to %s, not with %s", to, want.Encode())
		}
	}
}

// An ID token that is not this provider's, for this client and this request, is
// no proof, whatever else is right.
func TestTokensThatProveNothing(t *testing.T) {
	at := ssotest.New(t)
	p := newProvider(t, at)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
	}
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	for name, claims := range map[string]func(map[string]any){
		"of another issuer":          set("iss", "https://evil.example"),
		"of the issuer with a slash": set("iss", at.URL+"/"),
		"for another client":         set("aud", "another"),
		"for nobody":                 set("aud", nil),
		"issued to another client":   set("azp", "another"),
		"issued to an empty client":  set("azp", ""),
		"for two and issued to none": set("aud", []string{ssotest.ClientID, "another"}),
		"of another request":         set("nonce", "other"),
		"of no request":              set("nonce", nil),
		"that has ended":             set("exp", ago(2*time.Minute)),
		"without an end":             set("exp", nil),
		"of long ago":                set("iat", ago(6*time.Minute)),
		"of the future":              set("iat", ago(-6*time.Minute)),
		"of no time":                 set("iat", nil),
		"not good yet":               set("nbf", ago(-10*time.Minute)),
		"of nobody":                  set("sub", ""),
		"of a subject too long":      set("sub", strings.Repeat("x", 256)),
		"of a subject with a NUL":    set("sub", "ada\x00"),
		"with another access token":  set("at_hash", "c29tZXRoaW5nIGVsc2U"),
	} {
		t.Run(name, func(t *testing.T) {
			at.Claims = claims
			defer func() { at.Claims = nil }()
			_, err := signIn(t, p, at, ada, nil)
			wantReason(t, err, Unproved)
		})
	}
	forged := func(header string, mac func(text string) []byte) func(string) string {
		return func(claims string) string {
			text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
			return text + "." + base64.RawURLEncoding.EncodeToString(mac(text))
		}
	}
	hs256 := func(secret []byte) func(string) []byte {
		return func(text string) []byte {
			h := hmac.New(sha256.New, secret)
			h.Write([]byte(text))
			return h.Sum(nil)
		}
	}
	key, id := at.Key()
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, sign := range map[string]func(string) string{
		"signed by nobody":               forged(`{"alg":"none","kid":"`+id+`"}`, func(string) []byte { return nil }),
		"signed by the public key":       forged(`{"alg":"HS256","kid":"`+id+`"}`, hs256(public)),
		"signed by the client's secret":  forged(`{"alg":"HS256"}`, hs256([]byte(ssotest.ClientSecret))),
		"signed by another's key":        func(c string) string { return oidctest.SignIDToken(other, id, oidc.ES256, c) },
		"signed by an unknown key":       func(c string) string { return oidctest.SignIDToken(other, "unknown", oidc.ES256, c) },
		"signed for something else":      func(c string) string { return oidctest.SignIDToken(key, id, oidc.ES256, c)[1:] },
		"none at all":                    func(string) string { return "" },
		"a key of its own in the header": forged(`{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256"}}`, func(string) []byte { return make([]byte, 64) }),
	} {
		t.Run(name, func(t *testing.T) {
			at.Sign = sign
			defer func() { at.Sign = nil }()
			_, err := signIn(t, p, at, ada, nil)
			wantReason(t, err, Unproved)
		})
	}
	for name, change := range map[string]func(*Answer){
		"a code of nobody":         func(a *Answer) { a.Code = "guessed" },
		"a code without its PKCE":  func(a *Answer) { a.Verifier = strings.Repeat("w", 43) },
		"an answer of another":     func(a *Answer) { a.Issuer = "https://evil.example" },
		"an answer of nobody":      func(a *Answer) { a.Issuer = "" },
		"a request without nonces": func(a *Answer) { a.Nonce = "" },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := signIn(t, p, at, ada, change)
			wantReason(t, err, Unproved)
		})
	}
	for name, claims := range map[string]func(map[string]any){
		"ended within the skew":        set("exp", ago(30*time.Second)),
		"of a clock ahead":             set("iat", ago(-4*time.Minute)),
		"for two and issued to us":     func(c map[string]any) { c["aud"], c["azp"] = []string{"another", ssotest.ClientID}, ssotest.ClientID },
		"with what nobody asked about": set("groups", []string{"admins"}),
	} {
		t.Run(name, func(t *testing.T) {
			at.Claims = claims
			defer func() { at.Claims = nil }()
			if _, err := signIn(t, p, at, ada, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// A provider that does not say that it names itself need not, and must not lie.
func TestAnswersWithoutAnIssuer(t *testing.T) {
	at := ssotest.New(t)
	at.Discovery = func(d map[string]any) { delete(d, "authorization_response_iss_parameter_supported") }
	p := newProvider(t, at)
	if _, err := signIn(t, p, at, ada, func(a *Answer) { a.Issuer = "" }); err != nil {
		t.Error(err)
	}
	_, err := signIn(t, p, at, ada, func(a *Answer) { a.Issuer = "https://evil.example" })
	wantReason(t, err, Unproved)
}

func TestAddresses(t *testing.T) {
	at := ssotest.New(t)
	p := newProvider(t, at)
	for _, c := range []struct {
		name     string
		claims   map[string]any
		userInfo map[string]any
		email    string
		verified bool
	}{
		{"asked for", nil, map[string]any{}, ada.Email, true},
		{"asked for, not verified", nil, map[string]any{"email_verified": false}, ada.Email, false},
		{"asked for, nothing said", nil, map[string]any{"email_verified": nil}, ada.Email, false},
		{"asked for, in words", nil, map[string]any{"email_verified": "true"}, ada.Email, true},
		{"asked for, none", nil, map[string]any{"email": nil, "email_verified": true}, "", false},
		{"in the token", map[string]any{"email": "a@example.org", "email_verified": true}, nil, "a@example.org", true},
		{"in the token, in words", map[string]any{"email": "a@example.org", "email_verified": "true"}, nil, "a@example.org", true},
		{"in the token, not verified", map[string]any{"email": "a@example.org", "email_verified": false}, nil, "a@example.org", false},
		{"in the token, as a number", map[string]any{"email": "a@example.org", "email_verified": 1}, nil, "a@example.org", false},
		{"in the token, as null", map[string]any{"email": "a@example.org", "email_verified": nil}, map[string]any{"email": nil}, "a@example.org", false},
		{"in both, verified in one", map[string]any{"email": "a@example.org"}, map[string]any{}, ada.Email, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			at.Claims = func(claims map[string]any) {
				for k, v := range c.claims {
					claims[k] = v
				}
			}
			at.UserInfo = func(info map[string]any) {
				if c.userInfo == nil {
					t.Error("what the token says was asked for")
				}
				for k, v := range c.userInfo {
					info[k] = v
				}
			}
			defer func() { at.Claims, at.UserInfo = nil, nil }()
			got, err := signIn(t, p, at, ada, nil)
			if err != nil || got.Email != c.email || got.EmailVerified != c.verified {
				t.Errorf("%q, verified %t, %v", got.Email, got.EmailVerified, err)
			}
		})
	}
	at.UserInfo = func(info map[string]any) { info["sub"] = "somebody else" }
	_, err := signIn(t, p, at, ada, nil)
	wantReason(t, err, Unproved)
}

func TestFreshness(t *testing.T) {
	at := ssotest.New(t)
	p := newProvider(t, at)
	now := time.Now()
	for name, c := range map[string]struct {
		authTime any
		skew     time.Duration // how far the provider's clock is ahead
		begun    time.Time
		want     bool
	}{
		"just now":                        {now.Unix(), 0, now, true},
		"a little before":                 {now.Add(-5 * time.Second).Unix(), 0, now, true},
		"a minute before":                 {now.Add(-time.Minute).Unix(), 0, now, false},
		"after it was begun":              {now.Add(-time.Minute).Unix(), 0, now.Add(-2 * time.Minute), true},
		"by a clock that is ahead":        {now.Add(4 * time.Minute).Unix(), 4 * time.Minute, now, true},
		"before, by a clock that is":      {now.Add(3 * time.Minute).Unix(), 4 * time.Minute, now, false},
		"by a clock that is behind":       {now.Add(-4 * time.Minute).Unix(), -4 * time.Minute, now, true},
		"not told":                        {nil, 0, now, false},
		"told as zero":                    {0, 0, now, false},
		"told as text that is a number":   {"1", 0, now, false},
		"told with a fraction of seconds": {float64(now.UnixMilli()) / 1000, 0, now, true},
	} {
		t.Run(name, func(t *testing.T) {
			at.Claims = func(claims map[string]any) {
				claims["iat"] = now.Add(c.skew).Unix()
				if claims["auth_time"] = c.authTime; c.authTime == nil {
					delete(claims, "auth_time")
				}
			}
			got, err := signIn(t, p, at, ada, func(a *Answer) { a.Begun = c.begun })
			if err != nil || got.Fresh != c.want {
				t.Errorf("fresh: %t, %v", got.Fresh, err)
			}
		})
	}
}

// What a provider says of itself is not believed where it would make this server
// ask something else, or take long, or take much.
func TestProvidersThatFail(t *testing.T) {
	huge := `{"issuer":"` + strings.Repeat("CANARY", maxAnswer/6) + `"}`
	say := func(path string, status int, body string, header ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	const discovery = "/.well-known/openid-configuration"
	for name, c := range map[string]struct {
		instead   func(http.ResponseWriter, *http.Request) bool
		discovery map[string]any
		want      Reason
	}{
		"an error":                     {say(discovery, 500, "CANARY"), nil, Unavailable},
		"a page":                       {say(discovery, 200, "<p>CANARY</p>", "Content-Type", "text/html"), nil, Unavailable},
		"too much":                     {say(discovery, 200, huge), nil, Unavailable},
		"a way elsewhere":              {say(discovery, 302, "", "Location", "/keys"), nil, Unavailable},
		"another issuer":               {nil, map[string]any{"issuer": "https://evil.example"}, Unavailable},
		"a token endpoint elsewhere":   {nil, map[string]any{"token_endpoint": "http://evil.example/token"}, Unavailable},
		"keys in a file":               {nil, map[string]any{"jwks_uri": "file:///etc/passwd"}, Unavailable},
		"a page that is a script":      {nil, map[string]any{"authorization_endpoint": "javascript:alert(1)"}, Unavailable},
		"user info behind a password":  {nil, map[string]any{"userinfo_endpoint": "https://a:b@evil.example/"}, Unavailable},
		"no token endpoint":            {nil, map[string]any{"token_endpoint": ""}, Unavailable},
		"tokens: an error":             {say("/token", 503, "CANARY"), nil, Unavailable},
		"tokens: a page":               {say("/token", 200, "<p>CANARY</p>", "Content-Type", "text/html"), nil, Unavailable},
		"tokens: too much":             {say("/token", 200, huge), nil, Unavailable},
		"tokens: a way elsewhere":      {say("/token", 307, "", "Location", "/keys"), nil, Unavailable},
		"tokens: none":                 {say("/token", 200, `{"access_token":"a","token_type":"Bearer"}`), nil, Unproved},
		"tokens: not for this client":  {say("/token", 401, `{"error":"invalid_client","error_description":"CANARY"}`), nil, Unregistered},
		"tokens: a refusal":            {say("/token", 400, `{"error":"invalid_grant","error_description":"CANARY"}`), nil, Unproved},
		"tokens: an unknown refusal":   {say("/token", 400, `{"error":"CANARY"}`), nil, Unavailable},
		"keys: an error":               {say("/keys", 500, "CANARY"), nil, Unproved},
		"keys: too many":               {say("/keys", 200, huge), nil, Unproved},
		"keys: a way elsewhere":        {say("/keys", 302, "", "Location", "/userinfo"), nil, Unproved},
		"address: an error":            {say("/userinfo", 500, "CANARY"), nil, Unavailable},
		"address: too much":            {say("/userinfo", 200, huge), nil, Unavailable},
		"address: not JSON":            {say("/userinfo", 200, "yes"), nil, Unavailable},
		"address: of a JWT by nobody":  {say("/userinfo", 200, "e30.e30.", "Content-Type", "application/jwt"), nil, Unavailable},
		"algorithms: none that counts": {nil, map[string]any{"id_token_signing_alg_values_supported": []string{"none", "HS256"}}, Unproved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := ssotest.New(t)
			at.Instead = c.instead
			at.Discovery = func(d map[string]any) {
				for k, v := range c.discovery {
					d[k] = v
				}
			}
			_, err := signIn(t, newProvider(t, at), at, ada, nil)
			wantReason(t, err, c.want)
		})
	}
}

// A provider that never answers, or not to the end, is given up.
func TestProvidersThatHang(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/keys", "/userinfo"} {
		for _, begins := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s begins %t", path, begins), func(t *testing.T) {
				t.Parallel()
				at := ssotest.New(t)
				over := make(chan struct{})
				t.Cleanup(func() { close(over) })
				at.Instead = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != path {
						return false
					}
					if begins {
						w.Header().Set("Content-Type", "application/json")
						_, _ = w.Write([]byte(`{"a`))
						_ = http.NewResponseController(w).Flush()
					}
					<-over
					return true
				}
				p := newProvider(t, at)
				p.client.http.Timeout = 100 * time.Millisecond
				_, err := signIn(t, p, at, ada, nil)
				var f *Failure
				if !errors.As(err, &f) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// Many who sign in at once wait for one answer; one who gives up waits no
// longer; and a provider that is there again is asked again.
func TestDiscoveryIsShared(t *testing.T) {
	at := ssotest.New(t)
	p := newProvider(t, at)
	var clock sync.Mutex
	now := time.Now()
	p.now = func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return now
	}
	pass := func(d time.Duration) {
		clock.Lock()
		defer clock.Unlock()
		now = now.Add(d)
	}
	hang := make(chan struct{})
	var broken atomic.Bool
	broken.Store(true)
	at.Instead = func(w http.ResponseWriter, _ *http.Request) bool {
		<-hang
		if !broken.Load() {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.AuthURL(gone, Request{})
	wantReason(t, err, Unavailable)
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			_, err := p.AuthURL(t.Context(), Request{})
			errs <- err
		}()
	}
	close(hang)
	for range cap(errs) {
		wantReason(t, <-errs, Unavailable)
	}
	const discovery = "/.well-known/openid-configuration"
	if n := at.Asked(discovery); n != 1 {
		t.Errorf("a provider that hangs was asked %d times", n)
	}
	_, err = p.AuthURL(t.Context(), Request{})
	wantReason(t, err, Unavailable)
	if n := at.Asked(discovery); n != 1 {
		t.Errorf("a provider that has just failed was asked again")
	}
	broken.Store(false)
	pass(keepFailure)
	if _, err := p.AuthURL(t.Context(), Request{}); err != nil {
		t.Errorf("a provider that is there again: %v", err)
	}
	// Later it fails again, and what it said before is still so.
	broken.Store(true)
	pass(keepDiscovery)
	if _, err := p.AuthURL(t.Context(), Request{}); err != nil {
		t.Errorf("a provider that fails when asked again: %v", err)
	}
}

func TestIssuers(t *testing.T) {
	for _, good := range []string{"https://login.example.com", "https://login.example.com/realms/acme/", "http://127.0.0.1:9998/", "http://localhost:9998", "http://[::1]:80"} {
		if _, err := ParseIssuer(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "login.example.com", "http://login.example.com", "ftp://login.example.com", "https://", "https://a:b@login.example.com", "https://login.example.com?a=b", "https://login.example.com#a", "http://127.0.0.1.evil.example", "javascript:alert(1)"} {
		if _, err := ParseIssuer(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	remote, err := ParseIssuer("https://login.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if u, _ := url.Parse("http://127.0.0.1:8200/v1"); safe(u, remote) {
		t.Error("an issuer elsewhere may name what is on this machine")
	}
}

// A discovery document can't make this server ask what is in its own network,
// unless the issuer is there.
func TestPrivateNetworks(t *testing.T) {
	issuer, err := ParseIssuer("https://login.example.com")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(issuer)
	for _, address := range []string{"127.0.0.1:443", "10.0.0.1:443", "192.168.1.1:443", "172.16.0.1:443", "169.254.169.254:80", "100.64.0.1:443", "[::1]:443", "[fd00::1]:443", "[fe80::1]:443", "0.0.0.0:443", "[::ffff:10.0.0.1]:443"} {
		if c.control("tcp", address, nil) == nil {
			t.Errorf("%s may be asked", address)
		}
	}
	if err := c.control("tcp", "93.184.215.14:443", nil); err != nil {
		t.Error(err)
	}
	c.private.Store(true)
	if err := c.control("tcp", "10.0.0.1:443", nil); err != nil {
		t.Errorf("an issuer in a private network: %v", err)
	}
}

func TestClientsWithoutASecret(t *testing.T) {
	at := ssotest.New(t)
	at.Instead = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			if _, _, basic := r.BasicAuth(); basic || r.PostFormValue("client_id") != ssotest.ClientID || r.PostFormValue("client_secret") != "" || r.PostFormValue("code_verifier") == "" {
				t.Errorf("a client without a secret shows %v", r.PostForm)
			}
		}
		return false
	}
	p, err := New(Config{Issuer: at.URL, ClientID: ssotest.ClientID, Name: "Test", RedirectURL: redirectURL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = signIn(t, p, at, ada, nil)
	wantReason(t, err, Unregistered) // This provider wants one.
}

func TestSecretsInTheBody(t *testing.T) {
	at := ssotest.New(t)
	at.Discovery = func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"} }
	if _, err := signIn(t, newProvider(t, at), at, ada, nil); err != nil {
		t.Error(err)
	}
}

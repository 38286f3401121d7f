package federation

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"infsh/publicnet"
	"infsh/redact"
)

// modulus is a number of so many bits that nobody has a private key of.
func modulus(t *testing.T, bits int) *big.Int {
	t.Helper()
	b := make([]byte, bits/8)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	b[0] |= 0x80
	b[len(b)-1] |= 1
	return new(big.Int).SetBytes(b)
}

func setOf(t *testing.T, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A token is of one key of a set, or of a few that have no name: a set in which
// many would have to be tried is refused, and so are keys that cost much to try.
func TestKeySetsThatCostMuch(t *testing.T) {
	key := func(kid, alg string, bits, e int) jose.JSONWebKey {
		return jose.JSONWebKey{Key: &rsa.PublicKey{N: modulus(t, bits), E: e}, KeyID: kid, Algorithm: alg}
	}
	rsaKey := func(kid, alg string) jose.JSONWebKey { return key(kid, alg, 2048, 65537) }
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := jose.JSONWebKey{Key: &private.PublicKey, KeyID: "a"}
	twice := rsaKey("a", "RS256")
	var many []jose.JSONWebKey
	for range maxKeys + 1 {
		many = append(many, curve)
	}
	for name, c := range map[string]struct {
		keys []jose.JSONWebKey
		want int
		err  error
	}{
		"one":                          {[]jose.JSONWebKey{rsaKey("a", "")}, 1, nil},
		"two of a kid":                 {[]jose.JSONWebKey{rsaKey("a", ""), rsaKey("a", "")}, 0, errAmbiguous},
		"two of a kid and algorithm":   {[]jose.JSONWebKey{rsaKey("a", "RS256"), rsaKey("a", "RS256")}, 0, errAmbiguous},
		"two, one for any algorithm":   {[]jose.JSONWebKey{rsaKey("a", "RS256"), rsaKey("a", "")}, 0, errAmbiguous},
		"two for different algorithms": {[]jose.JSONWebKey{rsaKey("a", "RS256"), rsaKey("a", "RS512")}, 2, nil},
		"two of different types":       {[]jose.JSONWebKey{rsaKey("a", ""), curve}, 2, nil},
		"more than fifty":              {many, 0, errManyKeys},
		"the same one twice":           {[]jose.JSONWebKey{twice, twice}, 1, nil},
		"three without a name":         {[]jose.JSONWebKey{rsaKey("", ""), rsaKey("", ""), rsaKey("", "")}, 3, nil},
		"four without a name":          {[]jose.JSONWebKey{rsaKey("", ""), rsaKey("", ""), rsaKey("", ""), rsaKey("", "")}, 0, errAmbiguous},
		"another exponent":             {[]jose.JSONWebKey{key("a", "", 2048, 1<<31-1)}, 0, errNoKeys},
		"the exponent 3":               {[]jose.JSONWebKey{key("a", "", 2048, 3)}, 1, nil},
		"too short":                    {[]jose.JSONWebKey{key("a", "", 1024, 65537)}, 0, errNoKeys},
		"the longest":                  {[]jose.JSONWebKey{key("a", "", maxRSA, 65537)}, 1, nil},
		"too long":                     {[]jose.JSONWebKey{key("a", "", maxRSA+8, 65537)}, 0, errNoKeys},
	} {
		keys, err := parseKeys(setOf(t, c.keys...))
		if len(keys) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
	// Certificates are not even read.
	text := strings.Replace(string(setOf(t, curve)), `"kid"`, `"x5c":["bm8gY2VydGlmaWNhdGU="],"kid"`, 1)
	if keys, err := parseKeys([]byte(text)); err != nil || len(keys) != 1 {
		t.Errorf("with a certificate: %d keys, %v", len(keys), err)
	}
	for _, part := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		text := strings.Replace(string(setOf(t, rsaKey("a", ""))), `"kid"`, `"`+part+`":"AQAB","kid"`, 1)
		if _, err := parseKeys([]byte(text)); !hasPrivateKey(text) || !errors.Is(err, errNoKeys) {
			t.Errorf("a key with %s is taken for a public one, %v", part, err)
		}
	}
}

func readToken(t *testing.T, key *ecdsa.PrivateKey, now time.Time) *token {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "a"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"iss": "https://issuer.example", "exp": now.Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	read, err := parse(redact.NewValue(text), now)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// A request verifies its token once by each set of keys, however many trusts hold
// it, and waits for its turn.
func TestTokenIsVerifiedOnceByASet(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := NewService(nil, nil, Guard{})
	read := readToken(t, private, s.now())
	checked := signatures{service: s, token: read, known: map[[32]byte]verdict{}}
	trust := Trust{JWKS: string(setOf(t, jose.JSONWebKey{Key: &private.PublicKey, KeyID: "a"}))}
	if ok, err := checked.by(t.Context(), trust); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if s.given.Len() != 1 {
		t.Errorf("%d sets are kept", s.given.Len())
	}
	for range cap(s.verifying) {
		s.verifying <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := checked.by(ctx, trust); !ok || err != nil {
		t.Errorf("the same set again: %v, %v", ok, err)
	}
	trust.JWKS += " "
	if _, err := checked.by(ctx, trust); !errors.Is(err, context.Canceled) {
		t.Errorf("another set, while all turns are taken: %v", err)
	}
}

// However many sets of keys a team's trusts hold, a token is compared with few.
func TestTokenIsComparedWithFewKeys(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	read := readToken(t, private, time.Now())
	wrong := []publicKey{{key: &other.PublicKey, id: "a"}}
	for range 3 * maxTries {
		if known, ok := read.verify(wrong); !known || ok {
			t.Fatal(known, ok)
		}
	}
	if _, ok := read.verify([]publicKey{{key: &private.PublicKey, id: "a"}}); ok {
		t.Error("one more key was tried")
	}
}

// What nobody asks for any more is not kept.
func TestKeysOfIssuersAreForgotten(t *testing.T) {
	now := time.Now()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := NewService(nil, nil, Guard{AllowPrivate: true})
	s.now = func() time.Time { return now }
	read := readToken(t, private, now)
	var issuer *httptest.Server
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{name}/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer.URL + "/" + r.PathValue("name"), "jwks_uri": issuer.URL + "/jwks"})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(setOf(t, jose.JSONWebKey{Key: &private.PublicKey, KeyID: "a"}))
	})
	issuer = httptest.NewServer(mux)
	defer issuer.Close()
	for _, name := range []string{"/one", "/two"} {
		if ok, err := s.issuers.verify(t.Context(), read, issuer.URL+name); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	now = now.Add(keepKeys + time.Second)
	if ok, err := s.issuers.verify(t.Context(), read, issuer.URL+"/three"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if left := s.issuers.known.Keys(); len(left) != 1 || left[0] != issuer.URL+"/three" {
		t.Errorf("the keys of %v are kept", left)
	}
}

// Where issuers may be in a private network, one outside of it has not its keys
// fetched from there.
func TestPublicIssuerHasNoPrivateKeys(t *testing.T) {
	s := NewService(nil, nil, Guard{AllowPrivate: true})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(setOf(t, jose.JSONWebKey{Key: &private.PublicKey, KeyID: "a"}))
	}))
	defer inside.Close()
	var outside *httptest.Server
	outside = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": outside.URL, "jwks_uri": inside.URL})
	}))
	defer outside.Close()
	if keys, err := s.issuers.ask(t.Context(), outside.URL); err != nil || len(keys) != 1 {
		t.Fatalf("an issuer in a private network: %d keys, %v", len(keys), err)
	}
	address, err := url.Parse(outside.URL)
	if err != nil {
		t.Fatal(err)
	}
	// As if the issuer's address were a public one.
	control := func(network, to string, c syscall.RawConn) error {
		if to == address.Host {
			return nil
		}
		return publicnet.Control(network, to, c)
	}
	s.issuers.public = publicnet.Client(publicnet.Dialer(control), askTimeout, func(next http.RoundTripper) http.RoundTripper { return next })
	if _, err := s.issuers.ask(t.Context(), outside.URL); !errors.Is(err, publicnet.ErrPrivate) {
		t.Errorf("a public issuer with private keys: %v", err)
	}
}

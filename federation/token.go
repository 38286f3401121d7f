package federation

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"infsh/redact"
)

const (
	// maxToken is in bytes; those of the known platforms have one to three thousand.
	maxToken = 8 << 10
	// leeway is how far the issuer's clock may differ from this one.
	leeway = 30 * time.Second
	// maxTries is with how many keys the signature of one token is compared.
	maxTries = 10
	// maxLifetime is how long a token may be good for.
	maxLifetime = 24 * time.Hour
)

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// algorithms are the ones by which a token may be signed: with a key pair, so that
// what is public of it signs nothing. "none" and HMAC are not among them.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Claims are the members of a token.
type Claims map[string]jsontext.Value

// at finds a claim, or a member of one.
func (c Claims) at(path []string) (jsontext.Value, bool) {
	raw, ok := c[path[0]]
	for _, name := range path[1:] {
		if !ok || raw.Kind() != '{' {
			return nil, false
		}
		var inner Claims
		if json.Unmarshal(raw, &inner) != nil {
			return nil, false
		}
		raw, ok = inner[name]
	}
	return raw, ok
}

// text is a claim that must be a text; empty if it is none.
func (c Claims) text(name string) string {
	raw, ok := c[name]
	if !ok || raw.Kind() != '"' {
		return ""
	}
	s, _ := textOf(raw)
	return s
}

// time is a claim in seconds since 1970; ok is false if it is there and is no time.
func (c Claims) time(name string) (t time.Time, ok bool) {
	raw, there := c[name]
	if !there {
		return time.Time{}, true
	}
	var seconds float64
	if raw.Kind() != '0' || json.Unmarshal(raw, &seconds) != nil || seconds < 1 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// token is a token that was read, and is not verified.
type token struct {
	signed *jose.JSONWebSignature
	alg    jose.SignatureAlgorithm
	kid    string
	// claims are what it says, whoever says it.
	claims  Claims
	expires time.Time
	// id is the SHA-256 of what the signature covers. That of the whole would not
	// do: an ECDSA signature can be written in two ways.
	id [sha256.Size]byte
	// tried is how many keys its signature was compared with.
	tried int
}

// Errors of tokens that are not even looked up. They are the same for everybody.
var (
	errNoToken   = errors.New("the token is no signed JWT (three parts of base64url, at most 8192 bytes)")
	errAlgorithm = errors.New("the token is signed by an algorithm that is not accepted: RS256 to RS512, PS256 to PS512, ES256 to ES512 and EdDSA are")
	errClaims    = errors.New("the token's claims are no JSON object in which each name stands once")
	errTimes     = errors.New("the token needs exp, and exp, iat and nbf must be times")
	errExpired   = errors.New("the token has expired: ask the platform for a new one")
	errEarly     = errors.New("the token is not valid yet: compare the clocks")
	errLong      = errors.New("the token is valid for more than 24 hours: ask for one that ends sooner")
	errIssuer    = errors.New("the token names no issuer, or one that is no line of at most 512 bytes")
)

// parse reads a token, and refuses what no team could accept.
func parse(raw redact.Value, now time.Time) (*token, error) {
	text := strings.TrimSpace(raw.Reveal()) // a file of it may end with a line break
	// The decoder passes over line breaks, by which one token could be written in many
	// ways, and be used as often.
	if len(text) > maxToken || strings.Count(text, ".") != 2 || strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(base64url, r) }) {
		return nil, errNoToken
	}
	head, rest, _ := strings.Cut(text, ".")
	body, signature, _ := strings.Cut(rest, ".")
	header, err := base64.RawURLEncoding.Strict().DecodeString(head)
	if err != nil {
		return nil, errNoToken
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(signature); err != nil {
		return nil, errNoToken
	}
	var members Claims
	if json.Unmarshal(header, &members) != nil {
		return nil, errNoToken
	}
	t := &token{alg: jose.SignatureAlgorithm(members.text("alg")), kid: members.text("kid"), id: sha256.Sum256([]byte(head + "." + body))}
	if !slices.Contains(algorithms, t.alg) {
		return nil, errAlgorithm
	}
	// What a header asks to be understood is not (RFC 7515, section 4.1.11).
	if _, critical := members["crit"]; critical {
		return nil, errNoToken
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, errNoToken
	}
	if json.Unmarshal(payload, &t.claims) != nil || t.claims == nil {
		return nil, errClaims
	}
	// The library's error may quote the token.
	if t.signed, err = jose.ParseSignedCompact(text, algorithms); err != nil || len(t.signed.Signatures) != 1 {
		return nil, errNoToken
	}
	return t, t.checkTimes(now)
}

// usedBy is what is remembered of a token that a team took. Another team's trusts
// take it by themselves.
func (t *token) usedBy(teamID string) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(teamID+" "), t.id[:]...))
}

func (t *token) checkTimes(now time.Time) error {
	exp, ok1 := t.claims.time("exp")
	iat, ok2 := t.claims.time("iat")
	nbf, ok3 := t.claims.time("nbf")
	switch {
	case !ok1 || !ok2 || !ok3 || exp.IsZero():
		return errTimes
	case !now.Before(exp.Add(leeway)):
		return errExpired
	case now.Add(leeway).Before(iat), now.Add(leeway).Before(nbf):
		return errEarly
	case exp.Sub(now) > maxLifetime+leeway, !iat.IsZero() && exp.Sub(iat) > maxLifetime:
		return errLong
	// PostgreSQL takes no NUL, for one.
	case !plain(t.claims.text("iss"), maxIssuerLength):
		return errIssuer
	}
	t.expires = exp
	return nil
}

// isFor reports whether the token is for this audience alone. One that is for
// others too could have been sent here by them.
func (t *token) isFor(audience string) bool {
	raw := t.claims["aud"]
	switch raw.Kind() {
	case '"':
		return t.claims.text("aud") == audience
	case '[':
		var all []string
		return json.Unmarshal(raw, &all) == nil && len(all) == 1 && all[0] == audience
	}
	return false
}

// verify reports whether one of the keys signed the token: the one that the token
// names, and of the type that its algorithm is for. known is false if there is no
// such key.
func (t *token) verify(keys []publicKey) (known, ok bool) {
	for _, k := range keys {
		if k.id != t.kid || !t.suits(k) {
			continue
		}
		known = true
		if t.tried++; t.tried > maxTries {
			return true, false
		}
		if _, err := t.signed.Verify(k.key); err == nil {
			return true, true
		}
	}
	return known, false
}

// suits reports whether a key is one for the token's algorithm.
func (t *token) suits(k publicKey) bool {
	if k.algorithm != "" && k.algorithm != string(t.alg) {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(string(t.alg), "RS") || strings.HasPrefix(string(t.alg), "PS")
	case *ecdsa.PublicKey:
		return curves[t.alg] == key.Curve.Params().BitSize
	case ed25519.PublicKey:
		return t.alg == jose.EdDSA
	}
	return false
}

// curves are the sizes that the algorithms are defined with (RFC 7518, section 3.4).
var curves = map[jose.SignatureAlgorithm]int{jose.ES256: 256, jose.ES384: 384, jose.ES512: 521}

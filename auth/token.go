package auth

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"strings"

	"infsh/redact"
)

const (
	// TokenPrefix begins each API key, so that secret scanners recognise one.
	TokenPrefix = "infsh_"
	// runnerPrefix begins what a platform's token was exchanged for.
	runnerPrefix = TokenPrefix + "run_"
	// 43 characters of 62 hold 256 bits.
	randomLength   = 43
	checksumLength = 6
	bodyLength     = randomLength + checksumLength

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

var errToken = errors.New("not an API key")

// Token is an API key in the clear, or a runner's credential: its prefix, 43 random characters, and 6
// characters of their CRC-32 (IEEE), all of them base62. The checksum is no
// protection; it tells a mistyped or invented key without asking the database,
// and lets a scanner be sure of a find.
type Token struct {
	value redact.Value
	// ofRunner says that it is a runner's credential.
	ofRunner bool
}

// newToken makes a random token.
func newToken() Token { return Token{value: random(TokenPrefix)} }

func newRunnerToken() Token { return Token{value: random(runnerPrefix), ofRunner: true} }

func random(prefix string) redact.Value {
	body := randomBase62(randomLength)
	return redact.NewValue(prefix + body + checksum(body))
}

// ParseToken checks a token's form and checksum. The error does not hold it.
func ParseToken(s string) (Token, error) {
	body, ofRunner := strings.CutPrefix(s, runnerPrefix)
	ok := ofRunner
	if !ofRunner {
		body, ok = strings.CutPrefix(s, TokenPrefix)
	}
	if !ok || len(body) != bodyLength || strings.Trim(body, base62) != "" {
		return Token{}, errToken
	}
	if checksum(body[:randomLength]) != body[randomLength:] {
		return Token{}, errToken
	}
	return Token{redact.NewValue(s), ofRunner}, nil
}

// Value returns the token to be shown, once.
func (t Token) Value() redact.Value { return t.value }

// hash is what is stored. A fast hash suffices: there are 2^256 tokens to try.
func (t Token) hash() []byte { return hashToken(t.value.Reveal()) }

// derive makes a key for one purpose out of the token (RFC 5869): what it seals
// opens only for who has the token.
func (t Token) derive(purpose string, length int) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(t.value.Reveal()), nil, purpose, length)
}

func (t Token) lastFour() string {
	s := t.value.Reveal()
	return s[len(s)-4:]
}

func hashToken(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var out [checksumLength]byte
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}

// randomBase62 takes bytes below 248 = 4 × 62 only, so that each character is
// as likely as another.
func randomBase62(n int) string {
	out := make([]byte, 0, n)
	buf := make([]byte, 2*n)
	for len(out) < n {
		_, _ = rand.Read(buf) // never fails; see crypto/rand
		for _, b := range buf {
			if b < 248 && len(out) < n {
				out = append(out, base62[b%62])
			}
		}
	}
	return string(out)
}

// random256 returns 256 random bits as text that fits a cookie.
func random256() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

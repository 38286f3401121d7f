package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"infsh/problem"
	"infsh/team"
)

const (
	// IdempotencyHeader is that of draft-ietf-httpapi-idempotency-key-header.
	IdempotencyHeader = "Idempotency-Key"
	// RememberCalls is how long an answer is repeated.
	RememberCalls = 24 * time.Hour
	// maxIdempotencyKey is in characters.
	maxIdempotencyKey = 255
)

// Call is what is kept of a call with an Idempotency-Key. Without the API key
// that it came with nothing of it can be read: its answer may hold a new API
// key, and the last characters of a value.
type Call struct {
	CredentialID, TeamID string
	// KeyMAC and RequestMAC tell whether a key, and a request, is the same.
	KeyMAC, RequestMAC []byte
	// Answer is sealed.
	Answer    []byte
	CreatedAt time.Time
}

// Answer is what a call was answered with.
type Answer struct {
	Status int    `json:"status"`
	Body   []byte `json:"body"`
}

// Calls lets creating calls be repeated without a second effect.
type Calls struct {
	store Store
	now   func() time.Time
}

// NewCalls makes a Calls.
func NewCalls(store Store) *Calls {
	return &Calls{store: store, now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
}

// Once runs fn for the first call with the request's Idempotency-Key, and
// commits the answer together with what fn does. The same call again within a
// day, by the same credential, gets the same answer and has no effect; one at
// the same time waits for the first. What ends with an error is not kept: the
// next call with the key is tried anew. fn may run more than once before it is
// committed, so it has no effect but through its context.
//
// Errors: problem.InvalidField for a header that is no key,
// problem.KeyReused for another request with the same key, and those of fn.
func (c *Calls) Once(r *http.Request, actor team.Actor, body []byte, fn func(context.Context) (Answer, error)) (answer Answer, repeated bool, err error) {
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return Answer{}, false, err
	}
	token, err := bearerToken(r.Header)
	if err != nil {
		return Answer{}, false, err
	}
	secrets, err := callSecretsOf(token)
	if err != nil {
		return Answer{}, false, err
	}
	now := c.now()
	call := Call{
		CredentialID: actor.CredentialID(), TeamID: actor.TeamID(), CreatedAt: now,
		KeyMAC:     secrets.mac("key", []byte(key)),
		RequestMAC: secrets.mac("request", []byte(r.Method), []byte(r.URL.EscapedPath()), []byte(actor.TeamID()), body),
	}
	before, repeated, err := c.store.Once(r.Context(), call, now.Add(-RememberCalls), func(ctx context.Context) ([]byte, error) {
		if answer, err = fn(ctx); err != nil {
			return nil, err
		}
		return secrets.seal(call, answer)
	})
	switch {
	case err != nil:
		return Answer{}, false, err
	case !repeated:
		return answer, false, nil
	case !hmac.Equal(before.RequestMAC, call.RequestMAC):
		return Answer{}, false, problem.New(problem.KeyReused, "This Idempotency-Key was used for another request. Use a new key for each thing that is to be made.")
	}
	answer, err = secrets.open(before)
	return answer, true, err
}

// idempotencyKey reads the header: a string of structured fields (RFC 9651,
// section 3.3.3), or the same without quotes, as many clients send it.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(IdempotencyHeader)
	if len(values) == 1 {
		key := strings.TrimSpace(values[0])
		if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
			key = key[1 : len(key)-1]
		}
		visible := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
		if key != "" && len(key) <= maxIdempotencyKey && !strings.ContainsFunc(key, visible) {
			return key, nil
		}
	}
	return "", problem.Invalid(IdempotencyHeader, "it is one word of 1 to %d visible ASCII characters, such as a UUID", maxIdempotencyKey)
}

// callSecrets are derived from an API key, which the database does not hold:
// who has the database can neither read an answer nor guess a request.
type callSecrets struct {
	macKey []byte
	aead   cipher.AEAD
}

func callSecretsOf(token Token) (callSecrets, error) {
	keys, err := token.derive("infsh idempotency v1", 64)
	if err != nil {
		return callSecrets{}, err
	}
	block, err := aes.NewCipher(keys[32:])
	if err != nil {
		return callSecrets{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return callSecrets{macKey: keys[:32], aead: aead}, err
}

// mac covers each part with its length, so that no two lists of parts are one.
func (s callSecrets) mac(what string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, s.macKey)
	for _, p := range append([][]byte{[]byte(what)}, parts...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return h.Sum(nil)
}

func (c Call) associatedData() []byte { return append(append([]byte{}, c.KeyMAC...), c.RequestMAC...) }

func (s callSecrets) seal(c Call, a Answer) ([]byte, error) {
	plain, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, plain, c.associatedData()), nil
}

func (s callSecrets) open(c Call) (a Answer, err error) {
	plain, err := s.aead.Open(nil, nil, c.Answer, c.associatedData())
	if err != nil {
		return Answer{}, errors.New("the stored answer does not open")
	}
	return a, json.Unmarshal(plain, &a)
}

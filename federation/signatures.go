package federation

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"infsh/problem"
)

const (
	// maxAlike is how many trusts of one issuer a team has for one app, and so by how
	// many sets of keys the token of one request may have to be verified.
	maxAlike = 10
	// maxGiven is of how many sets that trusts hold the keys are kept in memory.
	maxGiven = 256
	// verifyWait is how long a request waits for its turn to verify a signature.
	verifyWait = 3 * time.Second
)

// errNoSet says that a trust holds keys that can't be read.
var errNoSet = errors.New("the keys of the trust can't be read")

// signatures verifies the token of one request, by each set of keys once.
type signatures struct {
	service *Service
	token   *token
	// known is by the SHA-256 of the sets that trusts hold; the one that is nil is of
	// the issuer's own answer, which is the same for all trusts of a request.
	known map[[sha256.Size]byte]verdict
	// good says that one of the sets has a key which signed the token.
	good bool
}

type verdict struct {
	signed bool
	err    error
}

// by reports whether the token is signed by a key of the trust's issuer. Errors are
// errNoSet and those of issuers.verify.
func (c *signatures) by(ctx context.Context, trust Trust) (bool, error) {
	var set [sha256.Size]byte
	if trust.JWKS != "" {
		set = sha256.Sum256([]byte(trust.JWKS))
	}
	v, ok := c.known[set]
	if !ok {
		if trust.JWKS == "" {
			v.signed, v.err = c.service.issuers.verify(ctx, c.token, trust.Issuer)
		} else {
			v.signed, v.err = c.service.verifyGiven(ctx, c.token, set, trust.JWKS)
		}
		c.known[set] = v
	}
	c.good = c.good || v.signed
	return v.signed, v.err
}

// verifyGiven verifies by keys that a trust holds.
func (s *Service) verifyGiven(ctx context.Context, t *token, set [sha256.Size]byte, text string) (signed bool, err error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.leave()
	keys, ok := s.given.Get(set)
	if !ok {
		if keys, err = parseKeys([]byte(text)); err != nil {
			return false, errNoSet
		}
		s.given.Add(set, keys)
	}
	_, signed = t.verify(keys)
	return signed, nil
}

// verifyBy verifies by keys that are known.
func (s *Service) verifyBy(ctx context.Context, t *token, keys []publicKey) (known, signed bool, err error) {
	if err := s.enter(ctx); err != nil {
		return false, false, err
	}
	defer s.leave()
	known, signed = t.verify(keys)
	return known, signed, nil
}

// enter waits for a turn: however many send tokens, the processors have time for
// others.
func (s *Service) enter(ctx context.Context) error {
	timer := time.NewTimer(verifyWait)
	defer timer.Stop()
	select {
	case s.verifying <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return &problem.Error{Code: problem.Unavailable, Detail: "Too many tokens are being exchanged at once. Try again in a few seconds.", RetryAfter: verifyWait}
	}
}

func (s *Service) leave() { <-s.verifying }

package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"

	"infsh/problem"
	"infsh/redact"
)

// argon is the cost of a password hash: 19 MiB, two passes, one lane, the
// first of the settings in OWASP's Password Storage Cheat Sheet.
var argon = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const (
	// maxHashes bounds the memory that sign-ins can take: 4 × 19 MiB.
	maxHashes = 4
	minHashes = 2
	// hashWait is how long a sign-in waits for its turn, and maxHashQueue how
	// many may wait: more than can have theirs in that time.
	hashWait     = 3 * time.Second
	maxHashQueue = 256
)

// Passwords hashes passwords with argon2id (RFC 9106), a few at a time.
type Passwords struct {
	slots  chan struct{}
	queue  chan struct{}
	wait   time.Duration
	params argon2id.Params
	// nobody is a hash that no password has. An account that does not exist
	// is compared with it, so that the answer takes as long as for one that does.
	nobody string
}

// NewPasswords makes a Passwords that runs as many hashes at once as there are
// processors, but at least 2 and at most 4.
func NewPasswords() *Passwords {
	return newPasswords(argon, min(max(runtime.GOMAXPROCS(0), minHashes), maxHashes), hashWait)
}

func newPasswords(params argon2id.Params, slots int, wait time.Duration) *Passwords {
	zeros := func(n uint32) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	return &Passwords{
		slots: make(chan struct{}, slots), queue: make(chan struct{}, maxHashQueue), wait: wait, params: params,
		nobody: fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", params.Memory, params.Iterations, params.Parallelism, zeros(params.SaltLength), zeros(params.KeyLength)),
	}
}

// Hash returns what is stored of a password, every byte of which counts.
//
// Errors: problem.Unavailable with RetryAfter if too many hashes are being made.
func (p *Passwords) Hash(ctx context.Context, password redact.Value) (hash string, err error) {
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	hash, err = argon2id.CreateHash(password.Reveal(), &p.params)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return hash, nil
}

// Verify reports whether the hash is that of the password. An empty hash,
// which stands for an account that does not exist, takes as long as another
// and matches nothing.
//
// Errors: as Hash.
func (p *Passwords) Verify(ctx context.Context, hash string, password redact.Value) (bool, error) {
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer p.leave()
	exists := hash != ""
	if !exists {
		hash = p.nobody
	}
	match, err := argon2id.ComparePasswordAndHash(password.Reveal(), hash)
	if err != nil {
		return false, fmt.Errorf("verify the password: %w", err)
	}
	return match && exists, nil
}

func (p *Passwords) enter(ctx context.Context) error {
	busy := &problem.Error{Code: problem.Unavailable, Detail: "Too many people are signing in at once. Try again in a few seconds.", RetryAfter: p.wait}
	select {
	case p.queue <- struct{}{}:
		defer func() { <-p.queue }()
	default:
		return busy
	}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return busy
	}
}

func (p *Passwords) leave() { <-p.slots }

package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"infsh/problem"
)

// Throttle is how often something has failed.
type Throttle struct {
	// Bucket is the SHA-256, in hex, of the name of what is counted.
	Bucket       string
	Failures     int
	LastAt       time.Time
	BlockedUntil time.Time
}

// ThrottleTx is the part of a transaction that counts failures.
type ThrottleTx interface {
	// Throttle reads a bucket and keeps others from changing it until the
	// transaction ends. One that has never failed is made, with no failures.
	Throttle(ctx context.Context, bucket string) (Throttle, error)
	SetThrottle(ctx context.Context, t Throttle) error
	ClearThrottle(ctx context.Context, bucket string) error
	// ReleaseThrottle takes one failure back, and with it the block up to
	// exactly the given time, if that still stands.
	ReleaseThrottle(ctx context.Context, bucket string, blockedUntil time.Time) error
	// DeleteThrottles removes those whose last failure was before.
	DeleteThrottles(ctx context.Context, before time.Time) error
}

// forgetFailures is how long after the last failure a bucket starts anew.
const forgetFailures = 24 * time.Hour

// rule says how much may fail freely, and how long the waits are after that:
// the first one, doubled by each further failure up to the longest.
type rule struct {
	free           int
	first, longest time.Duration
}

var (
	// One address and one account: a person who has forgotten a password, or
	// somebody who guesses it.
	pairRule = rule{free: 5, first: time.Second, longest: 15 * time.Minute}
	// One address and any account: somebody who tries one password on many.
	addressRule = rule{free: 20, first: time.Second, longest: 15 * time.Minute}
	// One IPv6 site and any account: somebody who goes through the networks of
	// the site. A provider may serve many people from one.
	siteRule = rule{free: 200, first: time.Second, longest: 15 * time.Minute}
	// One account from any address: many who share the work. The waits stay
	// short, since the owner may have to wait too.
	accountRule = rule{free: 30, first: time.Second, longest: 10 * time.Second}
	// One account's codes of an authenticator app, from any address. Three of a
	// million codes are right at a time, so the waits get long and everybody
	// waits; but only who has the password comes this far, and a passkey or a
	// recovery code is not held up.
	codeRule = rule{free: 10, first: time.Second, longest: 5 * time.Minute}
	// One user who types device codes.
	deviceRule = rule{free: 10, first: time.Second, longest: 5 * time.Minute}
)

// wait is how long after the n-th failure nothing is tried.
func (r rule) wait(n int) time.Duration {
	if n <= r.free {
		return 0
	}
	d := r.first
	for range n - r.free - 1 {
		if d *= 2; d >= r.longest {
			return r.longest
		}
	}
	return min(d, r.longest)
}

// attempt is a sign-in that was admitted. It has been counted as a failure
// already, so that a thousand at once get no more tries than a thousand one by
// one; what succeeds is taken back.
type attempt struct{ counted []counted }

type counted struct {
	Throttle
	clearOnSuccess bool
}

// admitLogin admits one try of a password, or answers problem.RateLimited.
// What is refused is not counted, and so does not make the wait longer.
//
// The account's own bucket is not asked for an address that has never failed
// on the account: an attacker who keeps it full does not keep the owner out
// (OWASP ASVS 5.0, 6.1.1).
func admitLogin(ctx context.Context, tx ThrottleTx, now time.Time, folded, addr string) (attempt, error) {
	network, site := NetworkOf(addr), siteOf(addr)
	var a attempt
	var blocked time.Time
	look := func(r rule, kind string, parts ...string) (Throttle, error) {
		t, err := tx.Throttle(ctx, bucketName(kind, parts...))
		if now.Sub(t.LastAt) >= forgetFailures {
			t.Failures, t.BlockedUntil = 0, time.Time{}
		}
		return t, err
	}
	address, err := look(addressRule, "address", network)
	if err != nil {
		return a, err
	}
	account, err := look(accountRule, "account", folded)
	if err != nil {
		return a, err
	}
	// Whoever has a site has 65,536 networks that never failed.
	pair, err := look(pairRule, "pair", folded, site)
	if err != nil {
		return a, err
	}
	asked := []Throttle{address, pair}
	var whole Throttle
	if site != network {
		if whole, err = look(siteRule, "site", site); err != nil {
			return a, err
		}
		asked = append(asked, whole)
	}
	if pair.Failures > 0 {
		asked = append(asked, account)
	}
	for _, t := range asked {
		if t.BlockedUntil.After(blocked) {
			blocked = t.BlockedUntil
		}
	}
	if blocked.After(now) {
		return a, rateLimited("failed sign-ins", blocked.Sub(now))
	}
	for _, c := range []struct {
		Throttle
		rule
		clear bool
	}{{address, addressRule, false}, {account, accountRule, false}, {pair, pairRule, true}} {
		if err := a.count(ctx, tx, now, c.Throttle, c.rule, c.clear); err != nil {
			return a, err
		}
	}
	if site != network {
		if err := a.count(ctx, tx, now, whole, siteRule, false); err != nil {
			return a, err
		}
	}
	return a, nil
}

// admitCode admits one try of a code, or answers problem.RateLimited: forApp
// says that it is one of an authenticator app, which can be guessed.
func admitCode(ctx context.Context, tx ThrottleTx, now time.Time, user, addr string, forApp bool) (attempt, error) {
	a, err := admitOne(ctx, tx, now, "wrong codes", pairRule, "code-pair", user, siteOf(addr))
	if err != nil || !forApp {
		return a, err
	}
	b, err := admitOne(ctx, tx, now, "wrong codes", codeRule, "code", user)
	a.counted = append(a.counted, b.counted...)
	return a, err
}

// admitOne admits one try that a single rule governs.
func admitOne(ctx context.Context, tx ThrottleTx, now time.Time, what string, r rule, kind string, parts ...string) (attempt, error) {
	var a attempt
	t, err := tx.Throttle(ctx, bucketName(kind, parts...))
	if err != nil {
		return a, err
	}
	if now.Sub(t.LastAt) >= forgetFailures {
		t.Failures, t.BlockedUntil = 0, time.Time{}
	}
	if t.BlockedUntil.After(now) {
		return a, rateLimited(what, t.BlockedUntil.Sub(now))
	}
	return a, a.count(ctx, tx, now, t, r, false)
}

func (a *attempt) count(ctx context.Context, tx ThrottleTx, now time.Time, t Throttle, r rule, clearOnSuccess bool) error {
	t.Failures++
	t.LastAt = now
	// A wait that runs already, for others, is not made shorter.
	if until := now.Add(r.wait(t.Failures)); until.After(now) && until.After(t.BlockedUntil) {
		t.BlockedUntil = until
	}
	a.counted = append(a.counted, counted{t, clearOnSuccess})
	return tx.SetThrottle(ctx, t)
}

// succeed takes the attempt back, and forgets what failed before it from the
// same address on the same account.
func (a attempt) succeed(ctx context.Context, tx ThrottleTx) error {
	for _, c := range a.counted {
		var err error
		if c.clearOnSuccess {
			err = tx.ClearThrottle(ctx, c.Bucket)
		} else {
			err = tx.ReleaseThrottle(ctx, c.Bucket, c.BlockedUntil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// release takes the attempt back: it was not tried after all.
func (a attempt) release(ctx context.Context, tx ThrottleTx) error {
	for _, c := range a.counted {
		if err := tx.ReleaseThrottle(ctx, c.Bucket, c.BlockedUntil); err != nil {
			return err
		}
	}
	return nil
}

// rateLimited rounds up to whole seconds, as Retry-After is written.
func rateLimited(what string, wait time.Duration) error {
	wait = (wait + time.Second - 1).Truncate(time.Second)
	e := problem.New(problem.RateLimited, "Too many %s. Try again in %s.", what, wait)
	e.RetryAfter = wait
	return e
}

// bucketName hashes the name of what is counted: the table holds no address,
// and a name of any length fits. Each part goes with its length, so that no two
// lists of parts make one name.
func bucketName(kind string, parts ...string) string {
	h := sha256.New()
	h.Write([]byte(kind))
	for _, p := range parts {
		fmt.Fprintf(h, "\x00%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// NetworkOf returns what one subscriber can choose addresses from: an IPv4
// address, or the /64 of an IPv6 one.
func NetworkOf(addr string) string { return prefixOf(addr, 64) }

// siteOf returns what one subscriber may have at the most: an IPv4 address, or
// the /48 of an IPv6 one (RFC 6177).
func siteOf(addr string) string { return prefixOf(addr, 48) }

func prefixOf(addr string, bits int) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return addr
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return addr
	}
	return prefix.String()
}

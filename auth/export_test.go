package auth

import (
	"time"

	"github.com/alexedwards/argon2id"
)

// Limits that tests name.
const (
	MaxSessions         = maxSessions
	MaxLogins           = maxLogins
	MaxDevicesOfNetwork = maxDevicesOfNetwork
	MaxKeys             = maxKeys
)

// NewCheapPasswords hashes with hardly any cost, so that a test may sign in
// often.
func NewCheapPasswords(slots int, wait time.Duration) *Passwords {
	return newPasswords(argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}, slots, wait)
}

// Occupy takes all slots, and returns what frees them.
func (p *Passwords) Occupy() (release func()) {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	return func() {
		for range cap(p.slots) {
			<-p.slots
		}
	}
}

func (s *Sessions) SetClock(now func() time.Time) { s.now = now }
func (c *Calls) SetClock(now func() time.Time)    { c.now = now }
func (k *Keys) SetClock(now func() time.Time)     { k.now = now }
func (d *Devices) SetClock(now func() time.Time)  { d.now = now }

// NewToken makes a token without storing it.
func NewToken() Token { return newToken() }

func NewUserCode() UserCode { return newUserCode() }

func SiteOf(addr string) string { return siteOf(addr) }

// MaxHashQueue is how many sign-ins may wait for their turn.
const MaxHashQueue = maxHashQueue

func (p *Passwords) Waiting() int { return len(p.queue) }

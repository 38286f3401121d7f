package handlers

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"infsh/auth"
	"infsh/problem"
	"infsh/team"
)

// RateLimits are requests a second, on the average; for a moment ten seconds'
// worth are served at once. 0 is no limit.
//
// Each instance counts by itself, so that several let through that many times
// as much: these limits keep one client from taking a server from the others,
// and no security rests on them. What does, the guessing of passwords and
// codes, is counted in the database (see auth/throttle.go).
type RateLimits struct {
	// Credential is for an API key at the JSON API, and for a session.
	Credential float64
	// Resolve is for an API key at the runners' endpoint.
	Resolve float64
	// Address is for an address without a valid credential: sign-ins, device
	// logins, wrong keys.
	Address float64
}

const (
	burstSeconds = 10
	// maxBuckets bounds the memory of a limiter, about 100 bytes each.
	maxBuckets = 20_000
)

// limiter has a token bucket for each of whom it limits. Those that were not
// seen for long are forgotten, which is as if they had been quiet.
type limiter struct {
	limit rate.Limit
	burst int

	mu sync.Mutex
	// Buckets are in recent, and move to old once that is half full.
	recent, old map[string]*rate.Limiter
}

// newLimiter returns nil, which limits nobody, for a rate of 0.
func newLimiter(perSecond float64) *limiter {
	if perSecond <= 0 {
		return nil
	}
	return &limiter{limit: rate.Limit(perSecond), burst: max(1, int(perSecond*burstSeconds)), recent: map[string]*rate.Limiter{}}
}

func (l *limiter) bucket(whose string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.recent[whose]; ok {
		return b
	}
	b, ok := l.old[whose]
	if !ok {
		b = rate.NewLimiter(l.limit, l.burst)
	}
	if len(l.recent) >= maxBuckets/2 {
		l.old, l.recent = l.recent, map[string]*rate.Limiter{}
	}
	l.recent[whose] = b
	return b
}

// take counts a request of somebody's, and refuses one too many.
func (l *limiter) take(whose string, now time.Time) error {
	if l == nil {
		return nil
	}
	reservation := l.bucket(whose).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reservation.CancelAt(now)
	wait = (wait + time.Second - 1).Truncate(time.Second)
	e := problem.New(problem.RateLimited, "Too many requests. Try again in %s, and send fewer at once.", wait)
	e.RetryAfter = wait
	return e
}

// tell writes the headers of draft-ietf-httpapi-ratelimit-headers: how many
// requests may come at once, and how many are left.
func (l *limiter) tell(h http.Header, whose string, now time.Time) {
	if l == nil {
		return
	}
	left := max(0, int(l.bucket(whose).TokensAt(now)))
	full := math.Ceil(float64(l.burst-left) / float64(l.limit))
	h.Set("RateLimit-Policy", fmt.Sprintf(`"credential";q=%d;w=%d`, l.burst, burstSeconds))
	h.Set("RateLimit", `"credential";r=`+strconv.Itoa(left)+";t="+strconv.Itoa(int(full)))
}

// limited is who has the limits of a request: a credential, and of runs without a
// stored key the trust, which gives as many credentials as are asked for.
func limited(actor team.Actor) string {
	if actor.Kind() == team.Runner {
		return "trust " + actor.UserID()
	}
	return actor.CredentialID()
}

// takeForAddress counts a request that came without a valid credential.
func (s *server) takeForAddress(r *http.Request) error {
	return s.perAddress.take(auth.NetworkOf(auth.RemoteAddr(r)), s.now())
}

// unauthenticated counts a credential that was not accepted, and returns the
// error to answer with.
func (s *server) unauthenticated(r *http.Request, err error) error {
	if problem.CodeOf(err) != problem.NotSignedIn {
		return err
	}
	if tooMany := s.takeForAddress(r); tooMany != nil {
		return tooMany
	}
	return err
}

package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// limited is the world with limits, at a time that the test sets.
func (w *world) limited(limits RateLimits) (now *time.Time) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now = &at
	ready := func(context.Context) error { return nil }
	s := &server{Services: w.services, config: Config{PublicURL: w.publicURL, Ready: ready}, log: slog.New(slog.DiscardHandler), metrics: newMetrics(nil), now: func() time.Time { return *now }}
	s.perCredential, s.perRunner, s.perAddress = newLimiter(limits.Credential), newLimiter(limits.Resolve), newLimiter(limits.Address)
	w.handlers.Main = s.wrap(s.mux(func(route) bool { return true }))
	return now
}

// One client that asks too much is told when to come back, and keeps nobody
// else from anything.
func TestRateLimits(t *testing.T) {
	w := newWorld(t)
	now := w.limited(RateLimits{Credential: 0.5, Resolve: 0.5, Address: 0.5})
	get := func(path, actor string) *http.Response {
		r := request("GET", path, "")
		w.present(r, w.actors[actor])
		return w.do(r).Result()
	}
	want := func(at string, res *http.Response, status int) {
		t.Helper()
		if res.StatusCode != status {
			t.Errorf("%s: %d, want %d", at, res.StatusCode, status)
		}
	}
	for i := range 5 {
		res := get("/api/me", "full")
		want("within the limit", res, 200)
		if got := res.Header.Get("RateLimit"); got[:len(`"credential";r=`)+1] != fmt.Sprintf(`"credential";r=%d`, 4-i) {
			t.Errorf("RateLimit is %s after %d", got, i+1)
		}
	}
	res := get("/api/me", "full")
	want("one too many", res, 429)
	if after, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || after != 2 {
		t.Errorf("Retry-After is %q", res.Header.Get("Retry-After"))
	}
	want("another key of the same person", get("/api/me", "reader"), 200)
	want("another person at the same address", get("/api/me", "member"), 200)
	resolve := func() *http.Response {
		r := request("POST", "/internal/v1/resolve", `{"app":"acme/summarizer"}`)
		w.present(r, w.actors["full"])
		return w.do(r).Result()
	}
	want("the same key as a runner's", resolve(), 200)
	*now = now.Add(2 * time.Second)
	want("when it was told to come back", get("/api/me", "full"), 200)
	want("and no sooner", get("/api/me", "full"), 429)
	for range 6 {
		res = resolve()
	}
	want("resolves", res, 429)

	// Wrong keys, and whatever asks for no credential, count for the address.
	for range 5 {
		want("without a key", get("/api/me", "anon"), 401)
	}
	want("without a key, too often", get("/api/me", "anon"), 429)
	want("a sign-in from there", get("/login", "anon"), 429)
	want("a valid key from there", get("/api/me", "admin"), 200)
	r := request("GET", "/login", "")
	r.RemoteAddr = "203.0.113.9:1"
	want("another address", w.do(r).Result(), 200)
	for range 20 {
		for _, path := range []string{"/healthz", "/readyz", "/static/app.css"} {
			want(path, get(path, "anon"), 200)
		}
	}
	// A session counts for itself.
	page := func() *http.Response {
		r := request("GET", "/settings/secrets", "")
		w.present(r, credentials{cookie: w.actors["owner"].cookie})
		return w.do(r).Result()
	}
	for range 5 {
		want("a page", page(), 200)
	}
	want("pages", page(), 429)
}

// What a limiter remembers is bounded, whoever comes.
func TestALimiterForgets(t *testing.T) {
	l := newLimiter(0.1)
	now := time.Now()
	for i := range 3 * maxBuckets {
		if err := l.take(strconv.Itoa(i), now); err != nil {
			t.Fatal(err)
		}
		if err := l.take("the same", now); (err == nil) != (i == 0) {
			t.Fatalf("one who keeps asking was forgotten after %d others: %v", i, err)
		}
	}
	if n := len(l.recent) + len(l.old); n > maxBuckets {
		t.Errorf("%d buckets are kept", n)
	}
}

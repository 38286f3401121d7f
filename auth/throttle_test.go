package auth_test

import (
	"fmt"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
)

func TestLoginThrottle(t *testing.T) {
	t.Run("five failures are free, then the wait doubles from a second to fifteen minutes", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(attacker)
			var waits []time.Duration
			failures := 0
			for len(waits) < 12 {
				err := b.login("ada@example.com", "wrong password")
				if problem.CodeOf(err) == problem.NotSignedIn {
					failures++
					continue
				}
				if failures < 6 {
					t.Fatalf("after %d failures: %v", failures, err)
				}
				wait := wantCode(t, err, problem.RateLimited).RetryAfter
				waits = append(waits, wait)
				w.pass(wait)
			}
			if waits[0] != time.Second || waits[1] != 2*time.Second || waits[2] != 4*time.Second || waits[len(waits)-1] != 15*time.Minute {
				t.Errorf("waits: %v", waits)
			}
		})
	})

	t.Run("what is refused computes no hash and does not make the wait longer", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(attacker)
			for range 6 {
				wantCode(t, b.login("ada@example.com", "wrong password"), problem.NotSignedIn)
			}
			defer w.hasher.Occupy()() // a hash would wait for ever
			for range 50 {
				if e := wantCode(t, b.login("ada@example.com", password), problem.RateLimited); e.RetryAfter != time.Second {
					t.Fatalf("the wait grew to %s", e.RetryAfter)
				}
			}
		})
	})

	t.Run("many tries at once get no more than the same ones by one", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			var tried sync.Map
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					if err := w.browser(attacker).login("ada@example.com", "wrong password"); problem.CodeOf(err) == problem.NotSignedIn {
						tried.Store(i, true)
					}
				})
			}
			wg.Wait()
			n := 0
			tried.Range(func(any, any) bool { n++; return true })
			if n != 6 {
				t.Errorf("%d of 40 were tried, want the 5 free ones and the one that begins the wait", n)
			}
		})
	})

	t.Run("case and outer spaces make no other account", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(attacker)
			for _, spelling := range []string{"ada@example.com", "ADA@example.com", " ada@example.com", "ada@example.com\t", "Ada@Example.Com", "aDa@example.com "} {
				wantCode(t, b.login(spelling, "wrong password"), problem.NotSignedIn)
			}
			wantCode(t, b.login("adA@example.com", "wrong password"), problem.RateLimited)
		})
	})

	t.Run("A5 an attacker who keeps a victim throttled stops neither the live session nor a login from elsewhere", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			live := w.browser(home)
			live.mustLogin("ada@example.com")
			for i := range 200 { // many addresses, so that the account's own bucket is full
				_ = w.browser(fmt.Sprintf("203.0.113.%d", i)).login("ada@example.com", "wrong password")
				_ = w.browser(attacker).login("ada@example.com", "wrong password")
			}
			live.mustSession()
			if err := w.browser("192.0.2.99").login("ada@example.com", password); err != nil {
				t.Errorf("from an address that never failed: %v", err)
			}
			// The owner who mistypes once waits ten seconds at most.
			clumsy := w.browser("192.0.2.100")
			wantCode(t, clumsy.login("ada@example.com", "a typing mistake"), problem.NotSignedIn)
			if e := wantCode(t, clumsy.login("ada@example.com", password), problem.RateLimited); e.RetryAfter > 10*time.Second {
				t.Errorf("the owner waits %s", e.RetryAfter)
			}
			w.pass(10 * time.Second)
			if err := clumsy.login("ada@example.com", password); err != nil {
				t.Error(err)
			}
		})
	})

	t.Run("one address tries few accounts, and one IPv6 network is one address", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			refused := 0
			for i := range 30 {
				b := w.browser(fmt.Sprintf("[2001:db8:0:1::%x]", i+1))
				if problem.CodeOf(b.login(fmt.Sprintf("user%d@example.com", i), "Spring2026!!")) == problem.RateLimited {
					refused++
				}
			}
			if refused != 9 {
				t.Errorf("%d of 30 were refused, want all after the 20 free ones and the one that begins the wait", refused)
			}
			if err := w.browser("[2001:db8:0:2::1]").login("user1@example.com", "Spring2026!!"); problem.CodeOf(err) != problem.NotSignedIn {
				t.Errorf("another network: %v", err)
			}
		})
	})

	t.Run("one IPv6 site guesses at an account as one address does, and tries few accounts from all its networks", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			tried := 0
			for i := range 40 {
				if problem.CodeOf(w.browser(fmt.Sprintf("[2001:db8:7:%x::1]", i)).login("ada@example.com", "wrong password")) == problem.NotSignedIn {
					tried++
				}
			}
			if tried != 6 {
				t.Errorf("%d of 40 networks of a site tried the account, want the 5 free ones and the one that begins the wait", tried)
			}
			tried = 0
			for i := range 250 {
				if problem.CodeOf(w.browser(fmt.Sprintf("[2001:db8:8:%x::1]", i)).login(fmt.Sprintf("user%d@example.com", i), "Spring2026!!")) == problem.NotSignedIn {
					tried++
				}
			}
			if tried != 201 {
				t.Errorf("a site tried %d of 250 accounts, want the 200 free ones and the one that begins the wait", tried)
			}
			if err := w.browser("[2001:db8:9::1]").login("ada@example.com", "wrong password"); problem.CodeOf(err) != problem.NotSignedIn {
				t.Errorf("another site: %v", err)
			}
		})
	})

	t.Run("a success forgives this address on this account, and is not counted against the address", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			b := w.browser(home)
			for range 4 {
				for range 5 {
					wantCode(t, b.login("ada@example.com", "wrong password"), problem.NotSignedIn)
				}
				w.pass(time.Second)
				if err := b.login("ada@example.com", password); err != nil {
					t.Fatal(err)
				}
			}
			if n := dbtest.Count(t, w.d, "SELECT max(failures) FROM throttles"); n != 20 {
				t.Errorf("the address has %d failures, want the 20 wrong ones", n)
			}
		})
	})

	t.Run("the table names nobody", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			_ = w.browser(home).login("ada@example.com", "wrong password")
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM throttles WHERE bucket LIKE '%@%' OR bucket LIKE '%.%'"); n != 0 {
				t.Error("a bucket holds an address in the clear")
			}
			if n := dbtest.Count(t, w.d, "SELECT count(*) FROM throttles"); n != 3 {
				t.Errorf("%d buckets", n)
			}
		})
	})

	t.Run("a busy server takes the attempt back", func(t *testing.T) {
		each(t, func(t *testing.T, w *world) {
			w.person("ada@example.com", "acme")
			busy := auth.NewCheapPasswords(1, time.Millisecond)
			w.sessions = auth.NewSessions(w.d.Auth(), busy, nil, &url.URL{Scheme: "https", Host: "infsh.example"})
			w.sessions.SetClock(w.clock)
			release := busy.Occupy()
			for range 10 {
				if e := wantCode(t, w.browser(home).login("ada@example.com", password), problem.Unavailable); e.RetryAfter <= 0 {
					t.Error("it doesn't say when to come again")
				}
			}
			release()
			if err := w.browser(home).login("ada@example.com", password); err != nil {
				t.Errorf("the attempts that were not tried count as failures: %v", err)
			}
		})
	})
}

func TestPasswordChangedWhileItIsVerified(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		release := w.hasher.Occupy()
		done := make(chan error)
		go func() { done <- w.browser(home).login("ada@example.com", password) }()
		for dbtest.Count(t, w.d, "SELECT count(*) FROM throttles") == 0 {
			runtime.Gosched() // until the login has read the old hash
		}
		dbtest.Exec(t, w.d, "UPDATE users SET password_hash = 'another'")
		release()
		wantCode(t, <-done, problem.NotSignedIn)
		if n := dbtest.Count(t, w.d, "SELECT count(*) FROM sessions"); n != 0 {
			t.Errorf("%d sessions were made with the old password", n)
		}
	})
}

func TestUnknownAccountAnswersAlike(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.person("ada@example.com", "acme")
		known := w.browser(home).login("ada@example.com", "wrong password")
		for _, email := range []string{"nobody@example.com", "not an address", "", "ada@example.com\x00", "\xff\xfe"} {
			if err := w.browser(home).login(email, "wrong password"); err == nil || err.Error() != known.Error() || problem.CodeOf(err) != problem.CodeOf(known) {
				t.Errorf("%q: %v, and for one that exists: %v", email, err, known)
			}
		}
	})
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string][2]string{
		"192.0.2.1": {"192.0.2.1", "192.0.2.1"}, "::ffff:192.0.2.1": {"192.0.2.1", "192.0.2.1"}, "2001:db8:1:2::1": {"2001:db8:1:2::/64", "2001:db8:1::/48"},
		"fe80::1%eth0": {"fe80::/64", "fe80::/48"}, "@": {"@", "@"},
	} {
		if network, site := auth.NetworkOf(addr), auth.SiteOf(addr); network != want[0] || site != want[1] {
			t.Errorf("%s belongs to %s in %s, want %s", addr, network, site, want)
		}
	}
}

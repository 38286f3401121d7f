package auth_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"infsh/auth"
	"infsh/problem"
	"infsh/redact"
)

func TestPasswords(t *testing.T) {
	p := auth.NewPasswords()

	t.Run("A6 each byte counts: beyond the 72nd, a NUL, outer spaces", func(t *testing.T) {
		long := strings.Repeat("x", 72)
		same := []string{long + strings.Repeat("a", 28), long + strings.Repeat("b", 28), "ten\x00bytes!", "ten\x00bytes?", " outer spaces ", "outer spaces", strings.Repeat("é", 100)}
		hashes := make([]string, len(same))
		for i, pass := range same {
			var err error
			if hashes[i], err = p.Hash(t.Context(), redact.NewValue(pass)); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(hashes[i], pass) || !strings.HasPrefix(hashes[i], "$argon2id$v=19$m=19456,t=2,p=1$") {
				t.Errorf("stored is %s", hashes[i])
			}
		}
		for i := range same {
			for _, j := range []int{i, i ^ 1} {
				if j >= len(same) {
					continue
				}
				match, err := p.Verify(t.Context(), hashes[i], redact.NewValue(same[j]))
				if err != nil || match != (i == j) {
					t.Errorf("password %d against the hash of %d: %v, %v", j, i, match, err)
				}
			}
		}
	})

	t.Run("the hash of nobody is a real one, and no password matches it", func(t *testing.T) {
		for _, pass := range []string{"", "password", strings.Repeat("\x00", 32)} {
			if match, err := p.Verify(t.Context(), "", redact.NewValue(pass)); match || err != nil {
				t.Errorf("%v, %v", match, err)
			}
		}
	})

	t.Run("no more hashes run at once than there are slots, and waiting ends", func(t *testing.T) {
		busy := auth.NewCheapPasswords(2, time.Millisecond)
		release := busy.Occupy()
		_, err := busy.Hash(t.Context(), redact.NewValue("x"))
		wantCode(t, err, problem.Unavailable)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := auth.NewCheapPasswords(1, time.Hour).Verify(ctx, "", redact.NewValue("x")); err != nil && err != context.Canceled {
			t.Error(err)
		}
		// Whoever finds the queue full does not wait.
		queued := auth.NewCheapPasswords(1, time.Hour)
		free := queued.Occupy()
		waitingCtx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range auth.MaxHashQueue {
			waiting.Go(func() { _, _ = queued.Hash(waitingCtx, redact.NewValue("x")) })
		}
		for queued.Waiting() < auth.MaxHashQueue {
			time.Sleep(time.Millisecond)
		}
		_, err = queued.Hash(t.Context(), redact.NewValue("x"))
		if e := wantCode(t, err, problem.Unavailable); e.RetryAfter == 0 {
			t.Error("it does not say when to try again")
		}
		cancel()
		waiting.Wait()
		free()
		release()
		var wg sync.WaitGroup
		patient := auth.NewCheapPasswords(2, time.Minute)
		for range 20 {
			wg.Go(func() {
				if _, err := patient.Hash(t.Context(), redact.NewValue("x")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func BenchmarkPasswordVerify(b *testing.B) {
	p := auth.NewPasswords()
	hash, err := p.Hash(b.Context(), redact.NewValue("correct horse battery"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := p.Verify(b.Context(), hash, redact.NewValue("correct horse battery")); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

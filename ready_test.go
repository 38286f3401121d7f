package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A probe that can't wait for a hanging key service is answered when its time
// is up, and hundreds of probes ask the service once.
func TestProbesDoNotHangWithTheirQuestion(t *testing.T) {
	var a answers
	var asked atomic.Int32
	hang := make(chan struct{})
	question := func() error {
		asked.Add(1)
		<-hang
		return nil
	}
	var probes sync.WaitGroup
	for range 200 {
		probes.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := a.ask(ctx, 1, question); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a probe got %v", err)
			}
		})
	}
	probes.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the service was asked %d times", n)
	}
	close(hang)
	if err := a.ask(t.Context(), 1, question); err != nil {
		t.Error(err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("its answer was not kept: asked %d times", n)
	}
	// An answer about one thing is none about another.
	wrong := errors.New("the wrong key")
	if err := a.ask(t.Context(), 2, func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("about something else: %v", err)
	}
}

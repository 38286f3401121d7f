package db

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"infsh/audit"
	"infsh/problem"
)

// gate is a database whose commits a test lets through one by one.
type gate struct {
	groups  [][]audit.Entry
	outcome chan error
}

func (g *gate) commit(ctx context.Context, entries []audit.Entry) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	g.groups = append(g.groups, entries)
	return <-g.outcome
}

// appends starts n callers of append, and returns where their answers come.
func appends(ctx context.Context, c *committer, from, n int) chan error {
	out := make(chan error, n)
	for i := range n {
		go func() { out <- c.append(ctx, audit.Entry{ID: fmt.Sprint(from + i)}) }()
		synctest.Wait()
	}
	return out
}

// While one group is committed the next one gathers, in order, and each caller
// gets the outcome of its own group.
func TestGroupsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{outcome: make(chan error)}
		c := newCommitter(g.commit)
		defer c.close()
		first := appends(t.Context(), c, 0, 1)
		others := appends(t.Context(), c, 1, maxGroup+10)
		lost := errors.New("the database is gone")
		g.outcome <- nil
		synctest.Wait()
		if len(first) != 1 || len(others) != 0 || <-first != nil {
			t.Error("the first is not answered by its own commit")
		}
		g.outcome <- lost
		synctest.Wait()
		if len(others) != maxGroup {
			t.Errorf("%d are answered by the second commit", len(others))
		}
		g.outcome <- nil
		synctest.Wait()
		var failed int
		for range maxGroup + 10 {
			if err := <-others; errors.Is(err, lost) {
				failed++
			} else if err != nil {
				t.Error(err)
			}
		}
		if failed != maxGroup || len(g.groups) != 3 {
			t.Errorf("%d failed, in %d groups", failed, len(g.groups))
		}
		n := 0
		for _, group := range g.groups {
			for _, e := range group {
				if e.ID != fmt.Sprint(n) {
					t.Fatalf("entry %s stands where %d belongs", e.ID, n)
				}
				n++
			}
		}
	})
}

// A caller who gives up before its entry is taken up has it not written; one
// who gives up later is told what became of it. The others don't notice.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{outcome: make(chan error)}
		c := newCommitter(g.commit)
		defer c.close()
		ctx, cancel := context.WithCancel(t.Context())
		taken := appends(ctx, c, 0, 1)
		waiting := appends(ctx, c, 1, 1)
		patient := appends(t.Context(), c, 2, 1)
		cancel()
		synctest.Wait()
		if len(waiting) != 1 || !errors.Is(<-waiting, context.Canceled) {
			t.Error("who waits can't give up")
		}
		if len(taken) != 0 {
			t.Error("an entry that is being committed is answered before the outcome")
		}
		g.outcome <- nil
		g.outcome <- nil
		synctest.Wait()
		if err := <-taken; err != nil {
			t.Errorf("an entry that was committed: %v", err)
		}
		if err := <-patient; err != nil {
			t.Errorf("another's entry: %v", err)
		}
		if len(g.groups) != 2 || len(g.groups[1]) != 1 || g.groups[1][0].ID != "2" {
			t.Errorf("written are %v", g.groups)
		}
		if err := c.append(ctx, audit.Entry{}); !errors.Is(err, context.Canceled) {
			t.Errorf("an entry of a request that is over: %v", err)
		}
	})
}

// What the database refuses in one entry is not the others' failure.
func TestOneBadEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		c := newCommitter(func(_ context.Context, entries []audit.Entry) error {
			<-hold
			for _, e := range entries {
				if e.ID == "3" {
					return errDamagedHead
				}
			}
			return nil
		})
		defer c.close()
		answers := appends(t.Context(), c, 0, 8)
		close(hold)
		synctest.Wait()
		var failed int
		for range 8 {
			if err := <-answers; errors.Is(err, errDamagedHead) {
				failed++
			} else if err != nil {
				t.Error(err)
			}
		}
		if failed != 1 {
			t.Errorf("%d failed", failed)
		}
	})
}

// Who comes when too many wait is refused at once, and so is who comes when the
// database is being closed. What waits then is written.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{outcome: make(chan error)}
		c := newCommitter(g.commit)
		defer c.close()
		answers := make(chan error, maxWaiting+1)
		for i := range maxWaiting + 1 {
			go func() { answers <- c.append(t.Context(), audit.Entry{}) }()
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if err := c.append(t.Context(), audit.Entry{}); !errors.Is(err, problem.Unavailable) || !errors.Is(err, errTooMany) {
			t.Errorf("one too many: %v", err)
		}
		closed := make(chan struct{})
		go func() { c.close(); close(closed) }()
		synctest.Wait()
		if err := c.append(t.Context(), audit.Entry{}); !errors.Is(err, problem.Unavailable) || !errors.Is(err, errClosing) {
			t.Errorf("after the end: %v", err)
		}
		close(g.outcome) // every commit succeeds
		<-closed
		for range maxWaiting + 1 {
			if err := <-answers; err != nil {
				t.Fatal(err)
			}
		}
	})
}

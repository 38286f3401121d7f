package db

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"infsh/audit"
)

const (
	// maxGroup is the most entries in one group, and in one statement, whose
	// parameters either database must be able to take.
	maxGroup = 256
	// maxWaiting bounds what waits for its commit; who comes then is refused.
	maxWaiting = 8192
	// groupTimeout bounds one commit with its repetitions, and so how long an
	// entry that was taken up is waited for.
	groupTimeout = 20 * time.Second
)

// committer appends audit entries of concurrent callers in one commit (group
// commit): while one group is synced to disk, the next one gathers. Alone, an
// entry waits for nothing. It takes entries and no functions, so that no
// caller's failure or slowness is another's, and runs only while there is
// something to write.
type committer struct {
	// commit writes a group, all or nothing.
	commit func(context.Context, []audit.Entry) error

	mu      sync.Mutex
	waiting []*waiter
	running bool
	closed  bool
	idle    *sync.Cond // signalled when running ends
}

type waiter struct {
	entry audit.Entry
	// done gets the outcome; it has room, so that nobody waits to give it.
	done chan error
}

func newCommitter(commit func(context.Context, []audit.Entry) error) *committer {
	c := &committer{commit: commit}
	c.idle = sync.NewCond(&c.mu)
	return c
}

var (
	errClosing = errors.New("the database is being closed")
	errTooMany = errors.New("too many entries wait to be written")
)

// append returns when the entry is durable, or is not written.
func (c *committer) append(ctx context.Context, e audit.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{entry: e, done: make(chan error, 1)}
	if err := c.enqueue(w); err != nil {
		return auditFailed(err)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if c.withdraw(w) {
			return ctx.Err()
		}
		// It is being committed: the caller is told what became of it.
		return <-w.done
	}
}

// length is how many entries wait.
func (c *committer) length() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

func (c *committer) enqueue(w *waiter) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return errClosing
	case len(c.waiting) >= maxWaiting:
		return errTooMany
	}
	c.waiting = append(c.waiting, w)
	if !c.running {
		c.running = true
		go c.run()
	}
	return nil
}

// withdraw takes a waiter back; false if it was taken up already.
func (c *committer) withdraw(w *waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, w)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	return true
}

// run commits groups until nothing waits.
func (c *committer) run() {
	for {
		group := c.take()
		if group == nil {
			return
		}
		c.write(group)
	}
}

// take returns the next group, or ends the run.
func (c *committer) take() []*waiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.running = false
		c.idle.Broadcast()
		return nil
	}
	n := min(len(c.waiting), maxGroup)
	group := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	return group
}

// write commits a group and answers its callers. If an entry is refused for
// what it is, each is tried alone, so that only that one fails.
func (c *committer) write(group []*waiter) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	entries := make([]audit.Entry, len(group))
	for i, w := range group {
		entries[i] = w.entry
	}
	err := c.commit(ctx, entries)
	if err == nil || len(group) == 1 || !refusesRow(err) {
		for _, w := range group {
			w.done <- err
		}
		return
	}
	for _, w := range group {
		w.done <- c.commit(ctx, []audit.Entry{w.entry})
	}
}

// close refuses new entries and returns when those that wait are written.
func (c *committer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for c.running {
		c.idle.Wait()
	}
}

// appendGroup commits entries together.
func (d *DB) appendGroup(ctx context.Context, entries []audit.Entry) error {
	err := d.update(ctx, func(q querier) error {
		*q.entries = entries
		return nil
	})
	if err != nil {
		return auditFailed(err)
	}
	return nil
}

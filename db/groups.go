package db

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// maxWaiting bounds what waits for its turn; who comes then is refused.
const maxWaiting = 8192

var (
	errClosing = errors.New("the database is being closed")
	errTooMany = errors.New("too many requests wait for the database")
)

// groups joins what concurrent callers ask into one question to the database:
// while one group is there the next one gathers. Alone, a caller waits for
// nothing. It takes questions and no functions, so that no caller's failure or
// slowness is another's.
//
// A group starts after the last of its members came. So an answer is never
// older than its question: what was revoked before a request began is revoked
// for it.
type groups[Q, A any] struct {
	// ask returns as many answers as there are questions, in their order, or
	// an error that is all of theirs.
	ask func(context.Context, []Q) ([]A, error)
	// size is the most questions in a group, and parallel the most groups that
	// are at the database at once.
	size, parallel int
	// binding says that who was taken up waits for its answer, since it has an
	// effect; else a caller whose time is over leaves at once.
	binding bool

	mu      sync.Mutex
	waiting []*asker[Q, A]
	running int
	// idle is how many of those that run wait for questions. They stay, since
	// SQLite needs a large stack, which a new goroutine would have to grow.
	idle    int
	more    *sync.Cond // signalled to one that is idle
	closed  bool
	stopped *sync.Cond // signalled when none runs any more
}

type asker[Q, A any] struct {
	question Q
	// done gets the answer; it has room, so that nobody waits to give it.
	done chan answer[A]
}

type answer[A any] struct {
	value A
	err   error
}

func newGroups[Q, A any](size, parallel int, ask func(context.Context, []Q) ([]A, error)) *groups[Q, A] {
	g := &groups[Q, A]{ask: ask, size: size, parallel: parallel}
	g.more, g.stopped = sync.NewCond(&g.mu), sync.NewCond(&g.mu)
	return g
}

// do returns the answer to one question.
func (g *groups[Q, A]) do(ctx context.Context, question Q) (none A, err error) {
	if err := ctx.Err(); err != nil {
		return none, err
	}
	w := &asker[Q, A]{question: question, done: make(chan answer[A], 1)}
	if err := g.enqueue(w); err != nil {
		return none, err
	}
	select {
	case a := <-w.done:
		return a.value, a.err
	case <-ctx.Done():
		if g.withdraw(w) || !g.binding {
			return none, ctx.Err()
		}
		// It is being done: the caller is told what became of it.
		a := <-w.done
		return a.value, a.err
	}
}

// length is how many wait.
func (g *groups[Q, A]) length() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

func (g *groups[Q, A]) enqueue(w *asker[Q, A]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return errClosing
	case len(g.waiting) >= maxWaiting:
		return errTooMany
	}
	g.waiting = append(g.waiting, w)
	switch {
	case g.idle > 0:
		g.idle--
		g.more.Signal()
	case g.running < g.parallel:
		g.running++
		go g.run()
	}
	return nil
}

// withdraw takes a question back; false if it was taken up already.
func (g *groups[Q, A]) withdraw(w *asker[Q, A]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, w)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// run asks for groups until no more may come.
func (g *groups[Q, A]) run() {
	for {
		group := g.take()
		if group == nil {
			return
		}
		g.answer(group)
	}
}

// take waits for the next group, or ends the run.
func (g *groups[Q, A]) take() []*asker[Q, A] {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waiting) == 0 {
		if g.closed {
			if g.running--; g.running == 0 {
				g.stopped.Broadcast()
			}
			return nil
		}
		g.idle++
		g.more.Wait()
	}
	n := min(len(g.waiting), g.size)
	group := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return group
}

// answer answers a group's callers. If the database refuses one of the
// questions for what it is, each is asked alone, so that only that one fails.
func (g *groups[Q, A]) answer(group []*asker[Q, A]) {
	questions := make([]Q, len(group))
	for i, w := range group {
		questions[i] = w.question
	}
	// Not a caller's context: none ends what is the others' too. The database's
	// own limits hold.
	answers, err := g.ask(context.Background(), questions)
	if err != nil && len(group) > 1 && refusesRow(err) {
		for _, w := range group {
			g.answer([]*asker[Q, A]{w})
		}
		return
	}
	for i, w := range group {
		a := answer[A]{err: err}
		if err == nil {
			a.value = answers[i]
		}
		w.done <- a
	}
}

// close refuses new questions and returns when those that wait are answered.
func (g *groups[Q, A]) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.more.Broadcast()
	for g.running > 0 {
		g.stopped.Wait()
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// answerFor is how long ready believes the last answer of the key service and
// of the disk, so that probes, which anybody may send, don't become load.
const answerFor = 2 * time.Second

// probeTimeout ends a write that tries the disk, whoever waits for it.
const probeTimeout = 5 * time.Second

// ready reports whether the database answers and can be written, and is still
// the store that the program was started for and that the KEK belongs to. It
// takes no longer than ctx has.
func (s *store) ready(ctx context.Context) error {
	if err := s.databaseAnswers.ask(ctx, nil, s.lookAtDatabase); err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	id := *s.seen.Load()
	if err := s.kekAnswers.ask(ctx, id, func() error { return belongs(s.kek, id) }); err != nil {
		return fmt.Errorf("the key encryption key: %w", err)
	}
	err := s.diskAnswers.ask(ctx, nil, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		return s.db.Writable(ctx)
	})
	if err != nil {
		return fmt.Errorf("write to the store: %w", err)
	}
	return nil
}

func (s *store) lookAtDatabase() error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	if err := s.db.Usable(ctx); err != nil {
		return err
	}
	id, ok, err := s.db.Identity(ctx)
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("the store has no identity")
	case id.StoreID != s.identity.StoreID:
		return errors.New("this is another store than at the start")
	}
	s.seen.Store(&id)
	return nil
}

// answers keeps the last answer to a question. The question is asked once at a
// time, however many want to know and however long it takes.
type answers struct {
	// anew keeps no answer for who asks after it was given.
	anew bool

	mu           sync.Mutex
	last, asking *answer
}

type answer struct {
	about any
	until time.Time
	err   error
	done  chan struct{} // closed when the answer is there
}

// ask returns an answer of the last two seconds about the same, or asks. Who
// can't wait for the answer gets the error of ctx.
func (a *answers) ask(ctx context.Context, about any, question func() error) error {
	for {
		a.mu.Lock()
		if a.last != nil && time.Now().Before(a.last.until) && reflect.DeepEqual(a.last.about, about) {
			defer a.mu.Unlock()
			return a.last.err
		}
		asking := a.asking
		if asking == nil {
			asking = &answer{about: about, done: make(chan struct{})}
			a.asking = asking
			go a.put(asking, question)
		}
		a.mu.Unlock()
		select {
		case <-asking.done:
			if reflect.DeepEqual(asking.about, about) {
				return asking.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *answers) put(asking *answer, question func() error) {
	err := question()
	a.mu.Lock()
	defer a.mu.Unlock()
	asking.err = err
	if !a.anew {
		asking.until = time.Now().Add(answerFor)
	}
	a.last, a.asking = asking, nil
	close(asking.done)
}

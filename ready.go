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
// the store that the KEK belongs to. It takes no longer than ctx has.
func (s *store) ready(ctx context.Context) error {
	id, ok, err := s.db.Identity(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("the store has no identity")
	}
	if err := s.kekAnswers.ask(ctx, id, func() error { return belongs(s.kek, id) }); err != nil {
		return fmt.Errorf("the key encryption key: %w", err)
	}
	err = s.diskAnswers.ask(ctx, nil, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		return s.db.Writable(ctx)
	})
	if err != nil {
		return fmt.Errorf("write to the store: %w", err)
	}
	return nil
}

// answers keeps the last answer to a question. The question is asked once at a
// time, however many want to know and however long it takes.
type answers struct {
	mu     sync.Mutex
	about  any
	until  time.Time
	err    error
	asking chan struct{} // closed at the end of the question that is being asked
}

// ask returns an answer of the last two seconds about the same, or asks. Who
// can't wait for the answer gets the error of ctx.
func (a *answers) ask(ctx context.Context, about any, question func() error) error {
	for {
		a.mu.Lock()
		if time.Now().Before(a.until) && reflect.DeepEqual(a.about, about) {
			defer a.mu.Unlock()
			return a.err
		}
		if a.asking == nil {
			a.asking = make(chan struct{})
			go a.put(about, question)
		}
		asking := a.asking
		a.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *answers) put(about any, question func() error) {
	err := question()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.about, a.err, a.until = about, err, time.Now().Add(answerFor)
	close(a.asking)
	a.asking = nil
}

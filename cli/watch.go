package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"time"

	"infsh/api"
	"infsh/redact"
	"infsh/runner"
)

const (
	// rewatchAfter is the first pause before a stream that ended is opened
	// again; it doubles up to rewatchAtMost, and each is made longer or shorter
	// by chance, so that many runners don't come back at once.
	rewatchAfter  = 500 * time.Millisecond
	rewatchAtMost = 30 * time.Second
	// settle collects changes that come together, such as an id with its key.
	settle = 150 * time.Millisecond
	// steady is how long a command runs before a restart is no reason to wait.
	steady = 5 * time.Second
	// restartAtMost is the longest pause before a restart.
	restartAtMost = 30 * time.Second
	// keptOldSets is how many sets of earlier values are masked.
	keptOldSets = 20
)

// watched is a run that is restarted, or told, when its secrets change.
type watched struct {
	p       *program
	s       *session
	request api.ResolveRequest
	command runner.Command
	// signal is sent instead of a restart, if it is set.
	signal os.Signal
	// resolved is what the command runs with, and before what it ran with.
	resolved api.ResolveResponse
	before   [][]redact.Needle
	// files are for the command's mount.
	files chan runner.Fresh
}

// follow opens the stream before anything is resolved, so that no change is
// missed in between, and then tells of changes until ctx ends.
func (w *watched) follow(ctx context.Context) (<-chan struct{}, error) {
	stream, err := w.s.OpenWatch(ctx, w.request.App, w.request.Version, "")
	if err != nil {
		return nil, err
	}
	first, err := stream.Next()
	if err != nil {
		stream.Close()
		return nil, err
	}
	changed := make(chan struct{}, 1)
	go w.listen(ctx, stream, first.ID, changed)
	return changed, nil
}

func (w *watched) listen(ctx context.Context, stream *api.Watch, state string, changed chan<- struct{}) {
	pause, told := rewatchAfter, false
	for {
		for stream != nil {
			e, err := stream.Next()
			if err != nil {
				stream.Close()
				stream = nil
				break
			}
			pause, told = rewatchAfter, false
			if e.Event == api.WatchChanged && e.ID != state {
				state = e.ID
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, rewatchAtMost)
		var err error
		stream, err = w.s.OpenWatch(ctx, w.request.App, w.request.Version, state)
		if err == nil || ctx.Err() != nil {
			continue
		}
		stream = nil
		var refused *failure
		if errors.As(err, &refused) {
			w.warn("changes are not watched any more, and the command runs on: %s", refused.lines[0])
			return
		}
		var answered *api.Error
		if errors.As(err, &answered) && answered.Status < 500 && answered.Status != http.StatusTooManyRequests && answered.Status != http.StatusNotFound {
			w.warn("changes are not watched any more, and the command runs on: %s", answered.Error())
			return
		}
		if !told && pause > 4*rewatchAfter {
			told = true
			w.warn("the server can't be reached, so changes are not seen until it can: %s", err)
		}
	}
}

func (w *watched) warn(format string, args ...any) {
	w.p.notef("warning: %s", inert(fmt.Sprintf(format, args...)))
}

// run runs the command until it ends by itself.
func (w *watched) run(ctx context.Context, changed <-chan struct{}) error {
	ending, stopListening := endings()
	defer stopListening()
	signals := make(chan os.Signal)
	w.command.Signals = signals
	w.files = make(chan runner.Fresh)
	w.command.Fresh = w.files
	pause := time.Duration(0)
	for {
		started := time.Now()
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		w.command.Secrets, w.command.AlsoMask = needles(w.resolved), slices.Concat(w.before...)
		w.command.Tokens = w.s.masked()
		command := w.command
		command.Found = w.p.reporter(ctx, w.s, w.resolved)
		go func() { done <- w.p.start(running, command) }()

		err, ended := w.wait(running, changed, signals, done)
		if ended {
			stop()
			return err
		}
		drain(ending)
		w.p.notef("The secrets of %s have changed: restarting the command.", inert(w.request.App))
		stop()
		err = <-done
		var code exitStatus
		if !errors.As(err, &code) && err != nil {
			return err
		}
		if pause = nextPause(pause, time.Since(started)); pause > 0 {
			w.p.notef("The command ran for a short time only; it starts again in %s.", pause)
		}
		// Who wanted the command to end while it was stopped for the restart
		// wants no new one.
		select {
		case <-ending:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		select {
		case <-ending:
			return err
		default:
		}
	}
}

// wait waits until the command has ended, or is to be restarted with what is in
// w.resolved then.
func (w *watched) wait(ctx context.Context, changed <-chan struct{}, signals chan<- os.Signal, done <-chan error) (err error, ended bool) {
	for {
		select {
		case err := <-done:
			return err, true
		case <-changed:
		}
		select {
		case err := <-done:
			return err, true
		case <-time.After(settle):
		}
		select {
		case <-changed:
		default:
		}
		if w.signal != nil && w.command.Mount == nil {
			if err, ended := w.tell(signals, done); ended {
				return err, true
			}
			continue
		}
		fresh, err := w.s.Resolve(ctx, w.request)
		if err != nil {
			w.warn("the secrets of %s have changed, and the command runs on with the old ones: %s", w.request.App, runError(w.request.App, err))
			continue
		}
		if same(w.resolved, fresh) {
			continue
		}
		if w.command.Mount != nil {
			written := make(chan error, 1)
			select {
			case w.files <- runner.Fresh{Secrets: needles(fresh), Written: written}:
			case err := <-done:
				return err, true
			}
			if err := <-written; err != nil {
				w.warn("the secrets of %s have changed, and the command runs on with the old ones: %s", w.request.App, err)
				continue
			}
		}
		w.before = append(w.before, needles(w.resolved))
		if len(w.before) > keptOldSets {
			w.before = w.before[1:]
		}
		w.resolved = fresh
		if w.signal != nil {
			if err, ended := w.tell(signals, done); ended {
				return err, true
			}
			continue
		}
		// A command that ended meanwhile ended by itself.
		select {
		case err := <-done:
			return err, true
		default:
			return nil, false
		}
	}
}

// tell sends the command its signal.
func (w *watched) tell(signals chan<- os.Signal, done <-chan error) (err error, ended bool) {
	w.p.notef("The secrets of %s have changed: telling the command.", inert(w.request.App))
	select {
	case signals <- w.signal:
		return nil, false
	case err := <-done:
		return err, true
	}
}

// same reports whether a command that runs with one of the two needs no restart
// for the other.
func same(a, b api.ResolveResponse) bool {
	if a.Version != b.Version || len(a.Env) != len(b.Env) {
		return false
	}
	for key, value := range a.Env {
		if other, ok := b.Env[key]; !ok || !value.Equal(other.Value) {
			return false
		}
	}
	return true
}

// nextPause makes a command that does not run for long wait longer and longer.
func nextPause(last, ran time.Duration) time.Duration {
	if ran >= steady {
		return 0
	}
	return min(max(2*last, time.Second), restartAtMost)
}

func drain(signals <-chan os.Signal) {
	for {
		select {
		case <-signals:
		default:
			return
		}
	}
}

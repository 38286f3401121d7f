package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/rotation"
	"infsh/secret"
	"infsh/team"
)

func newService(store rotation.Store, kek *envelope.KEK) *rotation.Service {
	return rotation.NewService(store, kek).SetBatch(4)
}

// servers are readers and writers with a KEK each, as several instances are.
type servers struct {
	w    *world
	stop func()
	mu   sync.Mutex
	// acts counts what they did, by kind.
	acts map[string]int
}

// startServers runs them until stop, which asks that each did something.
// Whatever they set, and nothing else, is in values afterwards.
func (w *world) startServers(kek *envelope.KEK) *servers {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	s := &servers{w: w, acts: map[string]int{}}
	var running sync.WaitGroup
	start := func(kind string, act func(service *secret.Service, turn int) error) {
		service := secret.NewService(w.Secrets(), kek.And())
		running.Go(func() {
			for turn := 0; ctx.Err() == nil; turn++ {
				if err := act(service, turn); err != nil {
					w.t.Errorf("%s, turn %d: %v", kind, turn, err)
					return
				}
				s.mu.Lock()
				s.acts[kind]++
				s.mu.Unlock()
				// Without a rest they would leave the rotations no processor.
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	// The writers have keys of their own, so that they know what to expect.
	set := func(service *secret.Service, mode secret.Mode, key, value string) error {
		v := redact.NewValue(value)
		_, err := service.Set(w.t.Context(), w.acme, mode, secret.Write{Key: key, Value: &v})
		return err
	}
	start("write", func(service *secret.Service, turn int) error {
		mode := secret.Change
		if turn == 0 {
			mode = secret.Create
		}
		value := fmt.Sprintf("written in turn %d", turn)
		if err := set(service, mode, "WRITTEN", value); err != nil {
			return err
		}
		_, got, err := service.Reveal(w.t.Context(), w.acme, "WRITTEN")
		if err == nil && got.Reveal() != value {
			err = errors.New("what was set is not what is revealed")
		}
		return err
	})
	start("set and delete", func(service *secret.Service, turn int) error {
		if err := set(service, secret.Create, "FLEETING", fmt.Sprint("set in turn ", turn)); err != nil {
			return err
		}
		_, err := service.Delete(w.t.Context(), w.acme, "FLEETING")
		return err
	})
	start("roll back", func(service *secret.Service, turn int) error {
		if turn == 0 {
			return set(service, secret.Create, "ROLLED", rolled(1))
		}
		if turn == 1 {
			return set(service, secret.Change, "ROLLED", rolled(2))
		}
		_, err := service.Rollback(w.t.Context(), w.acme, "ROLLED", int64(turn-1))
		return err
	})
	start("make a team", func(_ *secret.Service, turn int) error {
		if turn == 10 {
			<-ctx.Done() // Each team is work for the rotation, which should end.
		}
		if turn >= 10 {
			return nil
		}
		_, err := w.accounts(kek).CreateUser(w.t.Context(), operator, fmt.Sprintf("p%d@example.com", turn), fmt.Sprintf("team-%d", turn), redact.Value{})
		return err
	})
	for _, actor := range []team.Actor{w.acme, w.beta} {
		keys := w.values[actor.TeamName()]
		start("read", func(service *secret.Service, turn int) error {
			if _, err := service.List(w.t.Context(), actor); err != nil {
				return err
			}
			key := fmt.Sprintf("KEY_%03d", turn%len(keys))
			_, got, err := service.Reveal(w.t.Context(), actor, key)
			if err == nil && got.Reveal() != keys[key] {
				err = errors.New("it has another value")
			}
			return err
		})
	}
	s.stop = func() {
		w.t.Helper()
		cancel()
		running.Wait()
		for _, kind := range []string{"write", "set and delete", "roll back", "make a team", "read"} {
			if s.acts[kind] == 0 {
				w.t.Errorf("nobody came to %s", kind)
			}
		}
		w.values["acme"]["WRITTEN"] = fmt.Sprintf("written in turn %d", s.acts["write"]-1)
		w.values["acme"]["ROLLED"] = rolled(s.acts["roll back"])
	}
	return s
}

// rolled is what a version of ROLLED holds: each is rolled back to the one
// before the last.
func rolled(version int) string {
	return [2]string{"the even value", "the odd value"}[version%2]
}

// Several operators at once get in each other's way and break nothing.
func TestSeveralRotationsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(8)
		before := w.dek(w.old, w.acme).KeyIDs()[0]
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() {
				if _, err := w.service(w.both()).DEK(t.Context(), operator, "", nil); err != nil {
					t.Errorf("rotate-dek: %v", err)
				}
			})
		}
		running.Go(func() {
			if _, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil); err != nil && !errors.Is(err, problem.Conflict) {
				t.Errorf("rotate-kek: %v", err)
			}
		})
		running.Wait()
		w.mustRead(w.both(), "after them")
		if _, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.service(w.young).DEK(t.Context(), operator, "", nil); err != nil {
			t.Fatal(err)
		}
		w.mustRead(w.young, "when all are done")
		w.mustBeRotated(w.young, w.acme, before)
		if n := dbtest.Count(t, w.Database, "SELECT dek_rotation_at FROM stores"); n != 0 {
			t.Errorf("a rotation is left open since %d", n)
		}
	})
}

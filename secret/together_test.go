package secret_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// Runs and keys of many teams that are asked for at once share statements. Each
// caller is answered its own: its team's values or its own refusal.
func TestRunsTogetherAreNotMixed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		type caller struct {
			actor   team.Actor
			version string
			hash    []byte
		}
		const teams = 6
		var callers []caller
		for i := range teams {
			row := dbtest.Team(t, w.db, w.kek, fmt.Sprintf("team-%d", i))
			c := caller{actor: dbtest.Actor(t, w.db, row, fmt.Sprintf("owner@team-%d.example", i), team.Owner), hash: []byte(fmt.Sprintf("hash of the key of team %d", i))}
			for _, key := range []string{"OPENAI_API_KEY", "FAL_KEY", "UNDECLARED_KEY"} {
				w.set(t, c.actor, key, fmt.Sprintf("%s of team %d", key, i))
			}
			c.version = w.deploy(t, c.actor, "app", required("OPENAI_API_KEY"), optional("DATABASE_URL")).Current.ID
			w.deploy(t, c.actor, "app", required("OPENAI_API_KEY"), required("FAL_KEY"))
			w.deploy(t, c.actor, "unmet", required("OPENAI_API_KEY"), required("REPLICATE_API_TOKEN"))
			update := func(tx auth.Tx) error {
				return tx.InsertKey(t.Context(), auth.Key{ID: fmt.Sprintf("key-%d", i), Kind: team.Key, TeamID: c.actor.TeamID(), UserID: c.actor.UserID(), Name: "runner"}, c.hash)
			}
			if err := w.db.Auth().Update(t.Context(), update); err != nil {
				t.Fatal(err)
			}
			callers = append(callers, c)
		}
		revoked := callers[0]
		callers = callers[1:]
		if err := w.db.Auth().Update(t.Context(), func(tx auth.Tx) error {
			_, err := tx.DeleteKey(t.Context(), revoked.actor.TeamID(), "key-0", time.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}

		askKey := func(rng *rand.Rand) error {
			i := rng.IntN(len(callers))
			c := callers[i]
			switch rng.IntN(4) {
			case 0:
				if _, _, err := w.db.Auth().Key(t.Context(), revoked.hash, ""); !errors.Is(err, problem.NotFound) {
					return fmt.Errorf("a revoked key is answered: %v", err)
				}
			case 1:
				if _, _, err := w.db.Auth().Key(t.Context(), []byte("nobody's"), ""); !errors.Is(err, problem.NotFound) {
					return fmt.Errorf("an unknown key is answered: %v", err)
				}
			case 2:
				other := callers[(i+1)%len(callers)]
				key, m, err := w.db.Auth().Key(t.Context(), c.hash, other.actor.TeamName())
				if err != nil || !m.IsZero() || key.TeamID != c.actor.TeamID() {
					return fmt.Errorf("a key in another's team is a member %+v: %v", m, err)
				}
			default:
				key, m, err := w.db.Auth().Key(t.Context(), c.hash, "")
				if err != nil || key.UserID != c.actor.UserID() || m.TeamID != c.actor.TeamID() || m.Role != team.Owner {
					return fmt.Errorf("key of %s is answered %+v %+v: %v", c.actor.TeamName(), key, m, err)
				}
			}
			return nil
		}
		askRun := func(rng *rand.Rand) error {
			i := rng.IntN(len(callers))
			c := callers[i]
			run, want := secret.Run{App: "app"}, 2
			switch rng.IntN(5) {
			case 0:
				run.App = "missing"
			case 1:
				run.App = "unmet"
			case 2:
				run.Version, want = c.version, 1
			case 3:
				run.Version = callers[(i+1)%len(callers)].version
			}
			got, err := w.secrets.Resolve(t.Context(), c.actor, run)
			switch {
			case run.App == "missing", run.Version != "" && run.Version != c.version:
				if !errors.Is(err, problem.NotFound) {
					return fmt.Errorf("%+v of %s: %v", run, c.actor.TeamName(), err)
				}
				return nil
			case run.App == "unmet":
				if !errors.Is(err, problem.RequirementsNotMet) {
					return fmt.Errorf("unmet of %s: %v", c.actor.TeamName(), err)
				}
				return nil
			}
			if err != nil || len(got.Env) != want {
				return fmt.Errorf("%s got %d secrets: %v", c.actor.TeamName(), len(got.Env), err)
			}
			for _, in := range got.Env {
				if in.Value.Reveal() != fmt.Sprintf("%s of %s", in.Key, "team "+c.actor.TeamName()[len("team-"):]) {
					return fmt.Errorf("%s got another's %s", c.actor.TeamName(), in.Key)
				}
			}
			return nil
		}
		var group sync.WaitGroup
		for n := range 24 {
			group.Go(func() {
				rng := rand.New(rand.NewPCG(7, uint64(n)))
				for range 25 {
					if err := errors.Join(askKey(rng), askRun(rng)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
	})
}

// What is revoked, or deleted, is so at the next request, whoever else asks at
// the same time.
func TestRevocationIsNotDelayed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"))
		hash := func(i int) []byte { return fmt.Appendf(nil, "hash %d", i) }
		stop := make(chan struct{})
		var crowd sync.WaitGroup
		for range 8 {
			crowd.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					_, _, _ = w.db.Auth().Key(t.Context(), []byte("nobody's"), "")
					_, _ = w.secrets.Resolve(t.Context(), w.member, secret.Run{App: "app"})
				}
			})
		}
		for i := range 20 {
			id := fmt.Sprint(i)
			if err := w.db.Auth().Update(t.Context(), func(tx auth.Tx) error {
				return tx.InsertKey(t.Context(), auth.Key{ID: id, Kind: team.Key, TeamID: w.owner.TeamID(), UserID: w.owner.UserID()}, hash(i))
			}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.db.Auth().Key(t.Context(), hash(i), ""); err != nil {
				t.Fatalf("a new key: %v", err)
			}
			if err := w.db.Auth().Update(t.Context(), func(tx auth.Tx) error {
				_, err := tx.DeleteKey(t.Context(), w.owner.TeamID(), id, time.Now())
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.db.Auth().Key(t.Context(), hash(i), ""); !errors.Is(err, problem.NotFound) {
				t.Fatalf("a revoked key is answered: %v", err)
			}
		}
		if _, err := w.secrets.Delete(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.secrets.Resolve(t.Context(), w.member, secret.Run{App: "app"}); !errors.Is(err, problem.RequirementsNotMet) {
			t.Errorf("a deleted secret: %v", err)
		}
		close(stop)
		crowd.Wait()
	})
}

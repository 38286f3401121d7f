package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"infsh/account"
	"infsh/db"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/rotation"
	"infsh/secret"
	"infsh/team"
)

// world is a store with a KEK and the teams acme and beta.
type world struct {
	*dbtest.Database
	t          testing.TB
	old, young *envelope.KEK
	acme, beta team.Actor
	// values are what must be readable: team, key, value.
	values map[string]map[string]string
}

var operator = team.NewActor(team.Identity{Kind: team.Operator, Email: "root"})

func newKEK(t testing.TB) *envelope.KEK {
	t.Helper()
	kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		w := &world{Database: d, t: t, old: newKEK(t), young: newKEK(t), values: map[string]map[string]string{}}
		check, err := w.old.SealCheck("store")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetIdentity(t.Context(), db.Identity{StoreID: "store", KEKID: w.old.ID(), KEKCheck: check}); err != nil {
			t.Fatal(err)
		}
		w.acme = dbtest.Actor(t, d, dbtest.Team(t, d, w.old, "acme"), "ada@acme.example", team.Owner)
		w.beta = dbtest.Actor(t, d, dbtest.Team(t, d, w.old, "beta"), "bob@beta.example", team.Owner)
		test(t, w)
	})
}

// fill gives each team some secrets, of a few versions each.
func (w *world) fill(secrets int) {
	w.t.Helper()
	service := secret.NewService(w.Secrets(), w.old)
	for _, actor := range []team.Actor{w.acme, w.beta} {
		w.values[actor.TeamName()] = map[string]string{}
		for i := range secrets {
			key := fmt.Sprintf("KEY_%03d", i)
			for version := range 1 + i%3 {
				value := fmt.Sprintf("value %d of %s in %s", version, key, actor.TeamName())
				w.values[actor.TeamName()][key] = value
				v := redact.NewValue(value)
				mode := secret.Change
				if version == 0 {
					mode = secret.Create
				}
				if _, err := service.Set(w.t.Context(), actor, mode, secret.Write{Key: key, Value: &v}); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}

// mustRead reads every value, hint and kept version with a server that was
// given a KEK, and that has just started.
func (w *world) mustRead(kek *envelope.KEK, when string) {
	w.t.Helper()
	service := secret.NewService(w.Secrets(), kek.And())
	for _, actor := range []team.Actor{w.acme, w.beta} {
		values, ok := w.values[actor.TeamName()]
		if !ok {
			continue
		}
		listed, err := service.List(w.t.Context(), actor)
		if err != nil || len(listed) != len(values) {
			w.t.Fatalf("%s: %d of %d secrets are listed: %v", when, len(listed), len(values), err)
		}
		for key, want := range values {
			shown, got, err := service.Reveal(w.t.Context(), actor, key)
			if err != nil || got.Reveal() != want {
				w.t.Fatalf("%s: %s of %s: %v", when, key, actor.TeamName(), err)
			}
			if got := secret.Mask(redact.NewValue(want)); shown.Masked != got {
				w.t.Fatalf("%s: the hint of %s is %q, want %q", when, key, shown.Masked, got)
			}
		}
	}
}

func (w *world) both() *envelope.KEK { return w.old.And(w.young) }

func (w *world) service(kek *envelope.KEK) *rotation.Service {
	return rotation.NewService(w.Rotation(), kek).SetBatch(4)
}

func (w *world) keks() (keks rotation.KEKs) {
	w.t.Helper()
	err := w.Rotation().View(w.t.Context(), func(r rotation.Reader) (err error) {
		keks, err = r.KEKs(w.t.Context())
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return keks
}

// dek opens a team's keyset.
func (w *world) dek(kek *envelope.KEK, actor team.Actor) *envelope.DEK {
	w.t.Helper()
	dek, err := kek.OpenDEK(actor.TeamID(), dbtest.Value(w.t, w.Database, "SELECT wrapped_dek FROM teams WHERE id = ?", actor.TeamID()))
	if err != nil {
		w.t.Fatal(err)
	}
	return dek
}

// mustBeRotated asks that only a team's one and newest key seals anything.
func (w *world) mustBeRotated(kek *envelope.KEK, actor team.Actor, from uint32) {
	w.t.Helper()
	dek := w.dek(kek, actor)
	if ids := dek.KeyIDs(); len(ids) != 1 || ids[0] == from {
		w.t.Errorf("team %s has keys %d; it had %d", actor.TeamName(), ids, from)
	}
	left := dbtest.Count(w.t, w.Database, `SELECT count(*) FROM secret_versions
		WHERE team_id = ? AND (substr(value, 1, 5) <> ? OR substr(hint, 1, 5) <> ?)`, actor.TeamID(), dek.Prefix(), dek.Prefix())
	if left != 0 {
		w.t.Errorf("the old key of team %s still seals %d versions", actor.TeamName(), left)
	}
}

// dump is all that a rotation may change.
func (w *world) dump() string {
	w.t.Helper()
	rows, err := w.Raw.QueryxContext(w.t.Context(), `SELECT 'store', kek_id, kek_check, old_kek_id, old_kek_check, dek_rotation_at FROM stores
		UNION ALL SELECT id, kek_id, wrapped_dek, '', wrapped_dek, dek_rotated_at FROM teams
		UNION ALL SELECT secret_id, '', value, '', hint, version FROM secret_versions ORDER BY 1, 6`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var out string
	for rows.Next() {
		row, err := rows.SliceScan()
		if err != nil {
			w.t.Fatal(err)
		}
		out += fmt.Sprintf("%q\n", row)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// crashing is a store that dies at one of its transactions: before it, or
// after its commit and before anybody hears of it.
type crashing struct {
	*db.Rotation
	transactions int
	committed    bool
}

var errCrash = errors.New("killed by the test")

func (c *crashing) Update(ctx context.Context, fn func(rotation.Tx) error) error {
	c.transactions--
	if c.transactions < 0 {
		return errCrash
	}
	if err := c.Rotation.Update(ctx, fn); err != nil {
		return err
	}
	if c.transactions == 0 && c.committed {
		return errCrash
	}
	return nil
}

func wantCode(t testing.TB, err error, code problem.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("%v; want %s", err, code)
	}
}

// accounts makes teams as a server that was given the KEK does.
func (w *world) accounts(kek *envelope.KEK) *account.Service {
	return account.NewService(w.Accounts(), kek, noHasher{})
}

type noHasher struct{}

func (noHasher) Hash(context.Context, redact.Value) (string, error) { return "no hash", nil }

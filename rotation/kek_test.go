package rotation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/issuer"
	"infsh/problem"
	"infsh/redact"
	"infsh/rotation"
	"infsh/team"
)

// After a rotation the new KEK alone opens everything, and the old one nothing.
func TestRotateKEK(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(5)
		var steps []string
		report, err := w.service(w.old).KEK(t.Context(), operator, w.young, func(done, total int) { steps = append(steps, fmt.Sprintf("%d/%d", done, total)) })
		if err != nil {
			t.Fatal(err)
		}
		if report.From != w.old.ID() || report.To != w.young.ID() || report.Teams != 2 || report.Resumed {
			t.Errorf("the report is %+v", report)
		}
		if got := strings.Join(steps, " "); got != "1/2 2/2" {
			t.Errorf("the progress was %s", got)
		}
		keks := w.keks()
		if keks.ID != w.young.ID() || keks.OldID != "" || len(keks.OldCheck) != 0 {
			t.Errorf("the store uses %q and replaces %q", keks.ID, keks.OldID)
		}
		w.mustRead(w.young, "with the new KEK alone")
		if err := w.old.VerifyCheck(keks.StoreID, keks.Check); !errors.Is(err, envelope.ErrKEKWrong) {
			t.Errorf("the old KEK still belongs to the store: %v", err)
		}
		for _, actor := range []team.Actor{w.acme, w.beta} {
			wrapped := dbtest.Value(t, w.Database, "SELECT wrapped_dek FROM teams WHERE id = ?", actor.TeamID())
			if _, err := w.old.OpenDEK(actor.TeamID(), wrapped); !errors.Is(err, envelope.ErrOpen) {
				t.Errorf("the old KEK still opens the key of %s: %v", actor.TeamName(), err)
			}
		}

		before := w.dump()
		again, err := w.service(w.young).KEK(t.Context(), operator, w.young, nil)
		if err != nil || again.Teams != 0 || again.From != again.To || w.dump() != before {
			t.Errorf("a second time: %+v, %v", again, err)
		}
	})
}

// The keysets of people are wrapped anew too, and one that was removed meanwhile
// is no hindrance; that of one who can't be helped is named.
func TestRotateKEKOfSecondFactors(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		user := w.acme.UserID()
		wrapped, err := w.old.WrapNewDEK(user)
		if err != nil {
			t.Fatal(err)
		}
		dek, err := w.old.OpenDEK(user, wrapped)
		if err != nil {
			t.Fatal(err)
		}
		place := envelope.AssociatedData{Purpose: envelope.TOTPSeed, Team: user, Key: "totp", Version: 1}
		seed, err := dek.Seal(place, []byte("a seed of twenty byt"))
		if err != nil {
			t.Fatal(err)
		}
		put := func(user string, wrapped []byte) {
			dbtest.Exec(t, w.Database, "INSERT INTO totp_factors (user_id, wrapped_dek, kek_id, seed, last_step, created_at, confirmed_at) VALUES (?, ?, ?, ?, 0, 1, 1)", user, wrapped, w.old.ID(), seed)
		}
		put(user, wrapped)
		put(w.beta.UserID(), []byte("damaged"))
		_, err = w.service(w.old).KEK(t.Context(), operator, w.young, nil)
		var stuck *rotation.Stuck
		if !errors.As(err, &stuck) || len(stuck.What) != 1 || stuck.What[0] != "the second factor of bob@beta.example" {
			t.Fatalf("a damaged keyset: %v", err)
		}
		dbtest.Exec(t, w.Database, "DELETE FROM totp_factors WHERE user_id = ?", w.beta.UserID())
		if _, err := w.service(w.both()).KEK(t.Context(), operator, w.young, nil); err != nil {
			t.Fatal(err)
		}
		now := dbtest.Value(t, w.Database, "SELECT wrapped_dek FROM totp_factors WHERE user_id = ?", user)
		if dek, err = w.young.OpenDEK(user, now); err != nil {
			t.Fatal(err)
		}
		if got, err := dek.Open(place, seed); err != nil || string(got) != "a seed of twenty byt" {
			t.Errorf("the seed is %q, %v", got, err)
		}
		if _, err := w.old.OpenDEK(user, now); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("the old KEK still opens it: %v", err)
		}
	})
}

// The keys of the issuer go along: what was signed before verifies after, by the
// same public keys; and one that does not open is named.
func TestRotateKEKOfTheIssuer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		site := &url.URL{Scheme: "https", Host: "infsh.example"}
		service := func(kek *envelope.KEK) *issuer.Service {
			return issuer.NewService(w.Issuer(), kek.And(), site, slog.New(slog.DiscardHandler))
		}
		if err := service(w.old).Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		published := func(kek *envelope.KEK) string {
			t.Helper()
			set, _, err := service(kek).Published(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(set)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		before := published(w.old)
		report, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil)
		if err != nil || report.Teams != 4 { // Two teams, and two keys.
			t.Fatalf("%+v, %v", report, err)
		}
		if after := published(w.young); after != before || !strings.Contains(after, "kid") {
			t.Errorf("the public keys are others, or none: %s", after)
		}
		if _, err := service(w.young).Sign(t.Context(), "team:1", "them"); err != nil {
			t.Errorf("sign under the new KEK: %v", err)
		}
		if after := published(w.old); strings.Contains(after, "kid") {
			t.Error("the old KEK still opens them")
		}

		// Each transaction may be the last.
		for at := range 7 {
			from, to := w.young, w.old
			if at%2 == 1 {
				from, to = to, from
			}
			store := &crashing{Rotation: w.Rotation(), transactions: at, committed: at%3 == 0}
			_, _ = rotation.NewService(store, from).SetBatch(4).KEK(t.Context(), operator, to, nil)
			if got := published(w.both()); got != before {
				t.Errorf("killed at transaction %d: the public keys are others", at)
			}
			if _, err := w.service(w.both()).KEK(t.Context(), operator, to, nil); err != nil {
				t.Fatal(err)
			}
		}

		dbtest.Exec(t, w.Database, "UPDATE issuer_keys SET wrapped_dek = ? WHERE signs_from = (SELECT max(signs_from) FROM issuer_keys)", []byte("damaged"))
		_, err = w.service(w.both()).KEK(t.Context(), operator, newKEK(t), nil)
		var stuck *rotation.Stuck
		if !errors.As(err, &stuck) || len(stuck.What) != 1 || !strings.HasPrefix(stuck.What[0], "the issuer's key ") {
			t.Errorf("a damaged key: %v", err)
		}
	})
}

// Killed before or after any of its transactions, a rotation leaves every value
// readable with both KEKs, and is finished by the next run.
func TestRotateKEKIsResumable(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(3)
		from, to := w.old, w.young
		kills := 0
		for _, committed := range []bool{false, true} {
			for at := range 6 {
				service := w.service(from)
				store := &crashing{Rotation: w.Rotation(), transactions: at, committed: committed}
				_, err := newService(store, from).KEK(t.Context(), operator, to, nil)
				crashed := errors.Is(err, errCrash)
				if err != nil && !crashed {
					t.Fatal(err)
				}
				when := fmt.Sprintf("killed at transaction %d (committed: %t)", at, committed)
				w.mustRead(to.And(from), when)
				if crashed {
					kills++
					if _, err := service.KEK(t.Context(), operator, to, nil); err != nil {
						t.Fatalf("%s: run again: %v", when, err)
					}
				}
				w.mustRead(to, when+", and run again")
				from, to = to, from
			}
		}
		// One transaction begins, one ends, and one is for each of two teams; each
		// is cut off before it and after it, and once nothing was begun at all.
		if kills != 4+5 {
			t.Errorf("%d runs were killed", kills)
		}
	})
}

// Without every key that the store needs nothing begins.
func TestRotateKEKNeedsTheRightKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(2)
		stranger := newKEK(t)
		before := w.dump()
		if _, err := w.service(stranger).KEK(t.Context(), operator, w.young, nil); !errors.Is(err, envelope.ErrKEKWrong) {
			t.Errorf("with a wrong old KEK: %v", err)
		}
		if _, err := w.service(stranger).DEK(t.Context(), operator, "", nil); !errors.Is(err, envelope.ErrKEKWrong) {
			t.Errorf("rotate-dek with a wrong KEK: %v", err)
		}
		for _, actor := range []team.Actor{w.acme, {}} {
			_, err := w.service(w.old).KEK(t.Context(), actor, w.young, nil)
			wantCode(t, err, problem.PermissionDenied)
			_, err = w.service(w.old).DEK(t.Context(), actor, "", nil)
			wantCode(t, err, problem.PermissionDenied)
		}
		if w.dump() != before {
			t.Error("something was changed")
		}

		// Half-way, each of the two alone is refused.
		store := &crashing{Rotation: w.Rotation(), transactions: 2}
		if _, err := newService(store, w.old).KEK(t.Context(), operator, w.young, nil); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		before = w.dump()
		for name, kek := range map[string]*envelope.KEK{"new": w.young, "old": w.old} {
			if _, err := w.service(kek).KEK(t.Context(), operator, kek, nil); !errors.Is(err, envelope.ErrKEKWrong) {
				t.Errorf("with the %s one alone: %v", name, err)
			}
		}
		_, err := w.service(w.both()).KEK(t.Context(), operator, stranger, nil)
		wantCode(t, err, problem.Conflict)
		if w.dump() != before {
			t.Error("something was changed half-way")
		}

		// With both it is finished, or turned around.
		report, err := w.service(w.young).KEK(t.Context(), operator, w.old, nil)
		if err != nil || report.From != w.young.ID() || report.To != w.old.ID() {
			t.Fatalf("turned around: %+v, %v", report, err)
		}
		w.mustRead(w.old, "turned around")
	})
}

// A server that was given both KEKs makes new teams with the one in use, before,
// during and after the rotation.
func TestNewTeamsDuringARotation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		make := func(name string, wantKEK *envelope.KEK) {
			t.Helper()
			made, err := w.accounts(w.young.And(w.old)).CreateUser(t.Context(), operator, name+"@example.com", name, redact.Value{})
			if err != nil {
				t.Fatal(err)
			}
			if id := string(dbtest.Value(t, w.Database, "SELECT kek_id FROM teams WHERE id = ?", made.TeamID)); id != wantKEK.ID() {
				t.Errorf("%s is wrapped by %s, want %s", name, id, wantKEK.ID())
			}
			if _, err := wantKEK.OpenDEK(made.TeamID, dbtest.Value(t, w.Database, "SELECT wrapped_dek FROM teams WHERE id = ?", made.TeamID)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		make("before", w.old)
		store := &crashing{Rotation: w.Rotation(), transactions: 2}
		if _, err := newService(store, w.old).KEK(t.Context(), operator, w.young, nil); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		make("during", w.young)
		if _, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil); err != nil {
			t.Fatal(err)
		}
		make("after", w.young)
	})
}

// While servers make teams, read and write, KEK and DEKs are replaced several
// times. Nobody gets an error, and no team is left with the old KEK.
func TestRotationsBesideServers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(12)
		servers := w.startServers(w.both())
		from, to := w.old, w.young
		for range 2 {
			if _, err := w.service(from).KEK(t.Context(), operator, to, nil); err != nil {
				t.Fatal(err)
			}
			before := w.dek(to, w.acme).KeyIDs()[0]
			if _, err := w.service(to).DEK(t.Context(), operator, "", nil); err != nil {
				t.Fatal(err)
			}
			w.mustHaveOneKEK(to)
			if after := w.dek(to, w.acme).KeyIDs(); len(after) != 1 || after[0] == before {
				t.Errorf("the DEK has keys %d after the rotation of %d", after, before)
			}
			from, to = to, from
		}
		servers.stop()
		w.mustRead(from, "after all")
	})
}

func (w *world) mustHaveOneKEK(kek *envelope.KEK) {
	w.t.Helper()
	if n := dbtest.Count(w.t, w.Database, "SELECT count(*) FROM teams WHERE kek_id <> ?", kek.ID()); n != 0 {
		w.t.Errorf("%d teams have another KEK", n)
	}
}

// A team whose keyset was damaged is named; the others are rotated, and the old
// KEK stays known until it is deleted.
func TestRotateKEKWithADamagedKeyset(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(2)
		dbtest.Exec(t, w.Database, "UPDATE teams SET wrapped_dek = ? WHERE id = ?", []byte{1, 2, 3}, w.beta.TeamID())
		delete(w.values, "beta")
		for range 2 {
			_, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil)
			if err == nil || !strings.Contains(err.Error(), "the key of team beta") || strings.Contains(err.Error(), "acme") {
				t.Fatalf("the error is %v", err)
			}
			if keks := w.keks(); keks.OldID != w.old.ID() {
				t.Errorf("the old KEK is %q", keks.OldID)
			}
			w.mustRead(w.young, "the other team")
		}
		dbtest.Exec(t, w.Database, "DELETE FROM teams WHERE id = ?", w.beta.TeamID())
		report, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil)
		if err != nil || !report.Resumed || w.keks().OldID != "" {
			t.Errorf("without it: %+v, %v", report, err)
		}
	})
}

// The key of fingerprints goes along with the KEK, so that what was stored before
// still compares; one that does not open keeps nobody from rotating.
func TestRotateKEKOfFingerprints(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(2)
		before := dbtest.Value(t, w.Database, "SELECT sealed FROM fingerprint_keys")
		opens := func(kek *envelope.KEK) bool {
			t.Helper()
			prints, err := kek.OpenFingerprints("store", dbtest.Value(t, w.Database, "SELECT sealed FROM fingerprint_keys"))
			if err != nil {
				return false
			}
			id := string(dbtest.Value(t, w.Database, "SELECT id FROM secrets WHERE team_id = ? AND key = 'KEY_000'", w.acme.TeamID()))
			sealed := dbtest.Value(t, w.Database, "SELECT sealed FROM secret_fingerprints WHERE secret_id = ? AND version = 1", id)
			got, err := prints.Open(w.acme.TeamID(), id, 1, sealed)
			return err == nil && got.Equal(prints.Of([]byte(w.values["acme"]["KEY_000"])))
		}
		if !opens(w.old) {
			t.Fatal("there is no fingerprint of a value that was set")
		}
		if _, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil); err != nil {
			t.Fatal(err)
		}
		if !opens(w.young) || opens(w.old) {
			t.Error("the key of fingerprints is not under the new KEK alone")
		}
		if _, err := w.service(w.both()).KEK(t.Context(), operator, w.old, nil); err != nil || !opens(w.old) {
			t.Errorf("back again: %v", err)
		}
		dbtest.Exec(t, w.Database, "UPDATE fingerprint_keys SET sealed = ?", before[1:])
		if _, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil); err != nil {
			t.Errorf("with a damaged key of fingerprints: %v", err)
		}
		w.mustRead(w.young, "after it")
	})
}

package rotation_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// After a rotation no kept version needs the old key, which is gone.
func TestRotateDEK(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(7)
		service, staged := secret.NewService(w.Secrets(), w.old), redact.NewValue("a staged value")
		if _, err := service.Set(t.Context(), w.acme, secret.Create, secret.Write{Key: "STAGED_KEY", Value: &staged, Stage: true}); err != nil {
			t.Fatal(err)
		}
		acme, beta := w.dek(w.old, w.acme).KeyIDs()[0], w.dek(w.old, w.beta).KeyIDs()[0]
		last := ""
		report, err := w.service(w.old).DEK(t.Context(), operator, "", func(done, total int) { last = fmt.Sprintf("%d/%d", done, total) })
		if err != nil {
			t.Fatal(err)
		}
		versions := dbtest.Count(t, w.Database, "SELECT count(*) FROM secret_versions")
		if report.Teams != 2 || report.Versions != versions || report.Resumed {
			t.Errorf("the report is %+v of %d versions", report, versions)
		}
		if want := fmt.Sprintf("%d/%d", versions, versions); last != want {
			t.Errorf("the progress ended with %s, want %s", last, want)
		}
		w.mustBeRotated(w.old, w.acme, acme)
		w.mustBeRotated(w.old, w.beta, beta)
		if _, err := service.Activate(t.Context(), w.acme, "STAGED_KEY", 1); err != nil {
			t.Errorf("a staged version does not open: %v", err)
		}
		if _, err := service.Delete(t.Context(), w.acme, "STAGED_KEY"); err != nil {
			t.Fatal(err)
		}
		w.mustRead(w.old, "after the rotation")
		rolled, err := service.Rollback(t.Context(), w.acme, "KEY_002", 1)
		if err != nil || rolled.Version != 4 {
			t.Errorf("an earlier version does not open: version %d, %v", rolled.Version, err)
		}
	})
}

// What was deleted is not sealed anew; a rotation ends its undo.
func TestRotationEndsAnUndo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(3)
		service := secret.NewService(w.Secrets(), w.old)
		deletion, err := service.Delete(t.Context(), w.acme, "KEY_001")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.service(w.old).DEK(t.Context(), operator, "", func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		if _, err := service.Restore(t.Context(), w.acme, deletion.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("restored: %v", err)
		}
		if _, err := service.Get(t.Context(), w.acme, "KEY_001"); !errors.Is(err, problem.SecretNotFound) {
			t.Errorf("something was restored: %v", err)
		}
	})
}

// --team rotates that team alone.
func TestRotateDEKOfOneTeam(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(3)
		acme, beta := w.dek(w.old, w.acme).KeyIDs()[0], w.dek(w.old, w.beta).KeyIDs()[0]
		report, err := w.service(w.old).DEK(t.Context(), operator, "acme", nil)
		if err != nil || report.Teams != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
		w.mustBeRotated(w.old, w.acme, acme)
		if ids := w.dek(w.old, w.beta).KeyIDs(); !slices.Equal(ids, []uint32{beta}) {
			t.Errorf("beta has keys %d, had %d", ids, beta)
		}
		w.mustRead(w.old, "after it")
		_, err = w.service(w.old).DEK(t.Context(), operator, "nobody", nil)
		wantCode(t, err, problem.NotFound)
	})
}

// Killed before or after any of its transactions, a rotation leaves every value
// readable, and the next run goes on with the team and the key of the first.
func TestRotateDEKIsResumable(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(5)
		kills := 0
		for _, committed := range []bool{false, true} {
			for at := 0; ; at++ {
				before := w.dek(w.old, w.acme).KeyIDs()[0]
				store := &crashing{Rotation: w.Rotation(), transactions: at, committed: committed}
				_, err := newService(store, w.old).DEK(t.Context(), operator, "", nil)
				if err != nil && !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				when := fmt.Sprintf("killed at transaction %d (committed: %t)", at, committed)
				w.mustRead(w.old, when)
				if err == nil {
					break
				}
				kills++
				half := w.dek(w.old, w.acme).KeyIDs()
				open := dbtest.Count(t, w.Database, "SELECT count(*) FROM stores WHERE dek_rotation_at > 0") == 1
				report, err := w.service(w.old).DEK(t.Context(), operator, "", nil)
				if err != nil {
					t.Fatalf("%s: run again: %v", when, err)
				}
				if report.Resumed != open {
					t.Errorf("%s: resumed is %t", when, report.Resumed)
				}
				if after := w.dek(w.old, w.acme).KeyIDs()[0]; half[0] != before && open && after != half[0] {
					t.Errorf("%s: the key %d that was begun with gave way to %d", when, half[0], after)
				}
				w.mustBeRotated(w.old, w.acme, before)
				w.mustRead(w.old, when+", and run again")
			}
		}
		// Each team has a transaction that adds, some batches, and one that drops.
		if kills < 2*(2+2*4) {
			t.Errorf("only %d runs were killed", kills)
		}
	})
}

// A run on a machine whose clock is behind continues one that began in its
// future, and does each team once.
func TestRotateDEKWithAClockThatIsBehind(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(2)
		future := time.Now().Add(time.Hour).UnixMicro()
		dbtest.Exec(t, w.Database, "UPDATE stores SET dek_rotation_at = ?", future)
		report, err := w.service(w.old).DEK(t.Context(), operator, "", nil)
		if err != nil || report.Teams != 2 || !report.Resumed {
			t.Fatalf("%+v, %v", report, err)
		}
		w.mustRead(w.old, "after it")
		if report, err := w.service(w.old).DEK(t.Context(), operator, "acme", nil); err != nil || report.Teams != 1 {
			t.Errorf("the next one: %+v, %v", report, err)
		}
	})
}

// A version that was damaged is named, and keeps the key that it may need; all
// others are rotated. Once it is deleted, the rotation ends.
func TestRotateDEKWithADamagedVersion(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(6)
		before := w.dek(w.old, w.acme).KeyIDs()[0]
		damaged := dbtest.Value(t, w.Database, "SELECT value FROM secret_versions v JOIN secrets s ON s.id = v.secret_id WHERE s.team_id = ? AND s.key = 'KEY_004' AND v.version = 1", w.acme.TeamID())
		changed := slices.Clone(damaged)
		changed[len(changed)-1] ^= 1
		dbtest.Exec(t, w.Database, "UPDATE secret_versions SET value = ? WHERE value = ?", changed, damaged)
		for range 2 {
			_, err := w.service(w.old).DEK(t.Context(), operator, "", nil)
			if err == nil || !strings.Contains(err.Error(), "version 1 of KEY_004 of team acme") {
				t.Fatalf("the error is %v", err)
			}
			if ids := w.dek(w.old, w.acme).KeyIDs(); len(ids) != 2 || ids[1] != before {
				t.Errorf("acme has keys %d; the old one is %d", ids, before)
			}
			w.mustRead(w.old, "with a damaged version")
		}
		if _, err := secret.NewService(w.Secrets(), w.old).Delete(t.Context(), w.acme, "KEY_004"); err != nil {
			t.Fatal(err)
		}
		delete(w.values["acme"], "KEY_004")
		if _, err := w.service(w.old).DEK(t.Context(), operator, "acme", nil); err != nil {
			t.Fatal(err)
		}
		w.mustBeRotated(w.old, w.acme, before)
		w.mustRead(w.old, "without it")
	})
}

// The log names keys by their ids, for the team that they belong to.
func TestRotationsAreAudited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill(2)
		first := w.dek(w.old, w.acme).KeyIDs()[0]
		if _, err := w.service(w.old).KEK(t.Context(), operator, w.young, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.service(w.young).DEK(t.Context(), operator, "acme", nil); err != nil {
			t.Fatal(err)
		}
		second := w.dek(w.young, w.acme).KeyIDs()[0]
		keks := w.old.ID() + " → " + w.young.ID()
		deks := fmt.Sprintf("key %d → key %d", first, second)
		want := map[string][]string{
			"":                {audit.ActKEKRotationStart + " " + keks, audit.ActRotateKEK + " " + keks},
			w.acme.TeamID():   {audit.ActRewrapDEK + " " + keks, audit.ActDEKRotationStart + " " + deks, audit.ActRotateDEK + " " + deks},
			w.beta.TeamID():   {audit.ActRewrapDEK + " " + keks},
			"no team at all ": nil,
		}
		for teamID, acts := range want {
			entries, err := w.Search(t.Context(), teamID, audit.Filter{}, 0, math.MaxInt64, 100)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range slices.Backward(entries) {
				if e.ActorKind == string(team.Operator) {
					got = append(got, e.Action+" "+e.Target)
				}
			}
			if !slices.Equal(got, acts) {
				t.Errorf("the entries of team %q are %q, want %q", teamID, got, acts)
			}
		}
	})
}

// Whoever adds a column of bytes decides here whether a rotation must seal it
// anew. Those that need it are named in rotation.Reader.
func TestEveryBinaryColumnIsKnown(t *testing.T) {
	known := map[string]string{
		"stores.kek_check":        "sealed by the KEK",
		"stores.old_kek_check":    "sealed by the KEK",
		"teams.wrapped_dek":       "sealed by the KEK",
		"secret_versions.value":   "sealed by the DEK",
		"secret_versions.hint":    "sealed by the DEK",
		"webhook_secrets.value":   "sealed by the DEK",
		"fingerprint_keys.sealed": "sealed by the KEK: TestRotateKEKOfFingerprints",
		// Not sealed anew: what does not open is made anew, by TestTwins.
		"secret_fingerprints.sealed": "sealed by the key of fingerprints",
		// Not sealed anew: TestRotationEndsAnUndo.
		"deleted_secrets.content": "sealed by the DEK, for an undo",
		// Sealed by what only the caller has, for a day.
		"idempotent_calls.answer":      "sealed by the caller's key",
		"idempotent_calls.key_mac":     "a hash",
		"idempotent_calls.request_mac": "a hash",
		"invites.code_hash":            "a hash",
		"revoked_keys.token_hash":      "a hash",
		"setup_codes.code_hash":        "a hash",
		"sessions.token_hash":          "a hash",
		"api_keys.token_hash":          "a hash",
		"device_logins.device_hash":    "a hash",
		"audit_chains.hash":            "a hash",
		"recovery_codes.code_hash":     "a hash",
		"pending_logins.token_hash":    "a hash",
		"sign_ons.state_hash":          "a hash",
		"sign_ons.browser_hash":        "a hash",
		// What is sealed under a person's own keyset, which rotate-kek wraps anew.
		"totp_factors.wrapped_dek": "sealed by the KEK",
		"totp_factors.seed":        "sealed by the person's DEK, which no rotation replaces: its person makes another",
		// What is sealed under a keyset of its own, which rotate-kek wraps anew.
		"issuer_keys.wrapped_dek":       "sealed by the KEK: TestRotateKEKOfTheIssuer",
		"issuer_keys.private_key":       "sealed by the DEK of the key, which is replaced with it",
		"passkeys.credential_id":        "public",
		"passkeys.public_key":           "public",
		"passkeys.aaguid":               "public",
		"passkey_challenges.ceremony":   "a random challenge, for five minutes",
		"audit_entries.hash":            "a hash",
		"integration_values.value":      "sealed by the DEK, and sealed anew",
		"integration_flows.state_hash":  "a hash",
		"runner_credentials.token_hash": "a hash",
		"used_tokens.token_hash":        "a hash",
		// Whoever waits at a provider while the team's key is replaced begins again.
		"integration_flows.verifier": "sealed by the DEK, for ten minutes",
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		var columns []string
		query := "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() AND data_type = 'bytea'"
		if d.Raw.DriverName() == "sqlite" {
			query = "SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB'"
		}
		if err := d.Raw.SelectContext(t.Context(), &columns, query); err != nil {
			t.Fatal(err)
		}
		for _, c := range columns {
			if known[c] == "" {
				t.Errorf("%s: does a key seal it? If so, the rotation must visit it", c)
			}
		}
		if len(columns) < len(known) {
			t.Errorf("the columns are %q", columns)
		}
	})
}

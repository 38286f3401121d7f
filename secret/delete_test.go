package secret_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/envvar"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// rowsOf is all that is stored of the team's secrets, but for what was set aside.
func rowsOf(t *testing.T, w *world) string {
	t.Helper()
	hex := "hex(v.value) || hex(v.hint)"
	join := "group_concat(line, '/')"
	if w.db.Raw.DriverName() == "postgres" {
		hex, join = "encode(v.value, 'hex') || encode(v.hint, 'hex')", "string_agg(line, '/')"
	}
	return string(dbtest.Value(t, w.db, `SELECT COALESCE(`+join+`, '') FROM (SELECT s.id || s.key || s.description || s.version || s.created_by || s.updated_by || s.created_at || s.updated_at
		|| v.version || v.staged || v.created_by || v.created_at || `+hex+` AS line
		FROM secrets s JOIN secret_versions v ON v.secret_id = s.id ORDER BY s.key, v.version) AS rows`))
}

func aside(t *testing.T, w *world) string {
	t.Helper()
	return string(dbtest.Value(t, w.db, "SELECT CAST(count(*) AS TEXT) FROM deleted_secrets"))
}

// Secrets are deleted together or not at all, and at once: the next run receives
// nothing. An undo brings back exactly what was there, and the log has both.
func TestDeleteAndRestore(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.set(t, w.owner, "OPENAI_API_KEY", "value-one")
		w.set(t, w.admin, "OPENAI_API_KEY", "value-two")
		v := redact.NewValue("value-staged")
		if _, err := w.secrets.Set(ctx, w.owner, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &v, Stage: true}); err != nil {
			t.Fatal(err)
		}
		w.set(t, w.owner, "FAL_KEY", "value-three")
		w.set(t, w.owner, "HF_TOKEN", "value-that-stays")
		w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"))
		before := rowsOf(t, w)

		if _, err := w.secrets.Delete(ctx, w.owner, "FAL_KEY", "NOT_SET"); !errors.Is(err, problem.SecretNotFound) {
			t.Errorf("a key that is not set: %v", err)
		}
		for _, n := range []int{0, secret.MaxDelete + 1} {
			keys := make([]string, n)
			for i := range keys {
				keys[i] = fmt.Sprintf("KEY_%d", i)
			}
			if _, err := w.secrets.Delete(ctx, w.owner, keys...); !errors.Is(err, problem.InvalidField) {
				t.Errorf("a deletion of %d: %v", n, err)
			}
		}
		if _, err := w.secrets.Delete(ctx, w.member, "FAL_KEY", "OPENAI_API_KEY"); !errors.Is(err, problem.TeamRoleRequired) {
			t.Errorf("a member deletes: %v", err)
		}
		if got := rowsOf(t, w); got != before {
			t.Error("a refused deletion has changed something")
		}

		deletion, err := w.secrets.Delete(ctx, w.admin, "OPENAI_API_KEY", "FAL_KEY", "FAL_KEY")
		if err != nil || !slices.Equal(deletion.Keys, []envvar.Key{"FAL_KEY", "OPENAI_API_KEY"}) {
			t.Fatalf("deleted %v: %v", deletion.Keys, err)
		}
		if _, err := w.secrets.Resolve(ctx, w.member, secret.Run{App: "acme/app"}); !errors.Is(err, problem.RequirementsNotMet) {
			t.Errorf("a run after the deletion: %v", err)
		}
		list, err := w.secrets.List(ctx, w.owner)
		if err != nil || len(list) != 1 {
			t.Errorf("%d secrets are left: %v", len(list), err)
		}

		for who, actor := range map[string]team.Actor{"a member": w.member, "another team": w.stranger} {
			if _, err := w.secrets.Restore(ctx, actor, deletion.ID); !errors.Is(err, problem.TeamRoleRequired) && !errors.Is(err, problem.NotFound) {
				t.Errorf("%s restores: %v", who, err)
			}
		}
		keys, err := w.secrets.Restore(ctx, w.owner, deletion.ID)
		if err != nil || !slices.Equal(keys, deletion.Keys) {
			t.Fatalf("restored %v: %v", keys, err)
		}
		if got := rowsOf(t, w); got != before {
			t.Errorf("restored is\n%s\nand it was\n%s", got, before)
		}
		run, err := w.secrets.Resolve(ctx, w.member, secret.Run{App: "acme/app"})
		if err != nil || len(run.Env) != 1 || run.Env[0].Value.Reveal() != "value-two" {
			t.Errorf("a run after the undo: %v", err)
		}
		if _, err := w.secrets.Restore(ctx, w.owner, deletion.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("restored twice: %v", err)
		}
		if n := w.set(t, w.owner, "FAL_KEY", "value-four").Version; n != 2 {
			t.Errorf("the next version is %d", n)
		}
		found, err := w.log.Search(ctx, w.owner, audit.Filter{}, 0)
		entries := found.Entries
		if err != nil {
			t.Fatal(err)
		}
		acts := map[string]int{}
		for _, e := range entries {
			if e.Outcome == audit.Allowed && len(e.Versions) == 1 && e.Versions[0].Key == e.Target {
				acts[e.Action+" "+e.Target]++
			}
		}
		for _, act := range []team.Action{team.DeleteSecret, team.RestoreSecret} {
			for _, key := range deletion.Keys {
				if n := acts[string(act)+" "+string(key)]; n != 1 {
					t.Errorf("the log has %d entries of %s of %s", n, act, key)
				}
			}
		}
	})
}

// Nothing is restored over what was set meanwhile, nor after the window, at
// whose end the ciphertexts are erased.
func TestRestoreEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.set(t, w.owner, "FAL_KEY", "value-one")
		w.set(t, w.owner, "HF_TOKEN", "value-two")
		deletion, err := w.secrets.Delete(ctx, w.owner, "FAL_KEY", "HF_TOKEN")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.secrets.Erase(ctx); n != 0 || err != nil || aside(t, w) != "2" {
			t.Errorf("within the window %d were erased: %v", n, err)
		}
		w.set(t, w.owner, "FAL_KEY", "value-three")
		if _, err := w.secrets.Restore(ctx, w.owner, deletion.ID); !errors.Is(err, problem.Conflict) {
			t.Errorf("restored over another: %v", err)
		}
		again, err := w.secrets.Delete(ctx, w.owner, "FAL_KEY")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.secrets.Restore(ctx, w.owner, deletion.ID); err != nil {
			t.Errorf("the earlier of two deletions: %v", err)
		}
		if _, err := w.secrets.Restore(ctx, w.owner, again.ID); !errors.Is(err, problem.Conflict) {
			t.Errorf("the later of two deletions: %v", err)
		}
		w.secrets.At(secret.UndoWindow)
		if _, err := w.secrets.Restore(ctx, w.owner, again.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("restored after the window: %v", err)
		}
		if n, err := w.secrets.Erase(ctx); n != 1 || err != nil || aside(t, w) != "0" {
			t.Errorf("after the window %d were erased: %v", n, err)
		}
		for _, id := range []string{"", "made up", "%", deletion.ID} {
			if _, err := w.secrets.Restore(ctx, w.owner, id); !errors.Is(err, problem.NotFound) {
				t.Errorf("restored %q: %v", id, err)
			}
		}
	})
}

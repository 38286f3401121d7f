package secret_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"infsh/app"
	"infsh/db/dbtest"
)

// What apps declare and nobody has set is missing; what was set long ago and is
// not declared, or was never received, is perhaps unused.
func TestSuggestions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		suggested := func() (missing, unused []string) {
			t.Helper()
			s, err := w.secrets.Suggest(t.Context(), w.member)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range s.Missing {
				missing = append(missing, fmt.Sprint(m.Key, m.Apps, m.Required, m.Description))
			}
			for _, u := range s.Unused {
				unused = append(unused, fmt.Sprint(u.Key, u.Declared))
			}
			return missing, unused
		}
		if missing, unused := suggested(); len(missing)+len(unused) > 0 {
			t.Errorf("an empty team is told %v and %v", missing, unused)
		}
		for _, key := range []string{"USED_KEY", "BOUND_KEY", "IDLE_KEY", "SPARE_KEY", "STAGED_KEY"} {
			if key == "STAGED_KEY" {
				w.stage(t, key, "a value of "+key)
				continue
			}
			w.set(t, w.owner, key, "a value of "+key)
		}
		described := optional("ZED_KEY")
		described.Description = "For music"
		w.deploy(t, w.owner, "web", required("USED_KEY"), described, optional("ALSO_KEY"))
		bound := w.deploy(t, w.owner, "bound", required("MODEL_KEY"))
		if _, err := w.apps.Approve(t.Context(), w.owner, bound.ID, []app.Approval{{Key: "MODEL_KEY", SourceKey: "BOUND_KEY"}}); err != nil {
			t.Fatal(err)
		}
		w.deploy(t, w.owner, "idle", required("IDLE_KEY"), required("ZED_KEY"))
		for _, name := range []string{"web", "bound"} {
			if _, err := w.resolve(t, w.member, name); err != nil {
				t.Fatal(err)
			}
		}
		missing, unused := suggested()
		if want := []string{"ZED_KEY[acme/idle acme/web] 1For music", "ALSO_KEY[acme/web] 0"}; !slices.Equal(missing, want) || len(unused) > 0 {
			t.Errorf("missing are %q, want %q; unused are %v", missing, want, unused)
		}
		// After a while, and after the log was read into the table.
		dbtest.Exec(t, w.db, "UPDATE secrets SET created_at = ?", time.Now().AddDate(0, -2, 0).UnixMicro())
		want := []string{"IDLE_KEYtrue", "SPARE_KEYfalse"}
		if _, unused = suggested(); !slices.Equal(unused, want) {
			t.Errorf("unused are %v, want %v", unused, want)
		}
		if _, err := w.secrets.Suggest(t.Context(), w.stranger); err != nil {
			t.Error(err)
		}
	})
}

package db_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"infsh/db"
	"infsh/db/dbtest"
)

// D7: whoever migrates may be cut off before any of its messages; the next one
// finishes the work, and each step is done once.
func TestMigrationsKilledAtEachStep(t *testing.T) {
	step := 30
	if os.Getenv("INFSH_TORTURE") != "" {
		step = 1
	}
	want := dbtest.Postgres(t)
	newest, err := db.NewestSchema()
	if err != nil {
		t.Fatal(err)
	}
	cuts := 0
	for at := 1; ; at += step {
		direct := dbtest.PostgresURL(t)
		proxy, through := dbtest.NewProxy(t, direct)
		proxy.CutAt(at)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		d, err := db.OpenPostgres(ctx, through)
		if err == nil {
			err = errors.Join(d.Migrate(ctx), d.Close())
		}
		cancel()
		proxy.CutAt(0)
		again := openURL(t, direct)
		if err := again.Migrate(t.Context()); err != nil {
			t.Fatalf("after a cut at message %d: %v", at, err)
		}
		if got := text(t, again, "SELECT count(*) || ' ' || count(DISTINCT version_id) || ' ' || max(version_id) FROM goose_db_version"); got != text(t, want.DB, "SELECT count(*) || ' ' || count(DISTINCT version_id) || ' ' || max(version_id) FROM goose_db_version") {
			t.Errorf("after a cut at message %d the steps are %s, of %d", at, got, newest)
		}
		for table := range db.BackupTables() {
			a, errA := again.ColumnsOf(t.Context(), table)
			b, errB := want.ColumnsOf(t.Context(), table)
			if errA != nil || errB != nil || !maps.Equal(a, b) {
				t.Errorf("after a cut at message %d table %s has %v, %v, %v", at, table, a, errA, errB)
			}
		}
		if err == nil {
			break
		}
		cuts++
	}
	t.Logf("cut off %d times", cuts)
	if cuts < 2 {
		t.Error("the migrations were hardly cut; the test shows nothing")
	}
}

// A schema that a later release has only added to is used as it is, and left
// so; one that begins the next thousand is refused, and nothing is changed.
func TestNewerSchemas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		dbtest.Exec(t, d, "ALTER TABLE teams ADD COLUMN added_later TEXT NOT NULL DEFAULT ''")
		dbtest.Exec(t, d, "CREATE TABLE added_later (id TEXT PRIMARY KEY)")
		dbtest.Exec(t, d, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)")
		if err := errors.Join(d.Migrate(t.Context()), d.Usable(t.Context())); err != nil {
			t.Errorf("a schema that was added to: %v", err)
		}
		dbtest.Exec(t, d, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, true)")
		before := dbtest.Count(t, d, "SELECT count(*) FROM goose_db_version")
		for _, err := range []error{d.Migrate(t.Context()), d.Usable(t.Context())} {
			if !errors.Is(err, db.ErrSchemaTooNew) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("a schema of the next thousand: %v", err)
			}
		}
		if after := dbtest.Count(t, d, "SELECT count(*) FROM goose_db_version"); after != before {
			t.Errorf("%d migrations are recorded, %d before", after, before)
		}
	})
}

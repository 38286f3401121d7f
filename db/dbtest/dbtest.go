// Package dbtest opens databases for tests. What runs through Each is the
// conformance suite: it passes on every database that the program supports.
package dbtest

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"

	"infsh/db"
)

// Database is an open store, with a connection beside it on which a test may
// do what no store does: change rows as someone with the database would.
type Database struct {
	*db.DB
	Raw *sqlx.DB
}

// Each runs a test once for each kind of database, on a new and migrated one.
func Each(t *testing.T, test func(t *testing.T, d *Database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
}

// SQLite opens a new, migrated SQLite database.
func SQLite(tb testing.TB) *Database {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "infsh.db")
	d, err := db.OpenSQLite(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := sqlx.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(raw.Close(), d.Close()); err != nil {
			tb.Error(err)
		}
	})
	if err := d.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return &Database{DB: d, Raw: raw}
}

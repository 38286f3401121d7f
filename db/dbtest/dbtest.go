// Package dbtest opens databases for tests. What runs through Each is the
// conformance suite: it passes on every database that the program supports.
package dbtest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"infsh/db"
)

// Database is an open store, with a connection beside it on which a test may
// do what no store does: change rows as someone with the database would.
type Database struct {
	*db.DB
	Raw *sqlx.DB
	// URL is PostgreSQL's alone.
	URL  string
	open func(context.Context) (*db.DB, error)
}

// Again opens the database once more, as another instance of the program does.
func (d *Database) Again(tb testing.TB) *db.DB {
	tb.Helper()
	other, err := d.open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := other.Close(); err != nil {
			tb.Error(err)
		}
	})
	return other
}

// Each runs a test once for each kind of database, on a new and migrated one.
// The test's package must have a TestMain that calls Main.
func Each(t *testing.T, test func(t *testing.T, d *Database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite opens a new, migrated SQLite database.
func SQLite(tb testing.TB) *Database {
	tb.Helper()
	file, err := migratedFile()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "infsh.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		tb.Fatal(err)
	}
	d, err := db.OpenSQLite(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := sqlx.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		tb.Fatal(err)
	}
	return closing(tb, &Database{DB: d, Raw: raw, open: func(ctx context.Context) (*db.DB, error) { return db.OpenSQLite(ctx, path) }})
}

// migratedFile is a migrated database, of which each test's own is a copy: a
// copy takes a small part of the time of a migration.
var migratedFile = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "infsh-template")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "infsh.db")
	d, err := db.OpenSQLite(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(d.Migrate(context.Background()), d.Close()); err != nil {
		return nil, err
	}
	// The last connection to be closed has brought all into the file.
	return os.ReadFile(path)
})

// Postgres opens a new database of a real PostgreSQL server, which is started
// with the first of them; see Main.
func Postgres(tb testing.TB) *Database {
	tb.Helper()
	server, err := running()
	if err != nil {
		tb.Fatalf("the tests need PostgreSQL: %v", err)
	}
	return server.open(tb)
}

// DurablePostgres is Postgres on a server of the test's own, which syncs each
// commit to disk: for what is measured.
func DurablePostgres(tb testing.TB) *Database {
	tb.Helper()
	base, stop, err := startServer(true)
	if err != nil {
		tb.Fatalf("the test needs a PostgreSQL server of its own: %v", err)
	}
	server := &cluster{base: base, stop: stop}
	tb.Cleanup(func() {
		server.dropping.Wait()
		if err := errors.Join(append(server.dropped, stop())...); err != nil {
			tb.Error(err)
		}
	})
	if err := server.makeTemplate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return server.open(tb)
}

// open opens a new database of the server.
func (c *cluster) open(tb testing.TB) *Database {
	tb.Helper()
	url, drop, err := c.database(tb.Context(), template)
	if err != nil {
		tb.Fatal(err)
	}
	// Registered first, so that it runs after the connections are closed.
	tb.Cleanup(drop)
	d, err := db.OpenPostgres(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := sqlx.Open("postgres", url)
	if err != nil {
		tb.Fatal(err)
	}
	return closing(tb, &Database{DB: d, Raw: raw, URL: url, open: func(ctx context.Context) (*db.DB, error) { return db.OpenPostgres(ctx, url) }})
}

func closing(tb testing.TB, d *Database) *Database {
	tb.Cleanup(func() {
		if err := errors.Join(d.Raw.Close(), d.Close()); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// PostgresURL makes an empty database, which nobody has migrated, and returns
// its URL, for tests that start the program itself.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	server, err := running()
	if err != nil {
		tb.Fatalf("the tests need PostgreSQL: %v", err)
	}
	url, drop, err := server.database(tb.Context(), "template0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(drop)
	return url
}

// Pooled starts a pgbouncer in transaction mode, with further lines of its
// configuration, before the server of a database, and returns the URL of that
// database through it.
func Pooled(tb testing.TB, databaseURL, options string) string {
	tb.Helper()
	server, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	base, stop, err := startPooler(server, options)
	if err != nil {
		tb.Fatalf("the test needs pgbouncer: %v", err)
	}
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Error(err)
		}
	})
	base.Path = server.Path
	return base.String()
}

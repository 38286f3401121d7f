package db_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"infsh/account"
	"infsh/audit"
	"infsh/db"
	"infsh/db/dbtest"
)

// The database's files are private whatever the umask (C7).
func TestFilesArePrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir()
	d, err := db.OpenSQLite(t.Context(), filepath.Join(dir, "infsh.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"infsh.db", "infsh.db-wal", "infsh.db-shm"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", name, mode)
		}
	}
}

// Migrating twice does nothing the second time; a store keeps the first
// identity that it was given.
func TestMigrateAndIdentity(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		if err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := d.Identity(t.Context()); ok || err != nil {
			t.Fatalf("a new store has an identity: %v, %v", ok, err)
		}
		first := db.Identity{StoreID: "first", KEKID: "kek-1", KEKCheck: []byte("check")}
		for _, id := range []db.Identity{first, {StoreID: "second", KEKID: "kek-2", KEKCheck: []byte("other")}} {
			if err := d.SetIdentity(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		got, ok, err := d.Identity(t.Context())
		if err != nil || !ok || got.StoreID != "first" || !bytes.Equal(got.KEKCheck, first.KEKCheck) {
			t.Errorf("identity %+v, %v, %v", got, ok, err)
		}
	})
}

// Reading the identity of a database that was never migrated changes nothing.
func TestIdentityOfAnEmptyDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "infsh.db")
	d, err := db.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, ok, err := d.Identity(t.Context()); ok || err != nil {
		t.Errorf("identity: %v, %v", ok, err)
	}
}

// The log comes back in order, page by page, and only the team's own.
func TestAuditEntries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		for i := range 7 {
			e := audit.Entry{TeamID: "acme", Action: "secret.set", Target: string(rune('A' + i)), Outcome: audit.Allowed, Versions: []audit.KeyVersion{{Key: "K", Version: int64(i)}}}
			if err := d.AppendAudit(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			e.TeamID = "beta"
			if err := d.AppendAudit(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		var got []byte
		before := int64(math.MaxInt64)
		for {
			page, err := d.Search(t.Context(), "acme", audit.Filter{}, 0, before, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				if e.TeamID != "acme" || len(e.Versions) != 1 || e.At.IsZero() {
					t.Errorf("entry %+v", e)
				}
				got = append(got, e.Target...)
				before = e.Seq
			}
		}
		if string(got) != "GFEDCBA" {
			t.Errorf("the pages give %s", got)
		}
	})
}

// A cancelled request leaves nothing behind.
func TestACancelledWriteDoesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.AppendAudit(ctx, audit.Entry{TeamID: "acme"}); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled write: %v", err)
		}
		if n := dbtest.Count(t, d, "SELECT count(*) FROM audit_entries"); n != 0 {
			t.Errorf("%d entries were written", n)
		}
	})
}

// After a deletion the write-ahead log holds no page as it was before.
func TestDeletionEmptiesTheLog(t *testing.T) {
	d := dbtest.SQLite(t)
	marker := []byte("a sealed value that must go: 5f1c9e7a")
	dbtest.Exec(t, d, "INSERT INTO teams (id, username, name, wrapped_dek, created_by, created_at, updated_at) VALUES ('t', 'acme', 'acme', ?, '', 1, 1)", marker)
	path := dbtest.Path(t, d)
	holds := func() bool {
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, marker) {
				return true
			}
		}
		return false
	}
	if !holds() {
		t.Fatal("the value is not in the files to begin with, so the test shows nothing")
	}
	if err := d.Accounts().Update(t.Context(), func(tx account.Tx) error { return tx.DeleteTeam(t.Context(), "t") }); err != nil {
		t.Fatal(err)
	}
	if holds() {
		t.Error("the value is still in the database's files")
	}
}

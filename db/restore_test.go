package db_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"

	"infsh/backup"
	"infsh/db"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/secret"
	"infsh/team"
)

// aBackup makes a backup of a filled store.
func aBackup(t testing.TB) ([]byte, *envelope.KEK) {
	t.Helper()
	d, kek := dbtest.SQLite(t), newKEK(t)
	fill(t, d, kek)
	var file bytes.Buffer
	if _, err := d.Backup(t.Context(), &file, "test", kek); err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), kek
}

func wantEmpty(t testing.TB, d *dbtest.Database) {
	t.Helper()
	if err := d.Empty(t.Context()); err != nil {
		t.Errorf("the store is no longer empty: %v", err)
	}
}

// A store that holds anything at all is refused and stays as it is.
func TestRestoreNeverOverwrites(t *testing.T) {
	file, kek := aBackup(t)
	for name, use := range map[string]func(t *testing.T, d *dbtest.Database){
		"an identity": func(t *testing.T, d *dbtest.Database) {
			if err := d.SetIdentity(t.Context(), db.Identity{StoreID: "other", KEKID: "kek", KEKCheck: []byte("check")}); err != nil {
				t.Fatal(err)
			}
		},
		"a team": func(t *testing.T, d *dbtest.Database) { dbtest.Team(t, d, kek, "beta") },
		"a throttle": func(t *testing.T, d *dbtest.Database) {
			dbtest.Exec(t, d, "INSERT INTO throttles (bucket, failures, last_at, blocked_until) VALUES ('b', 1, 1, 1)")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
				use(t, d)
				before := dumpAll(t, d)
				if _, err := restore(t, d, kek, file); !errors.Is(err, db.ErrNotEmpty) {
					t.Errorf("restore: %v", err)
				}
				if after := dumpAll(t, d); after != before {
					t.Errorf("the store was\n%s\nand is\n%s", before, after)
				}
			})
		})
	}
}

func dumpAll(t testing.TB, d *dbtest.Database) string {
	t.Helper()
	out := fmt.Sprintln(dbtest.Count(t, d, "SELECT count(*) FROM throttles"), "throttles")
	for name, columns := range db.BackupTables() {
		if columns != nil {
			for _, row := range dump(t, d, name, columns) {
				out += name + " " + row + "\n"
			}
		}
	}
	return out
}

// failsAfter reads n bytes, and then fails or goes on with something else.
func failsAfter(file []byte, n int, then io.Reader) io.Reader {
	return io.MultiReader(bytes.NewReader(file[:n]), then)
}

type brokenDisk struct{ err error }

func (b brokenDisk) Read([]byte) (int, error) { return 0, b.err }

// Whatever ends a restore early leaves an empty store, into which the backup
// can be restored: a disk that fails, a file that was replaced by another one
// after it was checked.
func TestRestoreIsAllOrNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		file, kek := aBackup(t)
		other, _ := aBackup(t)
		verified, err := db.VerifyBackup(bytes.NewReader(file), kek)
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("input/output error")
		for i := range 8 {
			at := len(file) * i / 8
			if _, err := d.Restore(t.Context(), failsAfter(file, at, brokenDisk{broken}), verified); !errors.Is(err, broken) {
				t.Errorf("a disk that fails after %d of %d bytes: %v", at, len(file), err)
			}
			wantEmpty(t, d)
		}
		if _, err := d.Restore(t.Context(), bytes.NewReader(file[:len(file)-1]), verified); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("a file that was cut off meanwhile: %v", err)
		}
		wantEmpty(t, d)
		if _, err := d.Restore(t.Context(), bytes.NewReader(other), verified); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("a file that was replaced meanwhile: %v", err)
		}
		wantEmpty(t, d)
		if _, err := d.Restore(t.Context(), bytes.NewReader(file), verified); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// sealedBackup makes a proper backup of this KEK with other content.
func sealedBackup(t *testing.T, kek *envelope.KEK, schema int64, table backup.Table, row []any) []byte {
	t.Helper()
	check, err := kek.SealCheck("the-store")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, backup.Header{Schema: schema, Store: backup.Store{ID: "the-store", KEKID: kek.ID(), KEKCheck: check}})
	if err == nil {
		err = w.Table(table)
	}
	if err == nil {
		err = w.Row(row)
	}
	if err == nil {
		_, err = w.Close(kek)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A file of a newer schema is refused before anything is written, and tables
// and columns that the schema doesn't have never get into a statement.
func TestRestoreRefusesOtherContent(t *testing.T) {
	newest, err := db.NewestSchema()
	if err != nil {
		t.Fatal(err)
	}
	text := func(names ...string) (out []backup.Column) {
		for _, name := range names {
			out = append(out, backup.Column{Name: name, Type: backup.Text})
		}
		return out
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek := newKEK(t)
		file := sealedBackup(t, kek, newest+1, backup.Table{Name: "users", Columns: text("id")}, []any{"u"})
		if _, err := restore(t, d, kek, file); !errors.Is(err, backup.ErrTooNew) {
			t.Errorf("a newer schema: %v", err)
		}
		for name, table := range map[string]backup.Table{
			"an unknown table":      {Name: "things", Columns: text("id")},
			"a table left out":      {Name: "throttles", Columns: text("bucket")},
			"a column is missing":   {Name: "users", Columns: text("id")},
			"SQL instead of a name": {Name: "users", Columns: text("id) VALUES (1); DROP TABLE users; --")},
		} {
			if _, err := restore(t, d, kek, sealedBackup(t, kek, newest, table, []any{"u"})); err == nil {
				t.Errorf("%s was restored", name)
			}
			wantEmpty(t, d)
		}
		// Rows without the store that they belong to.
		memberless := backup.Table{Name: "audit_chains", Columns: db.BackupTables()["audit_chains"]}
		if _, err := restore(t, d, kek, sealedBackup(t, kek, newest, memberless, []any{"", int64(1), []byte("hash")})); err == nil {
			t.Error("rows without a store were restored")
		}
		wantEmpty(t, d)
	})
}

// The wrong KEK is refused before the database is even asked.
func TestRestoreWithTheWrongKEK(t *testing.T) {
	file, _ := aBackup(t)
	if _, err := db.VerifyBackup(bytes.NewReader(file), newKEK(t)); !errors.Is(err, envelope.ErrKEKWrong) {
		t.Errorf("the wrong KEK: %v", err)
	}
}

// A text that isn't UTF-8, as SQLite stores it, comes back as it was. It does
// not fit into PostgreSQL, which leaves an empty store.
func TestRestoreOfOddText(t *testing.T) {
	source, kek := dbtest.SQLite(t), newKEK(t)
	fill(t, source, kek)
	dbtest.Exec(t, source, "UPDATE teams SET name = CAST(x'41ff42' AS TEXT)")
	var file bytes.Buffer
	if _, err := source.Backup(t.Context(), &file, "test", kek); err != nil {
		t.Fatal(err)
	}
	target := dbtest.SQLite(t)
	if _, err := restore(t, target, kek, file.Bytes()); err != nil {
		t.Fatal(err)
	}
	if got := dbtest.Value(t, target, "SELECT name FROM teams"); string(got) != "A\xffB" {
		t.Errorf("the name is %q", got)
	}
	postgres := dbtest.Postgres(t)
	if _, err := restore(t, postgres, kek, file.Bytes()); err == nil {
		t.Error("PostgreSQL took text that is not UTF-8")
	}
	wantEmpty(t, postgres)
}

var rewrite = flag.Bool("update", false, "write testdata/backups anew for the current schema")

// The key of the backups in testdata. It protects nothing.
const testdataKEK = "testdata/backups/TEST-ONLY-kek.base64"

// A backup made by any release restores in this one. Each schema that a release
// had has its file, and the newest one has: a release with a migration comes
// with a new file, made by `go test ./db -run Released -update`, and no file is
// ever changed after its release.
func TestReleasedBackupsRestore(t *testing.T) {
	key, err := os.ReadFile(testdataKEK)
	if err != nil {
		t.Fatal(err)
	}
	kek, err := envelope.OpenKEK("env:TEST_ONLY", func(string) (string, bool) { return string(bytes.TrimSpace(key)), true })
	if err != nil {
		t.Fatal(err)
	}
	newest, err := db.NewestSchema()
	if err != nil {
		t.Fatal(err)
	}
	pathOf := func(schema int64) string { return fmt.Sprintf("testdata/backups/schema-%04d.backup", schema) }
	if *rewrite {
		writeReleased(t, kek, pathOf(newest))
	}
	if _, err := os.Stat(pathOf(newest)); err != nil {
		t.Errorf("the newest schema has no backup: %v", err)
	}
	released, err := filepath.Glob("testdata/backups/schema-*.backup")
	if err != nil || !slices.Contains(released, pathOf(1)) {
		t.Fatalf("the backups of earlier releases are not there: %v", err)
	}
	for _, path := range released {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			eachUnmigrated(t, func(t *testing.T, d *dbtest.Database) {
				if _, err := restore(t, d, kek, file); err != nil {
					t.Fatal(err)
				}
				teamID := string(dbtest.Value(t, d, "SELECT id FROM teams WHERE username = 'acme'"))
				userID := string(dbtest.Value(t, d, "SELECT id FROM users WHERE email = 'ada@example.com'"))
				owner := team.NewActor(team.Identity{Kind: team.Session, UserID: userID, Email: "ada@example.com", TeamID: teamID, TeamName: "acme", Role: team.Owner, RemoteAddr: "192.0.2.1", RequestID: "test"})
				if _, value, err := secret.NewService(d.Secrets(), kek).Reveal(t.Context(), owner, "API_KEY"); err != nil || value.Reveal() != canary {
					t.Errorf("its value does not open: %v", err)
				}
				// Whatever the schema, what ran goes on running.
				run, err := secret.NewService(d.Secrets(), kek).Resolve(t.Context(), owner, secret.Run{App: "acme/demo"})
				if err != nil || len(run.Env) != 1 || run.Env[0].Key != "API_KEY" {
					t.Errorf("its app receives %d keys: %v", len(run.Env), err)
				}
				verifyAudit(t, d, teamID)
			})
		})
	}
}

func writeReleased(t *testing.T, kek *envelope.KEK, path string) {
	t.Helper()
	d := dbtest.SQLite(t)
	fill(t, d, kek)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Backup(t.Context(), f, "testdata", kek)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// eachUnmigrated runs a test once for each kind of database, on one in which
// nobody has made a schema.
func eachUnmigrated(t *testing.T, test func(t *testing.T, d *dbtest.Database)) {
	t.Helper()
	open := map[string]func() (*db.DB, string, error){
		"sqlite": func() (*db.DB, string, error) {
			path := filepath.Join(t.TempDir(), "infsh.db")
			d, err := db.OpenSQLite(t.Context(), path)
			return d, "file:" + path, err
		},
		"postgres": func() (*db.DB, string, error) {
			url := dbtest.PostgresURL(t)
			d, err := db.OpenPostgres(t.Context(), url)
			return d, url, err
		},
	}
	for driver, open := range open {
		t.Run(driver, func(t *testing.T) {
			d, source, err := open()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := sqlx.Open(driver, source)
			if err != nil {
				t.Fatal(err)
			}
			// Before the outer test ends, which drops the database.
			defer func() {
				if err := errors.Join(raw.Close(), d.Close()); err != nil {
					t.Error(err)
				}
			}()
			test(t, &dbtest.Database{DB: d, Raw: raw})
		})
	}
}

func unzip(t testing.TB, file []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

package db_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"infsh/app"
	"infsh/audit"
	"infsh/auth"
	"infsh/backup"
	"infsh/db"
	"infsh/db/dbtest"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// ofARun are the tables that the answer to a run, or its key, is made of.
var ofARun = []string{"teams", "memberships", "api_keys", "apps", "app_versions", "app_grants", "secrets", "secret_versions", "integrations", "integration_values"}

// Whoever changes any column of any row that a run's answer is made of changes
// the team's revision, and no other team's.
func TestEachRowOfARunHasItsRevision(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek := newKEK(t)
		owner := fill(t, d, kek)
		other := dbtest.Team(t, d, kek, "other")
		conn := withoutConstraints(t, d)
		exec := func(statement string) {
			t.Helper()
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		revision := func(teamID string) (n int64) {
			t.Helper()
			if err := conn.GetContext(t.Context(), &n, conn.Rebind("SELECT revision FROM team_revisions WHERE team_id = ?"), teamID); err != nil {
				t.Fatal(err)
			}
			return n
		}
		others := revision(other.ID)
		changes := func(statement string) bool {
			t.Helper()
			before := revision(owner.TeamID())
			exec(statement)
			return revision(owner.TeamID()) != before
		}
		columns := db.BackupTables()
		columns["users"] = []backup.Column{{Name: "email", Type: backup.Text}}
		for _, table := range append(ofARun, "users") {
			for _, c := range columns[table] {
				if table == "teams" && c.Name == "id" {
					continue // a team with another id is another team
				}
				exec("BEGIN")
				want := (table != "api_keys" || c.Name != "last_used_at") && c.Name != "leased_until"
				if got := changes(fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s", table, c.Name, another(d, c), first(d, table, owner.TeamID()))); got != want {
					t.Errorf("a change of %s.%s changes the revision: %v, want %v", table, c.Name, got, want)
				}
				exec("ROLLBACK")
			}
			if table == "teams" || table == "users" {
				continue
			}
			if d.Raw.DriverName() == "postgres" {
				exec("BEGIN")
				if !changes("TRUNCATE " + table) {
					t.Errorf("to empty %s does not change the revision", table)
				}
				exec("ROLLBACK")
			}
			exec(fmt.Sprintf("CREATE TABLE kept_%s AS SELECT * FROM %s WHERE %s", table, table, first(d, table, owner.TeamID())))
			if !changes(fmt.Sprintf("DELETE FROM %s WHERE %s", table, first(d, table, owner.TeamID()))) {
				t.Errorf("a row less in %s does not change the revision", table)
			}
			if !changes(fmt.Sprintf("INSERT INTO %s SELECT * FROM kept_%s", table, table)) {
				t.Errorf("a row more in %s does not change the revision", table)
			}
		}
		if revision(other.ID) != others {
			t.Error("another team's revision has changed")
		}
	})
}

// withoutConstraints is a connection that may write what the schema would
// refuse, so that each column can be given another value.
func withoutConstraints(t *testing.T, d *dbtest.Database) *sqlx.Conn {
	t.Helper()
	conn, err := d.Raw.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	statements := []string{"PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON"}
	if d.Raw.DriverName() == "postgres" {
		statements = nil
		err := conn.SelectContext(t.Context(), &statements, `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
			FROM pg_constraint WHERE contype IN ('f', 'c') AND connamespace = current_schema()::regnamespace AND conrelid <> 0`)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range statements {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return conn
}

// another is a value that differs from a column's.
func another(d *dbtest.Database, c backup.Column) string {
	switch c.Type {
	case backup.Integer:
		return c.Name + " + 1000" // no other row has it
	case backup.Bytes:
		if d.Raw.DriverName() == "postgres" {
			return `'\x01'::bytea || ` + c.Name
		}
		return "CAST(x'01' || " + c.Name + " AS BLOB)"
	}
	return c.Name + " || 'x'"
}

// first is a condition for one row of a team.
func first(d *dbtest.Database, table, teamID string) string {
	row := "rowid"
	if d.Raw.DriverName() == "postgres" {
		row = "ctid"
	}
	condition := "team_id = '" + teamID + "'"
	switch table {
	case "teams":
		condition = "id = '" + teamID + "'"
	case "users":
		condition = "id IN (SELECT user_id FROM api_keys WHERE team_id = '" + teamID + "')"
	}
	return fmt.Sprintf("%s = (SELECT %s FROM %s WHERE %s LIMIT 1)", row, row, table, condition)
}

// What an instance has read before is used only while it is so: after each
// change, made by whomever, it answers as one that was just started.
func TestKeptAnswersAreThoseOfTheDatabase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek := newKEK(t)
		acme := dbtest.Team(t, d, kek, "acme")
		owner := dbtest.Actor(t, d, acme, "ada@example.com", team.Owner)
		secrets := secret.NewService(d.Secrets(), kek)
		for _, key := range []string{"FIRST_KEY", "SECOND_KEY"} {
			for n, mode := range []secret.Mode{secret.Create, secret.Change} {
				value := redact.NewValue(fmt.Sprint("value number ", n))
				if _, err := secrets.Set(t.Context(), owner, mode, secret.Write{Key: key, Value: &value}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := app.NewService(d.Apps()).Deploy(t.Context(), owner, app.Registration{Name: "demo", Requirements: []secret.Requirement{
			{Kind: secret.KindSecret, Key: "FIRST_KEY"}, {Kind: secret.KindSecret, Key: "SECOND_KEY"}}}); err != nil {
			t.Fatal(err)
		}
		_, token, err := auth.NewKeys(d.Auth()).Create(t.Context(), owner, auth.NewKey{Name: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256([]byte(token.Reveal()))

		answers := func(d *db.DB) string {
			t.Helper()
			run, runErr := d.Secrets().RecordRun(t.Context(), acme.ID, "acme", "demo", "", deciding(audit.By(owner, team.ResolveApp, "acme/demo", audit.Allowed)))
			key, membership, keyErr := d.Auth().Key(t.Context(), hash[:], "")
			return fmt.Sprintf("%+v\n%v\n%+v\n%+v\n%v", run, runErr, key, membership, keyErr)
		}
		before := answers(d.DB)
		if again := answers(d.DB); again != before || strings.Contains(before, "not found") {
			t.Fatalf("answered\n%s\nand then\n%s", before, again)
		}
		presumed := 0
		for _, change := range []string{
			"UPDATE app_grants SET state = 'revoked' WHERE key = 'FIRST_KEY'",
			"UPDATE app_grants SET state = 'granted', source_key = 'SECOND_KEY' WHERE key = 'FIRST_KEY'",
			"UPDATE secrets SET version = 1 WHERE key = 'SECOND_KEY'",
			"UPDATE secret_versions SET value = hint",
			"DELETE FROM secrets WHERE key = 'SECOND_KEY'",
			"UPDATE app_versions SET requirements = '[]'",
			"UPDATE apps SET version_id = 'missing'",
			"UPDATE apps SET version_id = (SELECT id FROM app_versions)",
			"UPDATE api_keys SET scopes = 'secrets:read'",
			"UPDATE api_keys SET expires_at = 1",
			"UPDATE teams SET username = 'emca'",
			"UPDATE users SET email = 'eve@example.com'",
			"UPDATE memberships SET role = 'member'",
			"DELETE FROM memberships",
			"DELETE FROM api_keys",
			"DELETE FROM teams",
		} {
			_, _, revision, known := d.Auth().LastKey(hash[:])
			entries := dbtest.Count(t, d, "SELECT count(*) FROM audit_entries")
			dbtest.Exec(t, d, change)
			if known {
				begun := deciding(audit.By(owner, team.ResolveApp, "acme/demo", audit.Allowed))
				begun.Revision = revision
				_, err := d.Secrets().RecordRun(t.Context(), acme.ID, "acme", "demo", "", begun)
				if written := dbtest.Count(t, d, "SELECT count(*) FROM audit_entries") - entries; !errors.Is(err, secret.ErrMoved) || written != 0 {
					t.Errorf("after %s a run at the revision before it is answered %v, and %d entries are written", change, err, written)
				}
				presumed++
			}
			got, want := answers(d.DB), answers(d.Again(t))
			if got != want {
				t.Errorf("after %s it is answered\n%s\nand another instance answers\n%s", change, got, want)
			}
			if got == before {
				t.Errorf("%s changes nothing that is answered, so it shows nothing", change)
			}
			before = got
		}
		if presumed < 5 {
			t.Errorf("a key was known from before %d times only", presumed)
		}
	})
}

// That a key was used is known at once, though its kept answer stays.
func TestUsesOfAKeptKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		owner := dbtest.Actor(t, d, dbtest.Team(t, d, newKEK(t), "acme"), "ada@example.com", team.Owner)
		_, token, err := auth.NewKeys(d.Auth()).Create(t.Context(), owner, auth.NewKey{Name: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256([]byte(token.Reveal()))
		find := func(d *db.DB) auth.Key {
			t.Helper()
			key, _, err := d.Auth().Key(t.Context(), hash[:], "")
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
		for n := range 3 {
			key, used := find(d.DB), time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC)
			if err := d.Auth().TouchKey(t.Context(), key.TeamID, key.ID, used, used.Add(-time.Minute), time.Time{}); err != nil {
				t.Fatal(err)
			}
			if got, want := find(d.DB), find(d.Again(t)); !reflect.DeepEqual(got, want) || !got.LastUsedAt.Equal(used) {
				t.Errorf("last used %s, another instance says %s, want %s", got.LastUsedAt, want.LastUsedAt, used)
			}
		}
	})
}

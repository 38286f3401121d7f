package bench

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/secret"
)

const (
	// keysPerTeam is how many secrets a team has; its app declares the first few.
	keysPerTeam  = 10
	keysDeclared = 5
)

// id is the same for the same thing in every run, and as scattered as a random one.
func id(kind string, n ...int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, kind, n)).String()
}

func teamName(team int) string { return fmt.Sprintf("team-%06d", team) }

func keyName(n int) string { return fmt.Sprintf("SERVICE_%c_API_KEY", 'A'+n) }

func value(team, n int) string {
	return fmt.Sprintf("sk-%06d-%02d-abcdefghijklmnopqrstuvwxyz0123456789ABCD", team, n)
}

// token is the API key of the team's runner, in the form of docs/format.md.
func token(team int) string {
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	body := fmt.Sprintf("%043d", team)
	sum := crc32.ChecksumIEEE([]byte(body))
	var check [6]byte
	for i := len(check) - 1; i >= 0; i-- {
		check[i] = base62[sum%62]
		sum /= 62
	}
	return "infsh_" + body + string(check[:])
}

// store is a filled database, with the flags by which infsh finds it.
type store struct {
	kind   string // the driver's name
	source string // what the driver opens
	flags  []string
	teams  int
	// server is PostgreSQL's process; 0 for SQLite, which has none.
	server int
}

// fill makes a database with so many teams, each with a runner's API key, an
// app and really sealed secrets. The schema and the KEK are infsh's own; the
// rows are written past it, as a million sets would take hours.
func fill(tb testing.TB, kind string, teams int) *store {
	tb.Helper()
	data := filepath.Join(tb.TempDir(), "data")
	s := &store{kind: kind, teams: teams, flags: []string{"--data-dir", data, "--log-level", "error"}}
	if kind == "postgres" {
		s.source, s.server = dbtest.DurablePostgresURL(tb)
		s.flags = append(s.flags, "--database-url", s.source)
	} else {
		s.source = "file:" + filepath.Join(data, "infsh.db")
	}
	startInfsh(tb, s.flags...).stop(tb)
	kek, err := envelope.OpenKEK("file:"+filepath.Join(data, "kek.json"), os.LookupEnv)
	if err != nil {
		tb.Fatal(err)
	}
	db, err := sql.Open(kind, s.source)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, setting := range s.settings() {
		if _, err := db.ExecContext(tb.Context(), setting); err != nil {
			tb.Fatalf("%s: %v", setting, err)
		}
	}
	for first := 0; first < teams; first += teamsPerTx {
		if err := s.fillSome(tb, db, kek, first, min(first+teamsPerTx, teams)); err != nil {
			tb.Fatal(err)
		}
	}
	for _, statement := range s.finish() {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	return s
}

const teamsPerTx = 5000

func (s *store) settings() []string {
	if s.kind == "sqlite" {
		return []string{"PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000"}
	}
	return []string{"SET synchronous_commit = off"}
}

// finish brings the files into the state in which a store of some age is.
func (s *store) finish() []string {
	if s.kind == "sqlite" {
		return []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	}
	return []string{"VACUUM ANALYZE", "CHECKPOINT"}
}

// columns are what is written of each table, in an order that foreign keys allow.
var columns = []struct {
	table string
	names []string
}{
	{"users", []string{"id", "email", "email_folded", "password_hash", "created_at", "updated_at"}},
	{"teams", []string{"id", "username", "name", "wrapped_dek", "kek_id", "created_by", "created_at", "updated_at"}},
	{"memberships", []string{"team_id", "user_id", "role", "created_at"}},
	{"api_keys", []string{"id", "kind", "team_id", "user_id", "name", "token_hash", "last_four", "scopes", "created_at"}},
	{"secrets", []string{"id", "team_id", "key", "description", "version", "created_by", "updated_by", "created_at", "updated_at"}},
	{"secret_versions", []string{"team_id", "secret_id", "version", "value", "hint", "created_by", "created_at"}},
	{"apps", []string{"id", "team_id", "namespace", "name", "description", "version_id", "created_by", "created_at", "updated_at"}},
	{"app_versions", []string{"id", "team_id", "app_id", "number", "digest", "requirements", "created_by", "created_at"}},
	{"app_grants", []string{"team_id", "app_id", "key", "source_key", "state", "requested_by", "requested_version", "requested_at"}},
}

// fillSome writes the teams of one transaction, table by table.
func (s *store) fillSome(tb testing.TB, db *sql.DB, kek *envelope.KEK, from, to int) error {
	rows := map[string][][]any{}
	for team := from; team < to; team++ {
		if err := teamRows(kek, team, rows); err != nil {
			return err
		}
	}
	tx, err := db.BeginTx(tb.Context(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, c := range columns {
		insert := "INSERT INTO " + c.table + " (" + strings.Join(c.names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(c.names)-1) + ")"
		if s.kind == "postgres" {
			insert = "COPY " + c.table + " (" + strings.Join(c.names, ", ") + ") FROM STDIN"
		}
		stmt, err := tx.PrepareContext(tb.Context(), insert)
		if err != nil {
			return err
		}
		for _, row := range rows[c.table] {
			if _, err := stmt.ExecContext(tb.Context(), row...); err != nil {
				return fmt.Errorf("fill %s: %w", c.table, err)
			}
		}
		if s.kind == "postgres" {
			if _, err := stmt.ExecContext(tb.Context()); err != nil {
				return fmt.Errorf("fill %s: %w", c.table, err)
			}
		}
		if err := stmt.Close(); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// teamRows adds the rows of one team.
func teamRows(kek *envelope.KEK, team int, rows map[string][][]any) error {
	add := func(table string, row ...any) { rows[table] = append(rows[table], row) }
	now := time.Now().UnixMicro()
	user, teamID, app, version := id("user", team), id("team", team), id("app", team), id("version", team)
	wrapped, err := kek.WrapNewDEK(teamID)
	if err != nil {
		return err
	}
	dek, err := kek.OpenDEK(teamID, wrapped)
	if err != nil {
		return err
	}
	var declared []secret.Requirement
	for n := range keysPerTeam {
		key, secretID := keyName(n), id("secret", team, n)
		seal := func(p envelope.Purpose, text string) ([]byte, error) {
			return dek.Seal(envelope.AssociatedData{Purpose: p, Team: teamID, Key: key, Version: 1}, []byte(text))
		}
		sealed, err := seal(envelope.SecretValue, value(team, n))
		if err != nil {
			return err
		}
		hint, err := seal(envelope.SecretHint, "••••••••ABCD")
		if err != nil {
			return err
		}
		add("secrets", secretID, teamID, key, "For measuring", 1, user, user, now, now)
		add("secret_versions", teamID, secretID, 1, sealed, hint, user, now)
		if n < keysDeclared {
			add("app_grants", teamID, app, key, key, "granted", user, version, now)
			declared = append(declared, secret.Requirement{Kind: secret.KindSecret, Key: key, Description: "For measuring"})
		}
	}
	requirements, err := json.Marshal(declared)
	if err != nil {
		return err
	}
	email := fmt.Sprintf("owner-%06d@example.com", team)
	hash := hashOf(token(team))
	add("users", user, email, email, "", now, now)
	add("teams", teamID, teamName(team), teamName(team), wrapped, kek.ID(), user, now, now)
	add("memberships", teamID, user, "owner", now)
	add("api_keys", id("key", team), "key", teamID, user, "runner", hash, "0000", "apps:execute", now)
	add("apps", app, teamID, teamName(team), "app", "", version, user, now, now)
	add("app_versions", version, teamID, app, 1, "", string(requirements), user, now)
	return nil
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

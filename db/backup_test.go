package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"infsh/app"
	"infsh/audit"
	"infsh/auth"
	"infsh/backup"
	"infsh/db"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/integration"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
	"infsh/webhook"
)

// canary is a value that no backup may show.
const canary = "sk-canary-3f9c0b7e51d24a86"

// A migration that adds a table or a column, or drops one, adds it to what
// backups know, or says why it is left out.
func TestBackupsKnowTheWholeSchema(t *testing.T) {
	types := map[string]backup.Type{
		"TEXT": backup.Text, "INTEGER": backup.Integer, "BLOB": backup.Bytes,
		"text": backup.Text, "bigint": backup.Integer, "bytea": backup.Bytes,
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		known := db.BackupTables()
		schema := tableNames(t, d)
		for _, name := range schema {
			columns, ok := known[name]
			if !ok {
				t.Errorf("backups don't know table %s: add it in db/tables.go", name)
				continue
			}
			if columns == nil {
				continue
			}
			have, err := d.ColumnsOf(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]backup.Type{}
			for column, kind := range have {
				want[column] = types[kind]
			}
			got := map[string]backup.Type{}
			for _, c := range columns {
				got[c.Name] = c.Type
			}
			if !maps.Equal(got, want) {
				t.Errorf("table %s has the columns\n%v, and backups know\n%v", name, want, got)
			}
		}
		for name := range known {
			if !slices.Contains(schema, name) {
				t.Errorf("backups know a table %s, which is not there", name)
			}
		}
	})
}

func tableNames(t *testing.T, d *dbtest.Database) (names []string) {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%'"
	if d.Raw.DriverName() == "postgres" {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose%'"
	}
	if err := d.Raw.SelectContext(t.Context(), &names, query); err != nil {
		t.Fatal(err)
	}
	return names
}

// A backup of either database restores into either: each row as it was, values
// that open, an audit chain that verifies and goes on.
func TestBackupAndRestore(t *testing.T) {
	for _, from := range kinds {
		for _, to := range kinds {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				source, kek := from.open(t), newKEK(t)
				owner := fill(t, source, kek)
				var file bytes.Buffer
				counts, err := source.Backup(t.Context(), &file, "test", kek)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(unzip(t, file.Bytes()), []byte(canary)) {
					t.Error("the backup holds a value in plaintext")
				}

				target := to.open(t)
				restored, err := restore(t, target, kek, file.Bytes())
				if err != nil {
					t.Fatal(err)
				}
				if !maps.Equal(counts, restored) {
					t.Errorf("backed up %v, restored %v", counts, restored)
				}
				for name, columns := range db.BackupTables() {
					if name == "team_revisions" {
						continue // the database makes them itself
					}
					if columns == nil {
						if n := dbtest.Count(t, target, "SELECT count(*) FROM "+name); n != 0 {
							t.Errorf("%d rows of %s were restored", n, name)
						}
						continue
					}
					want, got := dump(t, source, name, columns), dump(t, target, name, columns)
					if len(want) == 0 {
						t.Errorf("the test has no row in table %s", name)
					}
					if int64(len(want)) != counts[name] || !slices.Equal(want, got) {
						t.Errorf("table %s was\n%s\nand is\n%s", name, strings.Join(want, "\n"), strings.Join(got, "\n"))
					}
				}

				secrets := secret.NewService(target.Secrets(), kek)
				if _, value, err := secrets.Reveal(t.Context(), owner, "API_KEY"); err != nil || value.Reveal() != canary {
					t.Errorf("a restored value does not open: %v", err)
				}
				verifyAudit(t, target, owner.TeamID())
			})
		}
	}
}

var kinds = []struct {
	name string
	open func(testing.TB) *dbtest.Database
}{{"sqlite", dbtest.SQLite}, {"postgres", dbtest.Postgres}}

func newKEK(t testing.TB) *envelope.KEK {
	t.Helper()
	kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

// fill puts at least one row into every table.
func fill(t testing.TB, d *dbtest.Database, kek *envelope.KEK) team.Actor {
	t.Helper()
	check, err := kek.SealCheck("the-store")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetIdentity(t.Context(), db.Identity{StoreID: "the-store", KEKID: kek.ID(), KEKCheck: check}); err != nil {
		t.Fatal(err)
	}
	acme := dbtest.Team(t, d, kek, "acme")
	owner := dbtest.Actor(t, d, acme, "ada@example.com", team.Owner)
	secrets := secret.NewService(d.Secrets(), kek)
	set := func(mode secret.Mode, key, value, description string) {
		v := redact.NewValue(value)
		if _, err := secrets.Set(t.Context(), owner, mode, secret.Write{Key: key, Value: &v, Description: &description}); err != nil {
			t.Fatal(err)
		}
	}
	set(secret.Create, "API_KEY", "the first one", "for “quotes”, \\ and émoji 🙂")
	set(secret.Change, "API_KEY", canary, "for “quotes”, \\ and émoji 🙂")
	for i := range 70 {
		set(secret.Create, fmt.Sprintf("KEY_%d", i), canary, "")
	}
	set(secret.Create, "LARGE", strings.Repeat("x", 65536), "")
	if _, err := app.NewService(d.Apps()).Deploy(t.Context(), owner, app.Registration{Name: "demo", Requirements: []secret.Requirement{{Kind: secret.KindSecret, Key: "API_KEY"}}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := auth.NewKeys(d.Auth()).Create(t.Context(), owner, auth.NewKey{Name: "ci"}); err != nil {
		t.Fatal(err)
	}
	staged := redact.NewValue(canary)
	if _, err := secrets.Set(t.Context(), owner, secret.Create, secret.Write{Key: "STAGED", Value: &staged, Stage: true}); err != nil {
		t.Fatal(err)
	}
	hooks := webhook.NewService(d.Webhooks(), kek, webhook.Guard{})
	if _, _, err := hooks.Create(t.Context(), owner, webhook.New{URL: "https://hooks.example.com/", Events: []string{"secret.updated"}}); err != nil {
		t.Fatal(err)
	}
	links := integration.NewService(d.Integrations(), kek, integration.BuiltIn(), nil, slog.New(slog.DiscardHandler))
	if _, err := links.SetClient(t.Context(), owner, "google", "client", redact.NewValue(canary)); err != nil {
		t.Fatal(err)
	}
	if _, err := links.Connect(t.Context(), owner, integration.Typed{Provider: "notion", Type: integration.APIKey, Fields: map[string]redact.Value{"token": redact.NewValue(canary)}}); err != nil {
		t.Fatal(err)
	}
	dbtest.Exec(t, d, "INSERT INTO integration_flows (state_hash, id, team_id, user_id, holder, provider, type, scopes, integration_id, verifier, redirect, port, created_at, expires_at) VALUES (?, 'f', ?, '', '', '', '', '', '', ?, '', 0, 1, 1)", []byte{1}, owner.TeamID(), []byte{2})
	dbtest.Exec(t, d, "INSERT INTO trusts (id, team_id, name, preset, issuer, audience, jwks, conditions, reuse, created_by, created_at, updated_at, last_used_at, last_subject) VALUES ('t', ?, 'deploy', 'github', 'https://token.actions.githubusercontent.com', '', '', '[]', 1, '', 1, 2, 3, 'repo:acme/app')", owner.TeamID())
	dbtest.Exec(t, d, "INSERT INTO trust_apps (trust_id, app_id, team_id) SELECT 't', id, team_id FROM apps WHERE team_id = ?", owner.TeamID())
	dbtest.Exec(t, d, "INSERT INTO runner_credentials (token_hash, id, team_id, trust_id, app_id, created_at, expires_at) SELECT ?, 'r', team_id, 't', id, 1, 2 FROM apps WHERE team_id = ?", []byte{1}, owner.TeamID())
	dbtest.Exec(t, d, "INSERT INTO used_tokens (token_hash, expires_at) VALUES (?, 1)", []byte{1})
	if err := d.AppendAudit(t.Context(), audit.Entry{Action: audit.ActLogin, ActorName: "nobody", Outcome: audit.Failed}); err != nil {
		t.Fatal(err)
	}
	dbtest.Exec(t, d, "INSERT INTO sessions (token_hash, id, user_id, team_id, csrf_token, remote_addr, user_agent, created_at, last_seen_at, expires_at) VALUES (?, 's', ?, ?, '', '', '', 1, 1, 1)", []byte{1}, owner.UserID(), owner.TeamID())
	dbtest.Exec(t, d, "INSERT INTO throttles (bucket, failures, last_at, blocked_until) VALUES ('b', 1, 1, 1)")
	dbtest.Exec(t, d, "INSERT INTO former_usernames (username, team_id, created_at) VALUES ('acme-old', ?, 1)", owner.TeamID())
	dbtest.Exec(t, d, "INSERT INTO environments (team_id, group_id, group_name, name, created_at) VALUES (?, 'g', 'Acme', 'production', 1)", owner.TeamID())
	dbtest.Exec(t, d, "INSERT INTO expected_keys (team_id, key, description, created_at) VALUES (?, 'NOT_YET', 'to be set', 1)", owner.TeamID())
	dbtest.Exec(t, d, "INSERT INTO invites (id, team_id, email, email_folded, role, code_hash, status, invited_by, created_at, expires_at) VALUES ('i', ?, '', '', 'member', ?, 'pending', '', 1, 1)", owner.TeamID(), []byte{1})
	dbtest.Exec(t, d, "INSERT INTO setup_codes (code_hash, created_at) VALUES (?, 1)", []byte{1})
	dbtest.Exec(t, d, "INSERT INTO device_logins (device_hash, user_code, client_name, remote_addr, network, state, created_at, expires_at) VALUES (?, 'u', '', '', '', 'pending', 1, 1)", []byte{1})
	dbtest.Exec(t, d, "INSERT INTO totp_factors (user_id, wrapped_dek, kek_id, seed, last_step, created_at, confirmed_at) VALUES (?, ?, 'k', ?, 7, 1, 2)", owner.UserID(), []byte{1, 2}, []byte{3, 4})
	dbtest.Exec(t, d, "INSERT INTO issuer_keys (id, wrapped_dek, kek_id, private_key, created_at, signs_from) VALUES ('k', ?, 'k', ?, 1, 2)", []byte{1, 2}, []byte{3, 4})
	dbtest.Exec(t, d, "INSERT INTO passkeys (id, user_id, name, credential_id, public_key, aaguid, transports, flags, sign_count, created_at, last_used_at) VALUES ('p', ?, 'phone', ?, ?, ?, 'internal', 93, 4294967295, 1, 2)", owner.UserID(), []byte{1}, []byte{2}, []byte{3})
	dbtest.Exec(t, d, "INSERT INTO recovery_codes (user_id, code_hash) VALUES (?, ?)", owner.UserID(), []byte{1})
	dbtest.Exec(t, d, "INSERT INTO pending_logins (token_hash, user_id, joining, failures, created_at, expires_at) VALUES (?, ?, 0, 0, 1, 1)", []byte{1}, owner.UserID())
	dbtest.Exec(t, d, "INSERT INTO passkey_challenges (holder, network, ceremony, created_at, expires_at) VALUES ('h', '', ?, 1, 1)", []byte{1})
	dbtest.Exec(t, d, "INSERT INTO identities (user_id, issuer, subject, email, created_at, last_used_at) VALUES (?, 'https://login.example.com', 's', 'ada@example.com', 1, 2)", owner.UserID())
	dbtest.Exec(t, d, "INSERT INTO sign_ons (state_hash, browser_hash, network, purpose, session_id, next, created_at, expires_at) VALUES (?, ?, '', 'sign-in', '', '', 1, 1)", []byte{1}, []byte{2})
	return owner
}

// dump returns a table's rows, each as text.
func dump(t testing.TB, d *dbtest.Database, table string, columns []backup.Column) []string {
	t.Helper()
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	rows, err := d.Raw.QueryxContext(t.Context(), "SELECT "+strings.Join(names, ", ")+" FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			// A driver may give text as bytes.
			if b, ok := v.([]byte); ok {
				values[i] = string(b)
			}
		}
		out = append(out, fmt.Sprintf("%q", values))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	// The two databases sort text differently.
	slices.Sort(out)
	return out
}

// verifyAudit checks the chains, and that they go on.
func verifyAudit(t *testing.T, d *dbtest.Database, teams ...string) {
	t.Helper()
	for _, id := range append(teams, "") {
		if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: id, Action: "secret.list", Outcome: audit.Allowed}); err != nil {
			t.Fatal(err)
		}
		err := d.AuditSnapshot(t.Context(), func(s audit.Snapshot) error {
			head, err := audit.Verify(t.Context(), s, id, audit.Head{})
			if err == nil && head.Seq < 2 {
				err = fmt.Errorf("the chain has only %d entries", head.Seq)
			}
			return err
		})
		if err != nil {
			t.Errorf("audit chain %q: %v", id, err)
		}
	}
}

func restore(t testing.TB, d *dbtest.Database, kek backup.Opener, file []byte) (backup.Counts, error) {
	t.Helper()
	verified, err := db.VerifyBackup(bytes.NewReader(file), kek)
	if err != nil {
		return nil, err
	}
	return d.Restore(t.Context(), bytes.NewReader(file), verified)
}

// meddlingKEK writes to the store at the moment when the snapshot has been
// taken and no row has been read.
type meddlingKEK struct {
	*envelope.KEK
	meddle func()
}

func (k meddlingKEK) VerifyCheck(storeID string, check []byte) error {
	k.meddle()
	return k.KEK.VerifyCheck(storeID, check)
}

// A backup is one moment: what is written while it runs is in none of it.
func TestBackupIsOneSnapshot(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek := newKEK(t)
		owner := fill(t, d, kek)
		before := dbtest.Count(t, d, "SELECT count(*) FROM audit_entries")
		meddler := meddlingKEK{kek, func() {
			if _, err := secret.NewService(d.Secrets(), kek).Delete(t.Context(), owner, "API_KEY"); err != nil {
				t.Error(err)
			}
		}}
		var file bytes.Buffer
		counts, err := d.Backup(t.Context(), &file, "test", meddler)
		if err != nil {
			t.Fatal(err)
		}
		if counts["audit_entries"] != int64(before) {
			t.Errorf("%d audit entries of %d are in the backup", counts["audit_entries"], before)
		}
		target := dbtest.SQLite(t)
		if _, err := restore(t, target, kek, file.Bytes()); err != nil {
			t.Fatal(err)
		}
		if _, value, err := secret.NewService(target.Secrets(), kek).Reveal(t.Context(), owner, "API_KEY"); err != nil || value.Reveal() != canary {
			t.Errorf("a secret that was deleted during the backup is not in it: %v", err)
		}
	})
}

// A store that was never set up has nothing to back up; another KEK's is not
// backed up.
func TestBackupRefusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek := newKEK(t)
		if _, err := d.Backup(t.Context(), io.Discard, "test", kek); !errors.Is(err, db.ErrNoStore) {
			t.Errorf("an empty store: %v", err)
		}
		fill(t, d, kek)
		if _, err := d.Backup(t.Context(), io.Discard, "test", newKEK(t)); !errors.Is(err, envelope.ErrKEKWrong) {
			t.Errorf("another KEK: %v", err)
		}
		dbtest.Exec(t, d, "ALTER TABLE users ADD COLUMN added_by_hand TEXT")
		if _, err := d.Backup(t.Context(), io.Discard, "test", kek); err == nil || !strings.Contains(err.Error(), "users") {
			t.Errorf("a column that would be missing: %v", err)
		}
	})
}

// A failing disk, or an interrupt, ends a backup with an error, and the
// connection is free for others.
func TestBackupEndsEarly(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek := newKEK(t)
		fill(t, d, kek)
		full := errors.New("no space left on device")
		for range 20 {
			if _, err := d.Backup(t.Context(), fullDisk{full}, "test", kek); !errors.Is(err, full) {
				t.Fatalf("a full disk: %v", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Backup(ctx, io.Discard, "test", kek); !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupt: %v", err)
		}
		if _, err := d.Backup(t.Context(), io.Discard, "test", kek); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

type fullDisk struct{ err error }

func (f fullDisk) Write([]byte) (int, error) { return 0, f.err }

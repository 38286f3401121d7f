package e2e

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// A deleted secret is gone from the disk: its ciphertexts are overwritten, and
// not just unlinked, where a later theft of the DEK would open them.
func TestDeletedCiphertextsLeaveTheDatabase(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	owner := s.createUser("ada@example.com", "acme")
	// The second version is longer than a page of the database, so that it
	// lies on pages of its own.
	for _, value := range []string{"short-value-1", strings.Repeat("long-value-", 3000), "short-value-2"} {
		method, path := "PUT", "/api/secrets/OPENAI_API_KEY"
		if value == "short-value-1" {
			method, path = "POST", "/api/secrets"
		}
		if a := s.call(owner.APIKey, method, path, map[string]string{"key": "OPENAI_API_KEY", "value": value}); a.StatusCode >= 300 {
			t.Fatalf("set: %d %.300s", a.StatusCode, a.Body)
		}
	}
	if a := s.call(owner.APIKey, "POST", "/api/secrets", map[string]string{"key": "KEPT_KEY", "value": "value-that-stays"}); a.StatusCode >= 300 {
		t.Fatalf("set: %d %.300s", a.StatusCode, a.Body)
	}

	deleted := s.ciphertexts("OPENAI_API_KEY")
	kept := s.ciphertexts("KEPT_KEY")
	if len(deleted) != 6 || len(kept) != 2 {
		t.Fatalf("there are %d and %d ciphertexts, want three values with hints and one", len(deleted), len(kept))
	}
	s.checkpoint()
	before := s.databaseFiles()
	for i, c := range deleted {
		if !c.in(before) {
			t.Fatalf("ciphertext %d is not found before it is deleted, so the search proves nothing", i)
		}
	}

	if a := s.call(owner.APIKey, "DELETE", "/api/secrets/OPENAI_API_KEY", nil); a.StatusCode != 204 {
		t.Fatalf("delete: %d %.300s", a.StatusCode, a.Body)
	}
	if !s.holds(deleted) {
		t.Fatal("nothing is kept for an undo, or it is not found")
	}
	// When the time for an undo is over, which is a minute later at most, the
	// server erases it by itself.
	s.sqlite(func(db *sql.DB) error {
		_, err := db.Exec("UPDATE deleted_secrets SET deleted_at = deleted_at - 60000000")
		return err
	})
	for deadline := time.Now().Add(2 * time.Minute); s.holds(deleted); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("ciphertexts of what was deleted are still there")
		}
	}
	for _, when := range []string{"after the window", "after the server has stopped"} {
		now := s.databaseFiles()
		for i, c := range deleted {
			if c.in(now) {
				t.Errorf("ciphertext %d is still there %s", i, when)
			}
		}
		for i, c := range kept {
			if !c.in(now) {
				t.Errorf("ciphertext %d of the secret that stays is not found %s", i, when)
			}
		}
		if when == "after the window" {
			s.stop()
		}
	}
}

// holds reports whether any of the ciphertexts is in the files of the database.
func (s *server) holds(deleted []ciphertext) bool {
	files := s.databaseFiles()
	return slices.ContainsFunc(deleted, func(c ciphertext) bool { return c.in(files) })
}

// ciphertext is what was stored of one value.
type ciphertext []byte

// in looks for the ciphertext's end and its beginning, as such and as base64.
// In between, SQLite cuts a long one into pages.
func (c ciphertext) in(files []byte) bool {
	encoded := base64.StdEncoding.AppendEncode(nil, c)
	for _, form := range [][]byte{c, encoded} {
		piece := min(24, len(form))
		if bytes.Contains(files, form[:piece]) || bytes.Contains(files, form[len(form)-piece:]) {
			return true
		}
	}
	return false
}

// ciphertexts reads the values and hints of a key's versions, past the program.
func (s *server) ciphertexts(key string) []ciphertext {
	s.t.Helper()
	var out []ciphertext
	s.sqlite(func(db *sql.DB) error {
		rows, err := db.Query("SELECT v.value, v.hint FROM secret_versions v JOIN secrets s ON s.id = v.secret_id WHERE s.key = ?", key)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var value, hint []byte
			if err := rows.Scan(&value, &hint); err != nil {
				return err
			}
			out = append(out, value, hint)
		}
		return rows.Err()
	})
	return out
}

// checkpoint moves the WAL into the database, and empties it.
func (s *server) checkpoint() {
	s.t.Helper()
	s.sqlite(func(db *sql.DB) error {
		var busy, frames, moved int
		if err := db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
			return err
		}
		if busy != 0 {
			s.t.Error("the checkpoint was not complete")
		}
		return nil
	})
}

func (s *server) sqlite(use func(*sql.DB) error) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Data, "infsh.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if err := use(db); err != nil {
		s.t.Fatal(err)
	}
}

// databaseFiles reads all that SQLite keeps in the data dir.
func (s *server) databaseFiles() []byte {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.Data, "infsh.db*"))
	if err != nil || len(paths) == 0 {
		s.t.Fatalf("no database: %v", err)
	}
	var all []byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

package db_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/problem"
)

// A transaction whose connection is lost before COMMIT was sent is done again,
// once and whole. After that nobody knows, so it is not done again, and the
// answer says that it is not certain: it was done if the server got the COMMIT,
// and else not.
func TestConnectionLostAtChosenMoments(t *testing.T) {
	const insert = "INSERT INTO setup_codes (code_hash, created_at) VALUES (?, 1) RETURNING created_at::text"
	for name, tt := range map[string]struct {
		at     string
		fault  dbtest.Fault
		tries  int
		stored int
		fails  bool
	}{
		"before BEGIN":                     {at: "BEGIN", fault: dbtest.CutBefore, tries: 1, stored: 1},
		"after BEGIN":                      {at: "BEGIN", fault: dbtest.CutAfter, tries: 1, stored: 1},
		"before a statement":               {at: "INSERT", fault: dbtest.CutBefore, tries: 2, stored: 1},
		"after a statement":                {at: "INSERT", fault: dbtest.CutAfter, tries: 2, stored: 1},
		"COMMIT does not arrive":           {at: "COMMIT", fault: dbtest.CutBefore, tries: 1, fails: true},
		"the answer to COMMIT is not read": {at: "COMMIT", fault: dbtest.CutAfter, tries: 1, stored: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			direct := dbtest.Postgres(t)
			proxy, through := dbtest.NewProxy(t, direct.URL)
			d := openURL(t, through)
			var cut atomic.Bool
			proxy.OnQuery(func(query string) dbtest.Fault {
				if !strings.HasPrefix(query, tt.at) || cut.Swap(true) {
					return dbtest.Pass
				}
				return tt.fault
			})
			tries := 0
			err := d.InTransaction(t.Context(), func(text func(string, ...any) (string, error)) error {
				tries++
				_, err := text(insert, []byte("code"))
				return err
			})
			if !cut.Load() {
				t.Fatal("the connection was never cut")
			}
			if failed := errors.Is(err, problem.Unavailable) && strings.Contains(err.Error(), "not certain"); failed != tt.fails || err != nil && !failed {
				t.Errorf("it ends with %v", err)
			}
			if tries != tt.tries {
				t.Errorf("it was done %d times, want %d", tries, tt.tries)
			}
			if n := dbtest.Count(t, direct, "SELECT count(*) FROM setup_codes"); n != tt.stored {
				t.Errorf("%d rows are stored, want %d", n, tt.stored)
			}
		})
	}
}

// An audit entry whose commit was lost is answered as one that can't be
// written, and is in the log at most once.
func TestAuditEntryLostAtCommit(t *testing.T) {
	direct := dbtest.Postgres(t)
	proxy, through := dbtest.NewProxy(t, direct.URL)
	d := openURL(t, through)
	var cuts atomic.Int32
	proxy.OnQuery(func(query string) dbtest.Fault {
		if query == "COMMIT" && cuts.Add(1) == 1 {
			return dbtest.CutAfter
		}
		return dbtest.Pass
	})
	err := d.AppendAudit(t.Context(), audit.Entry{TeamID: "acme", Action: "first"})
	if !errors.Is(err, problem.Unavailable) {
		t.Errorf("the lost commit: %v", err)
	}
	if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: "acme", Action: "second"}); err != nil {
		t.Errorf("the next one: %v", err)
	}
	if n := dbtest.Count(t, direct, "SELECT count(*) FROM audit_entries"); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

// A server that vanished without a word is given up: the wait for its answer
// ends, and other connections are made.
func TestServerThatVanished(t *testing.T) {
	direct := dbtest.Postgres(t)
	proxy, through := dbtest.NewProxy(t, direct.URL)
	d := openURL(t, with(t, through, "statement_timeout", "1", "connect_timeout", "1"))
	if got := text(t, d, "SELECT 'there'"); got != "there" {
		t.Fatal(got)
	}
	proxy.Hang()
	if _, err := d.Text(t.Context(), "SELECT 'gone'"); !errors.Is(err, problem.Unavailable) {
		t.Errorf("while it is gone: %v", err)
	}
	proxy.Cut()
	proxy.Flow()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := d.Text(ctx, "SELECT 'back'"); err != nil || got != "back" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

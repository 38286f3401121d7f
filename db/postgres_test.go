package db_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"infsh/audit"
	"infsh/db"
	"infsh/db/dbtest"
	"infsh/problem"
)

// openURL opens a database that no instance has migrated.
func openURL(t *testing.T, databaseURL string, params ...string) *db.DB {
	t.Helper()
	d, err := db.OpenPostgres(t.Context(), with(t, databaseURL, params...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// with adds parameters to a URL.
func with(t *testing.T, databaseURL string, params ...string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func text(t *testing.T, d *db.DB, query string, args ...any) string {
	t.Helper()
	out, err := d.Text(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// settings reads the limits that hold in a transaction.
func settings(t *testing.T, d *db.DB) string {
	t.Helper()
	var out string
	err := d.InTransaction(t.Context(), func(text func(string, ...any) (string, error)) (err error) {
		out, err = text("SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') || ' ' || current_setting('idle_in_transaction_session_timeout')")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Each transaction has its limits, whether or not a pooler is in between, and
// whether that refuses or drops what a session asks for at its start.
func TestLimits(t *testing.T) {
	direct := dbtest.PostgresURL(t)
	for name, databaseURL := range map[string]string{
		"direct":                      direct,
		"pooler that refuses":         dbtest.Pooled(t, direct, "default_pool_size = 2"),
		"pooler that leaves them out": dbtest.Pooled(t, direct, "ignore_startup_parameters = infsh.session,statement_timeout,lock_timeout,idle_in_transaction_session_timeout"),
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := settings(t, openURL(t, databaseURL)), "10s 5s 15s"; got != want {
				t.Errorf("by default %q, want %q", got, want)
			}
			d := openURL(t, databaseURL, "statement_timeout", "300ms", "lock_timeout", "1500", "idle_in_transaction_session_timeout", "1min")
			if got, want := settings(t, d), "300ms 1500ms 1min"; got != want {
				t.Errorf("as the URL says %q, want %q", got, want)
			}
			err := d.InTransaction(t.Context(), func(text func(string, ...any) (string, error)) error {
				_, err := text("SELECT pg_sleep(30)::text")
				return err
			})
			if !errors.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "nothing was done") {
				t.Errorf("a statement that takes too long: %v", err)
			}
		})
	}
}

// A statement that its caller no longer waits for ends with the caller's error,
// and the connection is of further use to nobody.
func TestCancelledStatement(t *testing.T) {
	direct := dbtest.PostgresURL(t)
	for name, databaseURL := range map[string]string{"direct": direct, "pooler": dbtest.Pooled(t, direct, "")} {
		t.Run(name, func(t *testing.T) {
			d := openURL(t, databaseURL)
			for range 3 { // The later ones are prepared where that is possible.
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				_, err := d.Text(ctx, "SELECT pg_sleep(?)::text", 30)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after the deadline: %v", err)
				}
				if got := text(t, d, "SELECT 'fine'"); got != "fine" {
					t.Errorf("afterwards: %q", got)
				}
			}
		})
	}
}

// What is asked again is prepared, once in a session, and only where a session
// keeps it.
func TestPreparedOncePerConnection(t *testing.T) {
	direct := dbtest.PostgresURL(t)
	for name, tt := range map[string]struct{ url, want string }{
		"direct": {direct, "1"}, "pooler": {dbtest.Pooled(t, direct, ""), "0"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openURL(t, tt.url)
			const asked = "SELECT ?::text AS asked_again_and_again"
			for range 5 {
				if got := text(t, d, asked, "what"); got != "what" {
					t.Fatalf("it answers %q", got)
				}
			}
			if got := text(t, d, "SELECT count(*)::text FROM pg_prepared_statements WHERE statement LIKE '%asked_again_and_again' AND statement NOT LIKE '%count%'"); got != tt.want {
				t.Errorf("%s statements are prepared, want %s", got, tt.want)
			}
		})
	}
}

// A statement whose prepared form is out of date, as after a migration by a
// later release, is prepared anew in a new session.
func TestSchemaChangesUnderPreparedStatements(t *testing.T) {
	d := dbtest.Postgres(t)
	dbtest.Exec(t, d, "CREATE TABLE moving (k int, v text)")
	dbtest.Exec(t, d, "INSERT INTO moving VALUES (1, 'one')")
	ask := func() string {
		var out string
		err := d.InTransaction(t.Context(), func(text func(string, ...any) (string, error)) (err error) {
			out, err = text("SELECT v FROM moving WHERE k = ?", 1)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for range 3 {
		ask()
	}
	dbtest.Exec(t, d, "ALTER TABLE moving ALTER COLUMN v TYPE varchar(9)")
	if got := ask(); got != "one" {
		t.Errorf("after the change: %q", got)
	}
}

// Connections that the server ends, between requests or within a transaction,
// are replaced, and what was not committed is done again.
func TestConnectionsEndedByTheServer(t *testing.T) {
	d := dbtest.Postgres(t)
	d.Raw.SetMaxOpenConns(1)
	end := "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	var open sync.WaitGroup
	for range 8 {
		open.Go(func() { _, _ = d.Text(t.Context(), "SELECT pg_sleep(0.2)::text") })
	}
	open.Wait()
	if n := dbtest.Count(t, d, end); n < 2 {
		t.Fatalf("%d connections were ended; the test shows nothing", n)
	}
	if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: "acme", Action: "after"}); err != nil {
		t.Errorf("after the connections were ended: %v", err)
	}
	tries := 0
	err := d.InTransaction(t.Context(), func(text func(string, ...any) (string, error)) error {
		if tries++; tries == 1 {
			dbtest.Count(t, d, end)
		}
		_, err := text("SELECT 'still here'")
		return err
	})
	if err != nil || tries != 2 {
		t.Errorf("a connection ended within a transaction: %v after %d tries", err, tries)
	}
}

// Where no connection becomes free, a caller is told so, and others go on
// afterwards.
func TestPoolExhausted(t *testing.T) {
	d := openURL(t, dbtest.PostgresURL(t), "pool_max_conns", "2", "connect_timeout", "1")
	release := make(chan struct{})
	var holders sync.WaitGroup
	ready := make(chan struct{}, 2)
	for range 2 {
		holders.Go(func() {
			err := d.InTransaction(t.Context(), func(func(string, ...any) (string, error)) error {
				ready <- struct{}{}
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-ready
	<-ready
	err := d.InTransaction(t.Context(), func(func(string, ...any) (string, error)) error { return nil })
	if !errors.Is(err, problem.Unavailable) {
		t.Errorf("with all connections in use: %v", err)
	}
	close(release)
	holders.Wait()
	if got := text(t, d, "SELECT 'free'"); got != "free" {
		t.Errorf("afterwards: %q", got)
	}
}

// Several hosts are written as libpq has them.
func TestSeveralHosts(t *testing.T) {
	for given, want := range map[string]string{
		"postgres://u:p@h/db?sslmode=disable":          "postgres://u:p@h/db?sslmode=disable",
		"postgres://u:p%40@a:1,b:2/db?sslmode=disable": "postgres://u:p%40@/db?host=a%2Cb&port=1%2C2&sslmode=disable",
		"postgres://a,b:2/db":                          "postgres:///db?host=a%2Cb&port=5432%2C2",
		"postgres://u@[::1]:1,b/db?port=7":             "postgres://u@/db?host=%3A%3A1%2Cb&port=7",
	} {
		if got, ok := db.SpreadHosts(given); !ok || got != want {
			t.Errorf("%s is read as %s, %v", given, got, ok)
		}
	}
	for _, bad := range []string{"postgres:/a", "postgres://a:x,b/db", "postgres://a,/db", "postgres://u:p@a,b:2:3/db"} {
		if got, ok := db.SpreadHosts(bad); ok {
			t.Errorf("%s is read as %s", bad, got)
		}
	}
}

// A URL with a mistake is refused with its place, and never repeated.
// At the start the operator reads what the database says.
func TestNoSuchDatabase(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(dbtest.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/not_there"
	if d, err := db.OpenPostgres(t.Context(), u.String()); err == nil || !strings.Contains(err.Error(), `database "not_there" does not exist`) {
		t.Errorf("opened %v: %v", d, err)
	}
}

func TestBadURL(t *testing.T) {
	for params, want := range map[string]string{
		"pool_max_conns=1":       "pool_max_conns must be a number from 2",
		"pool_max_conns=many":    "pool_max_conns must be",
		"statement_timeout=soon": "statement_timeout must be a time",
		"lock_timeout=-1":        "lock_timeout must be a time",
		"sslmode=perhaps":        "can't be read",
	} {
		_, err := db.OpenPostgres(t.Context(), "postgres://ada:canary-password@h.invalid/db?"+params)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("%s: %v", params, err)
		}
	}
}

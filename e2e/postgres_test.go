package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"infsh/db/dbtest"
)

// startAll starts instances at the same moment.
func startAll(t *testing.T, n int, flags ...string) []*server {
	t.Helper()
	data := t.TempDir()
	// Instances on machines of their own would be given the same one.
	if out, err := exec.Command(infsh, "admin", "new-kek", filepath.Join(data, "kek.json")).CombinedOutput(); err != nil {
		t.Fatalf("new-kek: %v\n%s", err, out)
	}
	servers, errs := make([]*server, n), make([]error, n)
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() { servers[i], errs[i] = tryStart(t, data, flags...) })
	}
	starting.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("instance %d: %v\n%s", i, err, servers[i].stderr)
		}
	}
	return servers
}

// ready asks /readyz. No answer within the time is 0.
func (s *server) ready(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/readyz", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.Duration(times(1, 30)) * time.Minute
	for end := time.Now().Add(limit); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v it still does not hold that %s", limit, what)
		}
	}
}

// storeRow is who a store is.
type storeRow struct {
	ID    string `db:"id"`
	Check []byte `db:"kek_check"`
}

// connect opens a database beside the servers, with one connection.
func connect(t *testing.T, databaseURL string) *sqlx.DB {
	t.Helper()
	raw, err := sqlx.Connect("postgres", databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// /readyz says what the database can do, at once even while it hangs, and
// follows it without a restart.
func TestReadyzFollowsTheDatabase(t *testing.T) {
	direct := dbtest.PostgresURL(t)
	proxy, through := dbtest.NewProxy(t, direct)
	s := start(t, t.TempDir(), "--database-url", through)
	owner := s.createUser("ada@example.com", "acme")
	raw := connect(t, direct)
	// Another store under the same KEK.
	elsewhere := dbtest.PostgresURL(t)
	start(t, s.Data, "--database-url", elsewhere).stop()
	var own, other storeRow
	const storeOf = "SELECT id, kek_check FROM stores"
	if err := errors.Join(raw.Get(&own, storeOf), connect(t, elsewhere).Get(&other, storeOf)); err != nil {
		t.Fatal(err)
	}
	become := func(r storeRow) { raw.MustExec("UPDATE stores SET id = $1, kek_check = $2", r.ID, r.Check) }
	var name string
	if err := raw.Get(&name, "SELECT current_database()"); err != nil {
		t.Fatal(err)
	}
	if got := s.ready(t.Context()); got != http.StatusOK {
		t.Fatalf("at the start: %d", got)
	}
	for _, tt := range []struct {
		name     string
		do, undo func()
	}{
		{"it hangs", proxy.Hang, func() { proxy.Cut(); proxy.Flow() }},
		{"it is down", func() { proxy.Lead(""); proxy.Cut() }, func() { proxy.Lead(direct) }},
		{"it is another store", func() { become(other) }, func() { become(own) }},
		{"it refuses writes", func() {
			raw.MustExec("ALTER DATABASE " + name + " SET default_transaction_read_only = on")
			proxy.Cut()
		}, func() {
			raw.MustExec("SET default_transaction_read_only = off; ALTER DATABASE " + name + " RESET default_transaction_read_only")
		}},
		{"a later release has taken it over", func() { raw.MustExec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, true)") },
			func() { raw.MustExec("DELETE FROM goose_db_version WHERE version_id = 1000") }},
	} {
		tt.do()
		asked := time.Now()
		if got := s.ready(t.Context()); got != http.StatusServiceUnavailable {
			t.Errorf("while %s: %d", tt.name, got)
		}
		t.Logf("while %s it answers after %v", tt.name, time.Since(asked).Round(time.Millisecond))
		if got := s.call("", "GET", "/healthz", nil).StatusCode; got != http.StatusOK {
			t.Errorf("while %s the process counts as dead: %d", tt.name, got)
		}
		tt.undo()
		await(t, "it is ready again after "+tt.name, func() bool { return s.ready(t.Context()) == http.StatusOK })
	}
	if a := s.call(owner.APIKey, "POST", "/api/secrets", map[string]string{"key": "AFTER_ALL_API_KEY", "value": "written after all of it"}); a.StatusCode != http.StatusCreated && a.StatusCode != http.StatusOK {
		t.Errorf("a write after all of it: %d %.300s", a.StatusCode, a.Body)
	}
}

// The whole main job works through pgbouncer in transaction mode, with fewer
// connections to the server than instances, which start at the same moment on
// an empty database.
func TestThroughPgbouncer(t *testing.T) {
	flags := []string{"--database-url", dbtest.Pooled(t, dbtest.PostgresURL(t), "default_pool_size = 2")}
	servers := startAll(t, 3, flags...)
	owner := servers[0].createUser("ada@example.com", "acme")
	var writing sync.WaitGroup
	for i := range 12 {
		writing.Go(func() {
			s, key := servers[i%3], fmt.Sprintf("POOLED_%d_API_KEY", i)
			for n, call := range [][2]string{{"POST", "/api/secrets"}, {"PUT", "/api/secrets/" + key}, {"PUT", "/api/secrets/" + key}} {
				body := map[string]string{"key": key, "value": fmt.Sprintf("value %d through a pooler", n+1)}
				if a := s.call(owner.APIKey, call[0], call[1], body); a.StatusCode/100 != 2 {
					t.Errorf("%s %s: %d %.300s", call[0], call[1], a.StatusCode, a.Body)
				}
			}
		})
	}
	writing.Wait()
	for i := range 12 {
		var got struct {
			Version int64
			Value   string
		}
		servers[(i+1)%3].call(owner.APIKey, "GET", fmt.Sprintf("/api/secrets/reveal/POOLED_%d_API_KEY", i), nil).json(t, &got)
		if got.Version != 3 || got.Value != "value 3 through a pooler" {
			t.Errorf("key %d has version %d", i, got.Version)
		}
	}
	t.Run("sessions of the command line", func(t *testing.T) {
		files := []string{"testdata/script/secrets.txtar", "testdata/script/grants.txtar", "testdata/script/login.txtar"}
		runScripts(t, files, func() []string {
			return []string{"--database-url", dbtest.Pooled(t, dbtest.PostgresURL(t), "default_pool_size = 2")}
		})
	})
}

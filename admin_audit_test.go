package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/spf13/cobra"

	"infsh/audit"
	"infsh/cli"
	"infsh/db"
	"infsh/db/dbtest"
)

// logged is a store whose audit log has three chains: those of the team acme,
// with ten entries, of a deleted team, and of nobody.
type logged struct {
	db    *db.DB
	raw   *sqlx.DB
	flags []string
}

func eachLog(t *testing.T, test func(t *testing.T, l logged)) {
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		d, err := db.OpenSQLite(t.Context(), filepath.Join(dir, "infsh.db"))
		if err != nil {
			t.Fatal(err)
		}
		test(t, fill(t, d, "sqlite", "file:"+filepath.Join(dir, "infsh.db"), "--data-dir", dir))
	})
	t.Run("postgres", func(t *testing.T) {
		url := dbtest.PostgresURL(t)
		d, err := db.OpenPostgres(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		test(t, fill(t, d, "postgres", url, "--database-url", url))
	})
}

func fill(t *testing.T, d *db.DB, driver, dsn string, flags ...string) logged {
	t.Helper()
	raw, err := sqlx.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = raw.Close(), d.Close() })
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.SetIdentity(t.Context(), db.Identity{StoreID: "store", KEKID: "kek", KEKCheck: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	l := logged{d, raw, flags}
	l.exec(t, "INSERT INTO teams (id, username, name, wrapped_dek, kek_id, created_by, created_at, updated_at) VALUES ('t1', 'acme', 'acme', ?, '', '', 1, 1)", []byte{1})
	for i := range 10 {
		for _, team := range []string{"t1", "gone", ""} {
			if team == "t1" || i < 3 {
				if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: team, Action: "test", Target: fmt.Sprintf("\x1b[31m%d", i), Outcome: audit.Allowed}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return l
}

func (l logged) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := l.raw.ExecContext(t.Context(), l.raw.Rebind(query), args...); err != nil {
		t.Fatal(err)
	}
}

// infsh runs a command of the audit log, as a person does.
func (l logged) infsh(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return infshAudit(t, append(args, l.flags...)...)
}

func infshAudit(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(t.Context(), append([]string{"admin", "audit"}, args...), cli.Options{
		Out: &out, Err: &errs, LookupEnv: func(string) (string, bool) { return "", false }, Commands: []*cobra.Command{adminCommand()},
	})
	return code, out.String(), errs.String()
}

// verify prints each chain's head, and names the first bad entry of each broken
// one with exit code 1.
func TestAuditVerify(t *testing.T) {
	eachLog(t, func(t *testing.T, l logged) {
		code, out, errs := l.infsh(t, "verify")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != cli.ExitOK || len(lines) != 3 || errs != "" {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		for i, want := range []string{"ok      (no team) 3:", `ok      (deleted team "gone") 3:`, "ok      acme 10:"} {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("line %d is %q, want %s…", i+1, lines[i], want)
			}
		}
		head := strings.Fields(lines[2])[2]
		if code, out, _ := l.infsh(t, "verify", "--team", "acme", "--head", head); code != cli.ExitOK || out != lines[2]+"\n" {
			t.Errorf("with its head: exit code %d, %s", code, out)
		}
		if code, out, _ := l.infsh(t, "verify", "--team", "gone"); code != cli.ExitOK || out != lines[1]+"\n" {
			t.Errorf("a deleted team: exit code %d, %s", code, out)
		}

		l.exec(t, "UPDATE audit_entries SET target = '' WHERE team_id = 't1' AND seq IN (7, 4)")
		code, out, errs = l.infsh(t, "verify")
		if code != cli.ExitFailure || !strings.Contains(out, "BROKEN  acme entry 4 ") || !strings.Contains(errs, "1 of its 3 chains") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		if code, _, _ := l.infsh(t, "verify", "--team", "gone"); code != cli.ExitOK {
			t.Errorf("another chain: exit code %d", code)
		}
		l.exec(t, "UPDATE audit_entries SET id = ? WHERE team_id = 't1' AND seq = 2", "\x1b]0;x\x07\n")
		l.exec(t, "UPDATE teams SET username = ?", "\u202eacme\x1b[2J")
		if _, out, errs := l.infsh(t, "verify"); strings.ContainsFunc(out+errs, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) {
			t.Errorf("what somebody wrote into the database reaches the terminal: %q", out+errs)
		}
	})
}

// export prints JSON lines that no terminal obeys, of all chains or one, since
// any time, and adds nothing to the log.
func TestAuditExport(t *testing.T) {
	eachLog(t, func(t *testing.T, l logged) {
		for _, c := range []struct {
			args []string
			want int
		}{
			{nil, 16}, {[]string{"--team", "acme"}, 10}, {[]string{"--team", "gone"}, 3},
			{[]string{"--since", "2020-01-01T00:00:00Z"}, 16}, {[]string{"--since", "2199-01-01T00:00:00+01:00"}, 0},
		} {
			code, out, errs := l.infsh(t, append([]string{"export"}, c.args...)...)
			if code != cli.ExitOK || errs != "" || strings.Count(out, "\n") != c.want {
				t.Errorf("%v: exit code %d, %d lines, %s", c.args, code, strings.Count(out, "\n"), errs)
			}
			for line := range strings.Lines(out) {
				var e struct {
					Seq  int64  `json:"seq"`
					Hash string `json:"hash"`
				}
				if err := json.Unmarshal([]byte(line), &e); err != nil || e.Seq < 1 || len(e.Hash) != 64 || strings.Contains(line, "\x1b") {
					t.Errorf("%v: %s: %v", c.args, line, err)
				}
			}
		}
	})
}

// What was asked for wrongly is said, and no store is made where there is none.
func TestAuditUsage(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"export", "--since", "yesterday"}, cli.ExitUsage, "--since"},
		{[]string{"verify", "--head", "1"}, cli.ExitUsage, "--head"},
		{[]string{"verify", "--head", "1:" + strings.Repeat("0", 64)}, cli.ExitUsage, "--team"},
		{[]string{"verify", "--team", ""}, cli.ExitUsage, "--team"},
		{[]string{"verify", "--data-dir", filepath.Join(empty, "none")}, cli.ExitFailure, "there is no store"},
		{[]string{"export", "--data-dir", empty}, cli.ExitFailure, "there is no store"},
		{nil, cli.ExitUsage, "verify or export"},
	} {
		if code, out, errs := infshAudit(t, c.args...); code != c.code || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, %s%s", c.args, code, out, errs)
		}
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("the empty folder holds %v, %v", left, err)
	}
	eachLog(t, func(t *testing.T, l logged) {
		if code, _, errs := l.infsh(t, "verify", "--team", "nobody"); code != cli.ExitFailure || !strings.Contains(errs, `no team "nobody"`) {
			t.Errorf("exit code %d, %s", code, errs)
		}
	})
}

// A long chain is read page by page: what is in memory does not grow with it.
func TestAuditVerifyIsBounded(t *testing.T) {
	eachLog(t, func(t *testing.T, l logged) {
		var head audit.Head
		const n, rows = 20_000, 200
		for range n / rows {
			var args []any
			for range rows {
				var e audit.Entry
				e, head = head.Next(audit.Entry{TeamID: "long", Action: "test", Target: strings.Repeat("x", 500)})
				args = append(args, e.Seq, e.At.UnixMicro(), e.Target, bytes.Clone(head.Hash[:]))
			}
			row := "('long', ?, '', ?, '', '', '', '', 'test', ?, '', '', '', '', '', '[]', ?)"
			l.exec(t, "INSERT INTO audit_entries (team_id, seq, id, at, actor_kind, actor_id, actor_name, credential_id, action, target, outcome, reason, remote_addr, request_id, run_id, versions, hash) VALUES "+
				row+strings.Repeat(", "+row, rows-1), args...)
		}
		l.exec(t, "INSERT INTO audit_chains (team_id, seq, hash) VALUES ('long', ?, ?)", head.Seq, head.Hash[:])
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var most uint64
		err := l.db.AuditSnapshot(t.Context(), func(log audit.Snapshot) error {
			got, err := audit.Verify(t.Context(), measured{log, &most}, "long", audit.Head{})
			if got != head {
				t.Errorf("the head is %v, want %v", got, head)
			}
			return err
		})
		// All 20,000 entries have 10 MB in their targets alone, a page 0.5 MB.
		if grown := int64(most) - int64(before.HeapAlloc); err != nil || grown > 5<<20 {
			t.Errorf("%d KiB were in use: %v", grown>>10, err)
		}
	})
}

// measured notes how much the heap grows while a log is read.
type measured struct {
	audit.Snapshot
	most *uint64
}

func (m measured) Page(ctx context.Context, team string, from int64, since time.Time, limit int) ([]audit.Link, error) {
	page, err := m.Snapshot.Page(ctx, team, from, since, limit)
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	*m.most = max(*m.most, now.HeapAlloc)
	return page, err
}

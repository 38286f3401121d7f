package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"infsh/audit"
	"infsh/auth"
	"infsh/db"
	"infsh/db/dbtest"
	"infsh/problem"
)

// chains verifies all chains, and returns the head of each by its team's id.
func chains(t *testing.T, d *db.DB) (heads map[string]audit.Head, broken []*audit.Broken) {
	t.Helper()
	heads = map[string]audit.Head{}
	err := d.AuditSnapshot(t.Context(), func(log audit.Snapshot) error {
		all, err := log.Chains(t.Context())
		if err != nil {
			return err
		}
		for _, c := range all {
			head, err := audit.Verify(t.Context(), log, c.TeamID, audit.Head{})
			if b := new(audit.Broken); errors.As(err, &b) {
				broken = append(broken, b)
			} else if err != nil {
				return err
			}
			heads[c.TeamID] = head
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return heads, broken
}

// Many at once, in two instances, alone and within transactions, append to the
// same chains: the numbers are dense, and every chain verifies.
func TestConcurrentAppendsMakeOneChain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		instances := []*db.DB{d.DB, d.Again(t)}
		teams := []string{"", "acme", "beta"}
		const writers, rounds = 8, 12
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for n := range rounds {
					in := instances[w%len(instances)]
					e := func(i int) audit.Entry {
						return audit.Entry{TeamID: teams[(w+n+i)%len(teams)], Action: "test", Target: fmt.Sprintf("%d/%d", w, n), Outcome: audit.Allowed}
					}
					var err error
					if n%3 == 0 {
						err = in.Auth().Update(t.Context(), func(tx auth.Tx) error {
							return errors.Join(tx.AppendAudit(t.Context(), e(0)), tx.AppendAudit(t.Context(), e(1)))
						})
					} else {
						err = in.AppendAudit(t.Context(), e(0))
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		heads, broken := chains(t, d.DB)
		var sum int64
		for _, team := range teams {
			sum += heads[team].Seq
		}
		const double = rounds / 3
		if want := int64(writers * (rounds + double)); sum != want || len(broken) > 0 {
			t.Errorf("%d of %d entries are in chains; broken are %v", sum, want, broken)
		}
	})
}

// What somebody with the database does to the log is found, whatever column it
// is in, and the first bad entry is named (U5).
func TestTamperingWithTheLogIsFound(t *testing.T) {
	const third = " WHERE team_id = 'acme' AND seq = 3"
	type tampering struct {
		name string
		sql  []string
		bad  int64
	}
	everywhere := []tampering{
		{"delete", []string{"DELETE FROM audit_entries" + third}, 3},
		{"delete the first", []string{"DELETE FROM audit_entries WHERE team_id = 'acme' AND seq = 1"}, 1},
		{"delete, and number the others anew", []string{"DELETE FROM audit_entries" + third,
			"UPDATE audit_entries SET seq = 3 WHERE team_id = 'acme' AND seq = 4", "UPDATE audit_entries SET seq = 4 WHERE team_id = 'acme' AND seq = 5",
			"UPDATE audit_entries SET seq = 5 WHERE team_id = 'acme' AND seq = 6"}, 3},
		{"change the order", []string{"UPDATE audit_entries SET seq = 99" + third,
			"UPDATE audit_entries SET seq = 3 WHERE team_id = 'acme' AND seq = 4", "UPDATE audit_entries SET seq = 4 WHERE team_id = 'acme' AND seq = 99"}, 3},
		{"cut off the end", []string{"DELETE FROM audit_entries WHERE team_id = 'acme' AND seq >= 5"}, 5},
		{"cut off everything", []string{"DELETE FROM audit_entries WHERE team_id = 'acme'"}, 1},
		{"cut off the end, and set the head back", []string{"DELETE FROM audit_entries WHERE team_id = 'acme' AND seq >= 5",
			"UPDATE audit_chains SET seq = 4 WHERE team_id = 'acme'"}, 4},
		{"copy to the end of another team's", []string{"INSERT INTO audit_entries SELECT 'acme', 7, " + entryRest + " FROM audit_entries WHERE team_id = 'beta' AND seq = 3"}, 7},
		{"copy from another team in its place", []string{"DELETE FROM audit_entries" + third,
			"INSERT INTO audit_entries SELECT 'acme', 3, " + entryRest + " FROM audit_entries WHERE team_id = 'beta' AND seq = 3"}, 3},
		{"put one before the first", []string{"INSERT INTO audit_entries SELECT 'acme', -9223372036854775808, " + entryRest + " FROM audit_entries" + third}, -1 << 63},
		{"put one at the very end", []string{"INSERT INTO audit_entries SELECT 'acme', 9223372036854775807, " + entryRest + " FROM audit_entries" + third}, 7},
		{"remove the head", []string{"DELETE FROM audit_chains WHERE team_id = 'acme'"}, 1},
		{"change the head's number", []string{"UPDATE audit_chains SET seq = seq - 1 WHERE team_id = 'acme'"}, 6},
		{"change the head's hash", []string{"UPDATE audit_chains SET hash = (SELECT hash FROM audit_entries" + third + ") WHERE team_id = 'acme'"}, 6},
		{"cut the head's hash short", []string{"UPDATE audit_chains SET hash = substr(hash, 1, 31) WHERE team_id = 'acme'"}, 6},
		{"write the versions in another way", []string{`UPDATE audit_entries SET versions = ' ' || versions` + third}, 3},
		{"write the versions as no JSON", []string{`UPDATE audit_entries SET versions = ''` + third}, 3},
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		cases := slices.Clone(everywhere)
		for column, kind := range columns(t, d) {
			to := map[string]string{"BIGINT": column + " + 1", "INTEGER": column + " + 1", "INT8": column + " + 1", "TEXT": column + " || 'x'", "BLOB": "zeroblob(32)", "BYTEA": "decode(repeat('00', 32), 'hex')"}[kind]
			if to == "" {
				t.Fatalf("column %s has the type %s", column, kind)
			}
			if column == "seq" {
				to = "99"
			}
			cases = append(cases, tampering{"edit " + column, []string{"UPDATE audit_entries SET " + column + " = " + to + third}, 3})
		}
		for _, c := range cases {
			dbtest.Exec(t, d, "DELETE FROM audit_entries")
			dbtest.Exec(t, d, "DELETE FROM audit_chains")
			for i := range 6 {
				for _, team := range []string{"acme", "beta"} {
					e := audit.Entry{TeamID: team, ActorName: "ada@example.com", Action: "app.resolve", Target: fmt.Sprint(i), Outcome: audit.Allowed, Versions: []audit.KeyVersion{{Key: "A_KEY", Version: 1}}}
					if err := d.AppendAudit(t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, broken := chains(t, d.DB); len(broken) > 0 {
				t.Fatalf("an untouched log: %v", broken)
			}
			for _, statement := range c.sql {
				dbtest.Exec(t, d, statement)
			}
			heads, broken := chains(t, d.DB)
			// Moved to another team's name, an entry is bad there too.
			if len(broken) == 0 || broken[0].TeamID != "acme" || broken[0].Seq != c.bad || heads["beta"].Seq != 6 {
				t.Errorf("%s: the first bad entry is %d, and verify says %v", c.name, c.bad, broken)
			}
		}
	})
}

// entryRest are the columns of an entry but for its team and number.
const entryRest = "id, at, actor_kind, actor_id, actor_name, credential_id, action, target, outcome, reason, remote_addr, request_id, run_id, versions, hash"

// columns returns those of audit_entries with their types.
func columns(t *testing.T, d *dbtest.Database) map[string]string {
	t.Helper()
	rows, err := d.Raw.QueryContext(t.Context(), "SELECT * FROM audit_entries")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range types {
		out[c.Name()] = c.DatabaseTypeName()
	}
	return out
}

// The entries of a team that was deleted stay, and a team whose chain was
// removed altogether is found.
func TestChainsAndTeams(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		_, teamID := person(t, d, "ada@example.com", "acme")
		if _, broken := chains(t, d.DB); len(broken) != 1 || broken[0].TeamID != teamID {
			t.Errorf("a team without a chain: %v", broken)
		}
		if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: teamID}); err != nil {
			t.Fatal(err)
		}
		dbtest.Exec(t, d, "DELETE FROM teams")
		if heads, broken := chains(t, d.DB); len(broken) > 0 || heads[teamID].Seq != 1 {
			t.Errorf("after its team was deleted, the chain is %v, broken %v", heads, broken)
		}
	})
}

// An entry is stored whatever its texts hold.
func TestEntriesWithStrangeTexts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		for _, s := range []string{"\x00", "\xff\xfe", "a\r\nb\x1b[31m", "\u202e", strings.Repeat("é", 5000)} {
			e := audit.Entry{TeamID: "acme", Target: s, RequestID: s, Versions: []audit.KeyVersion{{Key: s, Version: 1}}}
			if err := d.AppendAudit(t.Context(), e); err != nil {
				t.Errorf("%.20q: %v", s, err)
			}
		}
		if heads, broken := chains(t, d.DB); heads["acme"].Seq != 5 || len(broken) > 0 {
			t.Errorf("heads %v, broken %v", heads, broken)
		}
	})
}

// One transaction may have more entries than a statement has room for.
func TestManyEntriesInOneTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		const n = 5000
		err := d.Auth().Update(t.Context(), func(tx auth.Tx) error {
			for i := range n {
				if err := tx.AppendAudit(t.Context(), audit.Entry{TeamID: []string{"acme", ""}[i%2]}); err != nil {
					return err
				}
			}
			return nil
		})
		if heads, broken := chains(t, d.DB); err != nil || heads["acme"].Seq != n/2 || heads[""].Seq != n/2 || len(broken) > 0 {
			t.Errorf("heads %v, broken %v, %v", heads, broken, err)
		}
	})
}

// A chain whose head is damaged takes no more entries, as nobody could tell
// where it ended. The other chains go on, though they share commits with it.
func TestADamagedHeadStopsItsChainAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		for _, damage := range []string{
			"DELETE FROM audit_chains WHERE team_id = 'acme'",
			"UPDATE audit_chains SET hash = substr(hash, 1, 5) WHERE team_id = 'acme'",
		} {
			dbtest.Exec(t, d, "DELETE FROM audit_entries")
			dbtest.Exec(t, d, "DELETE FROM audit_chains")
			for range 3 {
				if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: "acme"}); err != nil {
					t.Fatal(err)
				}
			}
			dbtest.Exec(t, d, damage)
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() {
					if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: "acme"}); !errors.Is(err, problem.Unavailable) {
						t.Errorf("the chain goes on: %v", err)
					}
				})
				group.Go(func() {
					if err := d.AppendAudit(t.Context(), audit.Entry{TeamID: "beta"}); err != nil {
						t.Errorf("another chain stops: %v", err)
					}
				})
			}
			group.Wait()
			if n := dbtest.Count(t, d, "SELECT count(*) FROM audit_entries WHERE team_id = 'beta'"); n != 20 {
				t.Errorf("%d of 20 entries were written", n)
			}
		}
	})
}

// A write whose entry can't be written does not happen, and one that fails
// leaves no entry.
func TestAWriteAndItsEntryAreOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		user, teamID := person(t, d, "ada@example.com", "acme")
		remove := func(then error) error {
			return d.Auth().Update(t.Context(), func(tx auth.Tx) error {
				return errors.Join(tx.DeleteLogins(t.Context(), user), tx.AppendAudit(t.Context(), audit.Entry{TeamID: teamID}), then)
			})
		}
		login := auth.Key{ID: "l", Kind: "login", TeamID: teamID, UserID: user, CreatedAt: noon}
		if err := d.Auth().Update(t.Context(), func(tx auth.Tx) error { return tx.InsertKey(t.Context(), login, []byte{1}) }); err != nil {
			t.Fatal(err)
		}
		state := func() [2]int {
			return [2]int{dbtest.Count(t, d, "SELECT count(*) FROM api_keys"), dbtest.Count(t, d, "SELECT count(*) FROM audit_chains")}
		}
		boom := errors.New("boom")
		if err := remove(boom); !errors.Is(err, boom) || state() != [2]int{1, 0} {
			t.Errorf("a failed write: %v, left %v", err, state())
		}
		dbtest.Exec(t, d, "ALTER TABLE audit_entries RENAME TO elsewhere")
		if err := remove(nil); !errors.Is(err, problem.Unavailable) || state() != [2]int{1, 0} {
			t.Errorf("a write without its entry: %v, left %v", err, state())
		}
		dbtest.Exec(t, d, "ALTER TABLE elsewhere RENAME TO audit_entries")
		if err := remove(nil); err != nil || state() != [2]int{0, 1} {
			t.Errorf("a write with its entry: %v, left %v", err, state())
		}
	})
}

// Closing the database writes what waits, and takes nothing more.
func TestCloseWritesWhatWaits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		other := d.Again(t)
		// Somebody holds the chain, so that entries pile up.
		tx, err := d.Raw.BeginTxx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), tx.Rebind("INSERT INTO audit_chains (team_id, seq, hash) VALUES ('acme', 0, ?)"), make([]byte, 32)); err != nil {
			t.Fatal(err)
		}
		const n = 40
		done := make(chan error, n)
		for range n {
			go func() { done <- other.AppendAudit(context.Background(), audit.Entry{TeamID: "acme"}) }()
		}
		time.Sleep(50 * time.Millisecond) // most have come; the others are refused
		closed := make(chan error, 1)
		go func() { closed <- other.Close() }()
		time.Sleep(50 * time.Millisecond)
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			t.Fatal(err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		written := 0
		for range n {
			if err := <-done; err == nil {
				written++
			} else if !errors.Is(err, problem.Unavailable) {
				t.Error(err)
			}
		}
		if heads, broken := chains(t, d.DB); heads["acme"].Seq != int64(written) || len(broken) > 0 || written == 0 {
			t.Errorf("%d were told that their entry is written, and the head is %v; broken %v", written, heads["acme"], broken)
		}
		if err := other.AppendAudit(t.Context(), audit.Entry{TeamID: "acme"}); !errors.Is(err, problem.Unavailable) {
			t.Errorf("an entry after the end: %v", err)
		}
	})
}

package db_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/envvar"
	"infsh/secret"
)

// What a page says of runs is what the whole log says, wherever the table ends
// that was read from it; and it is the same after the table was lost.
func TestDeliveriesAreThoseOfTheLog(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek := newKEK(t)
		acme, beta := dbtest.Team(t, d, kek, "acme"), dbtest.Team(t, d, kek, "beta")
		random := rand.New(rand.NewPCG(6, 1))
		began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var all []secret.Delivery
		logged := map[string]int64{}
		write := func(n int) {
			t.Helper()
			for range n {
				e := audit.Entry{
					TeamID: []string{acme.ID, beta.ID}[random.IntN(8)/7], At: began.Add(time.Duration(len(all)) * time.Second), ActorKind: "key",
					Action: []string{"app.resolve", "app.resolve", "app.resolve", "app.deploy"}[random.IntN(4)], Outcome: []audit.Outcome{audit.Allowed, audit.Allowed, audit.Failed}[random.IntN(3)],
					Target: fmt.Sprintf("acme/app-%d", random.IntN(3)), RunID: fmt.Sprintf("run-%d", random.IntN(100)),
				}
				if random.IntN(5) > 0 {
					e.Reason = fmt.Sprintf("version %d", 1+random.IntN(3))
				}
				for i := range random.IntN(3) {
					e.Versions = append(e.Versions, audit.KeyVersion{Key: []string{"A_KEY", "OTHER=B_KEY"}[i], Version: int64(1 + random.IntN(30))})
				}
				if err := d.AppendAudit(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				logged[e.TeamID]++
				if e.Seq = logged[e.TeamID]; e.TeamID == acme.ID && e.Action == "app.resolve" && e.Outcome == audit.Allowed {
					all = append(all, secret.DeliveriesOf(e)...)
				}
			}
		}
		mustBe := func(when string) {
			t.Helper()
			for _, key := range []envvar.Key{"A_KEY", "B_KEY"} {
				since := began.Add(time.Duration(len(all)/3) * time.Second)
				want := secret.Latest(slices.DeleteFunc(slices.Clone(all), func(d secret.Delivery) bool {
					return d.Key != key && d.Key != "" || d.Key == key && d.At.Before(since)
				}))
				err := d.Secrets().View(t.Context(), func(r secret.Reader) error {
					got, err := r.Deliveries(t.Context(), acme.ID, key, since)
					// What is long gone may be left out.
					old := func(d secret.Delivery) bool { return d.Key != "" && d.Version <= 10 }
					if !slices.Equal(slices.DeleteFunc(got.Items, old), slices.DeleteFunc(want, old)) || got.Unread != 0 {
						t.Errorf("%s, %s: %d unread,\n%v\nand the log has\n%v", when, key, got.Unread, got.Items, want)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		read := func(from, atOnce int64) {
			t.Helper()
			if err := d.Secrets().ReadRunsOf(t.Context(), from, atOnce); err != nil {
				t.Fatal(err)
			}
		}
		mustBe("before any run")
		write(150)
		mustBe("without the table")
		read(40, 25)
		if n := dbtest.Count(t, d, "SELECT count(*) FROM delivery_positions"); n != 1 {
			t.Errorf("%d logs were read, and one is long", n)
		}
		mustBe("with a part of it")
		write(100)
		mustBe("with a part of it and more runs")
		read(1, 1000)
		mustBe("with all of it")
		if n := dbtest.Count(t, d, "SELECT count(*) FROM delivery_positions p JOIN audit_chains c ON c.team_id = p.team_id AND c.seq = p.seq"); n != 2 {
			t.Errorf("%d of 2 logs were read to their end", n)
		}
		read(1, 1000)
		dbtest.Exec(t, d, "DELETE FROM key_deliveries")
		dbtest.Exec(t, d, "DELETE FROM delivery_positions")
		mustBe("after the table was lost")
		dbtest.Exec(t, d, "DELETE FROM teams WHERE id = ?", acme.ID)
		read(1, 10)
	})
}

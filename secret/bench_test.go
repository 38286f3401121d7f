package secret_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/secret"
)

// alone gives each audit entry a commit of its own, as a store without group
// commit would.
type alone struct{ secret.Store }

func (s alone) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.Update(ctx, func(tx secret.Tx) error { return tx.AppendAudit(ctx, e) })
}

// BenchmarkResolve resolves five secrets with so many callers at once, on
// databases that sync each commit. Both ways, with group commit and with a
// commit for each entry, take turns within the same run: "speedup" is how many
// times faster the group commit is, and ns/op is that of both together.
func BenchmarkResolve(b *testing.B) {
	for _, database := range []struct {
		name string
		open func(testing.TB) *dbtest.Database
	}{{"sqlite", dbtest.SQLite}, {"postgres", dbtest.DurablePostgres}} {
		b.Run(database.name, func(b *testing.B) {
			w := newWorld(b, database.open(b))
			var reqs []secret.Requirement
			for i := range 5 {
				key := fmt.Sprintf("SERVICE_%c_API_KEY", 'A'+i)
				w.set(b, w.owner, key, "sk-1234567890abcdef-1234567890abcdef")
				reqs = append(reqs, required(key))
			}
			w.deploy(b, w.owner, "app", reqs...)
			services := []*secret.Service{w.secrets, secret.NewService(alone{w.db.Secrets()}, w.kek)}
			for _, callers := range []int{1, 16, 64} {
				b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
					var spent [2]time.Duration
					for turn, done := 0, 0; done < b.N; turn++ {
						n := min(b.N-done, 20*callers)
						for i := range services {
							way := (i + turn) % len(services)
							start := time.Now()
							resolveMany(b, w, services[way], callers, n)
							spent[way] += time.Since(start)
						}
						done += n
					}
					b.ReportMetric(float64(b.N)/spent[0].Seconds(), "grouped/s")
					b.ReportMetric(float64(b.N)/spent[1].Seconds(), "alone/s")
					b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "speedup")
				})
			}
		})
	}
}

// resolveMany makes n resolves with so many callers at once.
func resolveMany(b *testing.B, w *world, s *secret.Service, callers, n int) {
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for range (n + callers - 1 - i) / callers {
				if got, err := s.Resolve(b.Context(), w.member, secret.Run{App: "acme/app"}); err != nil || len(got.Env) != 5 {
					b.Errorf("resolved %d secrets: %v", len(got.Env), err)
					return
				}
			}
		})
	}
	group.Wait()
}

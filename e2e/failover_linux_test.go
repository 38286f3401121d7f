package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"infsh/db/dbtest"
)

// When the primary is lost and its standby promoted, servers find it by
// themselves, and nothing that was acknowledged is missing there. The standby
// is synchronous: an asynchronous one may lack the last transactions.
func TestFailover(t *testing.T) {
	primary := dbtest.NewCluster(t)
	primary.Exec("postgres", "CREATE DATABASE infsh")
	standby := primary.Standby("standby")
	primary.Exec("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
	primary.Exec("postgres", "SELECT pg_reload_conf()")
	flags := []string{"--database-url", fmt.Sprintf("postgres://postgres@%s,%s/infsh?sslmode=disable&target_session_attrs=read-write&connect_timeout=2", primary.Address(), standby.Address())}

	data := filepath.Join(t.TempDir(), "data")
	servers := []*server{start(t, data, flags...), start(t, data, flags...)}
	owner := servers[0].createUser("ada@example.com", "acme")
	if got := servers[0].ready(t.Context()); got != http.StatusOK {
		t.Fatalf("at the start: %d", got)
	}

	storm := newStorm(t, owner.APIKey, servers, 4)
	storm.run(8, 2)
	storm.goOn("some writes were acknowledged", 40)
	killed := time.Now()
	primary.Kill()
	standby.Promote()
	t.Logf("promoted %v after the primary was killed", time.Since(killed).Round(time.Millisecond))
	storm.goOn("writes go on after the promotion", 40)
	storm.end()
	for i, s := range servers {
		await(t, "each instance is ready", func() bool { return s.ready(t.Context()) == http.StatusOK })
		if i == 0 {
			mustOperate(t, s.flags, "audit", "verify")
		}
	}
	t.Logf("for %v no write was acknowledged", storm.pause(killed))
}

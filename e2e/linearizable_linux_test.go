package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"infsh/db/dbtest"
)

// D6: what many clients of three instances are told of one key fits one order
// of things: no update is lost, versions are dense, a change for a version
// that is over is refused.
func TestHistoryOfOneKeyIsLinearizable(t *testing.T) {
	cluster := dbtest.NewCluster(t)
	cluster.Exec("postgres", "CREATE DATABASE infsh")
	servers := startAll(t, 3, "--database-url", cluster.URL("infsh"))
	owner := servers[0].createUser("ada@example.com", "acme")
	storm := newStorm(t, owner.APIKey, servers, 1)
	storm.run(times(10, 50), times(2, 10))
	storm.goOn("many writes are acknowledged", times(80, 3000))
	storm.end()
	if want := times(100, 10_000); len(storm.ops) < want {
		t.Errorf("only %d operations, want %d", len(storm.ops), want)
	}
	if storm.count("refused") == 0 {
		t.Error("no change was refused; the test shows nothing of If-Match")
	}
}

// D4: three instances while each part fails in turn: an instance is killed, the
// database stops as in a crash, connections are ended by the server or by the
// network, the database is away. Nothing that was acknowledged is lost or done
// twice, what can't be done is 503, and all of them go on without a restart.
func TestFaultsOnPostgres(t *testing.T) {
	cluster := dbtest.NewCluster(t)
	cluster.Exec("postgres", "CREATE DATABASE infsh")
	proxy, through := dbtest.NewProxy(t, cluster.URL("infsh"))
	data := filepath.Join(t.TempDir(), "data")
	flags := []string{"--database-url", through + "&pool_max_conns=4"}
	servers := []*server{start(t, data, flags...), start(t, data, flags...), start(t, data, flags...)}
	owner := servers[0].createUser("ada@example.com", "acme")
	storm := newStorm(t, owner.APIKey, servers, 2)
	storm.run(6, 2)
	storm.goOn("writes are acknowledged", 10)
	away := time.Duration(times(1, 60)) * time.Second

	slowest := map[string]time.Duration{}
	for _, fault := range []struct {
		name   string
		rounds int
		// do does it and ends it.
		do func(round int)
	}{
		{"an instance is killed", times(1, 20), func(round int) { servers[round%3].kill(); storm.restart(round%3, flags...) }},
		{"the database stops at once", times(1, 10), func(int) { cluster.Stop("immediate"); cluster.Start() }},
		{"the database loses its machine", times(1, 10), func(int) { cluster.Kill(); cluster.Start() }},
		{"the server ends all connections", times(1, 20), func(int) {
			cluster.Exec("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'infsh'")
		}},
		{"the network ends all connections", times(1, 20), func(int) { proxy.Cut() }},
		{"the network holds everything", times(1, 5), func(int) { proxy.Hang(); time.Sleep(time.Second); proxy.Flow() }},
		{"a lock is held for long", times(1, 3), func(int) {
			cluster.Exec("infsh", "BEGIN; LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep("+fmt.Sprint(times(1, 8))+"); COMMIT")
		}},
		{"the database is away", 1, func(int) { cluster.Stop("fast"); time.Sleep(away); cluster.Start() }},
	} {
		for round := range fault.rounds {
			fault.do(round)
			over := time.Now()
			storm.goOn("writes go on after "+fault.name, times(6, 20))
			slowest[fault.name] = max(slowest[fault.name], storm.first(over))
		}
	}
	storm.end()
	mustOperate(t, servers[0].flags, "audit", "verify")
	for name, d := range slowest {
		t.Logf("after %s the first write was acknowledged within %v", name, d)
	}
}

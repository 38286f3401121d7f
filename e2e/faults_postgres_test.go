package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"infsh/db/dbtest"
)

// D3: while the disk under PostgreSQL is full, nothing is acknowledged that is
// not stored, and nothing disclosed that is not in the log; what can't be done
// is 503. PostgreSQL itself may end then. Once there is room, and it runs again,
// infsh goes on without a restart.
func TestDiskFaultsOnPostgres(t *testing.T) {
	t.Parallel() // It waits more than it works.
	cluster, fill := clusterOnASmallDisk(t)
	cluster.Exec("postgres", "CREATE DATABASE infsh")
	s := start(t, filepath.Join(t.TempDir(), "data"), "--database-url", cluster.URL("infsh"))
	w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
	w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
	w.set(w.ada.APIKey, "FILLING_API_KEY", "before")
	w.deploy(w.ada.APIKey, "demo", "OPENAI_API_KEY")
	runner := w.apiKey(w.ada, "runner", "apps:execute")

	var journals []*journal
	stop, running := make(chan struct{}), sync.WaitGroup{}
	var runs atomic.Int64
	var mu sync.Mutex
	var receipts []string
	for i := range 4 {
		j := &journal{key: fmt.Sprintf("FAULT_%d_API_KEY", i), acked: map[int64]string{}}
		journals = append(journals, j)
		running.Go(func() { w.writeOn(j, stop) })
		running.Go(func() {
			for !stopped(stop) {
				run := fmt.Sprintf("run-%d", runs.Add(1))
				switch a := w.call(runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/demo", "run_id": run}); {
				case a.StatusCode == http.StatusServiceUnavailable:
					w.clean(a)
				case a.StatusCode != http.StatusOK || !strings.Contains(a.Body, faultCanary):
					t.Errorf("resolve: %d %.300s", a.StatusCode, a.Body)
					return
				default:
					mu.Lock()
					receipts = append(receipts, run)
					mu.Unlock()
				}
			}
		})
	}
	for range times(1, 10) {
		end := fill()
		w.untilRefused(w.ada.APIKey, "PUT", "/api/secrets/FILLING_API_KEY", map[string]any{"value": strings.Repeat("filling ", 200)})
		w.untilRefused(runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/demo"})
		w.untilRefused(w.ada.APIKey, "GET", "/api/secrets/reveal/OPENAI_API_KEY", nil)
		w.want(http.StatusOK, "", "GET", "/healthz", nil)
		end()
		cluster.Revive()
		w.recovers(runner)
	}
	close(stop)
	running.Wait()
	for _, j := range journals {
		if j.last == 0 {
			t.Errorf("nothing was written to %s; the test shows nothing", j.key)
		}
		j.check(t, s, w.ada.APIKey)
	}
	mustOperate(t, s.flags, "audit", "verify")
	exported := mustOperate(t, s.flags, "audit", "export")
	for _, run := range receipts {
		if !strings.Contains(exported, `"run_id":"`+run+`"`) {
			t.Errorf("%s got its values, and the log does not know", run)
		}
	}
	if len(receipts) == 0 {
		t.Error("nothing was disclosed; the test shows nothing")
	}
}

// stopped reports, after a short pause, whether it is time to stop.
func stopped(c chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-time.After(5 * time.Millisecond):
		return false
	}
}

// untilRefused asks until the fault is felt: there is some room yet in what the
// database has already taken.
func (w *town) untilRefused(key, method, path string, body any) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		a := w.call(key, method, path, body)
		if a.StatusCode == http.StatusServiceUnavailable {
			w.clean(a)
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s %s is answered %d on a full disk: %.300s", method, path, a.StatusCode, a.Body)
		}
	}
}

// clusterOnASmallDisk is a PostgreSQL whose disk can be filled. Where nothing
// can be mounted, the limit of file sizes stands for it.
func clusterOnASmallDisk(t *testing.T) (c *dbtest.Cluster, fill func() (end func())) {
	t.Helper()
	settings := []string{"min_wal_size=2MB", "max_wal_size=4MB"}
	if err := tryMount(t); err != nil {
		t.Logf("a full disk is a limit of file sizes here, since nothing can be mounted: %v", err)
		c = dbtest.NewCluster(t, settings...)
		limit := func(most uint64) {
			t.Helper()
			for _, pid := range c.Processes() {
				if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: most, Max: unix.RLIM_INFINITY}, nil); err != nil && err != unix.ESRCH {
					t.Fatal(err)
				}
			}
		}
		return c, func() func() {
			limit(0)
			return func() { limit(unix.RLIM_INFINITY) }
		}
	}
	disk, err := os.MkdirTemp("/tmp", "infsh-disk")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=128m,mode=0755"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
		_ = os.Remove(disk)
	})
	dir := filepath.Join(disk, "pg")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c = dbtest.NewSmallCluster(t, dir, settings...)
	return c, func() func() { return fillFolder(t, disk) }
}

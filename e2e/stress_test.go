package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// D8: fifty who write, a backup and checkpoints at once: nobody hears of a lock.
func TestManyWritersBesideBackupsAndCheckpoints(t *testing.T) {
	w := newTown(t)
	const writers = 50
	var journals []*journal
	stop := make(chan struct{})
	var running sync.WaitGroup
	var written atomic.Int64
	for i := range writers {
		j := &journal{key: fmt.Sprintf("BUSY_%d_API_KEY", i), acked: map[int64]string{}}
		journals = append(journals, j)
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !j.write(http.DefaultClient, w.URL, w.ada.APIKey) {
					t.Errorf("%s: a write was refused\n%.2000s", j.key, w.stderr)
					return
				}
				written.Add(1)
			}
		})
	}
	checkpoints := checkpoint(t, w.Data, stop, &running)
	// So long that something happens, also on a slow machine.
	for i := 0; !t.Failed() && (i < times(3, 50) || written.Load() < 3*writers || checkpoints.Load() == 0); i++ {
		backUp(t, w.server, filepath.Join(t.TempDir(), fmt.Sprintf("backup-%d", i)))
	}
	close(stop)
	running.Wait()
	versions := int64(0)
	for _, j := range journals {
		j.check(t, w.server, w.ada.APIKey)
		versions += j.last
	}
	t.Logf("%d writers made %d versions beside %d checkpoints", writers, versions, checkpoints.Load())
	if versions < 2*writers || checkpoints.Load() == 0 {
		t.Error("too little happened; the test shows nothing")
	}
	if log := w.stderr.String(); strings.Contains(log, "database is locked") {
		t.Error("a lock was not waited for")
	}
	mustOperate(t, w.flags, "audit", "verify")
	w.stop()
}

// checkpoint empties the write-ahead log again and again, as another process
// that uses the database would.
func checkpoint(t *testing.T, data string, stop chan struct{}, running *sync.WaitGroup) *atomic.Int64 {
	t.Helper()
	other, err := sqlx.Open("sqlite", "file:"+filepath.Join(data, "infsh.db")+"?_pragma=busy_timeout(100)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	done := new(atomic.Int64)
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if _, err := other.Exec("PRAGMA wal_checkpoint(RESTART)"); err == nil {
				done.Add(1)
			}
		}
	})
	return done
}

// receiptLine is an entry of `infsh admin audit export`.
var receiptLine = regexp.MustCompile(`"run_id":"(run-[0-9]+)"`)

// U2: whoever got a value has a receipt in the log, also when the server is
// killed in between.
func TestEachDisclosureIsInTheLogAfterAKill(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data)
	w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
	w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
	w.deploy(w.ada.APIKey, "demo", "OPENAI_API_KEY")
	runner := w.apiKey(w.ada, "runner", "apps:execute")
	var next, reveals atomic.Int64
	var mu sync.Mutex
	var receipts []string
	kills, enough := times(4, 60), times(400, 10_000)
	for round := 0; round < kills || len(receipts)+int(reveals.Load()) < enough; round++ {
		var clients sync.WaitGroup
		halt := make(chan struct{})
		for i := range 8 {
			clients.Go(func() {
				client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
				defer client.CloseIdleConnections()
				for {
					select {
					case <-halt:
						return
					default:
					}
					run := fmt.Sprintf("run-%d", next.Add(1))
					if i%4 == 3 { // A reveal has no run id, so these are counted.
						if got(client, w.URL, "GET", "/api/secrets/reveal/OPENAI_API_KEY", w.ada.APIKey, "") {
							reveals.Add(1)
						}
					} else if got(client, w.URL, "POST", "/internal/v1/resolve", runner, `{"app":"acme/demo","run_id":"`+run+`"}`) {
						mu.Lock()
						receipts = append(receipts, run)
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(time.Duration(100+round%7*30) * time.Millisecond)
		w.kill()
		close(halt)
		clients.Wait()
		w.server = start(t, data)
	}
	exported := mustOperate(t, w.flags, "audit", "export")
	logged := map[string]bool{}
	for _, m := range receiptLine.FindAllStringSubmatch(exported, -1) {
		logged[m[1]] = true
	}
	for _, run := range receipts {
		if !logged[run] {
			t.Errorf("%s got its values, and the log does not know", run)
		}
	}
	if n := strings.Count(exported, `"secret.reveal"`); n < int(reveals.Load()) {
		t.Errorf("%d values were revealed, and %d are in the log", reveals.Load(), n)
	}
	if len(receipts) == 0 || reveals.Load() == 0 {
		t.Error("nothing was disclosed; the test shows nothing")
	}
	if strings.Contains(exported, faultCanary) {
		t.Error("the log holds the value")
	}
	mustOperate(t, w.flags, "audit", "verify")
	t.Logf("%d runs and %d reveals, all in the log", len(receipts), reveals.Load())
}

// got reports whether a value was disclosed.
func got(client *http.Client, base, method, path, key, body string) bool {
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		return false
	}
	setHeaders(req, []string{"Authorization", "Bearer " + key, "Content-Type", "application/json"})
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	buf := make([]byte, 4096)
	n, _ := res.Body.Read(buf)
	return res.StatusCode == http.StatusOK && strings.Contains(string(buf[:n]), faultCanary)
}

// D9: under steady use the server's descriptors, goroutines and memory stay
// flat. INFSH_SOAK says how long, such as 1h.
func TestSoak(t *testing.T) {
	length := time.Duration(times(8, 120)) * time.Second
	if given := os.Getenv("INFSH_SOAK"); given != "" {
		var err error
		if length, err = time.ParseDuration(given); err != nil {
			t.Fatalf("INFSH_SOAK: %v", err)
		}
	}
	w, _ := used(t)
	runner := w.apiKey(w.ada, "soaking", "apps:execute")
	w.set(w.ada.APIKey, "SOAKED_API_KEY", "soaked")
	stop := make(chan struct{})
	var running sync.WaitGroup
	var served atomic.Int64
	for i := range 4 {
		running.Go(func() {
			for turn := 0; ; turn++ {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond):
				}
				w.want(http.StatusOK, runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/canary-app"})
				w.want(http.StatusOK, w.ada.APIKey, "POST", "/api/secrets/list", nil)
				w.want(http.StatusForbidden, runner, "POST", "/api/secrets/list", nil)
				if i == 0 {
					w.want(http.StatusOK, w.ada.APIKey, "PUT", "/api/secrets/SOAKED_API_KEY", map[string]any{"value": fmt.Sprint("soaked ", turn)})
				}
				served.Add(3)
			}
		})
	}
	// Caches and pools fill first.
	time.Sleep(length / 4)
	const samples = 30
	var open, goroutines, memory []float64
	for range samples {
		time.Sleep(length * 3 / 4 / samples)
		text, _ := scrape(t, w.server)
		open = append(open, metric(t, text, "process_open_fds"))
		goroutines = append(goroutines, metric(t, text, "go_goroutines"))
		memory = append(memory, metric(t, text, "process_resident_memory_bytes"))
	}
	close(stop)
	running.Wait()
	flat := func(what string, all []float64, slack float64) {
		t.Helper()
		early, late := median(all[:samples/3]), median(all[samples*2/3:])
		t.Logf("%s: median %.0f at first, %.0f at last", what, early, late)
		if late > early*1.05+slack {
			t.Errorf("%s grow from %.0f to %.0f", what, early, late)
		}
	}
	t.Logf("%d requests in %s", served.Load(), length)
	flat("open descriptors", open, 4)
	flat("goroutines", goroutines, 8)
	// In a short run caches still fill, and the race detector takes its own.
	flat("bytes of memory", memory, float64(times(64, 8)<<20))
}

func metric(t testing.TB, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("/metrics has no %s", name)
	return 0
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

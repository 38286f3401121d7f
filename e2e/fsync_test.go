package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// D2: each acknowledged write was synced to the disk before its answer left.
// A kill does not show that, a power cut would; so the system calls are
// watched.
func TestEachAcknowledgementFollowsASync(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("this test needs strace; on Debian: apt-get install strace")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	s := startUnder(t, []string{strace, "-f", "-qq", "-ttt", "-e", "trace=fdatasync,fsync", "-e", "signal=none", "-o", trace}, filepath.Join(t.TempDir(), "data"))
	owner := s.createUser("ada@example.com", "acme")
	type span struct{ from, to float64 }
	var spans []span
	for i := range times(20, 100) {
		from := time.Now()
		a := s.call(owner.APIKey, "POST", "/api/secrets", map[string]string{"key": fmt.Sprintf("SYNCED_%d_API_KEY", i), "value": "a value to be synced"})
		if a.StatusCode != 201 {
			t.Fatalf("write %d answered %d: %.200s", i, a.StatusCode, a.Body)
		}
		spans = append(spans, span{seconds(from), seconds(time.Now())})
	}
	s.stop()

	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var synced []float64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 1234 1700000000.123456 fdatasync(9) = 0
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || !strings.Contains(fields[2], "sync(") {
			continue
		}
		if at, err := strconv.ParseFloat(fields[1], 64); err == nil {
			synced = append(synced, at)
		}
	}
	for i, w := range spans {
		found := false
		for _, at := range synced {
			found = found || at > w.from && at < w.to
		}
		if !found {
			t.Errorf("write %d was acknowledged without a sync", i)
		}
	}
	t.Logf("%d acknowledged writes, %d syncs", len(spans), len(synced))
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

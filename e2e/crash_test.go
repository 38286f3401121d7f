package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"infsh/db/dbtest"
)

// long reports whether the long forms are to run, as `make torture` does.
func long() bool { return os.Getenv("INFSH_TORTURE") != "" }

func times(short, inTorture int) int {
	if long() {
		return inTorture
	}
	return short
}

// journal is what one writer knows of its key: every version that was
// acknowledged, with its value, and the one write whose fate is unknown.
type journal struct {
	key     string
	acked   map[int64]string
	last    int64
	unknown string
	writes  int
}

// write puts the next value, and notes the answer. It reports whether the
// server answered.
func (j *journal) write(client *http.Client, base, apiKey string) bool {
	j.writes++
	value := fmt.Sprintf("value %d of %s, written before a crash", j.writes, j.key)
	method, path := http.MethodPut, "/api/secrets/"+j.key
	body := map[string]string{"value": value}
	if j.last == 0 {
		method, path = http.MethodPost, "/api/secrets"
		body["key"] = j.key
	}
	encoded, _ := json.Marshal(body)
	req, err := http.NewRequest(method, base+path, bytes.NewReader(encoded))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	j.unknown = value
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	var written struct {
		Version int64 `json:"version"`
	}
	if err != nil || json.Unmarshal(b, &written) != nil {
		return false
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusCreated:
		j.acked[written.Version], j.last, j.unknown = value, written.Version, ""
		return true
	case http.StatusConflict:
		// An unacknowledged first write was stored after all.
		j.last = 1
		return true
	}
	return false
}

// check compares what the store holds with what was acknowledged.
func (j *journal) check(t *testing.T, s *server, apiKey string) {
	t.Helper()
	a := s.call(apiKey, "GET", "/api/secrets/reveal/"+j.key, nil)
	if a.StatusCode == http.StatusNotFound && len(j.acked) == 0 {
		j.last = 0
		return
	}
	var now struct {
		Version int64
		Value   string
	}
	a.json(t, &now)
	newest := int64(0)
	for v := range j.acked {
		newest = max(newest, v)
	}
	switch {
	case a.StatusCode != http.StatusOK || now.Version < newest:
		t.Errorf("%s: version %d was acknowledged, and the store answers %d with version %d", j.key, newest, a.StatusCode, now.Version)
	case now.Version == newest && now.Value != j.acked[newest]:
		t.Errorf("%s: version %d holds another value than was acknowledged", j.key, newest)
	case now.Version > newest+1 || now.Version == newest+1 && now.Value != j.unknown:
		t.Errorf("%s: version %d, after %d was acknowledged, is of no write that was sent", j.key, now.Version, newest)
	}
	var history struct{ Items []struct{ Version int64 } }
	s.call(apiKey, "GET", "/api/secrets/versions/"+j.key, nil).json(t, &history)
	var kept []int64
	for _, v := range history.Items {
		kept = append(kept, v.Version)
	}
	for i, v := range kept {
		if v != now.Version-int64(i) {
			t.Errorf("%s: the versions are not dense: %v", j.key, kept)
		}
	}
	if want := int(min(now.Version, 10)); len(kept) != want {
		t.Errorf("%s: %d versions are kept, want %d", j.key, len(kept), want)
	}
	j.acked[now.Version], j.last, j.unknown = now.Value, now.Version, ""
}

// D2, D4: a server that is killed under eight writers loses nothing that it had
// acknowledged, and holds no half of a write.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { killUnderWriters(t, 1, nil) })
	t.Run("postgres, three instances", func(t *testing.T) {
		killUnderWriters(t, 3, []string{"--database-url", dbtest.PostgresURL(t)})
	})
}

func killUnderWriters(t *testing.T, instances int, flags []string) {
	data := filepath.Join(t.TempDir(), "data")
	servers := make([]*server, instances)
	for i := range servers {
		servers[i] = start(t, data, flags...)
	}
	owner := servers[0].createUser("ada@example.com", "acme")
	const writers = 8
	journals := make([]*journal, writers)
	for i := range journals {
		journals[i] = &journal{key: fmt.Sprintf("CRASH_%d_API_KEY", i), acked: map[int64]string{}}
	}
	kills := times(4, 200)
	for round := range kills {
		var wg sync.WaitGroup
		var acknowledged atomic.Int64
		halt := make(chan struct{})
		victim := round % instances
		for i, j := range journals {
			wg.Go(func() {
				client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
				defer client.CloseIdleConnections()
				base := servers[i%instances].URL
				for {
					select {
					case <-halt:
						return
					default:
					}
					if !j.write(client, base, owner.APIKey) {
						return
					}
					acknowledged.Add(1)
				}
			})
		}
		// The kill comes at any moment of writing, and on a slow machine too
		// after some were acknowledged.
		for deadline := time.Now().Add(20 * time.Second); acknowledged.Load() < writers && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		servers[victim].kill()
		close(halt)
		wg.Wait()
		servers[victim] = start(t, data, flags...)
		for _, j := range journals {
			j.check(t, servers[victim], owner.APIKey)
		}
		if t.Failed() {
			t.Fatalf("after %d kills", round+1)
		}
	}
	total := int64(0)
	for _, j := range journals {
		total += j.last
	}
	if total < int64(writers*kills) {
		t.Errorf("only %d writes were acknowledged; the test shows nothing", total)
	}
	t.Logf("%d kills of %d instances under %d writers, %d versions written, 0 lost", kills, instances, writers, total)
}

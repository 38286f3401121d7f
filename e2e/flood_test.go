package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// memoryOfAFlood is what a flood may make the server take, in bytes, and
// memoryOfHashes what passwords take beside it: 19 MiB each for the four that
// are hashed at once, and as much that is not collected yet.
const (
	memoryOfAFlood = 96 << 20
	memoryOfHashes = 2 * 4 * 19 << 20
)

// D5: thousands of connections that say nothing, or begin and never end, keep
// nobody out, and the memory that they take is bounded. Neither does a hundred
// people who sign in at once.
func TestFloods(t *testing.T) {
	s := start(t, t.TempDir())
	ada := s.createUser("ada@example.com", "acme")
	s.signIn(ada)
	for name, begin := range map[string]string{
		"silent connections": "",
		"slow headers":       "GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: " + strings.Repeat("x", 8<<10),
		"slow bodies":        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: " + formType + "\r\nContent-Length: 16000\r\n\r\n" + strings.Repeat("x", 8<<10),
	} {
		t.Run(name, func(t *testing.T) {
			before := s.memory(t)
			var flood []net.Conn
			defer func() {
				for _, c := range flood {
					_ = c.Close()
				}
			}()
			for range times(3000, 10_000) {
				c, err := dialFrom("127.0.0.66", s)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(c, begin)
				flood = append(flood, c)
			}
			took := s.probe(t, times(50, 500))
			after := s.memory(t)
			t.Logf("%d connections: /readyz from elsewhere p50 %s, p99 %s; memory %+d MiB", len(flood), took[len(took)/2], took[len(took)*99/100], (after-before)>>20)
			if after-before > memoryOfAFlood && !raceEnabled {
				t.Errorf("the server took %d MiB more", (after-before)>>20)
			}
		})
	}
	t.Run("sign-ins", func(t *testing.T) {
		before := s.memory(t)
		var most int64
		var mu sync.Mutex
		outcomes := map[int]int{}
		var people sync.WaitGroup
		for i := range 100 {
			people.Go(func() {
				status, retry := logInFrom(t, fmt.Sprintf("127.0.1.%d", i+1), s, ada)
				mu.Lock()
				defer mu.Unlock()
				outcomes[status]++
				most = max(most, s.memory(t))
				if status == http.StatusServiceUnavailable && retry == "" {
					t.Error("a refusal does not say when to try again")
				}
			})
		}
		took := s.probe(t, 50)
		people.Wait()
		t.Logf("100 sign-ins at once: %v; /readyz p50 %s, p99 %s; memory %+d MiB", outcomes, took[len(took)/2], took[len(took)*99/100], (most-before)>>20)
		if outcomes[http.StatusSeeOther] == 0 || outcomes[http.StatusSeeOther]+outcomes[http.StatusServiceUnavailable] != 100 {
			t.Errorf("sign-ins ended with %v", outcomes)
		}
		if most-before > memoryOfAFlood+memoryOfHashes && !raceEnabled {
			t.Errorf("the server took %d MiB more", (most-before)>>20)
		}
	})
	s.stop()
}

// D3: a server with few descriptors serves as many as it can, writes all the
// same, and when they are gone altogether goes on as soon as some are free.
func TestFewDescriptors(t *testing.T) {
	s := startUnder(t, []string{"prlimit", "--nofile=96:96"}, t.TempDir())
	w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
	w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
	w.deploy(w.ada.APIKey, "demo", "OPENAI_API_KEY")
	runner := w.apiKey(w.ada, "runner", "apps:execute")
	var held []net.Conn
	for range 300 {
		c, err := dialFrom("127.0.0.66", s)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	for i := range 20 {
		w.set(w.ada.APIKey, fmt.Sprintf("FEW_%d_API_KEY", i), faultCanary)
		w.recovers(runner)
	}
	// Not one more can be opened: neither a connection nor a file.
	limit := func(n uint64) {
		t.Helper()
		if err := unix.Prlimit(s.pid(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: 96}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(3)
	for range 20 {
		client := &http.Client{Transport: &http.Transport{}, Timeout: 100 * time.Millisecond}
		if res, err := client.Get(s.URL + "/healthz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("without descriptors: %d", res.StatusCode)
			}
		}
	}
	limit(96)
	for _, c := range held {
		_ = c.Close()
	}
	w.recovers(runner)
	for i := range 20 {
		if got := w.reveal(w.ada.APIKey, fmt.Sprintf("FEW_%d_API_KEY", i)); got != faultCanary {
			t.Errorf("what was acknowledged is %q", got)
		}
	}
	s.stop()
}

func dialFrom(address string, s *server) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: patience}
	return d.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
}

// probe asks /readyz on new connections, and returns the times, sorted.
func (s *server) probe(t *testing.T, n int) (took []time.Duration) {
	t.Helper()
	for range n {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		begun := time.Now()
		res, err := client.Get(s.URL + "/readyz")
		if err != nil {
			t.Fatalf("/readyz during the flood: %v", err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("/readyz answers %d during the flood\n%s", res.StatusCode, s.stderr)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took
}

// memory is the server's resident memory in bytes.
func (s *server) memory(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("the server's memory can't be told")
	return 0
}

func logInFrom(t *testing.T, address string, s *server, u user) (status int, retryAfter string) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequest("POST", s.URL+"/login", strings.NewReader(form("email", u.Email, "password", u.Password).Encode()))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	setHeaders(req, []string{"Content-Type", formType, "Origin", s.URL})
	res, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	_ = res.Body.Close()
	return res.StatusCode, res.Header.Get("Retry-After")
}

// Streams by which runners wait are counted apart: they keep nobody out, a flood
// ends none of them, and one too many is told when to come again.
func TestStreamsBesideAFlood(t *testing.T) {
	s := startUnder(t, []string{"prlimit", "--nofile=96:96"}, t.TempDir())
	w := &town{server: s, t: t, ada: s.createUser("ada@example.com", "acme")}
	w.set(w.ada.APIKey, "OPENAI_API_KEY", faultCanary)
	w.deploy(w.ada.APIKey, "demo", "OPENAI_API_KEY")
	runner := w.apiKey(w.ada, "runner", "apps:execute")
	watch := func() *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/internal/v1/watch?app=acme/demo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+runner)
		res, err := (&http.Client{Transport: &http.Transport{}, Timeout: patience}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	var streams []*http.Response
	for {
		res := watch()
		if res.StatusCode == http.StatusOK {
			streams = append(streams, res)
			continue
		}
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("after %d streams one more is answered %d, and is to come again after %q", len(streams), res.StatusCode, res.Header.Get("Retry-After"))
		}
		break
	}
	text, _ := scrape(t, s)
	if most := int(metric(t, text, "infsh_streams_max")); len(streams) != most || most < 8 {
		t.Errorf("%d streams go on, and there may be %d", len(streams), most)
	}
	var flood []net.Conn
	for range 300 {
		c, err := dialFrom("127.0.0.66", s)
		if err != nil {
			t.Fatal(err)
		}
		flood = append(flood, c)
	}
	w.recovers(runner)
	w.want(http.StatusOK, w.ada.APIKey, "PUT", "/api/secrets/OPENAI_API_KEY", map[string]any{"value": "sk-changed-during-a-flood"})
	for i, res := range streams {
		told := bufio.NewScanner(res.Body)
		for told.Scan() && told.Text() != "event: changed" {
		}
		if told.Text() != "event: changed" {
			t.Errorf("stream %d ended without telling of the change: %v", i, told.Err())
		}
	}
	for _, c := range flood {
		_ = c.Close()
	}
	_ = streams[0].Body.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if res := watch(); res.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the place of a stream that ended is not free")
		}
	}
	s.stop()
}

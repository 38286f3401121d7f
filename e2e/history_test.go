package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// asked is what a client asks of a key.
type asked struct {
	key, value string // value is "" for a read
	expected   int64  // the version that the write is for; 0 is any
}

// told is what it is told.
type told struct {
	outcome outcome
	version int64
	value   string
}

type outcome int

const (
	done    outcome = iota // 200
	refused                // 412
	unknown                // no answer, or one that says that it isn't certain
)

// content is a key at one moment.
type content struct {
	version int64
	value   string
	reads   int // of this version, so far
}

// modelOf says what a secret is: each write makes the next version, a
// conditional one only of the version that it expects, and a read sees the
// newest. Two rules keep the search short and forbid nothing that is possible: a
// version begins after all reads of the one before, and a write of which nobody
// knows stands where it was seen, where a version is missing, or at the end.
func modelOf(history []porcupine.Operation) porcupine.Model {
	type place struct {
		key     string
		version int64
	}
	taken, seen, newest, reads := map[place]bool{}, map[[2]string]int64{}, map[string]int64{}, map[place]int{}
	for _, o := range history {
		in, out := o.Input.(asked), o.Output.(told)
		if out.outcome != done {
			continue
		}
		value := in.value
		if value == "" {
			value = out.value
			reads[place{in.key, out.version}]++
		}
		taken[place{in.key, out.version}] = true
		seen[[2]string{in.key, value}] = out.version
		newest[in.key] = max(newest[in.key], out.version)
	}
	fits := func(in asked, now content) bool { return in.expected == 0 || in.expected == now.version }
	over := func(in asked, now content) bool { return now.reads == reads[place{in.key, now.version}] }
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			of := map[string][]porcupine.Operation{}
			for _, o := range all {
				key := o.Input.(asked).key
				of[key] = append(of[key], o)
			}
			return slices.Collect(maps.Values(of))
		},
		Init: func() any { return content{} },
		Step: func(state, input, output any) (bool, any) {
			now, in, out := state.(content), input.(asked), output.(told)
			next := content{version: now.version + 1, value: in.value}
			switch {
			case in.value == "":
				fine := out.version == now.version && out.value == now.value
				now.reads++
				return fine, now
			case out.outcome == done:
				return fits(in, now) && over(in, now) && out.version == next.version, next
			case out.outcome == refused:
				return !fits(in, now), now
			}
			if at, ok := seen[[2]string{in.key, in.value}]; ok {
				return fits(in, now) && over(in, now) && at == next.version, next
			}
			if now.version >= newest[in.key] {
				return true, now
			}
			return fits(in, now) && over(in, now) && !taken[place{in.key, next.version}], next
		},
	}
}

// check decides whether a history is linearizable.
func check(history []porcupine.Operation, limit time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(modelOf(history), history, limit)
}

// storm is clients that write and read a few keys through several instances,
// and the history of what they were told.
type storm struct {
	t      *testing.T
	apiKey string
	keys   []string

	mu      sync.Mutex
	servers []*server
	start   time.Time
	ops     []porcupine.Operation
	counts  map[string]int
	strange []string

	halt    chan struct{}
	clients sync.WaitGroup
}

func newStorm(t *testing.T, apiKey string, servers []*server, keys int) *storm {
	s := &storm{t: t, apiKey: apiKey, servers: servers, start: time.Now(), counts: map[string]int{}, halt: make(chan struct{})}
	client := &http.Client{}
	for i := range keys {
		key := fmt.Sprintf("STORMY_%d_API_KEY", i)
		s.keys = append(s.keys, key)
		s.one(client, 0, "POST", "/api/secrets", asked{key: key, value: "the first value"})
	}
	if s.count("written") != keys {
		t.Fatalf("the keys could not be made: %v %v", s.counts, s.strange)
	}
	return s
}

func (s *storm) url(client int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers[client%len(s.servers)].URL
}

// restart starts an instance anew where it was.
func (s *storm) restart(i int, flags ...string) {
	s.t.Helper()
	again := start(s.t, s.servers[i].Data, flags...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[i] = again
}

// run starts clients: writers, some of whose writes are for a version, and
// readers.
func (s *storm) run(writers, readers int) {
	for i := range writers + readers {
		s.clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 40 * time.Second}
			defer client.CloseIdleConnections()
			versions := map[string]int64{}
			for n := 0; ; n++ {
				select {
				case <-s.halt:
					return
				default:
				}
				key := s.keys[rand.IntN(len(s.keys))]
				in, method, path := asked{key: key}, "GET", "/api/secrets/reveal/"+key
				if i < writers && n%5 != 0 {
					in.value, method, path = fmt.Sprintf("value %d of client %d", n, i), "PUT", "/api/secrets/"+key
					if n%3 == 0 {
						in.expected = versions[key]
					}
				}
				if out, ok := s.one(client, i, method, path, in); !ok {
					time.Sleep(time.Duration(10+rand.IntN(40)) * time.Millisecond)
				} else if out.version > 0 {
					versions[key] = out.version
				}
			}
		})
	}
}

// one sends a request and notes what came of it, unless that is nothing.
func (s *storm) one(client *http.Client, id int, method, path string, in asked) (out told, ok bool) {
	var body io.Reader
	if in.value != "" {
		encoded, _ := json.Marshal(map[string]string{"key": in.key, "value": in.value})
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, s.url(id)+path, body)
	if err != nil {
		return told{}, false
	}
	req.Header.Set("Authorization", "Bearer "+s.apiKey)
	req.Header.Set("Content-Type", "application/json")
	if in.expected > 0 {
		req.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(in.expected)))
	}
	call := time.Since(s.start)
	status, text := 0, ""
	res, err := client.Do(req)
	if err == nil {
		var b []byte
		b, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if text = string(b); err == nil {
			status = res.StatusCode
		}
	}
	back := time.Since(s.start)
	what := "read"
	if in.value != "" {
		what = "written"
	}
	switch {
	case status == http.StatusOK, status == http.StatusCreated:
		var answer struct {
			Version int64
			Value   string
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			what = "odd"
		}
		out = told{done, answer.Version, answer.Value}
	case status == http.StatusPreconditionFailed && in.value != "":
		out, what = told{outcome: refused}, "refused"
	case status == 0 && in.value != "" && !errors.Is(err, syscall.ECONNREFUSED),
		in.value != "" && status == http.StatusServiceUnavailable && strings.Contains(text, "not certain"):
		out, what, back = told{outcome: unknown}, "not certain", math.MaxInt64
	case status == 0, status == http.StatusServiceUnavailable:
		// It says that nothing was done, and is held to it.
		what = "unavailable"
	default:
		what = "odd"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
	if what == "odd" {
		s.strange = append(s.strange, fmt.Sprintf("%s %s: %d %.200s", method, path, status, text))
	}
	if what == "odd" || what == "unavailable" {
		return told{}, false
	}
	s.ops = append(s.ops, porcupine.Operation{ClientId: id, Input: in, Call: int64(call), Output: out, Return: int64(back)})
	return out, out.outcome != unknown
}

func (s *storm) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

// goOn waits until more writes were acknowledged.
func (s *storm) goOn(why string, writes int) {
	s.t.Helper()
	from := s.count("written")
	await(s.t, why, func() bool { return s.count("written") >= from+writes })
}

// pause is the longest time in which no write was acknowledged, since a moment.
func (s *storm) pause(since time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := int64(since.Sub(s.start))
	times := []int64{from}
	for _, o := range s.ops {
		if in, out := o.Input.(asked), o.Output.(told); in.value != "" && out.outcome == done && o.Return > from {
			times = append(times, o.Return)
		}
	}
	slices.Sort(times)
	longest := int64(0)
	for i := 1; i < len(times); i++ {
		longest = max(longest, times[i]-times[i-1])
	}
	return time.Duration(longest).Round(time.Millisecond)
}

// first is how long after a moment the first write was acknowledged.
func (s *storm) first(since time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, first := int64(since.Sub(s.start)), int64(math.MaxInt64)
	for _, o := range s.ops {
		if in, out := o.Input.(asked), o.Output.(told); in.value != "" && out.outcome == done && o.Return > from {
			first = min(first, o.Return)
		}
	}
	return time.Duration(first - from).Round(time.Millisecond)
}

// end stops the clients, reads each key once more, and checks the history:
// what was acknowledged is there, in an order that everybody could have seen.
func (s *storm) end() {
	s.t.Helper()
	close(s.halt)
	s.clients.Wait()
	client := &http.Client{Timeout: 40 * time.Second}
	for i := range s.servers {
		for _, key := range s.keys {
			if _, ok := s.one(client, i, "GET", "/api/secrets/reveal/"+key, asked{key: key}); !ok {
				s.t.Errorf("%s can't be read at the end", key)
			}
		}
	}
	for _, strange := range s.strange[:min(len(s.strange), 10)] {
		s.t.Errorf("an answer that fits nothing: %s", strange)
	}
	switch check(s.ops, 3*time.Minute) {
	case porcupine.Illegal:
		s.t.Error("the history is not linearizable: something that was acknowledged was lost, done twice, or seen too early")
	case porcupine.Unknown:
		s.t.Error("the history could not be checked in time")
	}
	s.t.Logf("%d operations on %d keys: %v", len(s.ops), len(s.keys), s.counts)
}

// The checker finds what it is there to find.
func TestKeyModelFindsFaults(t *testing.T) {
	op := func(call, back int64, in asked, out told) porcupine.Operation {
		in.key = "K"
		return porcupine.Operation{Input: in, Call: call, Output: out, Return: back}
	}
	first := op(0, 1, asked{value: "a"}, told{version: 1})
	for name, tt := range map[string]struct {
		ops  []porcupine.Operation
		fine bool
	}{
		"a write and its read":        {[]porcupine.Operation{first, op(2, 3, asked{}, told{version: 1, value: "a"})}, true},
		"a lost write":                {[]porcupine.Operation{first, op(2, 3, asked{value: "b"}, told{version: 2}), op(4, 5, asked{}, told{version: 1, value: "a"})}, false},
		"a version given twice":       {[]porcupine.Operation{first, op(2, 3, asked{value: "b"}, told{version: 2}), op(2, 3, asked{value: "c"}, told{version: 2})}, false},
		"a gap":                       {[]porcupine.Operation{first, op(2, 3, asked{value: "b"}, told{version: 3})}, false},
		"a gap that was seen":         {[]porcupine.Operation{first, op(2, math.MaxInt64, asked{value: "x"}, told{outcome: unknown}), op(3, 4, asked{}, told{version: 2, value: "x"})}, true},
		"a value from nowhere":        {[]porcupine.Operation{first, op(2, math.MaxInt64, asked{value: "x"}, told{outcome: unknown}), op(3, 4, asked{}, told{version: 2, value: "y"})}, false},
		"a gap before it was asked":   {[]porcupine.Operation{first, op(2, 3, asked{value: "b"}, told{version: 3}), op(4, math.MaxInt64, asked{value: "x"}, told{outcome: unknown})}, false},
		"a gap that nobody knows of":  {[]porcupine.Operation{first, op(2, math.MaxInt64, asked{value: "x"}, told{outcome: unknown}), op(3, 4, asked{value: "b"}, told{version: 3})}, true},
		"a write for another version": {[]porcupine.Operation{first, op(2, 3, asked{value: "b", expected: 7}, told{version: 2})}, false},
		"a refusal without a reason":  {[]porcupine.Operation{first, op(2, 3, asked{value: "b", expected: 1}, told{outcome: refused})}, false},
		"a read of the past":          {[]porcupine.Operation{first, op(2, 3, asked{value: "b"}, told{version: 2}), op(2, 9, asked{}, told{version: 1, value: "a"}), op(4, 5, asked{}, told{version: 1, value: "a"})}, false},
	} {
		if got := check(tt.ops, time.Minute) == porcupine.Ok; got != tt.fine {
			t.Errorf("%s: %v", name, got)
		}
	}
}

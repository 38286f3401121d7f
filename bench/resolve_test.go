package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// turn is how long each server is measured before the next one is.
const turn = time.Second

// BenchmarkResolve measures resolves of five secrets, durable audit entries
// included, against both limits, at 16 and at 64 connections. One op is one
// turn of each of the three; the ratios are the medians of all turns.
func BenchmarkResolve(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			s := fill(b, kind, 100)
			server := startInfsh(b, s.flags...)
			answer := s.answer(b, server, 0)
			bare, point := startBare(b, answer), startPoint(b, s, answer)
			for _, connections := range []int{16, 64} {
				b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
					var ofBare, ofPoint, rate, used, usedDatabase, usedBare, usedPoint series
					for b.Loop() {
						limit := load(b, bare, s.resolves(), connections, turn)
						question := load(b, point, s.resolves(), connections, turn, s.server)
						got := load(b, server, s.resolves(), connections, turn, s.server)
						ofBare.add(got.rate() / limit.rate())
						ofPoint.add(got.rate() / question.rate())
						rate.add(got.rate())
						used.add(got.perAnswer())
						usedDatabase.add(got.databasePerAnswer())
						usedBare.add(limit.perAnswer())
						usedPoint.add(question.perAnswer())
					}
					b.ReportMetric(0, "ns/op") // a turn's length says nothing
					b.ReportMetric(ofBare.median(), "of-bare")
					b.ReportMetric(ofPoint.median(), "of-point")
					b.ReportMetric(rate.median(), "resolves/s")
					b.ReportMetric(used.median(), "cpu-µs")
					b.ReportMetric(usedDatabase.median(), "cpu-µs-database")
					b.ReportMetric(usedBare.median(), "cpu-µs-bare")
					b.ReportMetric(usedPoint.median(), "cpu-µs-point")
				})
			}
		})
	}
}

// BenchmarkScale measures how much of the throughput stays when the store
// grows, and how much of the point query's does; each team has resolved once
// before, at a rate that is told too. INFSH_BENCH_MAX_TEAMS bounds
// the size; a team has ten secrets.
func BenchmarkScale(b *testing.B) {
	most := 10_000
	if given := os.Getenv("INFSH_BENCH_MAX_TEAMS"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil {
			b.Fatalf("INFSH_BENCH_MAX_TEAMS is %q, and must be a number", given)
		}
		most = n
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			small := measurable(b, fill(b, kind, 100))
			for teams := 10_000; teams <= most; teams *= 10 {
				b.Run(fmt.Sprintf("secrets=%d", teams*keysPerTeam), func(b *testing.B) {
					large := measurable(b, fill(b, kind, teams))
					var kept, keptPoint, rate series
					for b.Loop() {
						before, after := small.resolve(b), large.resolve(b)
						kept.add(after.rate() / before.rate())
						rate.add(after.rate())
						keptPoint.add(large.ask(b).rate() / small.ask(b).rate())
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(kept.median(), "kept")
					b.ReportMetric(keptPoint.median(), "kept-point")
					b.ReportMetric(rate.median(), "resolves/s")
					b.ReportMetric(large.first, "first-resolves/s")
					b.ReportMetric(resident(b, large.server)/(1<<20), "MiB")
				})
			}
		})
	}
}

// sized is a store with the servers over it.
type sized struct {
	*store
	server, point *process
	// first is the rate of each team's first resolve.
	first float64
}

func measurable(tb testing.TB, s *store) *sized {
	server := startInfsh(tb, s.flags...)
	first := s.warm(tb, server)
	return &sized{s, server, startPoint(tb, s, s.answer(tb, server, 0)), first}
}

func (s *sized) resolve(tb testing.TB) measured {
	return load(tb, s.server, s.resolves(), 64, turn, s.store.server)
}

func (s *sized) ask(tb testing.TB) measured {
	return load(tb, s.point, s.resolves(), 64, turn, s.store.server)
}

// TestLoadIsAnswered keeps the benchmark working: the answers hold the team's
// own values, and each request has its entry in the audit log.
func TestLoadIsAnswered(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := fill(t, kind, 3)
			server := startInfsh(t, s.flags...)
			for team := range s.teams {
				var answer struct{ Env map[string]string }
				if err := json.Unmarshal([]byte(s.answer(t, server, team)), &answer); err != nil {
					t.Fatal(err)
				}
				for n := range keysDeclared {
					if answer.Env[keyName(n)] != value(team, n) {
						t.Errorf("team %d is answered another value of %s than was stored", team, keyName(n))
					}
				}
				if len(answer.Env) != keysDeclared {
					t.Errorf("team %d is answered %d secrets", team, len(answer.Env))
				}
			}
			if m := load(t, server, s.resolves(), 8, 100*time.Millisecond, s.server); m.answers == 0 {
				t.Error("no request was answered")
			}
			if m := load(t, startPoint(t, s, "{}"), s.resolves(), 8, 100*time.Millisecond, s.server); m.answers == 0 {
				t.Error("the limit answered no request")
			}
		})
	}
}

// answer is one answer's body.
func (s *store) answer(tb testing.TB, server *process, team int) string {
	tb.Helper()
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(s.resolve(team))))
	if err != nil {
		tb.Fatal(err)
	}
	req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", server.addr
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatalf("a resolve is answered %d: %v\n%s", res.StatusCode, err, body)
	}
	return string(body)
}

// series are the measurements of all turns.
type series []float64

func (s *series) add(x float64) { *s = append(*s, x) }

func (s series) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

package handlers

import (
	"io"
	"net/http"
	"strconv"
	"time"

	vm "github.com/VictoriaMetrics/metrics"

	"infsh/problem"
)

// metrics counts what an operator alerts on. No label holds a name that people
// chose: routes are patterns, outcomes and codes come from fixed lists.
type metrics struct {
	set   *vm.Set
	parts func(io.Writer) // those of other parts
}

// latencies are in seconds, from a cached page to the write timeout.
var latencies = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics(parts func(io.Writer)) *metrics {
	vm.ExposeMetadata(true) // the types; the library has no place for help texts
	m := &metrics{set: vm.NewSet(), parts: parts}
	for _, outcome := range []string{loginOK, loginFailed, loginThrottled} {
		m.set.GetOrCreateCounter(loginsName(outcome))
	}
	return m
}

// Outcomes of a sign-in.
const (
	loginOK        = "ok"
	loginFailed    = "failed"
	loginThrottled = "throttled"
)

// login counts a sign-in in the browser.
func (m *metrics) login(outcome string) { m.set.GetOrCreateCounter(loginsName(outcome)).Inc() }

func loginsName(outcome string) string { return `infsh_logins_total{outcome="` + outcome + `"}` }

// observed records one answered request.
func (m *metrics) observed(r *http.Request, status int, took time.Duration) {
	pattern := r.Pattern
	if pattern == elsewhere || pattern == "" {
		pattern = "none"
	}
	m.took(`infsh_http_request_duration_seconds{route="`+pattern+`",status="`+strconv.Itoa(status/100)+`xx"}`, took)
	if pattern == resolvePattern {
		m.took(`infsh_resolve_duration_seconds{outcome="`+resolveOutcome(status)+`"}`, took)
	}
}

func (m *metrics) took(name string, took time.Duration) {
	m.set.GetOrCreatePrometheusHistogramExt(name, latencies).Update(took.Seconds())
}

const resolvePattern = "POST /internal/v1/resolve"

func resolveOutcome(status int) string {
	switch status {
	case http.StatusOK:
		return "ok"
	case http.StatusPreconditionFailed:
		return "unmet"
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return "refused"
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return "malformed"
	}
	return "failed"
}

// refused counts a denial; other errors are seen in the status.
func (m *metrics) refused(code problem.Code) {
	if status := statuses[code]; status == http.StatusUnauthorized || status == http.StatusForbidden {
		m.set.GetOrCreateCounter(`infsh_denials_total{code="` + string(code) + `"}`).Inc()
	}
}

// serveMetrics answers Prometheus.
func (s *server) serveMetrics(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.metrics.set.WritePrometheus(w)
	if s.metrics.parts != nil {
		s.metrics.parts(w)
	}
	vm.WriteProcessMetrics(w)
	vm.WriteFDMetrics(w)
	return nil
}

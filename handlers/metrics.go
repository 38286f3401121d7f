package handlers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"infsh/problem"
)

// metrics counts what an operator alerts on. No label holds a name that people
// chose: routes are patterns, outcomes and codes come from fixed lists.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	resolves *prometheus.HistogramVec
	denials  *prometheus.CounterVec
	logins   *prometheus.CounterVec
}

// latencies are in seconds, from a cached page to the write timeout.
var latencies = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics(more []prometheus.Collector) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "infsh_http_request_duration_seconds", Help: "Time to answer, by route and class of status.", Buckets: latencies,
		}, []string{"route", "status"}),
		resolves: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "infsh_resolve_duration_seconds", Help: "Time to answer a runner, its durable audit entry included, by outcome.", Buckets: latencies,
		}, []string{"outcome"}),
		denials: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "infsh_denials_total", Help: "Requests refused with 401 or 403, by reason.",
		}, []string{"code"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "infsh_logins_total", Help: "Sign-ins in the browser, by outcome.",
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.requests, m.resolves, m.denials, m.logins, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(more...)
	for _, outcome := range []string{loginOK, loginFailed, loginThrottled} {
		m.logins.WithLabelValues(outcome)
	}
	return m
}

// Outcomes of a sign-in.
const (
	loginOK        = "ok"
	loginFailed    = "failed"
	loginThrottled = "throttled"
)

// observed records one answered request.
func (m *metrics) observed(r *http.Request, status int, took time.Duration) {
	pattern := r.Pattern
	if pattern == elsewhere || pattern == "" {
		pattern = "none"
	}
	m.requests.WithLabelValues(pattern, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
	if pattern == resolvePattern {
		m.resolves.WithLabelValues(resolveOutcome(status)).Observe(took.Seconds())
	}
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
		m.denials.WithLabelValues(string(code)).Inc()
	}
}

// serveMetrics answers Prometheus.
func (s *server) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
	return nil
}

package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	metricLine = regexp.MustCompile(`(?m)^([a-z_][a-z0-9_]*)(\{[^}]*\})? `)
	metricType = regexp.MustCompile(`(?m)^# TYPE ([a-z_][a-z0-9_]*) (?:counter|gauge|histogram|summary)$`)
	metricName = regexp.MustCompile(`\b(?:infsh|go|process|promhttp)_[a-z0-9_]+\b`)
	labelName  = regexp.MustCompile(`([a-z_]+)="`)
)

// scrape reads /metrics, and returns its text and the names of its series
// and their families.
func scrape(t testing.TB, s *server) (text string, names map[string]bool) {
	t.Helper()
	a := s.call("", "GET", "/metrics", nil)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("/metrics answers %d", a.StatusCode)
	}
	names = map[string]bool{}
	for _, m := range metricLine.FindAllStringSubmatch(a.Body, -1) {
		names[m[1]] = true
	}
	for _, m := range metricType.FindAllStringSubmatch(a.Body, -1) {
		names[m[1]] = true // that of a histogram is no series
	}
	return a.Body, names
}

// used makes a server that has answered requests of every kind, with names and
// values that no metric may hold.
func used(t *testing.T) (w *town, private []string) {
	w = newTown(t)
	w.set(w.ada.APIKey, "CANARY_METRIC_KEY", "sk-metric-canary-5512")
	w.deploy(w.ada.APIKey, "canary-app", "CANARY_METRIC_KEY")
	runner := w.apiKey(w.ada, "canary-runner", "apps:execute")
	w.want(http.StatusOK, runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/canary-app", "run_id": "canary-run"})
	w.want(http.StatusNotFound, runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/canary-none"})
	w.want(http.StatusForbidden, runner, "GET", "/api/secrets/reveal/CANARY_METRIC_KEY", nil)
	w.want(http.StatusUnauthorized, "inf_canary", "GET", "/api/me", nil)
	w.want(http.StatusNotFound, w.ada.APIKey, "GET", "/api/secrets/CANARY_NOT_THERE", nil)
	w.want(http.StatusNotFound, "", "GET", "/canary-path", nil)
	w.signIn(w.ada)
	w.visitor().post("/login", form("email", "canary@example.com", "password", "canary password"))
	req, err := http.NewRequest("CANARY", w.URL+"/canary-method", nil)
	if err != nil {
		t.Fatal(err)
	}
	send(t, http.DefaultClient, req)
	return w, []string{"canary", "acme", "ada@", w.ada.TeamID, w.ada.UserID, w.ada.APIKey, "127.0.0.1"}
}

// No label of a metric holds what people chose or typed, nor who they are.
func TestMetricsHoldNoNames(t *testing.T) {
	w, private := used(t)
	text, names := scrape(t, w.server)
	for _, p := range private {
		if strings.Contains(strings.ToLower(text), strings.ToLower(p)) {
			t.Errorf("/metrics holds %q", p)
		}
	}
	known := map[string]bool{"route": true, "status": true, "outcome": true, "code": true, "le": true, "pool": true, "state": true, "version": true, "compiler": true, "quantile": true}
	for _, m := range metricLine.FindAllStringSubmatch(text, -1) {
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if !known[l[1]] {
				t.Errorf("%s has the label %s; if no name or value can stand in it, add it here", m[1], l[1])
			}
		}
	}
	for _, name := range []string{
		"infsh_resolve_duration_seconds_bucket", "infsh_audit_queue_entries", "infsh_dek_cache_hits_total", "infsh_dek_cache_misses_total", "infsh_dek_cache_entries",
		"infsh_denials_total", "infsh_logins_total", "infsh_database_connections", "infsh_connections_open", "go_goroutines", "process_open_fds",
	} {
		if !names[name] {
			t.Errorf("/metrics has no %s", name)
		}
	}
}

// The dashboard, and the alerts in docs/operations.md, ask for metrics that the
// program serves.
func TestDashboardAsksForWhatIsServed(t *testing.T) {
	w, _ := used(t)
	_, names := scrape(t, w.server)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join("..", "docs", "grafana-dashboard.json"))), &dashboard); err != nil {
		t.Fatal(err)
	}
	asked := 0
	ask := func(where, expr string) {
		for _, name := range metricName.FindAllString(expr, -1) {
			asked++
			if !names[name] {
				t.Errorf("%s asks for %s, which is not served", where, name)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s is not closed: %s", where, expr)
		}
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			ask("the panel "+p.Title, target.Expr)
		}
	}
	if asked < 20 {
		t.Errorf("the dashboard asks for %d metrics only", asked)
	}
	before := asked
	ask("docs/operations.md", read(t, filepath.Join("..", "docs", "operations.md")))
	if asked-before < 8 {
		t.Errorf("the operations guide names %d metrics only", asked-before)
	}
}

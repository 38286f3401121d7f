package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The credential of an agent's runs is one, and each run stands in the activity by
// itself, under its own id.
func TestEachRunThroughAnAgentHasItsEntry(t *testing.T) {
	t.Parallel()
	s, ada := mountServer(t)
	socket := filepath.Join(t.TempDir(), "run", "agent.sock")
	agent := exec.Command(infsh, "agent", "--socket", socket)
	agent.Env = cleanEnv("INFSH_URL="+s.URL, "INFSH_API_KEY="+s.apiKey(ada, "the agent", "apps:execute"))
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatal("the agent does not listen")
		}
	}
	const runs = 5
	var all sync.WaitGroup
	for range runs {
		all.Go(func() {
			run := exec.Command(infsh, "run", "--agent", socket, "--app", "acme/agent", "--", "sh", "-c", `printf %s "$API_TOKEN" | wc -c`)
			run.Env = cleanEnv()
			if out, err := run.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "22" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	page := s.signIn(ada).get("/settings/activity").Body
	ids := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?s)<tr[^>]*activity-row.*?</tr>`).FindAllString(page, -1) {
		if !strings.Contains(row, "Received an app&#39;s secrets") {
			continue
		}
		id := regexp.MustCompile(`<dt>Run</dt>\s*<dd><code[^>]*>([^<]+)</code>`).FindStringSubmatch(row)
		if id == nil || !strings.Contains(row, "acme/agent") {
			t.Fatalf("an entry without a run's id: %s", row)
		}
		ids[id[1]] = true
	}
	if len(ids) != runs {
		t.Errorf("%d runs have these ids: %v", runs, ids)
	}
}

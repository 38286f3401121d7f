//go:build torture

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"infsh/db/dbtest"
)

// D7: three instances of the release before are replaced one by one under
// writers, readers and runs, and one of them goes back. Nothing that was
// acknowledged is lost, and each sees at once what the others do.
//
// The release before is the commit before the newest migration, or the one that
// INFSH_PREVIOUS names.
func TestRollingUpdate(t *testing.T) {
	before := buildPrevious(t)
	data, flags := t.TempDir(), []string{"--database-url", dbtest.PostgresURL(t)}
	mustOperate(t, nil, "new-kek", filepath.Join(data, "kek.json"))
	var servers []*server
	for range 3 {
		servers = append(servers, startProgram(t, before, data, flags...))
	}
	owner := servers[0].createUser("ada@example.com", "acme")
	storm := newStorm(t, owner.APIKey, servers, 2)
	deployed := servers[0].call(owner.APIKey, "POST", "/api/apps", map[string]any{
		"name": "demo", "version": map[string]any{"required_secrets": []map[string]string{{"key": "SHARED_API_KEY"}}},
	})
	if deployed.StatusCode != http.StatusCreated {
		t.Fatalf("deploy: %d %.300s", deployed.StatusCode, deployed.Body)
	}
	storm.run(6, 2)

	writes := 0
	agree := func(when string) {
		t.Helper()
		storm.goOn("writes go on "+when, 30)
		for i, writer := range servers {
			value := fmt.Sprintf("value %d, written at instance %d", writes, i)
			method, path := http.MethodPut, "/api/secrets/SHARED_API_KEY"
			if writes == 0 {
				method, path = http.MethodPost, "/api/secrets"
			}
			writes++
			if a := writer.call(owner.APIKey, method, path, map[string]string{"key": "SHARED_API_KEY", "value": value}); a.StatusCode/100 != 2 {
				t.Fatalf("%s: a write at instance %d: %d %.300s", when, i, a.StatusCode, a.Body)
			}
			for j, runner := range servers {
				a := runner.call(owner.APIKey, "POST", "/internal/v1/resolve", map[string]string{"app": "acme/demo"})
				var got resolved
				a.json(t, &got)
				if a.StatusCode != http.StatusOK || got.Env["SHARED_API_KEY"] != value {
					t.Fatalf("%s: a run at instance %d after a write at %d: %d %.300s", when, j, i, a.StatusCode, a.Body)
				}
			}
		}
	}
	replace := func(i int, program string) {
		t.Helper()
		servers[i].stop()
		again := startProgram(t, program, data, flags...)
		storm.mu.Lock()
		defer storm.mu.Unlock()
		servers[i] = again
	}
	agree("before the update")
	for i := range servers {
		replace(i, infsh)
		agree(fmt.Sprintf("with %d of 3 updated", i+1))
	}
	replace(0, before)
	agree("with one that went back")
	replace(0, infsh)
	agree("after all")
	storm.end()
	mustOperate(t, servers[0].flags, "audit", "verify")
}

// buildPrevious builds the release before, from the history of this repository.
func buildPrevious(t *testing.T) (program string) {
	t.Helper()
	commit := os.Getenv("INFSH_PREVIOUS")
	if commit == "" {
		out, err := exec.Command("git", "log", "-1", "--diff-filter=A", "--format=%H", "--", "../db/migrations").Output()
		if err != nil || len(out) == 0 {
			t.Fatalf("the history of the repository, which holds the release before, can't be read (name its commit as INFSH_PREVIOUS): %v", err)
		}
		commit = strings.TrimSpace(string(out)) + "^"
	}
	dir := t.TempDir()
	program = filepath.Join(dir, "infsh-before")
	sh := exec.Command("sh", "-ec", `git -C .. archive "$0" | tar -x -C "$1"; cd "$1"; go build -o "$2" .`, commit, dir, program)
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("build the release before, %s: %v\n%s", commit, err, out)
	}
	t.Logf("the release before is %s", commit)
	return program
}

// startProgram runs another build of the program.
func startProgram(t testing.TB, program, data string, args ...string) *server {
	t.Helper()
	s, err := startProcess(t, nil, program, data, args...)
	if err != nil {
		t.Fatalf("start: %v\n%s", err, s.stderr)
	}
	return s
}

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// examples/demo.sh is the first thing that a newcomer runs. What it promises
// in its last part is checked here once more, from outside.
func TestDemo(t *testing.T) {
	tmp := t.TempDir()
	cmd := exec.Command("sh", filepath.Join("..", "examples", "demo.sh"))
	// A credential of the caller's must not reach the demo's server.
	cmd.Env = cleanEnv("INFSH="+infsh, "TMPDIR="+tmp, "INFSH_API_KEY=infsh_of-somebody-else", "INFSH_TEAM=other")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("demo.sh: %v\n%s", err, out)
	}
	for _, line := range []string{
		`(?m)^http://127\.0\.0\.1:\d+$`,
		`(?m)^user +ada@example\.com$`,
		`(?m)^team +acme \(owner\)$`,
		`(?m)^OPENAI_API_KEY +••••••••\S{4} +1 `,
		`(?m)^STRIPE_SECRET_KEY +••••••••\S{4} +1 `,
		`(?m)^acme/summarise version 1$`,
		`(?m)^OPENAI_API_KEY +required +set, version 1 +granted$`,
		`(?m)^The key has \d+ characters`,
		`(?m)Bearer \[redacted\]`,
		`(?m)^received: OPENAI_API_KEY \(40 characters\), and nothing else of the team's$`,
		`(?m)^redacted: 3 times$`,
	} {
		if !regexp.MustCompile(line).Match(out) {
			t.Errorf("demo.sh did not print %s:\n%s", line, out)
		}
	}
	if strings.Contains(string(out), "FAILED") {
		t.Errorf("demo.sh reports a failure and exits with 0:\n%s", out)
	}
	if leaked := regexp.MustCompile(`sk-demo-\w+|sk_live_\w+|infsh_\w{20,}`).Find(out); leaked != nil {
		t.Errorf("demo.sh printed %s", leaked)
	}
	left, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("demo.sh left %v behind", left)
	}
}

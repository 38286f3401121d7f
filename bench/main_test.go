// Package bench measures the built program against what limits it, on the same
// machine and in the same run: a bare net/http handler that answers with the
// same bytes, and one that asks the database one prepared question first. Each
// is a process of its own, and the load generator, which is the test's process,
// runs beside them. They take turns, a short while each, so that what else the
// machine does meanwhile falls upon all of them alike.
//
// `make bench` runs it. What counts is the ratios, and the CPU time that one
// answer takes; requests a second belong to the machine.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"infsh/db/dbtest"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(limitVariable); kind != "" {
		if err := serveLimit(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(dbtest.Main(m))
}

// infsh builds the program under measurement, once.
var infsh = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "infsh-bench")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "infsh")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "infsh")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

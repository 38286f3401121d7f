package bench

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// startsPerTurn is how many commands are started one after another of each kind.
const startsPerTurn = 20

// BenchmarkStart measures what `infsh run` adds to the start of a command: against
// `env`, which does no more than execute it, and against `infsh version`, which is
// the start of this program alone. The server is on loopback; each run resolves five
// secrets, whose audit entry is durable before the command starts.
func BenchmarkStart(b *testing.B) {
	s := fill(b, "sqlite", 1)
	server := startInfsh(b, s.flags...)
	path, err := infsh()
	if err != nil {
		b.Fatal(err)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.TempDir(),
		"INFSH_URL=http://" + server.addr, "INFSH_API_KEY=" + token(0),
	}
	var bare, version, run, used series
	for b.Loop() {
		for range startsPerTurn {
			took, cpuBare := milliseconds(b, env, "env", "true")
			bare.add(took)
			took, _ = milliseconds(b, env, path, "version")
			version.add(took)
			took, cpuRun := milliseconds(b, env, path, "run", "--app", teamName(0)+"/app", "--", "true")
			run.add(took)
			used.add(cpuRun - cpuBare)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(bare.median(), "env-ms")
	b.ReportMetric(version.median(), "version-ms")
	b.ReportMetric(run.median(), "run-ms")
	b.ReportMetric(run.median()-bare.median(), "over-env-ms")
	b.ReportMetric(used.median(), "cpu-over-env-ms") // says more on a busy machine
}

// milliseconds is how long a command takes from its start to its end, and what CPU
// time.
func milliseconds(tb testing.TB, env []string, argv ...string) (took, used float64) {
	tb.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %v\n%s", argv, err, out)
	}
	const unit = float64(time.Millisecond)
	return float64(time.Since(began)) / unit, float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / unit
}

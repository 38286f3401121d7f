package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a server of some kind.
type process struct {
	addr string // host:port
	cmd  *exec.Cmd
}

var listeningLine = regexp.MustCompile(`^listening on http://(\S+)$`)

// start runs a program that says where it listens, and ends it with the test.
func start(tb testing.TB, env []string, name string, args ...string) *process {
	tb.Helper()
	p := &process{cmd: exec.Command(name, args...)}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "INFSH_") {
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.stop(tb) })
	// What it says before it is ready is told where it never is. Afterwards it
	// may say what it likes: the log costs what it costs.
	var said bytes.Buffer
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if m := listeningLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			p.addr = m[1]
			break
		}
		if err != nil {
			tb.Fatalf("%s did not start: %v\n%s", name, err, &said)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return p
}

func (p *process) stop(tb testing.TB) {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		tb.Error(err)
	}
}

// startInfsh runs the server, with the store that flags name.
func startInfsh(tb testing.TB, flags ...string) *process {
	tb.Helper()
	path, err := infsh()
	if err != nil {
		tb.Fatal(err)
	}
	return start(tb, nil, path, append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...)
}

// cpuTime is what a process has used since it began.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The fields are counted from behind the name, which may hold anything.
	_, rest, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is %q", pid, stat)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil
}

// family is a process and its children, which PostgreSQL has one of for each
// connection.
func family(pid int) ([]int, error) {
	pids := []int{pid}
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	for _, file := range children {
		list, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(list)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			pids = append(pids, child)
		}
	}
	return pids, nil
}

// cpu is what several processes with their children have used.
func cpu(tb testing.TB, roots ...int) time.Duration {
	tb.Helper()
	var sum time.Duration
	for _, root := range roots {
		if root == 0 {
			continue
		}
		pids, err := family(root)
		if err != nil {
			tb.Fatal(err)
		}
		for _, pid := range pids {
			// One that has just ended is none of those that work.
			used, err := cpuTime(pid)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				tb.Fatal(err)
			}
			sum += used
		}
	}
	return sum
}

// resident is the memory of a process, in bytes.
func resident(tb testing.TB, p *process) float64 {
	tb.Helper()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(statm), &size, &pages); err != nil {
		tb.Fatal(err)
	}
	return float64(pages * os.Getpagesize())
}

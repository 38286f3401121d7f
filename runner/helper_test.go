//go:build unix

package runner_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/term"

	"infsh/redact"
	"infsh/runner"
)

// TestMain makes the test binary the commands of the tests as well:
// `BINARY helper NAME ARG…`.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "helper" {
		os.Exit(helpers[os.Args[2]](os.Args[3:]))
	}
	os.Exit(m.Run())
}

// helper returns the arguments that run a helper.
func helper(name string, args ...string) []string {
	return append([]string{os.Args[0], "helper", name}, args...)
}

var helpers map[string]func(args []string) int

func init() {
	helpers = map[string]func([]string) int{
		"print":    helpPrint,
		"env":      func([]string) int { return emit(os.Environ()) },
		"args":     func(args []string) int { return emit(args) },
		"exit":     func(args []string) int { return number(args[0]) },
		"die":      helpDie,
		"cat":      func([]string) int { _, err := io.Copy(os.Stdout, os.Stdin); return failed(err) },
		"stdin":    helpStdin,
		"signals":  helpSignals,
		"prepared": helpPrepared,
		"sleep":    func([]string) int { fmt.Println("asleep"); time.Sleep(time.Minute); return 0 },
		"leave":    helpLeave,
		"limits":   helpLimits,
		"endless":  helpEndless,
		"prompt":   func([]string) int { fmt.Print("Password: "); time.Sleep(time.Minute); return 0 },
		"job":      helpJob,
		"run":      helpRun,
		"jobshell": helpJobShell,
		"tty":      helpTTY,
		"size":     helpSize,
		"raw":      helpRaw,
		"files":    helpFiles,
		"around":   helpAround,
	}
}

func emit(list []string) int { return failed(json.NewEncoder(os.Stdout).Encode(list)) }

func failed(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// print STDOUT STDERR, and what $NAME stands for.
func helpPrint(args []string) int {
	fmt.Fprint(os.Stdout, os.ExpandEnv(args[0]))
	if len(args) > 1 {
		fmt.Fprint(os.Stderr, os.ExpandEnv(args[1]))
	}
	return 0
}

func helpDie(args []string) int {
	_ = syscall.Kill(os.Getpid(), syscall.Signal(number(args[0])))
	time.Sleep(time.Minute)
	return 0
}

// stdin says what standard input is, and does not read it.
func helpStdin([]string) int {
	info, err := os.Stdin.Stat()
	if err != nil {
		return failed(err)
	}
	offset, _ := os.Stdin.Seek(0, io.SeekCurrent)
	fmt.Printf("%v %d %d", info.Mode().Type(), info.Size(), offset)
	return 0
}

// signals N writes each signal that it gets, and ends after N of them and a
// while in which no other came.
func helpSignals(args []string) int {
	got := make(chan os.Signal, 100)
	var list []os.Signal
	for _, s := range forwarded {
		list = append(list, s)
	}
	signal.Notify(got, list...)
	fmt.Println("ready", os.Getpid())
	for range number(args[0]) {
		fmt.Println("got", (<-got).(syscall.Signal))
	}
	select {
	case s := <-got:
		fmt.Println("got one more:", s)
	case <-time.After(300 * time.Millisecond):
	}
	fmt.Println("done")
	return 7
}

// job runs until it is interrupted.
func helpJob([]string) int {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	fmt.Println("running")
	<-interrupt
	fmt.Println("interrupted")
	return 5
}

// leave starts a process that keeps the outputs open, and ends.
func helpLeave([]string) int {
	cmd := exec.Command(os.Args[0], "helper", "sleep")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return failed(err)
	}
	fmt.Println(strings.Repeat("x", 60_000))
	fmt.Println("pid", cmd.Process.Pid)
	fmt.Print("the last words")
	return 3
}

func helpLimits([]string) int {
	status, err := os.ReadFile("/proc/self/limits")
	fmt.Print(string(status))
	return failed(err)
}

func helpEndless([]string) int {
	for {
		if _, err := fmt.Println("on and on"); err != nil {
			return 99
		}
	}
}

// run ARG… runs a command with runner.Run, as a program of its own.
func helpRun(args []string) int {
	code, err := runner.Run(context.Background(), runner.Command{
		Argv: args, Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Secrets:    []redact.Needle{{Key: "API_TOKEN", Value: redact.NewValue("tok-0123456789")}},
		Credential: redact.NewValue("infsh_0123456789"),
		Warn:       func(s string) { fmt.Fprintln(os.Stderr, s) },
		Prepared:   runner.Prepare(),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// prepared waits for a line before it runs a command.
func helpPrepared(args []string) int {
	prepared := runner.Prepare()
	defer prepared.Close()
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return 3
	}
	code, err := runner.Run(context.Background(), runner.Command{Argv: args, Env: os.Environ(), Stdout: os.Stdout, Prepared: prepared})
	if err != nil {
		return failed(err)
	}
	return code
}

// jobshell does for one job what an interactive shell does: it runs it in the
// foreground, notices that it stopped, and continues it.
func helpJobShell(args []string) int {
	// A shell is not stopped by what stops jobs, and its jobs are.
	signal.Ignore(syscall.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTSTP)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		return failed(err)
	}
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil {
			return failed(err)
		}
		if !status.Stopped() {
			fmt.Println("job ended with", status.ExitStatus())
			return 0
		}
		fmt.Println("job stopped")
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT)
		fmt.Println("job continued")
	}
}

// tty says which of the standard streams are terminals.
func helpTTY([]string) int {
	for _, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		fmt.Print(term.IsTerminal(int(file.Fd())), " ")
	}
	fmt.Println(os.ExpandEnv("$API_TOKEN"))
	fmt.Fprintln(os.Stderr, os.ExpandEnv("error $API_TOKEN"))
	return 0
}

// size writes the size of the terminal, and again when it changes.
func helpSize([]string) int {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	for range 2 {
		width, height, err := term.GetSize(int(os.Stdout.Fd()))
		fmt.Println("size", width, height, err)
		<-changed
	}
	width, height, _ := term.GetSize(int(os.Stdout.Fd()))
	fmt.Println("size", width, height)
	return 0
}

// raw reads three keys as they are.
func helpRaw([]string) int {
	state, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return failed(err)
	}
	fmt.Print("raw\r\n")
	keys := make([]byte, 3)
	_, err = io.ReadFull(os.Stdin, keys)
	fmt.Printf("keys %x\r\n", keys)
	_ = term.Restore(int(os.Stdin.Fd()), state)
	return failed(err)
}

// files lists its open descriptors beyond the standard streams and what the Go
// runtime opens by itself.
func helpFiles([]string) int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return failed(err)
	}
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		target, _ := os.Readlink("/proc/self/fd/" + name)
		if number(name) > 2 && number(name) != int(dir.Fd()) && !strings.HasPrefix(target, "anon_inode:") && !strings.HasPrefix(target, "/sys/fs/cgroup/") {
			fmt.Println("open:", target)
		}
	}
	fmt.Println("listed")
	return failed(err)
}

// around writes what the command can see of the process that started it.
func helpAround([]string) int {
	for _, file := range []string{"environ", "cmdline"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", os.Getppid(), file))
		if err != nil {
			text = []byte(err.Error()) // only root may look at it
		}
		fmt.Printf("%q\n", text)
	}
	fmt.Printf("%q\n", strings.Join(os.Environ(), " "))
	return 0
}

// forwarded are the signals that the tests send.
var forwarded = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1,
	syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGALRM}

// lines reads text lines until one that starts with prefix, which it returns.
func lines(t *testing.T, r *bufio.Reader, prefix string) string {
	t.Helper()
	var seen []string
	for {
		line, err := r.ReadString('\n')
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
		if seen = append(seen, line); err != nil {
			t.Fatalf("%q did not come, only %q: %v", prefix, seen, err)
		}
	}
}

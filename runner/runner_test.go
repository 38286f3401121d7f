//go:build unix

package runner_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"infsh/redact"
	"infsh/runner"
)

// result is what a run gave.
type result struct {
	code           int
	err            error
	stdout, stderr string
	warnings       []string
	hits           map[string]int
}

// run runs c with its outputs and warnings collected.
func run(t *testing.T, c runner.Command) result {
	t.Helper()
	var r result
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	c.Warn = func(text string) { r.warnings = append(r.warnings, text) }
	r.hits = map[string]int{}
	c.Found = func(found []redact.Finding) {
		for _, f := range found {
			r.hits[f.Key] += f.Count
		}
	}
	r.code, r.err = runner.Run(t.Context(), c)
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

func secrets(keysAndValues ...string) []redact.Needle {
	var list []redact.Needle
	for i := 0; i < len(keysAndValues); i += 2 {
		list = append(list, redact.Needle{Key: keysAndValues[i], Value: redact.NewValue(keysAndValues[i+1])})
	}
	return list
}

func decoded(t *testing.T, r result) []string {
	t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
		t.Fatalf("%v: stdout %q, stderr %q, error %v", err, r.stdout, r.stderr, r.err)
	}
	return list
}

func TestExitCodesAreKept(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		argv []string
		code int
		err  string
	}{
		"0":                     {helper("exit", "0"), 0, ""},
		"1":                     {helper("exit", "1"), 1, ""},
		"126 of its own":        {helper("exit", "126"), 126, ""},
		"255":                   {helper("exit", "255"), 255, ""},
		"SIGTERM":               {helper("die", "15"), 143, ""},
		"SIGKILL":               {helper("die", "9"), 137, ""},
		"SIGINT":                {helper("die", "2"), 130, ""},
		"not in PATH":           {[]string{"no-such-command-1"}, 127, "no-such-command-1: command not found"},
		"no such file":          {[]string{dir + "/none"}, 127, dir + "/none: no such file"},
		"a folder":              {[]string{dir}, 126, dir + ": is a directory"},
		"not executable":        {[]string{write("plain", "text", 0o600)}, 126, dir + "/plain: permission denied"},
		"no program":            {[]string{write("text", "text", 0o700)}, 126, dir + "/text: not a program, nor a script that names its interpreter in a first line such as #!/bin/sh"},
		"interpreter not there": {[]string{write("script", "#!/no/such/interpreter\n", 0o700)}, 127, dir + "/script: the interpreter that it asks for was not found"},
		"nothing":               {nil, 127, "no command to run"},
		"empty":                 {[]string{""}, 127, "no command to run"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, runner.Command{Argv: test.argv, Env: os.Environ()})
			if r.code != test.code {
				t.Errorf("exit code %d, not %d (%v)", r.code, test.code, r.err)
			}
			if text := fmt.Sprint(r.err); (test.err != "" || r.err != nil) && text != test.err {
				t.Errorf("error %q, not %q", text, test.err)
			}
		})
	}
}

func TestAFileInPathThatIsNotExecutableIsDenied(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "present-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if r := run(t, runner.Command{Argv: []string{"present-1"}}); r.code != 126 || r.err.Error() != "present-1: permission denied" {
		t.Errorf("%d, %v", r.code, r.err)
	}
}

func TestArgumentsAndValuesReachTheCommandVerbatim(t *testing.T) {
	odd := []string{"", " ", "a b", "'", `"`, "$HOME", "$(id)", "`id`", "*", "\\", "a\nb", "-e", "--", "X=1", "é😀", "\x01"}
	if got := decoded(t, run(t, runner.Command{Argv: helper("args", odd...)})); !slicesEqual(got, odd) {
		t.Errorf("arguments became %q", got)
	}
	var list []redact.Needle
	var want []string
	for i, value := range odd {
		// All are too short to be masked.
		list = append(list, secrets(fmt.Sprintf("ODD_%d", i), value)...)
		want = append(want, fmt.Sprintf("ODD_%d=%s", i, value))
	}
	if got := decoded(t, run(t, runner.Command{Argv: helper("env"), Pristine: true, Secrets: list})); !slicesEqual(got, want) {
		t.Errorf("the environment became %q", got)
	}
}

func slicesEqual(a, b []string) bool {
	return strings.Join(a, "\x00") == strings.Join(b, "\x00") && len(a) == len(b)
}

func TestEnvironment(t *testing.T) {
	const credential = "infsh_c0ffee"
	parent := []string{
		"KEEP=as it is", "EMPTY=", "EQUALS=a=b", "SAME=short", "CLASH=parent",
		"INFSH_API_KEY=x", "infsh_url=x", "Infsh_Other=x", "INFSHY=stays",
		"COPY=" + credential, "HEADER=Bearer " + credential + "!",
	}
	r := run(t, runner.Command{
		Argv: helper("env"), Env: parent, Credential: redact.NewValue(credential),
		Secrets: secrets("CLASH", "team", "SAME", "short", "NEW", "n"),
	})
	want := []string{"KEEP=as it is", "EMPTY=", "EQUALS=a=b", "INFSHY=stays", "CLASH=team", "SAME=short", "NEW=n"}
	if got := decoded(t, r); !slicesEqual(got, want) {
		t.Errorf("the command got %q, not %q", got, want)
	}
	var clash []string
	for _, w := range r.warnings {
		if !strings.Contains(w, "not masked") {
			clash = append(clash, w)
		}
	}
	if !slicesEqual(clash, []string{
		"CLASH is set in your environment as well; the command gets the team's secret",
		"COPY is not passed on: its value contains the credential of this run",
		"HEADER is not passed on: its value contains the credential of this run",
	}) {
		t.Errorf("warnings: %q", clash)
	}
}

func TestPristineGivesTheSecretsAndNothingElse(t *testing.T) {
	for _, list := range [][]redact.Needle{nil, secrets("ONE", "1")} {
		r := run(t, runner.Command{Argv: helper("env"), Env: []string{"PARENT=x"}, Pristine: true, Secrets: list})
		if got := decoded(t, r); len(got) != len(list) || len(list) == 1 && got[0] != "ONE=1" {
			t.Errorf("the command got %q", got)
		}
	}
}

func TestWeakValuesAreNamedAndNotMasked(t *testing.T) {
	r := run(t, runner.Command{Argv: helper("print", "$MODE $FLAG"), Secrets: secrets("MODE", "production", "FLAG", "1", "KEY", "sk-0123456789")})
	if r.stdout != "production 1" {
		t.Errorf("stdout %q", r.stdout)
	}
	if len(r.warnings) != 2 || !strings.HasPrefix(r.warnings[0], "MODE is not masked") || !strings.HasPrefix(r.warnings[1], "FLAG is not masked") {
		t.Errorf("warnings %q", r.warnings)
	}
}

// What is refused is not started, and the message has the key and no value.
func TestWhatCannotBecomeEnvironmentIsRefused(t *testing.T) {
	const value = "do-not-show-this"
	marker := filepath.Join(t.TempDir(), "started")
	for name, test := range map[string]struct {
		command runner.Command
		key     string
	}{
		"a loader's name":       {runner.Command{Secrets: secrets("LD_PRELOAD", value)}, "LD_PRELOAD"},
		"PATH":                  {runner.Command{Secrets: secrets("PATH", value)}, "PATH"},
		"our own":               {runner.Command{Secrets: secrets("infsh_url", value)}, "infsh_url"},
		"no name":               {runner.Command{Secrets: secrets("", value)}, "a secret"},
		"an equals sign":        {runner.Command{Secrets: secrets("A=B", value)}, "a secret"},
		"twice":                 {runner.Command{Secrets: secrets("TWICE", value, "TWICE", value)}, "TWICE"},
		"NUL":                   {runner.Command{Secrets: secrets("WITH_NUL", value+"\x00")}, "WITH_NUL"},
		"one too long":          {runner.Command{Secrets: secrets("LONG", value+strings.Repeat("x", 131_072-len(value)-len("LONG=")))}, "LONG"},
		"an inherited too long": {runner.Command{Env: []string{"INHERITED=" + strings.Repeat(value, 10_000)}}, "INHERITED"},
		"all too long":          {runner.Command{Secrets: append(many(70, 100_000), secrets("LONGEST", value+strings.Repeat("x", 110_000))...)}, "LONGEST"},
		"with the parent's":     {runner.Command{Env: entries(70, 100_000), Secrets: secrets("SHORT", value)}, "SHORT"},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.command
			c.Argv = []string{"touch", marker}
			r := run(t, c)
			if r.code != 1 || r.err == nil {
				t.Fatalf("code %d, error %v", r.code, r.err)
			}
			text := r.err.Error() + strings.Join(r.warnings, "\n")
			if !strings.Contains(text, test.key) || strings.Contains(text, value) || len(text) > 500 {
				t.Errorf("message %q", text)
			}
			if _, err := os.Stat(marker); err == nil {
				t.Error("the command was started")
			}
		})
	}
}

func many(n, size int) []redact.Needle {
	var list []redact.Needle
	for i := range n {
		list = append(list, redact.Needle{Key: fmt.Sprintf("MANY_%d", i), Value: redact.NewValue(strings.Repeat("y", size))})
	}
	return list
}

func entries(n, size int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("PARENT_%d=%s", i, strings.Repeat("z", size)))
	}
	return list
}

// The greatest entry that execve takes does reach the command.
func TestTheLongestEntryIsTaken(t *testing.T) {
	value := strings.Repeat("abcdefgh", 131_071/8+1)[:131_071-len("LONG=")]
	r := run(t, runner.Command{Argv: helper("print", "$LONG"), Env: os.Environ(), Secrets: secrets("LONG", value)})
	if r.code != 0 || r.err != nil || r.stdout != redact.Mask {
		t.Errorf("code %d, %v, %d bytes of output", r.code, r.err, len(r.stdout))
	}
}

func TestBothOutputsAreMasked(t *testing.T) {
	const credential, token = "infsh_0123456789", "tok-'0123456789\""
	r := run(t, runner.Command{
		Argv:         helper("print", "out $TOKEN "+credential+" "+base64.StdEncoding.EncodeToString([]byte(token)), "err $TOKEN$TOKEN"),
		Env:          os.Environ(),
		Secrets:      secrets("TOKEN", token),
		Credential:   redact.NewValue(credential),
		MaskWithKeys: true,
	})
	if r.stdout != "out [redacted:TOKEN] [redacted:INFSH_API_KEY] [redacted:TOKEN]" || r.stderr != "err [redacted:TOKEN][redacted:TOKEN]" {
		t.Errorf("%q and %q", r.stdout, r.stderr)
	}
	if r.hits["TOKEN"] != 4 || r.hits["INFSH_API_KEY"] != 1 || len(r.hits) != 2 {
		t.Errorf("found %v", r.hits)
	}
}

func TestStandardInput(t *testing.T) {
	binary := string([]byte{0, 1, 2, 255, '\r', '\n', 0})
	t.Run("a reader is copied", func(t *testing.T) {
		r := run(t, runner.Command{Argv: helper("cat"), Stdin: strings.NewReader(binary)})
		if r.stdout != binary || r.code != 0 {
			t.Errorf("%q, %d, %v", r.stdout, r.code, r.err)
		}
	})
	t.Run("nil is empty", func(t *testing.T) {
		if r := run(t, runner.Command{Argv: helper("cat")}); r.stdout != "" || r.code != 0 {
			t.Errorf("%q, %d", r.stdout, r.code)
		}
	})
	t.Run("a file is the parent's own", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.Seek(2, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if r := run(t, runner.Command{Argv: helper("stdin"), Stdin: file}); r.stdout != "---------- 5 2" {
			t.Errorf("the command saw %q", r.stdout)
		}
	})
	t.Run("a reader that never ends does not hold up the end", func(t *testing.T) {
		reader, writer := io.Pipe()
		defer writer.Close()
		if r := run(t, runner.Command{Argv: helper("exit", "4"), Stdin: reader}); r.code != 4 {
			t.Errorf("code %d, %v", r.code, r.err)
		}
	})
}

// The order of the two outputs in one file is that of the command.
func TestOutputsToOnePlaceKeepTheirOrder(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	script := "for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done"
	if code, err := runner.Run(t.Context(), runner.Command{Argv: []string{"sh", "-c", script}, Env: os.Environ(), Stdout: file, Stderr: file}); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	data, _ := os.ReadFile(file.Name())
	var want strings.Builder
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&want, "o%d\ne%d\n", i, i)
	}
	if string(data) != want.String() {
		t.Errorf("got %q", data)
	}
}

// A process left behind that holds the output open: all that was printed before is
// there, and the run ends.
func TestAProcessLeftBehindDoesNotHoldUpTheEnd(t *testing.T) {
	r := run(t, runner.Command{Argv: helper("leave"), Env: os.Environ()})
	if r.code != 3 || r.err != nil || !strings.Contains(r.stdout, "the last words") || !strings.Contains(r.stdout, strings.Repeat("x", 60_000)) {
		t.Errorf("code %d, %v, %d bytes", r.code, r.err, len(r.stdout))
	}
	var pid int
	if _, err := fmt.Sscanf(r.stdout[strings.Index(r.stdout, "pid "):], "pid %d", &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the process left behind was not alive any more: %v", err)
	}
}

// Nothing of what a command printed is lost to a slow reader.
func TestASlowReaderGetsEverything(t *testing.T) {
	slow := &slowWriter{}
	code, err := runner.Run(t.Context(), runner.Command{Argv: helper("leave"), Env: os.Environ(), Stdout: slow})
	if code != 3 || err != nil || !strings.Contains(slow.String(), "the last words") {
		t.Errorf("code %d, %v, %d bytes", code, err, slow.Len())
	}
	var pid int
	if _, err := fmt.Sscanf(slow.String()[strings.Index(slow.String(), "pid "):], "pid %d", &pid); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

type slowWriter struct{ bytes.Buffer }

func (w *slowWriter) Write(p []byte) (int, error) {
	if w.Len() < 40_000 {
		time.Sleep(1200 * time.Millisecond)
	}
	return w.Buffer.Write(p)
}

// Where nobody reads on, the command gets SIGPIPE, as it would without a runner.
func TestAReaderThatGoesAwayEndsTheCommand(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer writer.Close()
	code, err := runner.Run(t.Context(), runner.Command{Argv: []string{"yes"}, Env: os.Environ(), Stdout: writer})
	if code != 128+int(syscall.SIGPIPE) || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}

func TestAnOutputThatFailsIsAnError(t *testing.T) {
	code, err := runner.Run(t.Context(), runner.Command{Argv: helper("print", "text"), Env: os.Environ(), Stdout: brokenWriter{}})
	if code != 1 || !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "standard output") {
		t.Errorf("code %d, %v", code, err)
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestACancelledRunEndsItsCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	go func() {
		_, _ = reader.Read(make([]byte, 100))
		cancel()
		_, _ = io.Copy(io.Discard, reader)
	}()
	if code, err := runner.Run(ctx, runner.Command{Argv: helper("sleep"), Env: os.Environ(), Stdout: writer}); code != 143 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
	if code, err := runner.Run(ctx, runner.Command{Argv: helper("sleep")}); code != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was cancelled before: code %d, %v", code, err)
	}
}

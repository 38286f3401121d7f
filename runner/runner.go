package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"infsh/redact"
)

// CredentialKey names the runner's credential in masks and reports.
const CredentialKey = "INFSH_API_KEY"

// Exit codes that POSIX shells give where a command could not be run (POSIX.1-2017,
// XCU 2.8.2), and what they add to the number of a signal that ended it.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128
)

// killAfter is how long a command may take to end after SIGTERM when its run is
// cancelled, unless Grace says so.
const killAfter = 10 * time.Second

// Command is a command to run with secrets in its environment.
type Command struct {
	// Argv is the command and its arguments. They reach the command as they are:
	// no shell reads them.
	Argv []string

	// Env is the parent's environment, as os.Environ gives it. The command gets
	// of it what environment lets through.
	Env []string
	// Pristine leaves Env out: the command gets the secrets and nothing else. The
	// command itself is still found by this process's PATH.
	Pristine bool
	// Secrets are put into the environment. On a clash with Env they win.
	Secrets []redact.Needle
	// Mount gets the secrets instead of the environment, which gets NAME_FILE with
	// the file of each. What Env has under a secret's own name is left out. The
	// caller closes it after the run.
	Mount *Mount
	// Fresh are secrets that take the place of Secrets in the Mount while the
	// command runs. Nil has none.
	Fresh <-chan Fresh
	// Credential is what this process resolved the secrets with. No variable
	// whose value contains it reaches the command. It is masked, too.
	Credential redact.Value
	// Tokens are as Credential: what it was got with.
	Tokens []redact.Value
	// Withheld are the names of variables that do not reach the command, since they
	// let whoever has them get such a token.
	Withheld []string

	// Stdin is handed to the command itself where it is an *os.File, else copied
	// through a pipe. Nil is an empty input.
	Stdin io.Reader
	// Stdout and Stderr get the output, with each secret and the credential
	// masked. Where both are the same, the order of the output is kept. Nil
	// discards.
	Stdout, Stderr io.Writer
	// AlsoMask are masked too and not given to the command: values that it had
	// when it was started before.
	AlsoMask []redact.Needle
	// MaskWithKeys makes masks name their secret: [redacted:KEY].
	MaskWithKeys bool

	// Warn gets what the user should know and does not stop the run: one sentence
	// each, with keys and without values. Nil discards.
	Warn func(string)
	// Signals are sent to the command as they come. Nil sends none.
	Signals <-chan os.Signal
	// Grace is how long the command may take to end after SIGTERM when ctx is
	// done; 0 means 10 seconds.
	Grace time.Duration

	// Prepared is used up by the run, and closed where the run starts nothing. Nil is
	// as good, and slower.
	Prepared *Prepared

	// Found, where it is set and something was masked, gets how often each key was,
	// in which form, at the end.
	Found func([]redact.Finding)
}

// Fresh are newer secrets for a command that reads them from a [Mount].
type Fresh struct {
	Secrets []redact.Needle
	// Written gets the outcome: the files are there, and what is printed of them
	// is masked. It must have room for it.
	Written chan<- error
}

// Run runs the command to its end and returns its exit code, 0 to 255, or 128+N
// where signal N ended it. When ctx is done, the command gets SIGTERM, and SIGKILL
// after Grace.
//
// With an error the code is what to exit with: 127 where the command was not
// found, 126 where it could not be executed, 1 where its environment was refused
// (nothing was started in these cases), and else the command's own code (1 for
// 0), when some of its output could not be written.
func Run(ctx context.Context, c Command) (exitCode int, err error) {
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	defer c.Prepared.Close()
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return exitNotFound, errors.New("no command to run")
	}
	if err := ctx.Err(); err != nil {
		return 1, fmt.Errorf("%s was not started: %w", c.Argv[0], err)
	}
	if err := Harden(); err != nil {
		c.Warn(fmt.Sprintf("this process could not be protected from inspection: %v", err))
	}
	if err := closeOnExec(); err != nil {
		return 1, fmt.Errorf("keeping inherited files from the command: %w", err)
	}
	env, err := environment(c)
	if err != nil {
		return 1, err
	}
	path, code, err := find(c.Argv[0])
	if err != nil {
		return code, err
	}
	if c.Mount != nil {
		if err := c.Mount.write(c.Secrets); err != nil {
			return 1, err
		}
	}
	warnUnmasked(c)

	// The search is prepared while the command starts.
	compiled := make(chan *redact.Set, 1)
	go func() {
		compiled <- redact.Compile(slices.Concat(c.Secrets, c.AlsoMask, credentials(c)))
	}()

	term, err := openTerminal(c)
	if err != nil {
		return 1, err
	}
	out, err := newOutput(c, term)
	if err != nil {
		return 1, err
	}
	defer out.close()
	stdin, closeStdin, err := input(c.Stdin)
	if err != nil {
		return 1, err
	}
	cmd := &exec.Cmd{Path: path, Args: c.Argv, Env: env, Stdin: term.input(stdin), Stdout: out.stdout, Stderr: out.stderr}
	p, err := start(cmd, term, c.Prepared)
	closeStdin()
	out.started()
	if err != nil {
		return startError(c, err)
	}
	out.copy(<-compiled, c)
	ended := make(chan struct{})
	defer close(ended)
	go out.refresh(c, ended)
	exitCode = p.wait(ctx, c.Signals, cmp.Or(c.Grace, killAfter))
	found, err := out.finish()
	term.giveBack()
	if c.Found != nil && len(found) > 0 {
		c.Found(found)
	}
	if err != nil && exitCode == 0 {
		exitCode = 1
	}
	return exitCode, err
}

func warnUnmasked(c Command) {
	for _, secret := range c.Secrets {
		if redact.Weak(secret.Value) {
			c.Warn(fmt.Sprintf("%s is not masked in the output: its value is shorter than %d bytes or plainly no secret", secret.Key, redact.MinLength))
		}
	}
}

// input returns what the command reads, and what to close once it has started.
func input(r io.Reader) (*os.File, func(), error) {
	if file, ok := r.(*os.File); ok && file != nil {
		return file, func() {}, nil
	}
	if r == nil {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return nil, nil, fmt.Errorf("opening an empty input: %w", err)
		}
		return null, func() { null.Close() }, nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe for standard input: %w", err)
	}
	// Not waited for: it may hang in a Read after the command has ended.
	go func() {
		_, _ = io.Copy(writer, r)
		writer.Close()
	}()
	return reader, func() { reader.Close() }, nil
}

// startError says why the system did not execute a command that was found.
func startError(c Command, err error) (int, error) {
	name := c.Argv[0]
	var number syscall.Errno
	errors.As(err, &number)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return exitNotFound, fmt.Errorf("%s: the interpreter that it asks for was not found", name)
	case number == syscall.E2BIG:
		return exitNotExecutable, fmt.Errorf("%s: the arguments and the environment together are too long for this system; %s", name, largest(c))
	case number == syscall.ENOEXEC:
		return exitNotExecutable, fmt.Errorf("%s: not a program, nor a script that names its interpreter in a first line such as #!/bin/sh", name)
	case number != 0:
		return exitNotExecutable, fmt.Errorf("%s: %s", name, number.Error())
	default:
		return exitNotExecutable, fmt.Errorf("%s could not be started", name)
	}
}

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/cli/browser"
	"golang.org/x/term"
)

// terminal says what is at the other end of the standard streams.
type terminal struct {
	in, out bool
	// readHidden reads a line without showing it.
	readHidden func(context.Context) (string, error)
}

func terminalOf(in io.Reader, out io.Writer) *terminal {
	t := &terminal{}
	if f, ok := out.(*os.File); ok {
		t.out = term.IsTerminal(int(f.Fd()))
	}
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.in = true
		t.readHidden = func(ctx context.Context) (string, error) { return readHidden(ctx, int(f.Fd())) }
	}
	return t
}

// maxTypedLine is below what a terminal's line discipline takes; it drops what
// is beyond (4096 bytes on Linux, 1024 on macOS), and a secret that was cut
// off would be stored without anyone noticing.
func maxTypedLine() int {
	if runtime.GOOS == "darwin" {
		return 1022
	}
	return 4094
}

// readHidden gives the terminal back as it was, also when it is interrupted: a
// shell that no longer shows what is typed is a poor good-bye.
func readHidden(ctx context.Context, fd int) (string, error) {
	state, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("reading from the terminal: %w", err)
	}
	type answer struct {
		line []byte
		err  error
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	answers := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(fd, state)
		return "", ctx.Err()
	case a := <-answers:
		if a.err != nil {
			if errors.Is(a.err, io.EOF) {
				return "", errors.New("nothing was entered")
			}
			return "", fmt.Errorf("reading from the terminal: %w", a.err)
		}
		if len(a.line) >= maxTypedLine() {
			return "", errors.New("that is too long for a terminal, which cuts long lines off: use standard input, such as `infsh secrets set KEY < FILE`")
		}
		return string(a.line), nil
	}
}

// askHidden prompts on standard error for something that is not shown.
func (p *program) askHidden(ctx context.Context, prompt string) (string, error) {
	_, _ = fmt.Fprint(p.Err, inert(prompt))
	line, err := p.terminal.readHidden(ctx)
	_, _ = fmt.Fprintln(p.Err)
	return line, err
}

// confirm asks on standard error and takes only a clear yes.
func (p *program) confirm(question string) bool {
	_, _ = fmt.Fprint(p.Err, inert(question), " [y/N] ")
	line, _ := bufio.NewReader(p.In).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}

// readAll reads standard input up to a limit in bytes.
func (p *program) readAll(limit int) (string, error) {
	data, err := io.ReadAll(io.LimitReader(p.In, int64(limit)+1))
	if err != nil {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	if len(data) > limit {
		return "", fmt.Errorf("standard input is longer than %d bytes", limit)
	}
	return string(data), nil
}

// hasDesktop reports whether a browser would open where the person is.
func (p *program) hasDesktop() bool {
	if !p.terminal.in || p.env("SSH_CONNECTION") != "" {
		return false
	}
	switch runtime.GOOS {
	case "darwin", "windows":
		return true
	}
	return p.env("DISPLAY") != "" || p.env("WAYLAND_DISPLAY") != ""
}

// openInBrowser does not wait: some launchers stay as long as the browser does.
func openInBrowser(url string) error {
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	go func() { _ = browser.OpenURL(url) }()
	return nil
}

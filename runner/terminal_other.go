//go:build !linux

package runner

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminal: only Linux has one here, see the package's documentation.
type terminal struct{ master *os.File }

func openTerminal(c Command) (*terminal, error) {
	if file, ok := c.Stdout.(*os.File); ok && file != nil && term.IsTerminal(int(file.Fd())) {
		c.Warn("the command prints into a pipe and sees no terminal: it gets one of its own on Linux only")
	}
	return nil, nil
}

func (*terminal) output(io.Writer) *os.File     { return nil }
func (*terminal) input(stdin *os.File) *os.File { return stdin }
func (*terminal) giveBack()                     {}
func (*terminal) resize()                       {}

//go:build !linux

package runner

import (
	"io"
	"os"
)

// terminal: only Linux has one here, see the package's documentation.
type terminal struct{ master *os.File }

func openTerminal(Command) (*terminal, error) { return nil, nil }

func (*terminal) output(io.Writer) *os.File     { return nil }
func (*terminal) input(stdin *os.File) *os.File { return stdin }
func (*terminal) giveBack()                     {}
func (*terminal) resize()                       {}

//go:build unix && !linux

package runner

import "os"

func (*Prepared) catch() chan os.Signal { return catchNamed() }

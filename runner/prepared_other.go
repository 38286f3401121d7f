//go:build !linux

package runner

// Prepared has something in it on Linux alone, where a process watches the command.
type Prepared struct{}

// Prepare starts what a [Run] needs, whatever its command, so that it starts while
// other things are waited for.
func Prepare() *Prepared { return &Prepared{} }

// Close ends what was prepared and not used by a run.
func (*Prepared) Close() {}

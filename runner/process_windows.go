package runner

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"time"
)

// process is a running command, in this process's console group: Ctrl-C reaches
// both by themselves, and this process ignores it.
type process struct {
	*os.Process
	signals chan os.Signal
}

func start(cmd *exec.Cmd, _ *terminal, _ *Prepared) (*process, error) {
	p := &process{signals: make(chan os.Signal, 1)}
	signal.Notify(p.signals, os.Interrupt)
	if err := cmd.Start(); err != nil {
		signal.Stop(p.signals)
		return nil, err
	}
	p.Process = cmd.Process
	return p, nil
}

func (p *process) wait(ctx context.Context, _ <-chan os.Signal, _ time.Duration) int {
	defer signal.Stop(p.signals)
	// Windows has no SIGTERM to send.
	defer context.AfterFunc(ctx, func() { _ = p.Kill() })()
	state, err := p.Wait()
	if err != nil {
		return 1
	}
	return state.ExitCode()
}

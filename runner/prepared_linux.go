package runner

import (
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"infsh/runner/monitor"
)

// Prepared is what starts before the command and its secrets are known: the process
// that watches the command, and the handlers of its signals. Until a run takes them
// over, signals do what they do without handlers.
type Prepared struct {
	started chan *monitored // has one value, or nil, until it is taken
	signals chan os.Signal  // nil once it is taken
	caught  chan struct{}   // all handlers are there
	taken   chan struct{}
	guarded chan struct{} // nobody else reads signals any more
}

// Prepare starts what a [Run] needs, whatever its command, so that it starts while
// other things are waited for.
func Prepare() *Prepared {
	p := &Prepared{
		started: make(chan *monitored, 1), signals: make(chan os.Signal, 64),
		caught: make(chan struct{}), taken: make(chan struct{}), guarded: make(chan struct{}),
	}
	go func() {
		defer close(p.started)
		if Harden() != nil || closeOnExec() != nil {
			return // Run says what is wrong
		}
		if m, err := startMonitor(); err == nil {
			p.started <- m
		}
	}()
	go func() {
		defer close(p.caught)
		named, _ := monitor.Catchable()
		signal.Notify(p.signals, slices.DeleteFunc(named, stops)...)
	}()
	go p.guard()
	return p
}

func (p *Prepared) guard() {
	defer close(p.guarded)
	for {
		select {
		case <-p.taken:
			return
		case s := <-p.signals:
			p.byDefault(s.(syscall.Signal))
		}
	}
}

// stops reports that a signal stops a process. Such a one is caught only when there
// is a command to stop: Go's runtime keeps its handler for it, and no longer stops.
func stops(s os.Signal) bool { return slices.Contains(jobStops, s.(syscall.Signal)) }

// byDefault does what the signal does without a handler.
func (p *Prepared) byDefault(s syscall.Signal) {
	if s == syscall.SIGPIPE || s == syscall.SIGCONT || s == syscall.SIGWINCH {
		return
	}
	<-p.caught // else it would be caught again
	signal.Reset(s)
	// A signal to the calling thread takes effect before the call returns.
	runtime.LockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), s)
	runtime.UnlockOSThread()
}

// take returns nil where there is no monitor, or not any more.
func (p *Prepared) take() *monitored {
	if p == nil {
		return nil
	}
	return <-p.started
}

// catch returns the channel of the signals that are to be forwarded.
func (p *Prepared) catch() chan os.Signal {
	if p == nil || p.signals == nil {
		return catchNamed()
	}
	close(p.taken)
	<-p.guarded
	<-p.caught
	signals := p.signals
	p.signals = nil
	named, _ := monitor.Catchable()
	signal.Notify(signals, slices.DeleteFunc(named, func(s os.Signal) bool { return !stops(s) })...)
	return signals
}

// Close ends what was prepared and not used by a run.
func (p *Prepared) Close() {
	if p == nil {
		return
	}
	if m := p.take(); m != nil {
		m.abandon()
	}
	if p.signals != nil {
		signal.Stop(p.catch())
	}
}

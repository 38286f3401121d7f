package monitor

import (
	"os"
	"sync"
	"syscall"
)

// Process is a monitor that this process started, and that waits for its job.
type Process struct {
	*os.Process
	Control *os.File
}

// Start starts a monitor. Its error tells that this program's own file can't be
// executed, as without /proc.
func Start() (Process, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return Process{}, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	control := os.NewFile(uintptr(pair[0]), "control")
	// Not the name of the file, which may have been replaced since.
	process, err := os.StartProcess("/proc/self/exe", Arguments(), &os.ProcAttr{
		Env: []string{}, Files: []*os.File{nil, nil, nil, ControlFD: theirs},
		// It outlives this process, and hears of its end also while stopped.
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGCONT},
	})
	if err != nil {
		control.Close()
		return Process{}, err
	}
	return Process{process, control}, nil
}

// early is a monitor that started while the rest of this program was being
// initialised, which takes as long as a monitor's own start.
var early struct {
	sync.Mutex
	process Process
}

// startEarly starts a monitor where this is a run by its arguments. A run that is
// not told from them, as behind a flag, starts its monitor later. One that needs
// none, as with --help, leaves it alone: it ends with this process.
func startEarly(args []string) {
	if len(args) > 2 && args[1] == "run" && Harden() == nil && CloseOnExec() == nil {
		early.process, _ = Start()
	}
}

// Take returns the monitor that started early, or starts one.
func Take() (Process, error) {
	early.Lock()
	defer early.Unlock()
	if p := early.process; p.Process != nil {
		early.process = Process{}
		return p, nil
	}
	return Start()
}

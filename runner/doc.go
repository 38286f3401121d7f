// Package runner runs a command with secrets in its environment and masks them in
// what it prints. Otherwise the command should not notice: no shell comes in
// between, arguments and standard input are untouched, signals and exit code pass
// through.
//
// # Environment
//
// The command gets, later ones winning: the parent's environment (unless
// Pristine), without any INFSH_* in any case and without any variable whose value
// contains this process's credential; the secrets. A clash is a warning. Names
// that package envvar refuses are refused here again. Of files, it inherits the
// three standard streams and no other.
//
// With a [Mount], the command gets NAME_FILE with the path of a file that holds the
// secret, instead of NAME with its value: files of mode 0400 in a folder of mode 0700
// on a tmpfs. They are replaced as a whole, and removed at the end. A further process,
// which holds no secret, removes them when this one was killed with SIGKILL; not when
// both were, or the machine stopped, which empties a tmpfs. What a tmpfs holds may be
// swapped out; use encrypted swap or none.
//
// # Output
//
// Where standard output is a terminal, the command has one too, of the same size
// and settings: it prints in colours and lines as without this package. If its
// standard input is a terminal as well, its new one has the keyboard: keys, Ctrl-C
// among them, go there as they are, and mean there what the command has set. Else
// the outer terminal remains the command's keyboard, and what the command opens as
// /dev/tty; what it prints to that is not masked. Standard error is of the same
// terminal, or a pipe where it leads elsewhere.
//
// Otherwise both outputs are pipes, so a command that asks sees no terminal. If
// standard output and standard error are the same file, they share a pipe and keep
// their order.
//
// When the command has ended, what it left in the pipes or the terminal is still
// printed; a process that it left behind can delay the end by little more than a
// second. Its terminal is gone then.
//
// # Signals
//
// All that can be caught are forwarded, apart from those that this process's own
// runtime uses (SIGCHLD, SIGURG, SIGPROF, SIGPIPE) and those of a program error.
// In the foreground of a terminal that the command shares with this process,
// SIGINT, SIGQUIT and SIGWINCH are not, because the terminal sends them to the
// command itself: it gets them once. The same holds for SIGTSTP, SIGTTIN and
// SIGTTOU wherever there is such a terminal. If the command is stopped by Ctrl-Z,
// so is this process with its job, and the shell's fg or bg continues both.
//
// [Command.Signals] are sent in any case: they are from this program.
//
// # Processes
//
// The command's parent is a monitor: this program once more, without the credential
// (see package monitor). When this process is killed, with SIGKILL too, the monitor
// ends the command and all that it started, also what has left its group or session
// or is a daemon by now; not what runs as another user. When the command ends by
// itself, what it left behind runs on, as without this package. A monitor that is
// killed takes the command along; killed together with this process, it leaves what
// the command started. Without /proc there is none: then the command alone is killed
// with this process.
//
// # Systems
//
// All of the above holds on Linux. There this process is also neither dumpable nor
// traceable by its user, nor leaves a core file; the command keeps its own core
// limit, and a core file of it would hold its environment. Killed with SIGKILL, this
// process leaves the outer terminal as it was set for the command; `reset` helps.
//
// On macOS and other Unix systems, outputs are always pipes, there is no [Mount] and
// no monitor, descriptors that this process inherited reach the command, a command
// outlives its killed runner, and [Harden] does nothing. On Windows, furthermore,
// signals are limited to Ctrl-C, which the console sends to both; cancelling kills at
// once; and the code is the one that the system reports.
package runner

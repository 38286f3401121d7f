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
// that package envvar refuses are refused here again.
//
// # Output
//
// Both outputs are pipes, so a command that asks sees no terminal: it may print
// without colours and in blocks. If standard output and standard error are the
// same file, they share a pipe and keep their order. When the command has ended,
// what it left in the pipes is still printed; a process that it left behind can
// delay the end by little more than a second.
//
// # Signals
//
// All that can be caught are forwarded, apart from those that this process's own
// runtime uses (SIGCHLD, SIGURG, SIGPROF, SIGPIPE) and those of a program error.
// In the foreground of a terminal, SIGINT, SIGQUIT and SIGWINCH are not, because
// the terminal sends them to the command itself: it gets them once. The same holds
// for SIGTSTP, SIGTTIN and SIGTTOU wherever there is a terminal. If the command is
// stopped by Ctrl-Z, so is this process, and the shell's fg or bg continues both.
//
// [Command.Signals] are sent in any case: they are from this program.
//
// # Systems
//
// All of the above holds on Linux. There the command is also killed when this
// process is (its own children are not), and this process is neither dumpable nor
// traceable by its user, nor leaves a core file; the command keeps its own core
// limit, and a core file of it would hold its environment.
//
// On macOS and other Unix systems, a command outlives its killed runner, and
// [Harden] does nothing. On Windows, furthermore, signals are limited to Ctrl-C,
// which the console sends to both; cancelling kills at once; and the code is the
// one that the system reports.
package runner

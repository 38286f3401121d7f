// Package monitor is the process between a runner and its command, on Linux: this
// program once more. It is the command's parent, so it reports when that stops and
// ends. It outlives a runner that is killed, with SIGKILL too: then it ends the
// command and all that the command started, also what tried to get away from it.
// On a terminal of the command's own it is the parent without which no terminal
// could stop the command (orphaned process groups, POSIX.1-2017, XBD 3.264), as
// else a shell is. It is started before the command is known, for a run with the
// program itself, and gets the command with its environment and its files through a
// socket. It holds no credential.
//
// The keeper of a mount is such a process, too: it removes the files with the
// secrets when the runner was killed, and holds no secret.
//
// A program that imports this package can be either: where its argv[0] is Name or
// KeeperName, the initialisation of the package never returns. Packages are
// initialised in the order of their paths, each as soon as what it imports is (Go
// specification, "Program initialization"). This one imports next to nothing, so
// these processes start without the initialisation of most of the program, which
// would take many times as long. Hence no fmt and no golang.org/x/sys here.
package monitor

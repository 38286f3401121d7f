package runner

import "infsh/runner/monitor"

// closeOnExec keeps what this process inherited from the command.
func closeOnExec() error { return monitor.CloseOnExec() }

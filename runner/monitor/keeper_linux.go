package monitor

import (
	"io"
	"os"
)

// KeeperName is the argv[0] of a mount's keeper. Its arguments are the folder's path
// and whether the folder goes with its files.
const KeeperName = "infsh: mount keeper"

// keep waits for the end of the process that started it, and removes what is left
// of its mount. It is in the folder, which may have got another name.
func keep(dir string, made bool) int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	here, err := os.OpenRoot(".")
	if err != nil || RemoveFiles(here, func(string) bool { return false }) != nil {
		return 1
	}
	if made {
		_ = os.Remove(dir)
	}
	return 0
}

// RemoveFiles removes all files of a folder but those that are to be kept. It
// returns the first failure, and goes on after it.
func RemoveFiles(root *os.Root, kept func(name string) bool) error {
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	names, failed := folder.Readdirnames(-1)
	for _, name := range names {
		if kept(name) {
			continue
		}
		if err := root.Remove(name); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// find returns the file to execute, or the exit code and message of a shell.
func find(name string) (path string, code int, err error) {
	path, err = exec.LookPath(name)
	// A PATH with "." in it is the user's choice, as it is for env(1). Windows
	// looks there unasked, which exec refuses with reason.
	if err == nil || errors.Is(err, exec.ErrDot) && runtime.GOOS != "windows" {
		return path, 0, nil
	}
	file := name
	if !strings.ContainsRune(name, filepath.Separator) && !errors.Is(err, exec.ErrDot) {
		file = inPath(name)
	}
	info, statErr := os.Stat(file)
	switch {
	case errors.Is(err, exec.ErrDot):
		return "", exitNotExecutable, fmt.Errorf("%s: only found in the current folder; write .%c%s to run it", name, filepath.Separator, name)
	case file == "" || errors.Is(statErr, fs.ErrNotExist):
		if strings.ContainsRune(name, filepath.Separator) {
			return "", exitNotFound, fmt.Errorf("%s: no such file", name)
		}
		return "", exitNotFound, fmt.Errorf("%s: command not found", name)
	case statErr == nil && info.IsDir():
		return "", exitNotExecutable, fmt.Errorf("%s: is a directory", name)
	default:
		return "", exitNotExecutable, fmt.Errorf("%s: permission denied", name)
	}
}

// inPath returns the first file of that name in PATH, executable or not.
func inPath(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file
		}
	}
	return ""
}

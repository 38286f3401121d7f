//go:build unix

package envelope

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// readPrivateFile reads a file that only its owner may read. It examines the
// file that it opened, not the name, so that nothing can be put in its place
// between the examination and the reading. It reads at most one byte more than
// maxKEKSource.
func readPrivateFile(path string) (data []byte, err error) {
	// Without O_NONBLOCK, opening a named pipe would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		if info, statErr := os.Lstat(path); statErr == nil && info.Mode()&os.ModeSymlink != 0 {
			return nil, invalidFile(path, "it is a symbolic link; name the file itself")
		}
		return nil, fileError(path, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, fileError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, invalidFile(path, "it is not a regular file")
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return nil, invalidFile(path, fmt.Sprintf("its mode is %04o and must be no wider than 0600; if nobody else can have read it, run `chmod 600` on it", mode))
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, invalidFile(path, "its owner can't be told")
	}
	if !trustedOwner(int(owner.Uid), os.Geteuid()) {
		return nil, invalidFile(path, fmt.Sprintf("it belongs to user id %d and must belong to %d, who runs this process, or to root", owner.Uid, os.Geteuid()))
	}
	data, err = io.ReadAll(io.LimitReader(f, maxKEKSource+1))
	if err != nil {
		return data, fileError(path, err)
	}
	return data, nil
}

func trustedOwner(owner, self int) bool { return owner == self || owner == 0 }

func invalidFile(path, problem string) error {
	return &KEKError{"file " + path, problem, ErrKEKInvalid}
}

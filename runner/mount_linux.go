package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"infsh/redact"
	"infsh/runner/monitor"
)

// Mount is a folder with a file for each secret, for programs that read NAME_FILE.
// The files go when it is closed, and when this process is killed: the mount's
// keeper, a further process that holds no secret, removes them then.
type Mount struct {
	dir    string
	made   bool // the folder is ours, and goes with the files
	root   *os.Root
	lock   *os.File
	keeper *exec.Cmd
	alive  *os.File // the keeper's standard input ends with this process
}

// lockPatience is how long a mount waits for the keeper of a run that was killed.
const lockPatience = 2 * time.Second

// OpenMount takes a folder for secrets, which it makes if it is not there; it must
// be empty else. It is refused on a disk unless onDisk allows that.
func OpenMount(dir string, onDisk bool) (*Mount, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--mount: %w", err)
	}
	until := time.Now().Add(lockPatience)
	for {
		m, again, err := openMount(dir, onDisk)
		if !again || time.Now().After(until) {
			return m, err
		}
		time.Sleep(settle)
	}
}

// openMount reports with again that the folder may be free in a moment.
func openMount(dir string, onDisk bool) (m *Mount, again bool, err error) {
	made, err := makeFolder(dir, onDisk)
	if err != nil {
		return nil, false, err
	}
	m = &Mount{dir: dir, made: made}
	defer func() {
		if err != nil {
			m.release()
			if made {
				_ = os.Remove(dir)
			}
			m = nil
		}
	}()
	if m.root, err = os.OpenRoot(dir); err != nil {
		return m, errors.Is(err, fs.ErrNotExist), fmt.Errorf("--mount: %w", err)
	}
	if m.lock, err = m.root.Open("."); err != nil {
		return m, false, fmt.Errorf("--mount: %w", err)
	}
	if err := unix.Flock(int(m.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		made = false // by the other one, then
		return m, true, fmt.Errorf("--mount: %s is in use by another run: give each its own", dir)
	}
	// What was opened is what is there now, and no link.
	named, err := os.Lstat(dir)
	opened, statErr := m.lock.Stat()
	if err != nil || statErr != nil || !os.SameFile(named, opened) {
		return m, true, fmt.Errorf("--mount: %s is not a folder, or was replaced while it was opened", dir)
	}
	if owner := opened.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		made = false
		return m, false, fmt.Errorf("--mount: %s belongs to another user: name a folder that is not there yet", dir)
	}
	if entries, err := fs.ReadDir(m.root.FS(), "."); err != nil || len(entries) > 0 {
		made = false
		return m, false, fmt.Errorf("--mount: %s is not empty: name an empty folder, or one that is not there yet", dir)
	}
	if err := m.lock.Chmod(0o700); err != nil {
		return m, false, fmt.Errorf("--mount: %w", err)
	}
	if err := m.keep(); err != nil {
		return m, false, fmt.Errorf("--mount: starting the process that removes the files: %w", err)
	}
	return m, false, nil
}

// makeFolder makes the folder if it is not there, on a file system in memory.
func makeFolder(dir string, onDisk bool) (made bool, err error) {
	place := dir
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		place = filepath.Dir(dir)
	case err != nil:
		return false, fmt.Errorf("--mount: %w", err)
	case !info.IsDir():
		return false, fmt.Errorf("--mount: %s is there and no folder: name one that is not there yet", dir)
	}
	if !onDisk && !inMemory(place) {
		return false, fmt.Errorf("--mount: %s is not on a tmpfs, so the values would be written to a disk; %s", dir, instead(dir))
	}
	if place == dir {
		return false, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("--mount: %w", err)
	} else if err != nil {
		return false, nil // somebody else made it just now
	}
	return true, nil
}

func inMemory(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && (s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC)
}

// instead names a folder that would do.
func instead(dir string) string {
	for _, place := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm", "/run/shm"} {
		if filepath.IsAbs(place) && inMemory(place) && unix.Access(place, unix.W_OK|unix.X_OK) == nil {
			return fmt.Sprintf("--mount %s would do, or allow it with --mount-on-disk", filepath.Join(place, filepath.Base(dir)))
		}
	}
	return "this system has no tmpfs that you can write to: mount one, or allow a disk with --mount-on-disk"
}

// keep starts the keeper. It is not waited for: once it is forked it will see this
// process's end, however early that comes. Descriptor 3 keeps the lock with it.
func (m *Mount) keep() error {
	theirs, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	m.alive = alive
	keeper := &exec.Cmd{
		// Not the name of the file, which may have been replaced since.
		Path: "/proc/self/exe", Args: []string{monitor.KeeperName, m.dir, fmt.Sprint(m.made)},
		Env: []string{}, Dir: m.dir, Stdin: theirs, ExtraFiles: []*os.File{m.lock},
		// No terminal and no signal to a job reaches it.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := keeper.Start(); err != nil {
		return err
	}
	m.keeper = keeper
	return nil
}

// file is where a secret is.
func (m *Mount) file(key string) string { return filepath.Join(m.dir, key) }

// write replaces each file as a whole, and then removes those of other keys.
func (m *Mount) write(secrets []redact.Needle) error {
	keys := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		if err := m.writeFile(secret); err != nil {
			return fmt.Errorf("writing the file of %s: %w", secret.Key, err)
		}
		keys = append(keys, secret.Key)
	}
	return monitor.RemoveFiles(m.root, func(name string) bool { return slices.Contains(keys, name) })
}

func (m *Mount) writeFile(secret redact.Needle) (err error) {
	fresh := "." + secret.Key + ".new" // no key has a point
	defer func() {
		if err != nil {
			_ = m.root.Remove(fresh)
		}
	}()
	file, err := m.root.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, secret.Value.Reveal())
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return m.root.Rename(fresh, secret.Key)
}

// Close removes the files, and the folder if OpenMount made it.
func (m *Mount) Close() error {
	if m == nil || m.root == nil {
		return nil
	}
	err := monitor.RemoveFiles(m.root, func(string) bool { return false })
	if err == nil && m.made {
		err = os.Remove(m.dir)
	}
	if err != nil {
		err = fmt.Errorf("--mount: removing the secrets' files: %w", err)
	}
	m.release()
	return err
}

// release gives the folder up. The keeper first: it would empty what the next run
// of the folder writes.
func (m *Mount) release() {
	if m.keeper != nil {
		_ = m.keeper.Process.Kill()
		_ = m.keeper.Wait()
	}
	if m.alive != nil {
		m.alive.Close()
	}
	if m.lock != nil {
		m.lock.Close()
	}
	if m.root != nil {
		m.root.Close()
	}
	m.root = nil
}

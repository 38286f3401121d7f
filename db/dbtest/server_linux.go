package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
)

// startServer starts a throwaway server whose folder is removed when it stops.
// It ends with the test process, however that ends. If durable, it syncs as an
// operator's does.
func startServer(durable bool) (base *url.URL, stop func() error, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, nil, err
	}
	attr, uid, gid, err := unprivileged()
	if err != nil {
		return nil, nil, err
	}
	// A socket's path has at most 107 bytes, so the folder is not the test's.
	dir, err := os.MkdirTemp("/tmp", "infsh-pg")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("initdb: %w\n%s", err, out), os.RemoveAll(dir))
	}

	var log bytes.Buffer
	args := []string{"-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	if !durable {
		// Most tests are about answers.
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	server := exec.Command(filepath.Join(bin, "postgres"), args...)
	server.SysProcAttr, server.Dir, server.Stdout, server.Stderr = attr, dir, &log, &log
	if err := server.Start(); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	exited := make(chan error, 1)
	go func() { exited <- server.Wait() }()
	stop = func() error {
		_ = server.Process.Signal(syscall.SIGINT) // PostgreSQL's fast shutdown.
		<-exited
		return os.RemoveAll(dir)
	}
	base = &url.URL{Scheme: "postgres", User: url.User("postgres"), RawQuery: url.Values{"host": {dir}, "sslmode": {"disable"}}.Encode()}
	if err := waitFor(base, exited); err != nil {
		_ = server.Process.Kill()
		return nil, nil, errors.Join(fmt.Errorf("PostgreSQL did not start: %w\n%s", err, log.String()), os.RemoveAll(dir))
	}
	return base, stop, nil
}

func waitFor(base *url.URL, exited <-chan error) error {
	u := *base
	u.Path = "/postgres"
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := sqlx.Connect("postgres", u.String())
		if err == nil {
			return conn.Close()
		}
		select {
		case exit := <-exited:
			return fmt.Errorf("it exited: %v", exit)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// binaries finds the newest installed server: Debian keeps its programs out of
// the PATH.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return majorOf(b) - majorOf(a) })
		return filepath.Dir(found[0]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("initdb was not found; install PostgreSQL (on Debian: apt-get install postgresql), or name a server in INFSH_TEST_POSTGRES")
}

func majorOf(initdb string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if err != nil {
		return 0
	}
	return n
}

// unprivileged is who the server runs as: PostgreSQL refuses root.
func unprivileged() (attr *syscall.SysProcAttr, uid, gid int, err error) {
	attr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attr, os.Getuid(), os.Getgid(), nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, 0, 0, fmt.Errorf("as root, PostgreSQL runs as the user postgres: %w", err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return nil, 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	if err != nil {
		return nil, 0, 0, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, uid, gid, nil
}

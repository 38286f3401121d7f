package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// startPooler starts a pgbouncer in transaction mode before a server. It ends
// with the test process, however that ends.
func startPooler(server *url.URL, options string) (base *url.URL, stop func() error, err error) {
	program, err := pgbouncer()
	if err != nil {
		return nil, nil, err
	}
	attr, uid, gid, err := unprivileged()
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "infsh-pgb")
	if err != nil {
		return nil, nil, err
	}
	const port = "6432"
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s user=postgres
[pgbouncer]
unix_socket_dir = %s
listen_port = %s
auth_type = any
pool_mode = transaction
max_client_conn = 500
%s
`, server.Query().Get("host"), dir, port, options)
	if err := errors.Join(os.WriteFile(config, []byte(text), 0o644), os.Chown(dir, uid, gid)); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	var log bytes.Buffer
	pooler := exec.Command(program, config)
	pooler.SysProcAttr, pooler.Dir, pooler.Stdout, pooler.Stderr = attr, dir, &log, &log
	if err := pooler.Start(); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	exited := make(chan error, 1)
	go func() { exited <- pooler.Wait() }()
	stop = func() error {
		_ = pooler.Process.Signal(syscall.SIGTERM) // Ends at once.
		<-exited
		return os.RemoveAll(dir)
	}
	base = &url.URL{Scheme: "postgres", User: url.User("postgres"), RawQuery: url.Values{"host": {dir}, "port": {port}, "sslmode": {"disable"}}.Encode()}
	if err := waitFor(base, exited); err != nil {
		_ = pooler.Process.Kill()
		return nil, nil, errors.Join(fmt.Errorf("pgbouncer did not start: %w\n%s", err, log.String()), os.RemoveAll(dir))
	}
	return base, stop, nil
}

// pgbouncer is found where Debian has it, which is not in everybody's PATH.
func pgbouncer() (string, error) {
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		return path, nil
	}
	const path = "/usr/sbin/pgbouncer"
	if _, err := os.Stat(path); err != nil {
		return "", errors.New("pgbouncer was not found; install it (on Debian: apt-get install pgbouncer)")
	}
	return path, nil
}

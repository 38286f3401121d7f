package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// Cluster is a PostgreSQL server of a test's own, on a port of this machine,
// that syncs as an operator's does and that the test may stop and kill.
type Cluster struct {
	tb             testing.TB
	bin, dir, port string
	settings       []string

	mu     sync.Mutex
	server *exec.Cmd
	exited chan error
	log    bytes.Buffer
}

// NewCluster starts a server with further settings, each NAME=VALUE.
func NewCluster(tb testing.TB, settings ...string) *Cluster {
	tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "infsh-pg")
	if err != nil {
		tb.Fatal(err)
	}
	c := newCluster(tb, dir, settings)
	c.initialize()
	return c
}

// NewSmallCluster is NewCluster in a folder of a small disk, which it removes.
func NewSmallCluster(tb testing.TB, dir string, settings ...string) *Cluster {
	tb.Helper()
	c := newCluster(tb, dir, settings)
	c.initialize("--wal-segsize=1")
	return c
}

func (c *Cluster) initialize(options ...string) {
	c.tb.Helper()
	c.run("initdb", append([]string{"-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}, options...)...)
	c.Start()
}

func newCluster(tb testing.TB, dir string, settings []string) *Cluster {
	tb.Helper()
	bin, err := binaries()
	if err != nil {
		tb.Fatal(err)
	}
	_, uid, gid, err := unprivileged()
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err = errors.Join(err, l.Close()); err != nil {
		tb.Fatal(err)
	}
	c := &Cluster{tb: tb, bin: bin, dir: dir, port: port, settings: settings}
	tb.Cleanup(func() {
		c.Stop("immediate")
		if tb.Failed() {
			tb.Logf("PostgreSQL on port %s said:\n%s", c.port, c.tail())
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) tail() string {
	s := c.log.String()
	return s[max(0, len(s)-3000):]
}

// run runs one of PostgreSQL's programs to its end.
func (c *Cluster) run(program string, args ...string) {
	c.tb.Helper()
	attr, _, _, err := unprivileged()
	if err != nil {
		c.tb.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.SysProcAttr, cmd.Dir = attr, c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		c.tb.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// Address is HOST:PORT.
func (c *Cluster) Address() string { return "127.0.0.1:" + c.port }

// URL names a database of the server.
func (c *Cluster) URL(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Host: c.Address(), Path: database, RawQuery: "sslmode=disable"}).String()
}

// Start starts the server and waits until it answers.
func (c *Cluster) Start() {
	c.tb.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := c.try()
		if err == nil {
			return
		}
		// After a kill the memory of the one before may still be in use.
		if time.Now().After(end) {
			c.tb.Fatalf("PostgreSQL did not start: %v\n%s", err, c.tail())
		}
	}
}

func (c *Cluster) try() error {
	attr, _, _, err := unprivileged()
	if err != nil {
		return err
	}
	args := []string{"-D", c.data(), "-k", c.dir, "-p", c.port, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"}
	for _, s := range c.settings {
		args = append(args, "-c", s)
	}
	server := exec.Command(filepath.Join(c.bin, "postgres"), args...)
	server.SysProcAttr, server.Dir, server.Stdout, server.Stderr = attr, c.dir, &c.log, &c.log
	if err := server.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- server.Wait(); close(exited) }()
	base, err := url.Parse(c.URL(""))
	if err != nil {
		return err
	}
	if err := waitFor(base, exited); err != nil {
		_ = server.Process.Kill()
		<-exited
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.exited = server, exited
	return nil
}

// Stop stops the server: "immediate" as a crash of its own does, "fast" as an
// operator does.
func (c *Cluster) Stop(mode string) {
	signal := syscall.SIGINT
	if mode == "immediate" {
		signal = syscall.SIGQUIT
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		_ = c.server.Process.Signal(signal)
		<-c.exited
		c.server = nil
	}
}

// Revive starts the server again if it has ended by itself, as one does that
// can't write its log.
func (c *Cluster) Revive() {
	c.tb.Helper()
	c.mu.Lock()
	select {
	case <-c.exited:
		c.server = nil
	default:
	}
	ended := c.server == nil
	c.mu.Unlock()
	if ended {
		c.Start()
	}
}

// Processes are the server's, the first one at first.
func (c *Cluster) Processes() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	return c.processes()
}

func (c *Cluster) processes() []int {
	pids := []int{c.server.Process.Pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pids[0], pids[0]))
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// Kill ends all of the server's processes at once, as a lost machine does.
func (c *Cluster) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Stopped, it can't clean up after its children.
	_ = c.server.Process.Signal(syscall.SIGSTOP)
	for _, child := range c.processes()[1:] {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	_ = c.server.Process.Kill()
	<-c.exited
	c.server = nil
}

// Standby makes a second server that follows this one by streaming
// replication. name is what the first one knows it by.
func (c *Cluster) Standby(name string) *Cluster {
	c.tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "infsh-pg")
	if err != nil {
		c.tb.Fatal(err)
	}
	s := newCluster(c.tb, dir, nil)
	from := fmt.Sprintf("host=127.0.0.1 port=%s user=postgres application_name=%s", c.port, name)
	// -R writes standby.signal and the connection to the primary.
	s.run("pg_basebackup", "-D", s.data(), "-d", from, "-R", "-X", "stream", "-c", "fast", "--no-sync")
	s.Start()
	return s
}

// Promote makes a standby the primary.
func (c *Cluster) Promote() {
	c.tb.Helper()
	c.Exec("postgres", "SELECT pg_promote(true, 60)")
}

// Exec runs a statement as the operator.
func (c *Cluster) Exec(database, statement string) {
	c.tb.Helper()
	conn, err := sqlx.Connect("postgres", c.URL(database))
	if err == nil {
		_, err = conn.Exec(statement)
		err = errors.Join(err, conn.Close())
	}
	if err != nil {
		c.tb.Fatalf("%s: %v", statement, err)
	}
}

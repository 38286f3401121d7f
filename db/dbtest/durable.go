package dbtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// DurablePostgresURL starts a server as DurablePostgres does, for a program
// that opens the database itself. It returns an empty database's URL and the
// id of the server's first process, of which all others are children.
func DurablePostgresURL(tb testing.TB) (url string, pid int) {
	tb.Helper()
	base, stop, err := startServer(true)
	if err != nil {
		tb.Fatalf("the test needs a PostgreSQL server of its own: %v", err)
	}
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Error(err)
		}
	})
	file, err := os.ReadFile(filepath.Join(base.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		tb.Fatal(err)
	}
	first, _, _ := bytes.Cut(file, []byte("\n"))
	if pid, err = strconv.Atoi(string(first)); err != nil {
		tb.Fatal(err)
	}
	server := &cluster{base: base, stop: stop}
	url, _, err = server.database(tb.Context(), "template0")
	if err != nil {
		tb.Fatal(err)
	}
	return url, pid
}

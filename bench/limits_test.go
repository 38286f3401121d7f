package bench

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"
)

// The limits are this very test binary, started again with limitVariable set.
const (
	limitVariable = "INFSH_BENCH_LIMIT" // bare, sqlite or postgres
	limitDatabase = "INFSH_BENCH_DATABASE"
	limitTeams    = "INFSH_BENCH_TEAMS"
	limitAnswer   = "INFSH_BENCH_ANSWER"
)

// startBare runs a handler that answers with the given bytes and does nothing else.
func startBare(tb testing.TB, answer string) *process {
	tb.Helper()
	return start(tb, []string{limitVariable + "=bare", limitAnswer + "=" + answer}, os.Args[0])
}

// startPoint runs a handler that looks up one random row first.
func startPoint(tb testing.TB, s *store, answer string) *process {
	tb.Helper()
	return start(tb, []string{
		limitVariable + "=" + s.kind, limitDatabase + "=" + s.source, limitTeams + "=" + strconv.Itoa(s.teams), limitAnswer + "=" + answer,
	}, os.Args[0])
}

func serveLimit(kind string) error {
	answer := []byte(os.Getenv(limitAnswer))
	ask := func(*http.Request) error { return nil }
	if kind != "bare" {
		stmt, err := pointQuery(kind)
		if err != nil {
			return err
		}
		teams, err := strconv.Atoi(os.Getenv(limitTeams))
		if err != nil {
			return err
		}
		ask = func(r *http.Request) error {
			var version int64
			return stmt.QueryRowContext(r.Context(), id("team", rand.IntN(teams)), keyName(rand.IntN(keysPerTeam))).Scan(&version)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := ask(r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})}
	go func() {
		<-stop
		_ = server.Close()
	}()
	fmt.Fprintf(os.Stderr, "listening on http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// pointQuery prepares the smallest question there is, with as many connections
// as infsh has.
func pointQuery(kind string) (*sql.Stmt, error) {
	db, err := sql.Open(kind, os.Getenv(limitDatabase))
	if err != nil {
		return nil, err
	}
	connections, query := 16, "SELECT version FROM secrets WHERE team_id = $1 AND key = $2"
	if kind == "sqlite" {
		connections = 4
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db.Prepare(query)
}

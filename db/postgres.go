package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// limits are what one instance asks of PostgreSQL. They are parameters of the
// database URL, each with a default.
type limits struct {
	// connections bounds the pool (pool_max_conns). The server's
	// max_connections must hold the sum over all instances, and some for the
	// operator's commands.
	connections int
	// connect bounds a connection's making, with each host (connect_timeout).
	connect time.Duration
	// statement, lock and idle end what takes longer, at the server: a
	// statement (statement_timeout), the wait for a lock (lock_timeout), and a
	// transaction whose client is gone (idle_in_transaction_session_timeout).
	// 0 is no limit.
	statement, lock, idle time.Duration
	hosts                 int
}

const (
	defaultConnections      = 16
	defaultConnectTimeout   = 3 * time.Second
	defaultStatementTimeout = 10 * time.Second
	defaultLockTimeout      = 5 * time.Second
	defaultIdleTimeout      = 15 * time.Second
	// connectionLifetime is how long a connection is used, so that a changed
	// DNS answer and a balanced load are followed.
	connectionLifetime = 5 * time.Minute
	connectionIdleTime = time.Minute
	// grace is how much longer than the server's own limit an answer is waited
	// for, before the connection counts as dead.
	grace = 5 * time.Second
)

// patience is how long no byte may come while an answer is waited for: a host
// that vanished sends nothing that would end the wait.
func (l limits) patience() time.Duration {
	if l.statement == 0 {
		return 0
	}
	return l.statement + grace
}

// acquire bounds the wait for a free connection, or a new one.
func (l limits) acquire() time.Duration {
	return 2*time.Second + l.connect*time.Duration(l.hosts)
}

// OpenPostgres opens a postgres:// URL. Its parameters are those of libpq,
// pool_max_conns, and any run-time parameter of the server; several hosts are
// written HOST:PORT,HOST:PORT.
func OpenPostgres(ctx context.Context, databaseURL string) (*DB, error) {
	c, err := newConnector(databaseURL)
	if err != nil {
		return nil, err
	}
	pool := sqlx.NewDb(sql.OpenDB(c), "postgres")
	pool.SetMaxOpenConns(c.limits.connections)
	pool.SetMaxIdleConns(c.limits.connections)
	pool.SetConnMaxIdleTime(connectionIdleTime)
	pool.SetConnMaxLifetime(connectionLifetime)
	return ready(ctx, &DB{writer: pool, reader: pool, dialect: postgresDialect, connector: c, limits: c.limits})
}

// errURL takes the place of the driver's own errors, which repeat the URL, or a
// part of it, which holds a password.
var errURL = errors.New("the database URL can't be read: it is written postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full, with other characters than letters and digits in the password as %XX; several hosts are HOST:PORT,HOST:PORT")

func newConnector(databaseURL string) (*connector, error) {
	databaseURL, ok := spreadHosts(databaseURL)
	if !ok {
		return nil, errURL
	}
	cfg, err := pq.NewConfig(databaseURL)
	if err != nil {
		return nil, errURL
	}
	l := limits{connections: defaultConnections, connect: cfg.ConnectTimeout, hosts: 1 + len(cfg.Multi)}
	if l.connect <= 0 {
		l.connect = defaultConnectTimeout
	}
	cfg.ConnectTimeout = l.connect
	if v, ok := cfg.Runtime["pool_max_conns"]; ok {
		if l.connections, err = strconv.Atoi(v); err != nil || l.connections < minConnections {
			return nil, fmt.Errorf("the database URL's pool_max_conns must be a number from %d", minConnections)
		}
		delete(cfg.Runtime, "pool_max_conns")
	}
	for name, limit := range map[string]struct {
		to       *time.Duration
		fallback time.Duration
	}{
		"statement_timeout":                   {&l.statement, defaultStatementTimeout},
		"lock_timeout":                        {&l.lock, defaultLockTimeout},
		"idle_in_transaction_session_timeout": {&l.idle, defaultIdleTimeout},
	} {
		*limit.to = limit.fallback
		if v, ok := cfg.Runtime[name]; ok {
			if *limit.to, err = parseTimeout(v); err != nil {
				return nil, fmt.Errorf("the database URL's %s must be a time, such as 10s or 10000 (milliseconds)", name)
			}
			delete(cfg.Runtime, name)
		}
	}
	return &connector{cfg: cfg, limits: l}, nil
}

// minConnections is one for a request and one for the audit log beside it.
const minConnections = 2

// parseTimeout reads a time as PostgreSQL writes it: milliseconds, or with a
// unit.
func parseTimeout(s string) (time.Duration, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Millisecond, nil
	}
	d, err := time.ParseDuration(strings.Replace(s, "min", "m", 1))
	if err == nil && (d < time.Millisecond || d > 24*time.Hour) {
		err = errors.New("out of range")
	}
	return d, err
}

// spreadHosts rewrites HOST:PORT,HOST:PORT, which libpq reads and net/url does
// not, as the parameters host and port.
func spreadHosts(databaseURL string) (string, bool) {
	scheme, rest, ok := strings.Cut(databaseURL, "://")
	if !ok {
		return "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	user, hosts := "", authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, hosts = authority[:at+1], authority[at+1:]
	}
	if !strings.Contains(hosts, ",") {
		return databaseURL, true
	}
	var names, ports []string
	for _, h := range strings.Split(hosts, ",") {
		name, port, err := splitHostPort(h)
		if err != nil {
			return "", false
		}
		names, ports = append(names, name), append(ports, port)
	}
	u, err := url.Parse(scheme + "://" + user + "localhost" + tail)
	if err != nil {
		return "", false
	}
	u.Host = ""
	q := u.Query()
	q.Set("host", strings.Join(names, ","))
	if !q.Has("port") {
		q.Set("port", strings.Join(ports, ","))
	}
	u.RawQuery = q.Encode()
	// An empty host would be dropped together with the user.
	return scheme + "://" + user + u.EscapedPath() + "?" + u.RawQuery, true
}

func splitHostPort(s string) (host, port string, err error) {
	u, err := url.Parse("postgres://" + s)
	if err != nil || u.Host != s || u.Hostname() == "" || s[0] != '[' && strings.Count(s, ":") > 1 {
		return "", "", errURL
	}
	if port = u.Port(); port == "" {
		port = "5432"
	}
	return u.Hostname(), port, nil
}

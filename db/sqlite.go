package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
)

const (
	// busyTimeout is how long SQLite waits for another process's lock, such
	// as that of an `infsh admin` command beside the server.
	busyTimeout = 10 * time.Second
	// sqliteReaders is how many connections read while one writes.
	sqliteReaders = 4
)

// OpenSQLite opens the file, and makes it with mode 0600 if it isn't there.
// Its folder must exist.
func OpenSQLite(ctx context.Context, path string) (*DB, error) {
	// SQLite gives its WAL and shared-memory files the mode of the database,
	// so the mode is set before SQLite sees the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, fmt.Errorf("make the database private: %w", err)
	}
	// The writer alone keeps its pages from one transaction to the next; it may
	// hold 64 MiB of them.
	writer, err := sqlitePool(sqliteDSN(path, "_txlock", "immediate", "_pragma", "cache_size(-65536)"))
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err := sqlitePool(sqliteDSN(path, "_pragma", "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(sqliteReaders)
	reader.SetMaxIdleConns(sqliteReaders)
	return ready(ctx, &DB{writer: writer, reader: reader, dialect: sqliteDialect})
}

func sqliteDSN(path string, option ...string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	q := url.Values{}
	for _, p := range []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)",
		// FULL syncs the WAL at each commit: NORMAL would lose the last ones
		// in a power cut.
		"synchronous(FULL)",
		// A page that changes again and again goes into the file once in so many
		// pages of the log, which are 16 MiB.
		"wal_autocheckpoint(4096)",
		"foreign_keys(1)",
		// Deleted ciphertexts are overwritten, not just unlinked.
		"secure_delete(1)",
		"trusted_schema(0)",
	} {
		q.Add("_pragma", p)
	}
	for i := 0; i+1 < len(option); i += 2 {
		q.Add(option[i], option[i+1])
	}
	return (&url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}).String()
}

func sqlitePool(dsn string) (*sqlx.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sqlx.NewDb(sql.OpenDB(sqliteConnector{c}), "sqlite"), nil
}

// sqliteConnector makes connections that prepare what they are asked again and
// again: parsing and planning take longer than most statements themselves.
type sqliteConnector struct{ driver.Connector }

func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := conn.(sqliteInner)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connection is not as expected"), conn.Close())
	}
	return &sqliteConn{sqliteInner: inner, statements: newStatements(), open: map[driver.Stmt]bool{}}, nil
}

// sqliteInner is what the driver's connection can do.
type sqliteInner interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type sqliteConn struct {
	sqliteInner
	statements statements
	// open has the statements whose rows are being read, which can't be run
	// again meanwhile.
	open map[driver.Stmt]bool
}

func (c *sqliteConn) Close() error { return errors.Join(c.statements.close(), c.sqliteInner.Close()) }

func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmt, err := c.statements.find(ctx, c.sqliteInner, query, args)
	if err != nil {
		return nil, err
	}
	if e, ok := stmt.(driver.StmtExecContext); ok && !c.open[stmt] {
		return e.ExecContext(ctx, args)
	}
	return c.sqliteInner.ExecContext(ctx, query, args)
}

func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := c.statements.find(ctx, c.sqliteInner, query, args)
	if err != nil {
		return nil, err
	}
	q, ok := stmt.(driver.StmtQueryContext)
	if !ok || c.open[stmt] {
		return c.sqliteInner.QueryContext(ctx, query, args)
	}
	rows, err := q.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	c.open[stmt] = true
	return &sqliteRows{Rows: rows, done: func() { delete(c.open, stmt) }}, nil
}

// sqliteRows frees its statement when it is closed.
type sqliteRows struct {
	driver.Rows
	done func()
}

func (r *sqliteRows) Close() error {
	r.done()
	return r.Rows.Close()
}

package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// session is a connection to PostgreSQL. Beside lib/pq's own it prepares what
// is asked again and again, has its limits in each transaction where a pooler
// keeps them from lasting longer, and is not used again once the database was
// found to have moved.
type session struct {
	pqConn
	connector  *connector
	wire       *patientConn
	generation int64
	pooled     bool
	// spoiled is set after an error that the next user should not inherit.
	spoiled    bool
	statements statements
}

// pqConn is what lib/pq's connection can do.
type pqConn interface {
	driver.Conn
	driver.Tx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

func newSession(inner pqConn, c *connector, wire *patientConn, generation int64, pooled bool) *session {
	return &session{pqConn: inner, connector: c, wire: wire, generation: generation, pooled: pooled, statements: newStatements()}
}

// IsValid reports whether the session goes back into the pool.
func (s *session) IsValid() bool {
	return !s.spoiled && s.generation == s.connector.generation.Load() && s.pqConn.IsValid()
}

// ResetSession is asked before the session is taken out of the pool.
func (s *session) ResetSession(ctx context.Context) error {
	if !s.IsValid() {
		return driver.ErrBadConn
	}
	return s.pqConn.ResetSession(ctx)
}

// Close says goodbye, unless the other side is gone already.
func (s *session) Close() error {
	err := s.pqConn.Close()
	if lost(err) {
		return nil
	}
	return err
}

// BeginTx sends BEGIN together with what the transaction's session may not
// have. It does not say READ WRITE, which would overrule a primary that was
// told to refuse writes.
func (s *session) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if !s.IsValid() {
		return nil, driver.ErrBadConn
	}
	begin := "BEGIN"
	switch level := sql.IsolationLevel(opts.Isolation); level {
	case sql.LevelDefault:
	case sql.LevelRepeatableRead:
		begin += " ISOLATION LEVEL REPEATABLE READ"
	default:
		return nil, fmt.Errorf("isolation level %s is not used here", level)
	}
	if opts.ReadOnly {
		begin += " READ ONLY"
	}
	limits := s.connector.limits
	if isUnhurried(ctx) {
		limits.statement, limits.lock, limits.idle = 0, 0, 0
		s.wire.wait(0)
	}
	if s.pooled || isUnhurried(ctx) {
		for name, limit := range limits.parameters() {
			begin += "; SET LOCAL " + name + " = " + limit
		}
	}
	if _, err := s.pqConn.ExecContext(ctx, begin, nil); err != nil {
		s.spoiled = true
		return nil, s.note(ctx, err)
	}
	return &transaction{s}, nil
}

// Begin is what database/sql does not call where there is BeginTx.
func (s *session) Begin() (driver.Tx, error) {
	return s.BeginTx(context.Background(), driver.TxOptions{})
}

// transaction ends a session's transaction.
type transaction struct{ s *session }

// errNotSent says that a connection was lost before COMMIT was sent, so that
// nothing was done.
var errNotSent = errors.New("the connection was lost before COMMIT was sent")

// Commit can't be cancelled: PostgreSQL takes a cancelled wait for a
// synchronous standby for a success, and what was then acknowledged would be
// lost with the primary.
func (t *transaction) Commit() error {
	defer t.end()
	if !t.s.pqConn.IsValid() {
		return fmt.Errorf("%w: %w", errNotSent, driver.ErrBadConn)
	}
	err := t.s.pqConn.Commit()
	if err != nil {
		t.s.spoiled = true
		err = t.s.note(context.Background(), err)
	}
	return err
}

func (t *transaction) Rollback() error {
	defer t.end()
	err := t.s.pqConn.Rollback()
	if err != nil {
		t.s.spoiled = true
	}
	return err
}

func (t *transaction) end() { t.s.wire.wait(t.s.connector.limits.patience()) }

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := s.statement(ctx, query, args)
	if err != nil {
		return nil, s.note(ctx, err)
	}
	var rows driver.Rows
	if q, ok := stmt.(driver.StmtQueryContext); ok {
		rows, err = q.QueryContext(ctx, args)
	} else {
		rows, err = s.pqConn.QueryContext(ctx, query, args)
	}
	return rows, s.note(ctx, err)
}

func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmt, err := s.statement(ctx, query, args)
	if err != nil {
		return nil, s.note(ctx, err)
	}
	var res driver.Result
	if e, ok := stmt.(driver.StmtExecContext); ok {
		res, err = e.ExecContext(ctx, args)
	} else {
		res, err = s.pqConn.ExecContext(ctx, query, args)
	}
	return res, s.note(ctx, err)
}

// statement returns the prepared form of a query, or nil for one that is sent
// as it is.
func (s *session) statement(ctx context.Context, query string, args []driver.NamedValue) (driver.Stmt, error) {
	if s.pooled {
		return nil, nil
	}
	return s.statements.find(ctx, s.pqConn, query, args)
}

// note keeps sessions out of the pool that an error tells to be of no more use,
// and gives up all others where it tells of the database itself.
func (s *session) note(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		// The server may still be about to cancel whatever it finds running.
		s.spoiled = true
		return err
	}
	code, _ := postgresCode(err)
	switch {
	case lost(err), code == pqerror.ReadOnlySQLTransaction:
		s.spoiled = true
		s.connector.turn()
	case forgotten(err):
		s.spoiled = true
	}
	return err
}

// forgotten reports whether the server does not have a prepared statement as it
// was prepared: the schema has changed, or a pooler is in between that does not
// look like one.
func forgotten(err error) bool {
	var e *pq.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == pqerror.InvalidSQLStatementName || e.Code == pqerror.FeatureNotSupported && strings.Contains(e.Message, "cached plan")
}

package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"infsh/problem"
)

// isUnique reports whether err is a second row with a key that must be unique.
func isUnique(err error) bool {
	if code, ok := postgresCode(err); ok {
		return code == pqerror.UniqueViolation
	}
	code, ok := sqliteCode(err)
	return ok && (code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// retryable reports whether the transaction certainly did nothing and may
// succeed if run again.
func retryable(err error) bool {
	if errors.As(err, new(*uncertain)) || errors.Is(err, errBusy) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if code, ok := postgresCode(err); ok {
		switch code {
		case pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected, pqerror.TooManyConnections, pqerror.ReadOnlySQLTransaction:
			return true
		}
		return lost(err) || forgotten(err)
	}
	if code, ok := sqliteCode(err); ok {
		return code&0xff == sqlite3.SQLITE_BUSY
	}
	return lost(err) || errors.As(err, new(*connectError))
}

// uncertain is a commit that was sent and not answered.
type uncertain struct{ cause error }

func (e *uncertain) Error() string { return e.cause.Error() }
func (e *uncertain) Unwrap() error { return e.cause }

// errBusy says that no connection became free.
var errBusy = errors.New("all connections to the database are in use, or none could be made, for too long")

// answered reports whether a failed commit certainly did nothing: it was not
// sent, or the database refused it.
func answered(err error) bool {
	if errors.Is(err, errNotSent) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, pq.ErrInFailedTransaction) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	_, ok := postgresCode(err)
	return ok || notStored(err)
}

// lost reports whether the connection to PostgreSQL is gone or going. lib/pq
// tells of most fatal errors as driver.ErrBadConn, without their code.
func lost(err error) bool {
	if code, ok := postgresCode(err); ok {
		switch code {
		case pqerror.AdminShutdown, pqerror.CrashShutdown, pqerror.CannotConnectNow:
			return true
		}
		return code.Class() == pqerror.ClassConnectionException
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(net.Error))
}

const (
	noAnswer = "The database does not answer, so nothing was done. Try again."
	tooSlow  = "The database took too long, so nothing was done. Try again."
	noDisk   = "The server can't use its database just now, so nothing was done. Try again; if it stays so, its operator must look at the disk."
)

// failure makes an error of the database's own problem.Unavailable. Where the
// caller's time is over, it is the caller's error: PostgreSQL says of a
// statement that was cancelled only that it was (57014).
//
// It is for errors before a commit was sent, after which nothing was done.
func failure(ctx context.Context, err error) error {
	if err == nil || errors.As(err, new(*problem.Error)) {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%w: %w", ended, err)
	}
	code, ok := postgresCode(err)
	switch {
	case diskFailed(err):
		return &problem.Error{Code: problem.Unavailable, Detail: noDisk, Cause: err}
	case code == pqerror.QueryCanceled, code == pqerror.LockNotAvailable, errors.Is(err, context.DeadlineExceeded):
		return &problem.Error{Code: problem.Unavailable, Detail: tooSlow, Cause: err}
	case lost(err), ok && (retryable(err) || !ofTheRow(code)), errors.As(err, new(*connectError)), errors.Is(err, sql.ErrTxDone):
		return &problem.Error{Code: problem.Unavailable, Detail: noAnswer, Cause: err}
	}
	return err
}

// ofTheRow reports whether PostgreSQL refuses what it was asked, and not to
// work at all.
func ofTheRow(code pqerror.Code) bool {
	switch code.Class() {
	case pqerror.ClassConnectionException, pqerror.ClassTransactionRollback, pqerror.ClassInsufficientResources,
		pqerror.ClassOperatorIntervention, pqerror.ClassSystemError:
		return false
	}
	return true
}

func postgresCode(err error) (pqerror.Code, bool) {
	var e *pq.Error
	if errors.As(err, &e) {
		return e.Code, true
	}
	return "", false
}

func sqliteCode(err error) (int, bool) {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code(), true
	}
	return 0, false
}

// refusesRow reports whether the failure is one of a single row or chain, such
// as a text that the database can't hold, rather than one of the database: then
// nothing was committed, and other rows may fare better.
func refusesRow(err error) bool {
	if errors.Is(err, errDamagedHead) {
		return true
	}
	if retryable(err) {
		return false
	}
	if code, ok := postgresCode(err); ok {
		return ofTheRow(code)
	}
	code, ok := sqliteCode(err)
	if !ok {
		return false
	}
	switch code & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return true
	}
	return false
}

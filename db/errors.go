package db

import (
	"errors"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
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
	if code, ok := postgresCode(err); ok {
		return code == pqerror.TRSerializationFailure || code == pqerror.TRDeadlockDetected
	}
	code, ok := sqliteCode(err)
	return ok && code&0xff == sqlite3.SQLITE_BUSY
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
	if code, ok := postgresCode(err); ok {
		switch code.Class() {
		case pqerror.ClassConnectionException, pqerror.ClassTransactionRollback, pqerror.ClassInsufficientResources,
			pqerror.ClassOperatorIntervention, pqerror.ClassSystemError:
			return false
		}
		return true
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

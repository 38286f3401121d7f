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

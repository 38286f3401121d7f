package db

import (
	"context"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// writtenFor is how long a write that succeeded vouches for the next one.
const writtenFor = 2 * time.Second

// lastWrite is when a transaction was last written to SQLite's file, in
// nanoseconds; 0 once the disk has refused one.
type lastWrite struct{ atomic.Int64 }

func (l *lastWrite) note(err error) {
	switch {
	case err == nil:
		l.Store(time.Now().UnixNano())
	case diskFailed(err):
		l.Store(0)
	}
}

// Writable reports whether something can be made durable now: where no audit
// entry can, nothing is changed or disclosed. Unless that was just done it
// writes to SQLite's file what is there already. PostgreSQL looks after its own
// disk.
func (d *DB) Writable(ctx context.Context) error {
	if d.dialect != sqliteDialect || time.Now().UnixNano()-d.written.Load() < int64(writtenFor) {
		return nil
	}
	return d.transact(ctx, d.writer, nil, func(q querier) error {
		// The number is for the use of applications, and this one has none for it.
		_, err := q.exec(ctx, "PRAGMA user_version = 0")
		return err
	})
}

// diskFailed reports whether SQLite lacks what it needs of the machine: room,
// a working disk, memory, descriptors, or the lock that another process holds
// for too long. The statement did nothing, and its transaction is rolled back.
func diskFailed(err error) bool {
	code, _ := sqliteCode(err)
	switch code & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// notStored reports whether SQLite failed a commit before its last page was
// written, so that it has no effect. After a failed sync that can't be told.
func notStored(err error) bool {
	code, _ := sqliteCode(err)
	return code&0xff == sqlite3.SQLITE_FULL || code&0xff == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_IOERR_WRITE
}

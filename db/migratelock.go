package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// migrationLock is the advisory lock of whoever migrates: goose's own
	// number, which earlier releases lock too.
	migrationLock = lock.DefaultLockID
	// migrationWait bounds the wait for another instance, and for the tables.
	migrationWait = 5 * time.Minute
	// tableWait is how long a migration waits for a table at a time. Whoever
	// wants the table meanwhile waits behind it.
	tableWait = 2 * time.Second
	lockPause = 200 * time.Millisecond
	// lockPulse is how often the lock is seen to be held.
	lockPulse = time.Second
)

// errLockLost says that another instance may be migrating too.
var errLockLost = errors.New("the connection that holds the lock for migrations was lost")

// migratePostgres migrates under a lock, on connections of its own that no
// statement_timeout ends.
//
// The lock belongs to a transaction that is open meanwhile, not to a session:
// behind a pooler in transaction mode nobody has a session. So it is given up
// at once when its holder dies. A migration is a transaction too, on a second
// connection, and ends with the first.
func (d *DB) migratePostgres(ctx context.Context, files fs.FS, schema int64) error {
	c := &connector{cfg: d.connector.cfg, limits: d.connector.limits}
	c.limits.statement, c.limits.idle, c.limits.lock = 0, 0, tableWait
	c.pooled.Store(d.connector.pooled.Load())
	pool := sql.OpenDB(c)
	defer pool.Close()

	ctx, give, err := lockMigrations(ctx, pool)
	if err != nil {
		return err
	}
	defer give()
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	for start := time.Now(); ; {
		_, err := provider.UpTo(ctx, schema)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		if code, _ := postgresCode(err); code != pqerror.LockNotAvailable || time.Since(start) > migrationWait {
			return err
		}
		// Something long, such as a backup, holds a table. Others may use it
		// while this waits.
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}

// lockMigrations waits for the lock. The context that it returns ends when the
// lock is lost, and give gives the lock up.
func lockMigrations(ctx context.Context, pool *sql.DB) (held context.Context, give func(), err error) {
	for start := time.Now(); ; {
		tx, err := pool.BeginTx(unhurried(ctx), nil)
		if err != nil {
			return nil, nil, fmt.Errorf("lock migrations: %w", err)
		}
		var locked bool
		// It tries and does not wait, so that whoever waits has no connection
		// of a small pooler.
		err = tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", migrationLock).Scan(&locked)
		if err == nil && locked {
			held, give := hold(ctx, tx)
			return held, give, nil
		}
		if err = errors.Join(err, tx.Rollback()); err != nil {
			return nil, nil, fmt.Errorf("lock migrations: %w", err)
		}
		if time.Since(start) > migrationWait {
			return nil, nil, errors.New("another instance has been migrating for too long; look at it, or at pg_locks")
		}
		if err := pause(ctx, lockPause); err != nil {
			return nil, nil, err
		}
	}
}

// hold watches over a lock that belongs to a transaction.
func hold(ctx context.Context, tx *sql.Tx) (held context.Context, give func()) {
	held, lose := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for pause(held, lockPulse) == nil {
			if _, err := tx.ExecContext(held, "SELECT 1"); err != nil {
				lose(errLockLost)
			}
		}
	}()
	return held, func() {
		lose(nil)
		<-stopped
		_ = tx.Rollback()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

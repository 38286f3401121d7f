// Package db keeps everything in SQLite or PostgreSQL through sqlx. It
// implements the stores that the domain packages declare, one file per entity,
// with the same SQL for both databases. Only package main imports it, and only
// it imports a driver.
package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite"

	"infsh/audit"
	"infsh/problem"
	"infsh/secret"
)

func init() {
	// sqlx doesn't know the name under which modernc registers its driver.
	sqlx.BindDriver("sqlite", sqlx.QUESTION)
}

// DB is an open database. The zero value is of no use; call OpenSQLite or
// OpenPostgres.
type DB struct {
	// SQLite has one writer, and readers that don't wait for it. On
	// PostgreSQL both are the same pool.
	writer, reader *sqlx.DB
	dialect        dialect
	committer      *committer
	// changed is told of commits that changed something of a team.
	changed     func()
	runs        *groups[runQuery, answer[secret.RunData]]
	recorded    *groups[recordQuery, answer[*secret.Disclosure]]
	touches     *groups[touchQuery, answer[struct{}]]
	keys        *groups[keyQuery, answer[keyFound]]
	disclosures *kept[runQuery, *secret.Disclosure]
	keptKeys    *kept[keyQuery, keyFound]
	// heads are the ends of chains as this instance last saw them.
	heads *lru.Cache[string, seenHead]
	// keyUses is when keys were last used, by id, as far as this instance knows.
	keyUses *lru.Cache[string, time.Time]
	// Of PostgreSQL alone.
	connector *connector
	limits    limits
	// Of SQLite alone.
	written lastWrite
}

type dialect string

const (
	sqliteDialect   dialect = "sqlite"
	postgresDialect dialect = "postgres"
)

func ready(ctx context.Context, d *DB) (*DB, error) {
	d.committer = newCommitter(d.appendGroup)
	d.disclosures, d.keptKeys = newKept[runQuery, *secret.Disclosure](maxDisclosures), newKept[keyQuery, keyFound](maxKeptKeys)
	d.keyUses, _ = lru.New[string, time.Time](maxKeptKeys / keptKeySize) // only a size below 1 is refused
	d.heads, _ = lru.New[string, seenHead](maxHeads)                     // only a size below 1 is refused
	d.runs = reading(d, func(ctx context.Context, wanted []runQuery) ([]answer[secret.RunData], error) {
		return readRuns(ctx, d.statement(), wanted)
	})
	d.touches = newGroups(maxRead, 1, d.touchKeys)
	d.recorded = newGroups(maxRead, 1, d.recordRuns)
	d.recorded.binding = true
	d.keys = reading(d, d.readKeys)
	if err := d.Ping(ctx); err != nil {
		// Who starts a program is its operator, and needs the database's own words:
		// a wrong name or password does not get better by trying again.
		if p := (*problem.Error)(nil); errors.As(err, &p) && p.Cause != nil {
			err = p.Cause
		}
		return nil, errors.Join(fmt.Errorf("reach the database: %w", err), d.Close())
	}
	return d, nil
}

// Close waits for what is at the database, and for audit entries that are to be
// written.
func (d *DB) Close() error {
	d.keys.close()
	d.touches.close()
	d.runs.close()
	d.recorded.close()
	d.committer.close()
	err := d.writer.Close()
	if d.reader != d.writer {
		err = errors.Join(err, d.reader.Close())
	}
	return err
}

// AuditQueue is how many audit entries wait for their commit.
func (d *DB) AuditQueue() int { return d.committer.length() + d.recorded.length() }

// Pools tells of the connections to the database, by what they are for.
func (d *DB) Pools() map[string]sql.DBStats {
	if d.reader == d.writer {
		return map[string]sql.DBStats{"all": d.writer.Stats()}
	}
	return map[string]sql.DBStats{"write": d.writer.Stats(), "read": d.reader.Stats()}
}

// Ping asks the database a question that it must read something to answer.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	return d.statement().get(ctx, &one, "SELECT 1")
}

// Usable returns an error while nothing can be done with the store: the
// database does not answer, a PostgreSQL takes no writes, as a standby doesn't,
// or a later release has brought the schema to one that this program can't use.
func (d *DB) Usable(ctx context.Context) error {
	if d.connector != nil {
		var readOnly string
		if err := d.statement().get(ctx, &readOnly, "SHOW transaction_read_only"); err != nil {
			return err
		}
		if readOnly == "on" {
			// Another host may have become the primary.
			d.connector.turn()
			return errors.New("it takes no writes: it is a standby, or was told to refuse them")
		}
	}
	return d.usable(ctx)
}

// querier runs statements written with ? placeholders on either database. An
// error of the database's own is problem.Unavailable.
type querier struct {
	q interface {
		sqlx.ExtContext
		GetContext(ctx context.Context, dest any, query string, args ...any) error
		SelectContext(ctx context.Context, dest any, query string, args ...any) error
	}
	dialect dialect
	// limit bounds each statement, and until all of a transaction. The zero
	// values are no bounds.
	limit time.Duration
	until time.Time
	// entries are chained when the transaction ends; nil where it only reads.
	entries *[]audit.Entry
	// heads are those of the chains, where they were locked before the end.
	heads *map[string]audit.Head
	// scrub is set by a transaction that removes ciphertexts for good.
	scrub *bool
}

func (q querier) get(ctx context.Context, dest any, query string, args ...any) error {
	return q.within(ctx, func(ctx context.Context) error { return q.q.GetContext(ctx, dest, q.q.Rebind(query), args...) })
}

func (q querier) list(ctx context.Context, dest any, query string, args ...any) error {
	return q.within(ctx, func(ctx context.Context) error { return q.q.SelectContext(ctx, dest, q.q.Rebind(query), args...) })
}

func (q querier) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	err = q.within(ctx, func(ctx context.Context) error {
		res, err := q.q.ExecContext(ctx, q.q.Rebind(query), args...)
		if err == nil {
			rows, err = res.RowsAffected()
		}
		return err
	})
	return rows, err
}

// within runs a statement within the bounds.
func (q querier) within(ctx context.Context, run func(context.Context) error) error {
	bounded := ctx
	if until := q.until; q.limit > 0 {
		if until.IsZero() {
			until = time.Now().Add(q.limit)
		}
		var cancel context.CancelFunc
		bounded, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	return failure(ctx, run(bounded))
}

// in expands a slice argument to a list of placeholders.
func (q querier) in(ctx context.Context, dest any, query string, args ...any) error {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return err
	}
	return q.list(ctx, dest, query, args...)
}

// forUpdate locks the rows of a SELECT on PostgreSQL. SQLite's writer holds
// the whole database already.
func (q querier) forUpdate(tables ...string) string {
	if q.dialect == postgresDialect {
		if len(tables) > 0 {
			return " FOR UPDATE OF " + strings.Join(tables, ", ")
		}
		return " FOR UPDATE"
	}
	return ""
}

// update runs fn in a transaction, and appends the audit entries that fn made
// to their chains. It runs fn again after a failure in which certainly nothing
// was committed and that may pass: a serialization failure, a deadlock, or a
// connection that was lost before COMMIT was sent.
func (d *DB) update(ctx context.Context, fn func(querier) error) error {
	return d.commit(ctx, true, fn)
}

// record is update where the entries themselves are the only effect.
func (d *DB) record(ctx context.Context, fn func(querier) error) error {
	return d.commit(ctx, false, fn)
}

func (d *DB) commit(ctx context.Context, changes bool, fn func(querier) error) error {
	if j := joinedIn(ctx); j != nil {
		return fn(j.q)
	}
	scrub, changed := false, false
	var heads map[string]audit.Head
	err := d.retry(ctx, func() error {
		scrub, heads = false, nil
		return d.transact(ctx, d.writer, nil, func(q querier) (err error) {
			q.entries, q.heads, q.scrub = new([]audit.Entry), &heads, &scrub
			if err := fn(q); err != nil {
				return err
			}
			if err := enqueueEvents(ctx, q, *q.entries); err != nil {
				return err
			}
			if changes {
				if changed, err = countChanges(ctx, q, *q.entries); err != nil {
					return err
				}
			}
			return chain(ctx, q, *q.entries)
		})
	})
	for team, head := range heads {
		if err == nil {
			d.saw(team, head)
		}
	}
	if err == nil && changed && d.changed != nil {
		d.changed()
	}
	if err == nil && scrub {
		d.truncateWAL(ctx)
	}
	return err
}

const (
	maxRetries = 5
	// retryFor is how long after its start something is tried again: a caller
	// that gets its answer sooner can turn to another instance.
	retryFor = 5 * time.Second
)

// retry runs something until it succeeds, or fails in a way that lasts.
func (d *DB) retry(ctx context.Context, run func() error) error {
	start := time.Now()
	for attempt := 0; ; attempt++ {
		err := run()
		if err == nil || attempt == maxRetries || !retryable(err) || time.Since(start) > retryFor {
			return err
		}
		pause := time.Duration(1+randomByte())*time.Millisecond + time.Duration(attempt*20)*time.Millisecond
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// truncateWAL empties SQLite's write-ahead log, which holds the pages as they
// were before something was deleted. A reader that still needs them keeps it
// from that; then the next checkpoint does it. Either way the deletion itself
// is committed, so a failure here is none of the caller's.
func (d *DB) truncateWAL(ctx context.Context) {
	if d.dialect == sqliteDialect {
		_, _ = d.writer.ExecContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(TRUNCATE)")
	}
}

// view runs fn on one consistent snapshot, and again if the connection is lost.
func (d *DB) view(ctx context.Context, fn func(querier) error) error {
	if j := joinedIn(ctx); j != nil {
		return fn(j.q)
	}
	return d.retry(ctx, func() error { return d.look(ctx, fn) })
}

// look is view without repetition, for what can't be done twice.
func (d *DB) look(ctx context.Context, fn func(querier) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if d.dialect == postgresDialect {
		opts.Isolation = sql.LevelRepeatableRead
	}
	return d.transact(ctx, d.reader, opts, fn)
}

// statement runs single statements, each of which reads a snapshot of its own.
func (d *DB) statement() querier {
	q := querier{q: d.reader, dialect: d.dialect}
	if d.connector != nil {
		q.limit = d.limits.acquire() + d.limits.patience()
	}
	return q
}

func (d *DB) transact(ctx context.Context, pool *sqlx.DB, opts *sql.TxOptions, fn func(querier) error) (err error) {
	if pool == d.writer {
		defer func() { d.written.note(err) }()
	}
	tx, end, err := d.begin(ctx, pool, opts)
	if err != nil {
		return err
	}
	defer end()
	q := querier{q: tx, dialect: d.dialect}
	if d.connector != nil && !isUnhurried(ctx) {
		q.limit, q.until = d.limits.patience(), time.Now().Add(d.limits.patience())
	}
	if err := fn(q); err != nil {
		return failure(ctx, err)
	}
	err = tx.Commit()
	if err == nil || answered(err) {
		return failure(ctx, err)
	}
	return uncertainly(fmt.Errorf("commit: %w", err))
}

// uncertainly says that nobody knows whether something was done.
func uncertainly(cause error) error {
	return &problem.Error{
		Code: problem.Unavailable, Detail: "The database was lost at the last moment, so it is not certain that this was done. Look before you try again.",
		Cause: &uncertain{cause},
	}
}

// connection takes one of PostgreSQL's for a statement that commits itself. It
// waits for it only so long.
func (d *DB) connection(ctx context.Context) (*sql.Conn, error) {
	within, cancel := context.WithTimeoutCause(ctx, d.limits.acquire(), errBusy)
	defer cancel()
	conn, err := d.writer.Conn(within)
	if err != nil && context.Cause(within) == errBusy {
		err = errors.Join(errBusy, err)
	}
	return conn, err
}

// begin waits for a connection only so long.
func (d *DB) begin(ctx context.Context, pool *sqlx.DB, opts *sql.TxOptions) (tx *sqlx.Tx, end func(), err error) {
	within, cancel := context.WithCancelCause(ctx)
	if d.connector != nil {
		timer := time.AfterFunc(d.limits.acquire(), func() { cancel(errBusy) })
		defer timer.Stop()
	}
	tx, err = pool.BeginTxx(within, opts)
	if err != nil {
		if context.Cause(within) == errBusy {
			err = errors.Join(errBusy, err)
		}
		cancel(nil)
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("begin: %w", ctx.Err())
		}
		return nil, nil, &problem.Error{Code: problem.Unavailable, Detail: noAnswer, Cause: fmt.Errorf("begin: %w", err)}
	}
	return tx, func() {
		// After a commit this does nothing; after a panic it frees the lock.
		_ = tx.Rollback()
		cancel(nil)
	}, nil
}

func randomByte() byte {
	var b [1]byte
	_, _ = rand.Read(b[:])
	return b[0]
}

// micros and fromMicros convert times to what the database holds. The zero
// time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

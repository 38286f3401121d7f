package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/auth"
)

type throttleRow struct {
	Bucket       string `db:"bucket"`
	Failures     int    `db:"failures"`
	LastAt       int64  `db:"last_at"`
	BlockedUntil int64  `db:"blocked_until"`
}

func (t authTx) Throttle(ctx context.Context, bucket string) (auth.Throttle, error) {
	read := func() (r throttleRow, err error) {
		err = t.q.get(ctx, &r, "SELECT bucket, failures, last_at, blocked_until FROM throttles WHERE bucket = ?"+t.q.forUpdate(), bucket)
		return r, err
	}
	r, err := read()
	if errors.Is(err, sql.ErrNoRows) {
		// A row that does not exist can't be locked, so it is made first; of
		// two at once, one waits here for the other.
		if _, err := t.q.exec(ctx, "INSERT INTO throttles (bucket, failures, last_at, blocked_until) VALUES (?, 0, 0, 0) ON CONFLICT DO NOTHING", bucket); err != nil {
			return auth.Throttle{}, fmt.Errorf("make a throttle: %w", err)
		}
		r, err = read()
	}
	if err != nil {
		return auth.Throttle{}, fmt.Errorf("read a throttle: %w", err)
	}
	return auth.Throttle{Bucket: r.Bucket, Failures: r.Failures, LastAt: fromMicros(r.LastAt), BlockedUntil: fromMicros(r.BlockedUntil)}, nil
}

func (t authTx) SetThrottle(ctx context.Context, th auth.Throttle) error {
	_, err := t.q.exec(ctx, "UPDATE throttles SET failures = ?, last_at = ?, blocked_until = ? WHERE bucket = ?",
		th.Failures, micros(th.LastAt), micros(th.BlockedUntil), th.Bucket)
	return err
}

func (t authTx) ClearThrottle(ctx context.Context, bucket string) error {
	_, err := t.q.exec(ctx, "DELETE FROM throttles WHERE bucket = ?", bucket)
	return err
}

func (t authTx) ReleaseThrottle(ctx context.Context, bucket string, blockedUntil time.Time) error {
	_, err := t.q.exec(ctx, `UPDATE throttles SET failures = failures - 1,
		blocked_until = CASE WHEN blocked_until = ? THEN 0 ELSE blocked_until END
		WHERE bucket = ? AND failures > 0`, micros(blockedUntil), bucket)
	return err
}

func (t authTx) DeleteThrottles(ctx context.Context, before time.Time) error {
	_, err := t.q.exec(ctx, "DELETE FROM throttles WHERE last_at <= ?", micros(before))
	return err
}

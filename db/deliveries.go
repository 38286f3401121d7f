package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/secret"
)

const (
	// readAhead is how many of a log's newest entries a page reads by itself,
	// beyond those that the table has.
	readAhead = 20_000
	// readFrom is from how many on they are read into the table. Fewer are read
	// in milliseconds each time, and a store of many small teams has no work.
	readFrom = 2_000
	// readAtOnce is how many are read into the table in one transaction.
	readAtOnce = 20_000
	// keptDeliveries is how many of a key's versions, from the newest that a run
	// received, the table has. It has more than are kept of a secret.
	keptDeliveries = 2 * secret.KeptVersions
)

// runsBetween reads the runs of a team that its log has after one number, up to
// another. What many of them have in common is put together by the database: of
// each app's version, and of what it received, there is the last.
func runsBetween(ctx context.Context, q querier, team string, after, upTo int64) ([]secret.Delivery, error) {
	if after >= upTo {
		return nil, nil
	}
	var groups []struct {
		App      string `db:"target"`
		Reason   string `db:"reason"`
		Versions string `db:"versions"`
		Seq      int64  `db:"seq"`
	}
	// An expression keeps the databases from looking up all runs by an index.
	err := q.list(ctx, &groups, `SELECT target, reason, versions, MAX(seq) AS seq FROM audit_entries
		WHERE team_id = ? AND seq > ? AND seq <= ? AND action || '' = 'app.resolve' AND outcome = 'allowed'
		GROUP BY target, reason, versions`, team, after, upTo)
	if err != nil {
		return nil, fmt.Errorf("read the runs of the log: %w", err)
	}
	type run struct {
		Seq   int64  `db:"seq"`
		At    int64  `db:"at"`
		RunID string `db:"run_id"`
	}
	runs := make(map[int64]run, len(groups))
	for some := range slices.Chunk(groups, 500) {
		seqs := make([]int64, len(some))
		for i, g := range some {
			seqs[i] = g.Seq
		}
		var rows []run
		if err := q.in(ctx, &rows, "SELECT seq, at, run_id FROM audit_entries WHERE team_id = ? AND seq IN (?)", team, seqs); err != nil {
			return nil, fmt.Errorf("read the runs of the log: %w", err)
		}
		for _, r := range rows {
			runs[r.Seq] = r
		}
	}
	var out []secret.Delivery
	for _, g := range groups {
		r := runs[g.Seq]
		e := audit.Entry{Seq: g.Seq, At: fromMicros(r.At), Target: g.App, Reason: g.Reason, RunID: r.RunID}
		if json.Unmarshal([]byte(g.Versions), &e.Versions) != nil {
			continue // `infsh admin audit verify` tells of a damaged entry.
		}
		out = append(out, secret.DeliveriesOf(e)...)
	}
	return secret.Latest(out), nil
}

// logPosition is how far the table of deliveries goes, and the log.
func logPosition(ctx context.Context, q querier, team string) (read, head int64, err error) {
	var row struct {
		Read int64 `db:"read"`
		Head int64 `db:"head"`
	}
	err = q.get(ctx, &row, `SELECT c.seq AS head, COALESCE(p.seq, 0) AS read
		FROM audit_chains c LEFT JOIN delivery_positions p ON p.team_id = c.team_id WHERE c.team_id = ?`, team)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	return row.Read, row.Head, err
}

type deliveryRow struct {
	Key        envvar.Key `db:"key"`
	Version    int64      `db:"version"`
	App        string     `db:"app"`
	AppVersion int64      `db:"app_version"`
	At         int64      `db:"at"`
	RunID      string     `db:"run_id"`
	Seq        int64      `db:"seq"`
}

// unread are the deliveries that the table does not have yet; left is how many
// entries between those of the table and them were not read.
func unread(ctx context.Context, q querier, team string) (tail []secret.Delivery, left int64, err error) {
	read, head, err := logPosition(ctx, q, team)
	if err != nil {
		return nil, 0, err
	}
	after := max(read, head-readAhead)
	tail, err = runsBetween(ctx, q, team, after, head)
	return tail, after - read, err
}

// Deliveries implements secret.Reader.
func (t secretTx) Deliveries(ctx context.Context, team string, key envvar.Key, since time.Time) (secret.Deliveries, error) {
	tail, left, err := unread(ctx, t.q, team)
	if err != nil {
		return secret.Deliveries{}, err
	}
	var rows []deliveryRow
	err = t.q.list(ctx, &rows, `SELECT key, version, app, app_version, at, run_id, seq FROM key_deliveries WHERE team_id = ? AND key IN (?, '')`, team, string(key))
	if err != nil {
		return secret.Deliveries{}, fmt.Errorf("read deliveries: %w", err)
	}
	for _, r := range rows {
		tail = append(tail, secret.Delivery{Key: r.Key, Version: r.Version, App: r.App, AppVersion: r.AppVersion, At: fromMicros(r.At), RunID: r.RunID, Seq: r.Seq})
	}
	// A key that was deleted and set again begins with version 1.
	tail = slices.DeleteFunc(tail, func(d secret.Delivery) bool { return d.Key != "" && d.Key != key || d.Key == key && d.At.Before(since) })
	return secret.Deliveries{Items: secret.Latest(tail), Unread: left}, nil
}

// KeysBefore implements secret.Reader.
func (t secretTx) KeysBefore(ctx context.Context, team string, at time.Time) ([]secret.UnusedKey, error) {
	var rows []struct {
		Key       envvar.Key `db:"key"`
		CreatedAt int64      `db:"created_at"`
	}
	err := t.q.list(ctx, &rows, "SELECT key, created_at FROM secrets WHERE team_id = ? AND version > 0 AND created_at < ? ORDER BY key", team, micros(at))
	out := make([]secret.UnusedKey, len(rows))
	for i, r := range rows {
		out[i] = secret.UnusedKey{Key: r.Key, CreatedAt: fromMicros(r.CreatedAt)}
	}
	return out, err
}

// ReceivedKeys implements secret.Reader.
func (t secretTx) ReceivedKeys(ctx context.Context, team string) (map[envvar.Key]bool, error) {
	tail, _, err := unread(ctx, t.q, team)
	if err != nil {
		return nil, err
	}
	var keys []envvar.Key
	if err := t.q.list(ctx, &keys, "SELECT DISTINCT key FROM key_deliveries WHERE team_id = ?", team); err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	out := make(map[envvar.Key]bool, len(keys))
	for _, key := range keys {
		out[key] = true
	}
	for _, d := range tail {
		out[d.Key] = true
	}
	return out, nil
}

// ReadRuns implements secret.Store.
func (s *Secrets) ReadRuns(ctx context.Context) error {
	return s.readRunsOf(ctx, readFrom, readAtOnce)
}

func (s *Secrets) readRunsOf(ctx context.Context, from, atOnce int64) error {
	var teams []string
	err := s.db.look(unhurried(ctx), func(q querier) error {
		return q.list(ctx, &teams, `SELECT c.team_id FROM audit_chains c JOIN teams t ON t.id = c.team_id LEFT JOIN delivery_positions p ON p.team_id = c.team_id
			WHERE c.seq - COALESCE(p.seq, 0) >= ?`, from)
	})
	if err != nil {
		return fmt.Errorf("find the logs that grew: %w", err)
	}
	for _, team := range teams {
		for more := true; more; {
			if more, err = s.readRuns(ctx, team, from, atOnce); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRuns reads some of a team's log into the table, and tells whether there is
// more. The log is read outside of the transaction that writes, which others
// wait for; of two who read the same, one writes.
func (s *Secrets) readRuns(ctx context.Context, team string, from, atOnce int64) (more bool, err error) {
	var read, upTo int64
	var found []secret.Delivery
	err = s.db.look(unhurried(ctx), func(q querier) error {
		var head int64
		if read, head, err = logPosition(ctx, q, team); err != nil {
			return err
		}
		if head-read < from {
			return nil
		}
		upTo = min(head, read+atOnce)
		found, err = runsBetween(ctx, q, team, read, upTo)
		return err
	})
	if err != nil || upTo == 0 {
		return false, err
	}
	err = s.db.update(ctx, func(q querier) error {
		more = false
		moved, err := movePosition(ctx, q, team, read, upTo)
		if err != nil || !moved {
			return err
		}
		more = true
		return storeDeliveries(ctx, q, team, found)
	})
	return more, err
}

// movePosition reports whether the table ended where its reader began. A team
// that is gone has no position.
func movePosition(ctx context.Context, q querier, team string, from, to int64) (bool, error) {
	if from == 0 {
		if _, err := q.exec(ctx, "INSERT INTO delivery_positions (team_id, seq) SELECT id, 0 FROM teams WHERE id = ? ON CONFLICT DO NOTHING", team); err != nil {
			return false, err
		}
	}
	n, err := q.exec(ctx, "UPDATE delivery_positions SET seq = ? WHERE team_id = ? AND seq = ?", to, team, from)
	return n > 0, err
}

func storeDeliveries(ctx context.Context, q querier, team string, found []secret.Delivery) error {
	newest := map[envvar.Key]int64{}
	for _, d := range found {
		_, err := q.exec(ctx, `INSERT INTO key_deliveries (team_id, key, version, app, app_version, at, run_id, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (team_id, key, app, app_version, version) DO UPDATE SET at = excluded.at, run_id = excluded.run_id, seq = excluded.seq`,
			team, string(d.Key), d.Version, d.App, d.AppVersion, micros(d.At), d.RunID, d.Seq)
		if err != nil {
			return fmt.Errorf("store a delivery: %w", err)
		}
		newest[d.Key] = max(newest[d.Key], d.Version)
	}
	for key, version := range newest {
		if version <= keptDeliveries {
			continue
		}
		if _, err := q.exec(ctx, "DELETE FROM key_deliveries WHERE team_id = ? AND key = ? AND version <= ?", team, string(key), version-keptDeliveries); err != nil {
			return err
		}
	}
	return nil
}

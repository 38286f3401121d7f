package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"infsh/audit"
)

// clockSkew is by how much entries may stand in another order than their times.
const clockSkew = time.Hour

// Span implements audit.Store. The numbers of a log are dense and its times rise,
// so the place of a time is found by halves.
func (d *DB) Span(ctx context.Context, team string, from, until time.Time) (first, end int64, err error) {
	err = d.view(ctx, func(q querier) error {
		if err := q.get(ctx, &end, "SELECT COALESCE(MAX(seq), 0) + 1 FROM audit_entries WHERE team_id = ?", team); err != nil {
			return fmt.Errorf("read the end of the log: %w", err)
		}
		first = 1
		if !from.IsZero() {
			if first, err = firstAt(ctx, q, team, 1, end, from.Add(-clockSkew)); err != nil {
				return err
			}
		}
		if !until.IsZero() {
			end, err = firstAt(ctx, q, team, first, end, until.Add(clockSkew))
		}
		return err
	})
	return first, end, err
}

// firstAt returns the number of the first entry that is not older than at, among
// those from low to before high, or high.
func firstAt(ctx context.Context, q querier, team string, low, high int64, at time.Time) (int64, error) {
	for low < high {
		middle := low + (high-low)/2
		t, err := entryAt(ctx, q, team, middle)
		if err != nil {
			return 0, err
		}
		if t.Before(at) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// entryAt returns the time of an entry; of one that somebody removed, that of the
// next one.
func entryAt(ctx context.Context, q querier, team string, seq int64) (time.Time, error) {
	var us int64
	err := q.get(ctx, &us, "SELECT at FROM audit_entries WHERE team_id = ? AND seq >= ? ORDER BY seq LIMIT 1", team, seq)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of an entry: %w", err)
	}
	return fromMicros(us), nil
}

// At implements audit.Store.
func (d *DB) At(ctx context.Context, team string, seq int64) (at time.Time, err error) {
	err = d.view(ctx, func(q querier) error {
		at, err = entryAt(ctx, q, team, seq)
		return err
	})
	return at, err
}

// Search implements audit.Store.
func (d *DB) Search(ctx context.Context, team string, f audit.Filter, first, end int64, limit int) (links []audit.Link, err error) {
	err = d.view(ctx, func(q querier) error {
		links = nil
		where, args := q.wants(f)
		var rows []auditRow
		err := q.list(ctx, &rows, "SELECT "+entryColumns+" FROM audit_entries WHERE team_id = ? AND seq >= ? AND seq < ?"+where+" ORDER BY seq DESC LIMIT ?",
			append(append([]any{team, first, end}, args...), limit)...)
		if err != nil {
			return fmt.Errorf("search the log: %w", err)
		}
		for _, r := range rows {
			l, err := r.link()
			if err != nil {
				return err
			}
			links = append(links, l)
		}
		return nil
	})
	return links, err
}

// wants is a filter as further conditions of a statement. None of them is one
// that an index could answer: the planner is to read the rows by their number,
// and to stop when it has enough.
func (q querier) wants(f audit.Filter) (where string, args []any) {
	var b strings.Builder
	add := func(condition string, values ...any) {
		b.WriteString(" AND " + condition)
		args = append(args, values...)
	}
	if f.Kind != "" {
		// An act, or the start of one, with the dot.
		text := f.Kind + "."
		if strings.Contains(f.Kind, ".") {
			text = f.Kind
			add("length(action) = ?", len(text))
		}
		add("substr(action, 1, ?) = ?", len(text), text)
	}
	if f.Outcome != "" {
		add("outcome = ?", string(f.Outcome))
	}
	if !f.From.IsZero() {
		add("at >= ?", f.From.UnixMicro())
	}
	if !f.Until.IsZero() {
		add("at < ?", f.Until.UnixMicro())
	}
	if f.Person != "" {
		add(q.contains("lower(actor_name)"), strings.ToLower(f.Person))
	}
	if f.App != "" {
		// Of a grant, the target names the app and the key.
		add(q.contains("' ' || target || ' '"), " "+f.App+" ")
	}
	if f.Key != "" {
		list := q.contains("versions")
		add("("+q.contains("' ' || replace(target, ',', ' ') || ' '")+" OR "+q.contains("reason")+
			" OR "+list+" AND ("+list+" OR "+list+" OR "+list+"))",
			" "+f.Key+" ", " printed "+f.Key+" ",
			// A key that an app has under another name is written as NAME=KEY.
			f.Key, `"key":"`+f.Key+`"`, `"key":"`+f.Key+`=`, `=`+f.Key+`"`)
	}
	return b.String(), args
}

// contains is the condition that a text has another one in it.
func (q querier) contains(text string) string {
	if q.dialect == postgresDialect {
		return "strpos(" + text + ", ?) > 0"
	}
	return "instr(" + text + ", ?) > 0"
}

// CountRuns implements audit.Store.
func (d *DB) CountRuns(ctx context.Context, team string, first, end int64) (days []audit.RunDay, err error) {
	const day = 24 * time.Hour
	err = d.view(ctx, func(q querier) error {
		days = nil
		var rows []struct {
			Day     int64 `db:"day"`
			Allowed int64 `db:"allowed"`
			Refused int64 `db:"refused"`
		}
		err := q.list(ctx, &rows, `SELECT at / ? AS day, SUM(CASE outcome WHEN 'allowed' THEN 1 ELSE 0 END) AS allowed, SUM(CASE outcome WHEN 'allowed' THEN 0 ELSE 1 END) AS refused
			FROM audit_entries WHERE team_id = ? AND seq >= ? AND seq < ? AND substr(action, 1, 11) = 'app.resolve' GROUP BY 1`, day.Microseconds(), team, first, end)
		if err != nil {
			return fmt.Errorf("count runs by day: %w", err)
		}
		for _, r := range rows {
			days = append(days, audit.RunDay{Day: time.Unix(0, 0).UTC().Add(time.Duration(r.Day) * day), Allowed: r.Allowed, Refused: r.Refused})
		}
		return nil
	})
	return days, err
}

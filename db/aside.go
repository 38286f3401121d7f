package db

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"infsh/backup"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
)

// ofASecret are the tables that hold a secret, each with the column that has
// its id, a table after those that it refers to.
var ofASecret = []struct{ table, id string }{{"secrets", "id"}, {"secret_versions", "secret_id"}}

// asideRows are the rows of one of these tables, with all columns that the
// table had: whatever is added to it is set aside, too.
type asideRows struct {
	Table   string              `json:"table"`
	Columns []backup.Column     `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows"`
}

func (t secretTx) SetAside(ctx context.Context, team, deletion string, r secret.Record, at time.Time) error {
	var all []asideRows
	for _, of := range ofASecret {
		rows, err := t.readAside(ctx, of.table, of.id, team, r.ID)
		if err != nil {
			return fmt.Errorf("set %s aside: %w", r.Key, err)
		}
		all = append(all, rows)
	}
	content, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("set %s aside: %w", r.Key, err)
	}
	_, err = t.q.exec(ctx, "INSERT INTO deleted_secrets (deletion_id, team_id, secret_id, key, version, deleted_at, content) VALUES (?, ?, ?, ?, ?, ?, ?)",
		deletion, team, r.ID, string(r.Key), r.Version, micros(at), content)
	if err != nil {
		return err
	}
	_, err = t.q.exec(ctx, "DELETE FROM secrets WHERE team_id = ? AND id = ?", team, r.ID)
	return err
}

func (t secretTx) readAside(ctx context.Context, table, id, team, secretID string) (asideRows, error) {
	out := asideRows{Table: table, Columns: columnsKnown(table)}
	query := "SELECT " + columnNames(out.Columns) + " FROM " + table + " WHERE team_id = ? AND " + id + " = ?"
	err := t.q.each(ctx, query, []any{team, secretID}, func(scan func(...any) error) error {
		targets := make([]any, len(out.Columns))
		for i, c := range out.Columns {
			targets[i] = scanTarget(c.Type)
		}
		if err := scan(targets...); err != nil {
			return err
		}
		row := make([]json.RawMessage, len(targets))
		for i := range targets {
			var err error
			if row[i], err = json.Marshal(targets[i]); err != nil {
				return err
			}
		}
		out.Rows = append(out.Rows, row)
		return nil
	})
	return out, err
}

// columnsKnown are the columns of a table of the newest schema.
func columnsKnown(name string) []backup.Column {
	return tables[slices.IndexFunc(tables, func(t table) bool { return t.name == name })].columns
}

func scanTarget(t backup.Type) any {
	switch t {
	case backup.Integer:
		return new(int64)
	case backup.Bytes:
		return new([]byte)
	}
	return new(string)
}

func (t secretTx) Aside(ctx context.Context, team, deletion string) ([]secret.Aside, error) {
	var rows []struct {
		Key       envvar.Key `db:"key"`
		Version   int64      `db:"version"`
		DeletedAt int64      `db:"deleted_at"`
	}
	err := t.q.list(ctx, &rows, "SELECT key, version, deleted_at FROM deleted_secrets WHERE team_id = ? AND deletion_id = ? ORDER BY key", team, deletion)
	out := make([]secret.Aside, len(rows))
	for i, r := range rows {
		out[i] = secret.Aside{Key: r.Key, Version: r.Version, At: fromMicros(r.DeletedAt)}
	}
	return out, err
}

func (t secretTx) PutBack(ctx context.Context, team, deletion string) error {
	var contents [][]byte
	if err := t.q.list(ctx, &contents, "SELECT content FROM deleted_secrets WHERE team_id = ? AND deletion_id = ?", team, deletion); err != nil {
		return err
	}
	for _, content := range contents {
		var all []asideRows
		if err := json.Unmarshal(content, &all); err != nil {
			return fmt.Errorf("read what was set aside: %w", err)
		}
		for _, rows := range all {
			if err := t.writeBack(ctx, rows); err != nil {
				return fmt.Errorf("put back what was set aside: %w", err)
			}
		}
	}
	_, err := t.q.exec(ctx, "DELETE FROM deleted_secrets WHERE team_id = ? AND deletion_id = ?", team, deletion)
	return err
}

// writeBack inserts rows of a table that is one of a secret's, with columns that
// are the table's. A column that was added meanwhile has its default.
func (t secretTx) writeBack(ctx context.Context, rows asideRows) error {
	if !slices.ContainsFunc(ofASecret, func(of struct{ table, id string }) bool { return of.table == rows.Table }) {
		return fmt.Errorf("the table %q is none of a secret's", rows.Table)
	}
	known := columnsKnown(rows.Table)
	for _, c := range rows.Columns {
		if !slices.Contains(known, c) {
			return fmt.Errorf("the column %q is none of %s", c.Name, rows.Table)
		}
	}
	insert := "INSERT INTO " + rows.Table + " (" + columnNames(rows.Columns) + ") VALUES (?" + strings.Repeat(", ?", len(rows.Columns)-1) + ")"
	for _, row := range rows.Rows {
		if len(row) != len(rows.Columns) {
			return fmt.Errorf("a row of %s has %d columns, not %d", rows.Table, len(row), len(rows.Columns))
		}
		args := make([]any, len(row))
		for i := range row {
			target := scanTarget(rows.Columns[i].Type)
			if err := json.Unmarshal(row[i], target); err != nil {
				return err
			}
			args[i] = reflect.ValueOf(target).Elem().Interface()
		}
		_, err := t.q.exec(ctx, insert, args...)
		if isUnique(err) {
			return &problem.Error{Code: problem.Conflict, Detail: "A key of them was set again meanwhile, so nothing was restored.", Cause: err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Erase implements secret.Store. Most often there is nothing to erase, and then
// nothing is written.
func (s *Secrets) Erase(ctx context.Context, until time.Time) (erased int64, err error) {
	var found bool
	err = s.db.view(ctx, func(q querier) error {
		return q.get(ctx, &found, "SELECT EXISTS (SELECT 1 FROM deleted_secrets WHERE deleted_at <= ?)", micros(until))
	})
	if err != nil || !found {
		return 0, err
	}
	err = s.db.update(ctx, func(q querier) error {
		*q.scrub = true
		erased, err = q.exec(ctx, "DELETE FROM deleted_secrets WHERE deleted_at <= ?", micros(until))
		return err
	})
	return erased, err
}

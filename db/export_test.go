package db

import (
	"context"

	"infsh/backup"
)

// BackupTables returns the columns of each table that backups hold, and nil
// for the tables that they leave out.
func BackupTables() map[string][]backup.Column {
	out := map[string][]backup.Column{}
	for _, t := range tables {
		out[t.name] = t.columns
	}
	return out
}

// NewestSchema is the version up to which this program migrates.
func NewestSchema() (int64, error) { return newestSchema(sqliteDialect) }

// ColumnsOf returns the columns of a table and their types in the database.
func (d *DB) ColumnsOf(ctx context.Context, table string) (have map[string]string, err error) {
	err = d.view(ctx, func(q querier) error {
		have, err = columnsOf(ctx, q, table)
		return err
	})
	return have, err
}

// Text reads one text, in a statement of its own.
func (d *DB) Text(ctx context.Context, query string, args ...any) (out string, err error) {
	err = d.statement().get(ctx, &out, query, args...)
	return out, err
}

// InTransaction runs fn with what reads one text in the transaction.
func (d *DB) InTransaction(ctx context.Context, fn func(text func(query string, args ...any) (string, error)) error) error {
	return d.update(ctx, func(q querier) error {
		return fn(func(query string, args ...any) (out string, err error) {
			err = q.get(ctx, &out, query, args...)
			return out, err
		})
	})
}

// SpreadHosts and its like are tested on their own.
var (
	SpreadHosts  = spreadHosts
	ParseTimeout = parseTimeout
)

// ReadRunsOf is ReadRuns for logs that grew by fewer entries.
func (s *Secrets) ReadRunsOf(ctx context.Context, from, atOnce int64) error {
	return s.readRunsOf(ctx, from, atOnce)
}

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

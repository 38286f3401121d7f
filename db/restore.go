package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"infsh/backup"
)

// ErrNotEmpty says that a restore was asked for into a store that is in use.
var ErrNotEmpty = errors.New("there is a store here already, and a restore never overwrites one; nothing was changed")

// Limits of one INSERT. More rows in each would save little.
const (
	insertRows       = 64
	insertParameters = 1000
	insertBytes      = 1 << 20
)

// VerifyBackup reads a whole backup and changes nothing anywhere. It returns an
// error unless the file is complete, unchanged since it was made, of this KEK,
// and of a schema that this program knows.
func VerifyBackup(r io.Reader, kek backup.Opener) (backup.Verified, error) {
	v, err := backup.Verify(r, kek)
	if err != nil {
		return backup.Verified{}, err
	}
	// Both databases have the same versions.
	newest, err := newestSchema(sqliteDialect)
	if err != nil {
		return backup.Verified{}, err
	}
	if v.Header.Schema < 1 || v.Header.Schema > newest {
		return backup.Verified{}, fmt.Errorf("%w (its schema is %d; this one knows %d)", backup.ErrTooNew, v.Header.Schema, newest)
	}
	return v, nil
}

// Empty returns ErrNotEmpty if any table holds a row, and changes nothing.
func (d *DB) Empty(ctx context.Context) error {
	return d.view(ctx, func(q querier) error {
		known, err := present(ctx, q)
		if err != nil {
			return err
		}
		return empty(ctx, q, known)
	})
}

// Restore fills an empty store with a backup that was verified, and brings its
// schema up to this program's version. r reads the file anew, from its start.
//
// The rows are written in one transaction: whatever ends it early leaves an
// empty store, into which the backup can be restored again. They are written
// into the schema that they were read from, so that the migrations since then
// change them as they changed other stores.
func (d *DB) Restore(ctx context.Context, r io.Reader, verified backup.Verified) (backup.Counts, error) {
	if err := d.Empty(ctx); err != nil {
		return nil, err
	}
	in, err := backup.NewReader(r)
	if err != nil {
		return nil, err
	}
	if err := d.migrateTo(ctx, verified.Header.Schema); err != nil {
		return nil, err
	}
	// Not through update, which would run it again after a conflict, with the
	// file half read.
	err = d.transact(unhurried(ctx), d.writer, nil, func(q querier) error { return fill(ctx, q, in, verified) })
	if err != nil {
		return nil, err
	}
	return verified.Counts, d.Migrate(ctx)
}

func fill(ctx context.Context, q querier, in *backup.Reader, verified backup.Verified) error {
	known, err := claim(ctx, q, verified.Header.Schema)
	if err != nil {
		return err
	}
	if err := copyIn(ctx, q, known, in); err != nil {
		return err
	}
	if err := verified.Same(in); err != nil {
		return err
	}
	want := verified.Header.Store
	if id, ok, err := identity(ctx, q); err != nil || !ok || id.StoreID != want.ID {
		return errors.Join(errors.New("the restored rows are not of the store that the backup names"), err)
	}
	return nil
}

// claim makes sure, and holds, that nobody else sets up or migrates the store
// while it is filled. SQLite's writer holds the whole database already.
func claim(ctx context.Context, q querier, schema int64) ([]table, error) {
	known, err := present(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.dialect == postgresDialect {
		names := make([]string, len(known))
		for i, t := range known {
			names[i] = t.name
		}
		if _, err := q.exec(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS EXCLUSIVE MODE"); err != nil {
			return nil, fmt.Errorf("lock the store: %w", err)
		}
	}
	if err := empty(ctx, q, known); err != nil {
		return nil, err
	}
	have, err := schemaOf(ctx, q)
	if err != nil {
		return nil, err
	}
	if have != schema {
		return nil, fmt.Errorf("the empty store has schema %d already and the backup schema %d: remove the SQLite file, or make a new PostgreSQL database, and restore again", have, schema)
	}
	return known, nil
}

func empty(ctx context.Context, q querier, known []table) error {
	for _, t := range known {
		var rows int
		if err := q.get(ctx, &rows, "SELECT count(*) FROM (SELECT 1 FROM "+t.name+" LIMIT 1) AS found"); err != nil {
			return err
		}
		if rows != 0 {
			return ErrNotEmpty
		}
	}
	return nil
}

// copyIn writes all rows, in as few statements as the limits permit.
func copyIn(ctx context.Context, q querier, known []table, in *backup.Reader) error {
	var b *batch
	for {
		t, row, err := in.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if b != nil && (err != nil || t.Name != b.table || b.full()) {
			if err := b.flush(ctx, q); err != nil {
				return fmt.Errorf("restore table %s: %w", b.table, err)
			}
		}
		if err != nil {
			return nil
		}
		if b == nil || b.table != t.Name {
			if b, err = newBatch(known, t); err != nil {
				return err
			}
		}
		b.add(row)
	}
}

// batch collects the rows of one INSERT.
type batch struct {
	table   string
	columns []backup.Column
	rows    int
	bytes   int
	args    []any
}

// newBatch returns an error unless the table and its columns are exactly those
// of the store. This keeps any other name out of the statement, too.
func newBatch(known []table, t backup.Table) (*batch, error) {
	i := slices.IndexFunc(known, func(k table) bool { return k.name == t.Name && k.leftOut == "" })
	if i < 0 || !slices.Equal(known[i].columns, t.Columns) {
		return nil, fmt.Errorf("the backup's table %q is not one of its schema", t.Name)
	}
	return &batch{table: t.Name, columns: t.Columns}, nil
}

func (b *batch) add(row []any) {
	b.rows++
	b.args = append(b.args, row...)
	for _, v := range row {
		switch v := v.(type) {
		case string:
			b.bytes += len(v)
		case []byte:
			b.bytes += len(v)
		}
	}
}

func (b *batch) full() bool {
	return b.rows >= insertRows || len(b.args)+len(b.columns) > insertParameters || b.bytes > insertBytes
}

func (b *batch) flush(ctx context.Context, q querier) error {
	row := "(?" + strings.Repeat(", ?", len(b.columns)-1) + ")"
	_, err := q.exec(ctx, "INSERT INTO "+b.table+" ("+columnNames(b.columns)+") VALUES "+row+strings.Repeat(", "+row, b.rows-1), b.args...)
	b.rows, b.bytes, b.args = 0, 0, b.args[:0]
	return err
}

package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"infsh/backup"
)

// ErrNoStore says that the database holds no store.
var ErrNoStore = errors.New("there is no store here yet")

// Backup writes a backup of the whole store to w, from one snapshot, beside
// servers that go on writing. It changes nothing and holds one row at a time in
// memory. program is the version of infsh.
//
// On SQLite the write-ahead log can't be cut back until it is done; on
// PostgreSQL rows that are replaced meanwhile can't be vacuumed.
func (d *DB) Backup(ctx context.Context, w io.Writer, program string, kek backup.Sealer) (backup.Counts, error) {
	var counts backup.Counts
	file := &outlet{w: w}
	err := d.look(unhurried(ctx), func(q querier) error {
		header, err := headerOf(ctx, q)
		if err != nil {
			return err
		}
		header.CreatedAt, header.Program = time.Now().UTC(), program
		// In the snapshot itself, so that the seal is of the KEK that the rows
		// need.
		if err := kek.VerifyCheck(header.Store.ID, header.Store.KEKCheck); err != nil {
			return err
		}
		out, err := backup.NewWriter(file, header)
		if err != nil {
			return err
		}
		known, err := present(ctx, q)
		if err != nil {
			return err
		}
		for _, t := range known {
			if t.leftOut != "" {
				continue
			}
			if err := copyOut(ctx, q, t, out); err != nil {
				return fmt.Errorf("back up table %s: %w", t.name, err)
			}
		}
		counts, err = out.Close(kek)
		return err
	})
	if err != nil && file.err != nil {
		err = file.err
	}
	return counts, err
}

// outlet keeps the error of a write, which is one of the file and must not look
// like one of the database.
type outlet struct {
	w   io.Writer
	err error
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		o.err = err
	}
	return n, err
}

func headerOf(ctx context.Context, q querier) (backup.Header, error) {
	schema, err := schemaOf(ctx, q)
	if err != nil {
		return backup.Header{}, err
	}
	id, ok, err := identity(ctx, q)
	if err != nil {
		return backup.Header{}, err
	}
	if !ok {
		return backup.Header{}, ErrNoStore
	}
	newest, err := newestSchema(q.dialect)
	if err != nil {
		return backup.Header{}, err
	}
	if schema > newest {
		return backup.Header{}, fmt.Errorf("a newer version of infsh has migrated this store (schema %d; this one knows %d): back it up with that version", schema, newest)
	}
	return backup.Header{Schema: schema, Store: backup.Store{
		ID: id.StoreID, KEKID: id.KEKID, KEKCheck: id.KEKCheck, OldKEKID: id.OldKEKID, OldKEKCheck: id.OldKEKCheck,
	}}, nil
}

func copyOut(ctx context.Context, q querier, t table, out *backup.Writer) (err error) {
	if err := out.Table(backup.Table{Name: t.name, Columns: t.columns}); err != nil {
		return err
	}
	rows, err := q.q.QueryxContext(ctx, "SELECT "+columnNames(t.columns)+" FROM "+t.name+" ORDER BY "+t.order)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]any, len(t.columns))
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if err := out.Row(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

func columnNames(columns []backup.Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

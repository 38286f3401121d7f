package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema up to this program's version. On PostgreSQL it
// holds an advisory lock, so that several instances may start at once.
func (d *DB) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/"+string(d.dialect))
	if err != nil {
		return err
	}
	dialect, opts := goose.DialectSQLite3, []goose.ProviderOption{}
	if d.dialect == postgresDialect {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		dialect, opts = goose.DialectPostgres, append(opts, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, d.writer.DB, files, opts...)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// Identity is what a store says of itself before anything else is done to it.
type Identity struct {
	StoreID  string `db:"id"`
	KEKID    string `db:"kek_id"`
	KEKCheck []byte `db:"kek_check"`
}

// Identity reads the store's identity without changing anything. ok is false
// for a store that has never been set up.
func (d *DB) Identity(ctx context.Context) (id Identity, ok bool, err error) {
	err = d.view(ctx, func(q querier) error {
		var tables int
		count := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'stores'"
		if d.dialect == postgresDialect {
			count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'stores'"
		}
		if err := q.get(ctx, &tables, count); err != nil || tables == 0 {
			return err
		}
		err := q.get(ctx, &id, "SELECT id, kek_id, kek_check FROM stores WHERE singleton = 1")
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	return id, ok, err
}

// SetIdentity writes the identity of a new store. Of several instances that
// start at once on an empty store one wins; the others read its identity.
func (d *DB) SetIdentity(ctx context.Context, id Identity) error {
	return d.update(ctx, func(q querier) error {
		_, err := q.exec(ctx, "INSERT INTO stores (singleton, id, kek_id, kek_check) VALUES (1, ?, ?, ?) ON CONFLICT DO NOTHING", id.StoreID, id.KEKID, id.KEKCheck)
		return err
	})
}

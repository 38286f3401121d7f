package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// schemaBelow is the first schema that this program can't use. A migration that
// only adds something gets the next number. One that removes or changes what
// the release before it still uses begins the next thousand, so that such a
// release refuses the store; one that no longer uses it says so by raising
// schemaBelow, a release ahead of the removal.
const schemaBelow = 1000

// ErrSchemaTooNew says that the store was migrated by a later release to a
// schema that this one can't use.
var ErrSchemaTooNew = errors.New("a later version of infsh has changed this store in a way that this version can't work with; nothing was changed; run that version, or a later one")

// Migrate brings the schema up to this program's version. Several instances
// may do so at once: one works and the others wait. A schema that is newer is
// left as it is, and accepted if this program can use it.
func (d *DB) Migrate(ctx context.Context) error {
	newest, err := newestSchema(d.dialect)
	if err != nil {
		return err
	}
	return d.migrateTo(ctx, newest)
}

// migrateTo brings the schema up to a version, and never back to one.
func (d *DB) migrateTo(ctx context.Context, schema int64) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	if err := d.migrate(ctx, schema); err != nil {
		return fmt.Errorf("migrate the database to schema %d: %w", schema, err)
	}
	return nil
}

// usable returns ErrSchemaTooNew if this program can't use the store.
func (d *DB) usable(ctx context.Context) error {
	return d.view(ctx, func(q querier) error {
		have, err := schemaOf(ctx, q)
		if err == nil && have >= schemaBelow {
			err = fmt.Errorf("%w (its schema is %d; this version works below %d)", ErrSchemaTooNew, have, schemaBelow)
		}
		return err
	})
}

func (d *DB) migrate(ctx context.Context, schema int64) error {
	files, err := migrationsOf(d.dialect)
	if err != nil {
		return err
	}
	if d.dialect == postgresDialect {
		return d.migratePostgres(ctx, files, schema)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, d.writer.DB, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	_, err = provider.UpTo(ctx, schema)
	return err
}

func migrationsOf(d dialect) (fs.FS, error) { return fs.Sub(migrations, "migrations/"+string(d)) }

// newestSchema is the version up to which this program migrates.
func newestSchema(d dialect) (int64, error) {
	files, err := migrationsOf(d)
	if err != nil {
		return 0, err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// schemaOf is the version of the store's schema; 0 if it has none yet.
func schemaOf(ctx context.Context, q querier) (version int64, err error) {
	if have, err := columnsOf(ctx, q, goose.DefaultTablename); err != nil || len(have) == 0 {
		return 0, err
	}
	err = q.get(ctx, &version, "SELECT COALESCE(MAX(version_id), 0) FROM "+goose.DefaultTablename)
	return version, err
}

// Identity is what a store says of itself before anything else is done to it.
type Identity struct {
	StoreID  string `db:"id"`
	KEKID    string `db:"kek_id"`
	KEKCheck []byte `db:"kek_check"`
	// The KEK that is being replaced; empty except during a rotation.
	OldKEKID    string `db:"old_kek_id"`
	OldKEKCheck []byte `db:"old_kek_check"`
}

// Identity reads the store's identity without changing anything. ok is false
// for a store that has never been set up.
func (d *DB) Identity(ctx context.Context) (id Identity, ok bool, err error) {
	err = d.view(ctx, func(q querier) error {
		id, ok, err = identity(ctx, q)
		return err
	})
	return id, ok, err
}

func identity(ctx context.Context, q querier) (id Identity, ok bool, err error) {
	if have, err := columnsOf(ctx, q, "stores"); err != nil || len(have) == 0 {
		return Identity{}, false, err
	}
	err = q.get(ctx, &id, "SELECT id, kek_id, kek_check, old_kek_id, old_kek_check FROM stores WHERE singleton = 1")
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, false, nil
	}
	return id, err == nil, err
}

// SetIdentity writes the identity of a new store. Of several instances that
// start at once on an empty store one wins; the others read its identity.
func (d *DB) SetIdentity(ctx context.Context, id Identity) error {
	return d.update(ctx, func(q querier) error {
		_, err := q.exec(ctx, "INSERT INTO stores (singleton, id, kek_id, kek_check) VALUES (1, ?, ?, ?) ON CONFLICT DO NOTHING", id.StoreID, id.KEKID, id.KEKCheck)
		return err
	})
}

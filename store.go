package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"infsh/db"
	"infsh/envelope"
)

// store is an open database together with the KEK that it belongs to.
type store struct {
	db       *db.DB
	kek      *envelope.KEK
	identity db.Identity
}

// openStore opens the store that the settings name, and makes a new one if
// there is none.
//
// A store that holds data is only touched after the KEK has proved that it
// belongs to it: a wrong, missing or new KEK is refused, and nothing has
// changed. A new KEK is made for an empty store alone.
func openStore(ctx context.Context, s settings) (*store, error) {
	d, err := openDatabase(ctx, s)
	if err != nil {
		return nil, err
	}
	out, err := unlock(ctx, d, s)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return out, nil
}

func unlock(ctx context.Context, d *db.DB, s settings) (*store, error) {
	identity, inUse, err := d.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	kek, err := openKEK(s.kek, !inUse)
	if err != nil {
		return nil, err
	}
	if inUse {
		if err := belongs(kek, identity); err != nil {
			return nil, err
		}
	}
	if err := d.Migrate(ctx); err != nil {
		return nil, err
	}
	if !inUse {
		if identity, err = initialize(ctx, d, kek); err != nil {
			return nil, err
		}
	}
	return &store{db: d, kek: kek, identity: identity}, nil
}

// initialize gives a new store its identity. If another instance was first,
// its identity counts, and the KEK must belong to it.
func initialize(ctx context.Context, d *db.DB, kek *envelope.KEK) (db.Identity, error) {
	id := uuid.NewString()
	check, err := kek.SealCheck(id)
	if err != nil {
		return db.Identity{}, err
	}
	if err := d.SetIdentity(ctx, db.Identity{StoreID: id, KEKID: kek.ID(), KEKCheck: check}); err != nil {
		return db.Identity{}, fmt.Errorf("set up the store: %w", err)
	}
	identity, ok, err := d.Identity(ctx)
	if err == nil && !ok {
		err = errors.New("its identity was not stored")
	}
	if err != nil {
		return db.Identity{}, fmt.Errorf("set up the store: %w", err)
	}
	return identity, belongs(kek, identity)
}

func belongs(kek *envelope.KEK, id db.Identity) error {
	if err := kek.VerifyCheck(id.StoreID, id.KEKCheck); err != nil {
		return fmt.Errorf("this key encryption key (%s) does not belong to this store, which was made with %s; nothing was changed; name the right one with --kek: %w", kek.ID(), id.KEKID, err)
	}
	return nil
}

func openDatabase(ctx context.Context, s settings) (*db.DB, error) {
	if err := makeDataDir(s); err != nil {
		return nil, err
	}
	if s.databaseURL != "" {
		return db.OpenPostgres(ctx, s.databaseURL)
	}
	return db.OpenSQLite(ctx, filepath.Join(s.dataDir, "infsh.db"))
}

// makeDataDir makes the folder where it is needed, and private in any case.
func makeDataDir(s settings) error {
	if s.databaseURL != "" && s.kek != "file:"+filepath.Join(s.dataDir, "kek.json") {
		return nil
	}
	if err := os.MkdirAll(s.dataDir, 0o700); err != nil {
		return fmt.Errorf("make the data dir: %w", err)
	}
	if err := os.Chmod(s.dataDir, 0o700); err != nil {
		return fmt.Errorf("make the data dir private: %w", err)
	}
	return nil
}

// openKEK opens the KEK, and makes its file only for a store that is new.
func openKEK(uri string, mayCreate bool) (*envelope.KEK, error) {
	kek, err := envelope.OpenKEK(uri, os.LookupEnv)
	path, isFile := strings.CutPrefix(uri, "file:")
	if errors.Is(err, envelope.ErrKEKMissing) && mayCreate && isFile {
		return envelope.CreateKEKFile(path)
	}
	return kek, err
}

// ready reports whether the database answers and is still the store that the
// KEK belongs to.
func (s *store) ready(ctx context.Context) error {
	id, ok, err := s.db.Identity(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("the store has no identity")
	}
	return s.kek.VerifyCheck(id.StoreID, id.KEKCheck)
}

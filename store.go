package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"infsh/db"
	"infsh/envelope"
)

// store is an open database together with the KEK that it belongs to.
type store struct {
	db       *db.DB
	kek      *envelope.KEK
	identity db.Identity
	// isNew says that there was no store before it was opened.
	isNew bool

	databaseAnswers, kekAnswers, diskAnswers answers
	// seen is who the database last said that it is.
	seen atomic.Pointer[db.Identity]
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
	kek, err := openKEK(s, !inUse)
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
	return &store{isNew: !inUse, db: d, kek: kek, identity: identity, databaseAnswers: answers{anew: true}}, nil
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

// belongs makes sure that kek opens everything in the store.
func belongs(kek *envelope.KEK, id db.Identity) error {
	err := kek.VerifyCheck(id.StoreID, id.KEKCheck)
	if errors.Is(err, envelope.ErrKEKWrong) {
		return fmt.Errorf("this key encryption key (%s) does not belong to this store, which uses %s; nothing was changed; name the right one with --kek", kek.ID(), id.KEKID)
	}
	if err != nil || len(id.OldKEKCheck) == 0 {
		return err
	}
	err = kek.VerifyCheck(id.StoreID, id.OldKEKCheck)
	if errors.Is(err, envelope.ErrKEKWrong) {
		return fmt.Errorf("a rotation from %s to %s is under way, and the old key is still needed; name it with --kek-old, or finish the rotation with `infsh admin rotate-kek`: %w", id.OldKEKID, id.KEKID, err)
	}
	return err
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

// openKEK opens the KEK and, during a rotation, the other one too. It makes the
// KEK's file only for a store that is new.
func openKEK(s settings, mayCreate bool) (*envelope.KEK, error) {
	kek, err := envelope.OpenKEK(s.kek, os.LookupEnv)
	path, isFile := strings.CutPrefix(s.kek, "file:")
	if errors.Is(err, envelope.ErrKEKMissing) && mayCreate && isFile {
		kek, err = envelope.CreateKEKFile(path)
	}
	if err != nil || s.kekOld == "" {
		return kek, err
	}
	old, err := envelope.OpenKEK(s.kekOld, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("--kek-old: %w", err)
	}
	return kek.And(old), nil
}

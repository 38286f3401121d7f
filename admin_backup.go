package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"infsh/backup"
	"infsh/cli"
	"infsh/db"
	"infsh/envelope"
)

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a backup of the whole store, beside a running server too",
		Long: `Write a backup of the whole store to FILE, which must not exist yet, or to
standard output if FILE is "-". It is one consistent snapshot, and servers go on
working meanwhile.

The backup holds no plaintext and no key: without the key encryption key it is
worthless, to you too. Keep that key elsewhere. Sessions and pending logins are
not in it; people sign in again after a restore.`,
		Example: `  infsh admin backup /var/backups/infsh-monday.backup
  infsh admin backup - | ssh backup.example.com 'cat > infsh.backup'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(cmd, storeSettings)
			if err != nil {
				return err
			}
			// An interrupted backup leaves no file.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return backUp(ctx, s, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addSettings(cmd, storeSettings)
	return cmd
}

func backUp(ctx context.Context, s settings, path string, stdout, stderr io.Writer) error {
	private()
	if path == "-" {
		if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return cli.Usage("a backup is not for a terminal: redirect standard output, or name a file")
		}
	} else if err := mustNotExist(path); err != nil {
		return err
	}
	st, err := openStoreAsItIs(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = st.db.Close() }()
	var counts backup.Counts
	write := func(w io.Writer) (err error) {
		counts, err = st.db.Backup(ctx, w, versionString(), st.kek)
		return err
	}
	if path == "-" {
		err, stdout = write(stdout), stderr
	} else {
		err = writeNew(path, write)
	}
	if err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "Backed up the store %s (%s).\nIt can only be restored with the key encryption key %s, which is not in it.\n", st.identity.StoreID, counts, st.identity.KEKID)
	return err
}

// openStoreAsItIs opens a store that must exist, and neither makes nor migrates
// anything: a backup is what is taken before a newer program migrates.
//
// Keys that open the store too may be given beside those of the settings.
func openStoreAsItIs(ctx context.Context, s settings, others ...*envelope.KEK) (*store, error) {
	if s.databaseURL == "" {
		if _, err := os.Stat(sqlitePath(s)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no store in %s: name it with --data-dir or --database-url", s.dataDir)
		}
	}
	kek, err := openKEK(s, false)
	if err != nil {
		return nil, err
	}
	kek = kek.And(others...)
	d, err := openDatabase(ctx, s)
	if err != nil {
		return nil, err
	}
	identity, ok, err := d.Identity(ctx)
	switch {
	case err != nil:
		err = fmt.Errorf("read the store: %w", err)
	case !ok:
		err = db.ErrNoStore
	default:
		err = belongs(kek, identity)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &store{db: d, kek: kek, identity: identity}, nil
}

func sqlitePath(s settings) string { return filepath.Join(s.dataDir, "infsh.db") }

func mustNotExist(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%s exists already, and a backup never overwrites one: name another file", path)
	}
	return nil
}

// writeNew makes a file with mode 0600 that is complete, and synced, from the
// moment when it has its name; or none.
func writeNew(path string, write func(io.Writer) error) error {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+name+".*.partial") // O_EXCL, mode 0600.
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = publish(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// publish gives a finished file its name, unless that was taken meanwhile.
func publish(partial, path string) error {
	// A link never overwrites, as a rename does. Not every file system has it.
	if err := os.Link(partial, path); err == nil {
		return os.Remove(partial)
	}
	if err := mustNotExist(path); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill an empty store with a backup",
		Long: `Fill an empty store with the backup in FILE. The store may be of the other
database kind: this is the way from SQLite to PostgreSQL, and back.

It needs the key encryption key of the store that was backed up, and never makes
one. The whole file is checked before anything is written, and all is written in
one transaction: a restore that is cut off leaves an empty store, into which it
can be done again. A store that is in use is refused and stays as it is.`,
		Example: `  infsh admin restore infsh.backup --data-dir ./new --kek file:/secure/kek.json
  infsh admin restore infsh.backup --database-url postgres://…`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(cmd, storeSettings)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return restore(ctx, s, args[0], cmd.OutOrStdout())
		},
	}
	addSettings(cmd, storeSettings)
	return cmd
}

func restore(ctx context.Context, s settings, path string, stdout io.Writer) error {
	private()
	if path == "-" {
		return cli.Usage("a restore reads its file twice, so it can't be standard input: save it to a file first")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("%s is not a regular file, and a restore reads its file twice: save it to one first", path), err)
	}
	// All of this comes before the database is opened, which would make one.
	kek, err := openKEK(s, false)
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	verified, err := db.VerifyBackup(f, kek)
	if err != nil {
		return fmt.Errorf("nothing was restored: %s: %w", path, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d, err := openDatabase(ctx, s)
	if err != nil {
		return err
	}
	counts, err := d.Restore(ctx, f, verified)
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	_, err = fmt.Fprintf(stdout, "Restored the store %s as of %s (%s).\nNobody is signed in; API keys are valid as before.\n",
		verified.Header.Store.ID, verified.Header.CreatedAt.Format("2006-01-02 15:04:05 MST"), counts)
	return err
}

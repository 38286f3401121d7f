package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"infsh/auth"
	"infsh/cli"
	"infsh/envelope"
	"infsh/rotation"
)

func newKEKCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new-kek FILE",
		Short: "Make a file with a new key encryption key, for rotate-kek",
		Long: `Make a file with a new key encryption key, readable by its owner alone. It never
overwrites a file. Back the file up, apart from the database: what it encrypts
is lost without it.`,
		Example: `  infsh admin new-kek /etc/infsh/kek-2.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			private()
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			kek, err := envelope.CreateKEKFile(path)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Made %s in %s. Name it as file:%s.\n", kek.ID(), path, path)
			return err
		},
	}
}

func rotateKEKCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "rotate-kek --to URI",
		Short: "Replace the key encryption key, while servers run",
		Long: `Make the key that --to names the key encryption key of the store, and wrap every
team's data key by it. No value is encrypted anew; rotate-dek does that.

Before it, restart every server with both keys, the new one as --kek and the old
one as --kek-old: a server that has only one of them stops being ready. This
command needs both too. After it, restart the servers without --kek-old.

It can be interrupted at any moment, and continues when it is run again. With
the old key as --to it turns an unfinished rotation around. See "Rotating keys"
in docs/operations.md.`,
		Example: `  infsh admin new-kek /etc/infsh/kek-2.json
  infsh admin rotate-kek --kek file:/etc/infsh/kek.json --to file:/etc/infsh/kek-2.json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return cli.Usage("--to is needed: file:PATH, env:NAME or hcvault://HOST/MOUNT/keys/NAME")
			}
			target, err := envelope.OpenKEK(to, os.LookupEnv)
			if err != nil {
				return fmt.Errorf("--to: %w", err)
			}
			return rotate(cmd, "teams", []*envelope.KEK{target}, func(ctx context.Context, s *rotation.Service, progress rotation.Progress) (string, error) {
				done, err := s.KEK(ctx, auth.Operator(operatorName()), target, progress)
				if done.From == done.To && !done.Resumed && done.Teams == 0 {
					return fmt.Sprintf("%s is the key encryption key already; nothing was changed.", done.To), err
				}
				return fmt.Sprintf("%s replaced %s as the key encryption key; %s wrapped anew%s.\nRestart the servers with the new key as --kek, without --kek-old. Keep the old key as long as backups from before.",
					done.To, done.From, count(done.Teams, "data key was", "data keys were"), continued(done.Resumed)), err
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the new key encryption key: file:PATH, env:NAME or hcvault://HOST/MOUNT/keys/NAME")
	addSettings(cmd, storeSettings)
	return cmd
}

func rotateDEKCommand() *cobra.Command {
	var team string
	cmd := &cobra.Command{
		Use:   "rotate-dek [--team USERNAME]",
		Short: "Replace the data keys and encrypt all values anew, while servers run",
		Long: `Give each team, or the one that --team names, a new data key, encrypt all kept
versions of its secrets anew, and drop the old key once nothing needs it. Servers
go on reading and writing meanwhile, and need no restart.

It can be interrupted at any moment, and continues when it is run again.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return rotate(cmd, "versions", nil, func(ctx context.Context, s *rotation.Service, progress rotation.Progress) (string, error) {
				done, err := s.DEK(ctx, auth.Operator(operatorName()), team, progress)
				return fmt.Sprintf("%s replaced, and %s encrypted anew%s.", count(done.Teams, "data key was", "data keys were"),
					count(done.Versions, "version of a secret was", "versions of secrets were"), continued(done.Resumed)), err
			})
		},
	}
	cmd.Flags().StringVar(&team, "team", "", "username of the team (default all teams)")
	addSettings(cmd, storeSettings)
	return cmd
}

// rotate opens the store as it is, runs a rotation with a progress bar, and
// prints what it did.
func rotate(cmd *cobra.Command, unit string, others []*envelope.KEK, run func(context.Context, *rotation.Service, rotation.Progress) (string, error)) error {
	private()
	s, err := readSettings(cmd, storeSettings)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	st, err := openStoreAsItIs(ctx, s, others...)
	if err != nil {
		return err
	}
	defer func() { _ = st.db.Close() }()
	if err := st.db.Migrate(ctx); err != nil {
		return err
	}
	bar := newBar(cmd.ErrOrStderr(), unit)
	said, err := run(ctx, rotation.NewService(st.db.Rotation(), st.kek), bar.show)
	bar.end()
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted; everything stays readable, and the same command continues where this one stopped")
		}
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
	return err
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func continued(resumed bool) string {
	if resumed {
		return " (continued from an earlier run)"
	}
	return ""
}

const (
	barWidth = 30
	// barEvery and lineEvery are how often the progress is shown, on a
	// terminal and elsewhere.
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

// bar shows progress: on a terminal as a bar in one line, elsewhere as a plain
// line now and then.
type bar struct {
	out      io.Writer
	unit     string
	terminal bool
	next     time.Time
	drawn    bool
}

func newBar(out io.Writer, unit string) *bar {
	b := &bar{out: out, unit: unit}
	if f, ok := out.(*os.File); ok {
		b.terminal = term.IsTerminal(int(f.Fd()))
	}
	return b
}

func (b *bar) show(done, total int) {
	now := time.Now()
	if now.Before(b.next) && done < total {
		return
	}
	if !b.terminal {
		b.next = now.Add(lineEvery)
		fmt.Fprintf(b.out, "%d of %d %s\n", done, total, b.unit)
		return
	}
	b.next, b.drawn = now.Add(barEvery), true
	full := barWidth
	if total > 0 {
		full = barWidth * done / total
	}
	fmt.Fprintf(b.out, "\r[%s%s] %d of %d %s\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, total, b.unit)
}

// end leaves the bar as a line of its own.
func (b *bar) end() {
	if b.drawn {
		fmt.Fprintln(b.out)
	}
}

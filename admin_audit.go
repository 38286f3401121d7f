package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"infsh/account"
	"infsh/audit"
	"infsh/cli"
	"infsh/db"
)

// logSettings name the database alone: the log is read without the key
// encryption key, which whoever examines it need not have.
var logSettings = storeSettings[:2]

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify and export the audit log",
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return cli.Usage("name a command: verify or export")
		},
	}
	cmd.AddCommand(auditVerifyCommand(), auditExportCommand())
	return cmd
}

func auditVerifyCommand() *cobra.Command {
	var teamName, kept string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Verify the hash chains of the audit log, and print their heads",
		Long: `Verify that no entry of the audit log was changed, removed, put in or moved, and
print the head of each team's chain: the number and the hash of its last entry.
For a chain that is broken the first bad entry is named, and the exit code is 1.

Whoever can write the whole database can write a chain anew, up to its head.
Keep this output where they can't write, and give a kept head back with --head:
it proves the chain up to there.

It only reads, beside a running server too, and needs no key.`,
		Example: `  infsh admin audit verify
  infsh admin audit verify --team acme --head 1234:9f86d0…`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var head audit.Head
			if cmd.Flags().Changed("head") {
				var err error
				if head, err = audit.ParseHead(kept); err != nil {
					return cli.Usage("--head: %v", err)
				}
				if teamName == "" {
					return cli.Usage("--head needs --team: each team has its own chain")
				}
			}
			return readLog(cmd, teamName, func(ctx context.Context, log audit.Snapshot, chains []audit.Chain) error {
				return verifyChains(ctx, log, chains, head, cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().StringVar(&teamName, "team", "", "username of one team, or the id of a deleted one (default all chains)")
	cmd.Flags().StringVar(&kept, "head", "", "NUMBER:HASH that was kept elsewhere, which the chain must go through")
	addSettings(cmd, logSettings)
	return cmd
}

func auditExportCommand() *cobra.Command {
	var teamName, from string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print the audit log as JSON lines",
		Long: `Print the audit log as JSON lines, in printable ASCII: each chain by itself, in
the order of its entries. docs/format.md lists the names, and says how the
hashes are computed from the lines.

It only reads, beside a running server too, and needs no key. It is no entry of
the log itself: whoever has the database reads it in any way they like.`,
		Example: `  infsh admin audit export --team acme --since 2026-03-01T00:00:00Z`,
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var since time.Time
			if cmd.Flags().Changed("since") {
				var err error
				if since, err = time.Parse(time.RFC3339, from); err != nil {
					return cli.Usage("--since: a time is written like 2026-03-01T00:00:00Z or 2026-03-01T00:00:00+01:00 (RFC 3339)")
				}
			}
			return readLog(cmd, teamName, func(ctx context.Context, log audit.Snapshot, chains []audit.Chain) error {
				for _, c := range chains {
					if err := audit.Export(ctx, log, cmd.OutOrStdout(), c, since); err != nil {
						return fmt.Errorf("export the audit log of %s: %w", chainName(c), err)
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&teamName, "team", "", "username of one team, or the id of a deleted one (default all chains)")
	cmd.Flags().StringVar(&from, "since", "", "leave out what is older than this time (RFC 3339)")
	addSettings(cmd, logSettings)
	return cmd
}

// readLog runs fn on one snapshot of the log, with the chains that were asked
// for.
func readLog(cmd *cobra.Command, teamName string, fn func(context.Context, audit.Snapshot, []audit.Chain) error) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if cmd.Flags().Changed("team") && teamName == "" {
		return cli.Usage("--team: name a team, or leave it out for all")
	}
	s, err := readSettings(cmd, logSettings)
	if err != nil {
		return err
	}
	d, err := openLog(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if _, ok, err := d.Identity(ctx); err != nil {
		return fmt.Errorf("read the store: %w", err)
	} else if !ok {
		return db.ErrNoStore
	}
	return d.AuditSnapshot(ctx, func(log audit.Snapshot) error {
		chains, err := log.Chains(ctx)
		if err != nil {
			return err
		}
		if teamName != "" {
			if chains, err = chainOf(chains, teamName); err != nil {
				return err
			}
		}
		return fn(ctx, log, chains)
	})
}

// openLog opens a database that must exist, and changes nothing in it.
func openLog(ctx context.Context, s settings) (*db.DB, error) {
	if s.databaseURL == "" {
		if _, err := os.Stat(sqlitePath(s)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no store in %s: name it with --data-dir or --database-url", s.dataDir)
		}
		return db.OpenSQLite(ctx, sqlitePath(s))
	}
	return db.OpenPostgres(ctx, s.databaseURL)
}

// chainOf finds a team by its username, and a deleted one, which has none any
// more, by its id.
func chainOf(chains []audit.Chain, name string) ([]audit.Chain, error) {
	for _, c := range chains {
		if c.TeamName == name {
			return []audit.Chain{c}, nil
		}
	}
	for _, c := range chains {
		if c.TeamID == name {
			return []audit.Chain{c}, nil
		}
	}
	return nil, fmt.Errorf("there is no team %q in the audit log: give its username, or the id of a deleted team", name)
}

// verifyChains prints a line for each chain.
func verifyChains(ctx context.Context, log audit.Snapshot, chains []audit.Chain, kept audit.Head, out io.Writer) error {
	var bad int
	for _, c := range chains {
		head, err := audit.Verify(ctx, log, c.TeamID, kept)
		line := fmt.Sprintf("ok      %s %s\n", chainName(c), head)
		if broken := new(audit.Broken); errors.As(err, &broken) {
			line = fmt.Sprintf("BROKEN  %s %s\n", chainName(c), broken)
			bad++
		} else if err != nil {
			return fmt.Errorf("verify the audit log of %s: %w", chainName(c), err)
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	switch {
	case bad == 1 && len(chains) == 1:
		return errors.New("the audit log was changed: its chain is broken, see above")
	case bad > 0:
		return fmt.Errorf("the audit log was changed: %d of its %d chains are broken, see above", bad, len(chains))
	}
	return nil
}

// chainName names a chain in a line. The names come from the database, which
// may hold anything.
func chainName(c audit.Chain) string {
	switch {
	case c.TeamID == "":
		return "(no team)"
	case c.TeamName == "":
		return fmt.Sprintf("(deleted team %+q)", c.TeamID)
	case account.ParseUsername(c.TeamName) != nil:
		return fmt.Sprintf("%+q", c.TeamName)
	}
	return c.TeamName
}

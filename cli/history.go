package cli

import (
	"strconv"

	"github.com/spf13/cobra"
)

func (p *program) secretsHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history KEY",
		Short: "List the versions of a secret, newest first",
		Long: `Lists the kept versions of a secret: the active one, which apps receive, staged
ones, which were never in use, and superseded ones. The active one is kept and
the newest others, ten in all.`,
		Example: `  infsh secrets history OPENAI_API_KEY`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keyArgument(args[0])
			if err != nil {
				return err
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			versions, err := s.SecretVersions(cmd.Context(), key)
			if err != nil {
				return err
			}
			rows := [][]string{{"VERSION", "STATE", "VALUE", "CREATED (UTC)", "BY"}}
			for _, version := range versions {
				rows = append(rows, []string{
					strconv.FormatInt(version.Version, 10), string(version.State), version.MaskedValue, stamp(version.CreatedAt), version.CreatedBy,
				})
			}
			p.table(rows)
			return nil
		},
	}
}

func (p *program) secretsActivateCommand() *cobra.Command {
	var version int64
	cmd := &cobra.Command{
		Use:   "activate KEY --version N",
		Short: "Put a kept version into use: a staged one, or an earlier one",
		Long: `Switches to any kept version: one that was stored by "secrets set --stage", or
one that was in use before. It makes no new version, so activating the other one
switches back. Runs that start from then on receive it.

"secrets rollback" makes a new version that equals an earlier one instead.`,
		Example: `  infsh secrets set OPENAI_API_KEY --stage
  infsh secrets activate OPENAI_API_KEY --version 4
  infsh secrets activate OPENAI_API_KEY --version 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keyArgument(args[0])
			if err != nil {
				return err
			}
			if version < 1 {
				return Usage("which version? Name it with --version; `infsh secrets history %s` lists them", key)
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			secret, err := s.ActivateSecret(cmd.Context(), key, version)
			if err != nil {
				return err
			}
			if secret.Unchanged {
				p.printf("%s is unchanged: version %d is in use already.\n", inert(secret.Key), secret.Version)
				return nil
			}
			p.printf("Version %d of %s is in use now: %s.\n", secret.Version, inert(secret.Key), inert(secret.MaskedValue))
			return nil
		},
	}
	cmd.Flags().Int64Var(&version, "version", 0, "the version to use")
	return cmd
}

func (p *program) secretsRollbackCommand() *cobra.Command {
	var to int64
	cmd := &cobra.Command{
		Use:   "rollback KEY --to VERSION",
		Short: "Make a new version that equals an earlier one",
		Long: `Makes a new version that equals a superseded one, so that the newest version is
the one in use again. To switch between versions without making one, use
"infsh secrets activate".`,
		Example: `  infsh secrets rollback OPENAI_API_KEY --to 3`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keyArgument(args[0])
			if err != nil {
				return err
			}
			if to < 1 {
				return Usage("which version? Name it with --to; `infsh secrets history %s` lists them", key)
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			secret, err := s.RollbackSecret(cmd.Context(), key, to)
			if err != nil {
				return err
			}
			p.printf("Set %s to %s, version %d, as it was in version %d.\n",
				inert(secret.Key), inert(secret.MaskedValue), secret.Version, to)
			return nil
		},
	}
	cmd.Flags().Int64Var(&to, "to", 0, "the version to go back to")
	return cmd
}

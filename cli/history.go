package cli

import (
	"strconv"

	"github.com/spf13/cobra"
)

func (p *program) secretsHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "history KEY",
		Short:   "List the versions of a secret, newest first",
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
			rows := [][]string{{"VERSION", "CREATED (UTC)", "BY", ""}}
			for _, version := range versions {
				current := ""
				if version.Current {
					current = "current"
				}
				rows = append(rows, []string{
					strconv.FormatInt(version.Version, 10), stamp(version.CreatedAt), version.CreatedBy, current,
				})
			}
			p.table(rows)
			return nil
		},
	}
}

func (p *program) secretsRollbackCommand() *cobra.Command {
	var to int64
	cmd := &cobra.Command{
		Use:     "rollback KEY --to VERSION",
		Short:   "Make a new version that equals an earlier one",
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

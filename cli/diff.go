package cli

import (
	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) secretsDiffCommand() *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "diff TEAM1 TEAM2",
		Short: "Say which keys of two of your teams differ, and never a value",
		Long: `Says which keys only one of two teams has, and which have another value in the
other. It needs a login, and membership in both teams; the values are compared,
on the server, where you may reveal them in both, and the audit logs of both say
so.

Exit codes: 0 if both have the same keys with the same values; 1 if they differ;
4 if they have the same keys, and you may not have the values compared.`,
		Example: `  infsh secrets diff acme acme-staging
  infsh secrets diff acme acme-staging --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			var teams [2]api.Team
			for i, name := range args {
				if teams[i], err = s.teamNamed(cmd.Context(), name); err != nil {
					return err
				}
			}
			diff, err := s.DiffTeams(cmd.Context(), teams[0].ID, teams[1].ID)
			if err != nil {
				return err
			}
			if asJSON {
				err = p.json(diff)
			} else {
				p.showDiff(diff, all)
			}
			if err != nil {
				return err
			}
			return diffStatus(diff)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with all keys of either team")
	cmd.Flags().BoolVar(&all, "all", false, "show also the keys whose values are the same")
	return cmd
}

func (p *program) showDiff(diff api.TeamDiff, all bool) {
	rows := [][]string{{"KEY", diff.First, diff.Second, "VALUES"}}
	for _, k := range diff.Keys {
		first, second, values := "set", "set", ""
		switch k.State {
		case api.DiffOnlyFirst:
			second = "not set"
		case api.DiffOnlySecond:
			first = "not set"
		case api.DiffDifferent:
			values = "different"
		case api.DiffNotCompared:
			values = "not compared"
		default:
			values = "equal"
			if !all {
				continue
			}
		}
		rows = append(rows, []string{k.Key, first, second, values})
	}
	if len(rows) > 1 {
		p.table(rows)
	}
	switch {
	case diff.Same:
		p.notef("%s and %s have the same keys with the same values (%d).", diff.First, diff.Second, len(diff.Keys))
	case !diff.Compared:
		p.notef("The values were not compared: that needs the role owner or admin in both teams.")
	}
}

// diffStatus is the exit code: what differs beats what is not known.
func diffStatus(diff api.TeamDiff) error {
	if diff.Same {
		return nil
	}
	for _, k := range diff.Keys {
		if k.State != api.DiffEqual && k.State != api.DiffNotCompared {
			return exitStatus(ExitFailure)
		}
	}
	return exitStatus(ExitDenied)
}

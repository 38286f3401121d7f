package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) teamsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "teams",
		Short: "List, create and choose teams, and manage their people",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	cmd.AddCommand(p.teamsListCommand(), p.teamsCreateCommand(), p.teamsSwitchCommand(),
		p.teamsRenameCommand(), p.teamsDuplicateCommand(), p.teamsDeleteCommand(),
		p.teamsMembersCommand(), p.teamsInviteCommand(), p.teamsInvitesCommand(), p.teamsTransferCommand(), p.teamsLeaveCommand())
	return cmd
}

func (p *program) teamsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your teams; the current one has a *",
		Args:  NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			me, err := s.Me(cmd.Context())
			if err != nil {
				return err
			}
			teams, err := s.Teams(cmd.Context())
			if err != nil {
				return err
			}
			rows := [][]string{{"", "TEAM", "NAME", "ROLE"}}
			for _, team := range teams {
				mark := ""
				if team.ID == me.Team.ID {
					mark = "*"
				}
				rows = append(rows, []string{mark, team.Username, team.Name, team.Role})
			}
			p.table(rows)
			return nil
		},
	}
}

func (p *program) teamsCreateCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "create USERNAME",
		Short:   "Create a team that you own",
		Example: `  infsh teams create acme-staging --name "Acme, staging"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			team, err := s.CreateTeam(cmd.Context(), api.TeamCreate{Username: args[0], Name: name})
			if err != nil {
				return err
			}
			p.printf("%s\n", inert(team.Username))
			p.notef("Created team %s. To work in it: infsh teams switch %s", team.Username, team.Username)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the team's name for people")
	return cmd
}

func (p *program) teamsSwitchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "switch USERNAME",
		Short: "Choose the team that the saved login works in",
		Example: `  infsh teams switch acme
  infsh --team acme secrets list      # for one command`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			if s.saved == nil {
				return fail(ExitFailure, "INFSH_API_KEY is set, so there is no saved login whose team could be chosen.",
					"Name the team with --team or INFSH_TEAM, or unset INFSH_API_KEY and run `infsh login`.")
			}
			if s.saved.kind != api.KindLogin {
				return fail(ExitFailure, "The saved credential is an API key, which belongs to one team.",
					"Run `infsh login` to work in all of your teams.")
			}
			teams, err := s.Teams(cmd.Context())
			if err != nil {
				return err
			}
			var names []string
			for _, team := range teams {
				if team.Username == args[0] {
					return p.chooseTeam(s, team)
				}
				names = append(names, team.Username)
			}
			return fail(ExitNotFound, "You are in no team named "+quote(args[0])+".", "Your teams: "+strings.Join(names, ", "))
		},
	}
}

func (p *program) chooseTeam(s *session, team api.Team) error {
	file, err := p.credentialFile()
	if err != nil {
		return err
	}
	saved := *s.saved
	saved.team = team.Username
	if err := file.save(s.URL(), saved); err != nil {
		return err
	}
	p.notef("Now in team %s, as %s.", team.Username, team.Role)
	if other := p.env("INFSH_TEAM"); other != "" && other != team.Username {
		p.notef("warning: INFSH_TEAM is set to %s and comes before this choice.", other)
	}
	return nil
}

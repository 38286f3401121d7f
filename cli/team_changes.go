package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

// teamNamed finds one of the person's teams by its username.
func (s *session) teamNamed(ctx context.Context, username string) (api.Team, error) {
	teams, err := s.Teams(ctx)
	if err != nil {
		return api.Team{}, err
	}
	var names []string
	for _, team := range teams {
		if team.Username == username {
			return team, nil
		}
		names = append(names, team.Username)
	}
	lines := []string{"You are in no team named " + quote(username) + ".", "Your teams: " + strings.Join(names, ", ")}
	if s.saved == nil || s.saved.kind != api.KindLogin {
		lines = append(lines, "An API key knows its own team alone; `infsh login` works in all of yours.")
	}
	return api.Team{}, fail(ExitNotFound, lines...)
}

// teamNow is the team that the command works in.
func (s *session) teamNow(ctx context.Context) (api.Team, error) {
	me, err := s.Me(ctx)
	return me.Team, err
}

// mustAgree asks before something that can't be undone.
func (p *program) mustAgree(yes bool, question string) error {
	switch {
	case yes:
		return nil
	case !p.terminal.in:
		return Usage("this needs --yes, since there is no terminal to ask on")
	case !p.confirm(question):
		return fail(ExitFailure, "Nothing was changed.")
	}
	return nil
}

// keepChoice brings the saved login's team up to date, if it was the one that
// has another name now, or none.
func (p *program) keepChoice(s *session, from, to string) error {
	if s.saved == nil || s.saved.team != from {
		return nil
	}
	file, err := p.credentialFile()
	if err != nil {
		return err
	}
	saved := *s.saved
	saved.team = to
	return file.save(s.URL(), saved)
}

func (p *program) teamsRenameCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "rename USERNAME [NEW-USERNAME]",
		Short: "Give a team another username, another name for people, or both",
		Long: `Gives a team another username, another name for people, or both. Nothing leads
on from the old username: change it where --team, INFSH_TEAM or a script names
it. Apps that are registered keep their names.`,
		Example: `  infsh teams rename acme acme-production
  infsh teams rename acme --name "Acme, production"`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var change api.TeamChange
			if len(args) == 2 {
				change.Username = &args[1]
			}
			if cmd.Flags().Changed("name") {
				change.Name = &name
			}
			if change.Username == nil && change.Name == nil {
				return Usage("name the new username, or --name, or both")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			team, err := s.teamNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			changed, err := s.ChangeTeam(cmd.Context(), team.ID, change)
			if err != nil {
				return err
			}
			if err := p.keepChoice(s, team.Username, changed.Username); err != nil {
				return err
			}
			p.printf("%s\n", inert(changed.Username))
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the team's name for people")
	return cmd
}

func (p *program) teamsDeleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete USERNAME",
		Short: "Delete a team with its key, secrets, apps and API keys",
		Long: `Deletes a team for good. Its encryption key is destroyed first, and all its
secrets, apps, API keys, invites and memberships go with it. Its entries of the
audit log stay with whoever runs the server.`,
		Example: `  infsh teams delete acme-preview
  infsh teams delete acme-preview --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			team, err := s.teamNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := p.mustAgree(yes, "Delete team "+team.Username+" with all of its secrets, for good?"); err != nil {
				return err
			}
			if err := s.DeleteTeam(cmd.Context(), team.ID); err != nil {
				return err
			}
			if err := p.keepChoice(s, team.Username, ""); err != nil {
				return err
			}
			p.notef("Deleted team %s.", team.Username)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "delete without asking")
	return cmd
}

func (p *program) teamsDuplicateCommand() *cobra.Command {
	var in api.TeamDuplicate
	cmd := &cobra.Command{
		Use:   "duplicate USERNAME --as ENVIRONMENT",
		Short: "Make a team for another environment, which waits for the same keys",
		Long: `Makes a team that is another environment of the same thing, such as staging. It
has the same keys and descriptions, which wait there for values of their own: no
value is copied. You own it.`,
		Example: `  infsh teams duplicate acme --as staging
  infsh teams duplicate acme --as staging --members`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.As == "" {
				return Usage("name the new team's environment with --as, such as --as staging")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			team, err := s.teamNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			made, err := s.DuplicateTeam(cmd.Context(), team.ID, in)
			if err != nil {
				return err
			}
			p.printf("%s\n", inert(made.Username))
			p.notef("Created team %s. To work in it: infsh teams switch %s", made.Username, made.Username)
			if made.ExpectedKeys > 0 {
				p.notef("Keys that wait for a value there: %d. `infsh secrets diff %s %s` names them.", made.ExpectedKeys, team.Username, made.Username)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&in.As, "as", "", "the new team's environment, such as staging")
	cmd.Flags().StringVar(&in.This, "this", "", "what the duplicated team is, if it has no environment yet (default production)")
	cmd.Flags().StringVar(&in.Username, "username", "", "the new team's username (default made from the environment)")
	cmd.Flags().StringVar(&in.Name, "name", "", "the new team's name for people")
	cmd.Flags().BoolVar(&in.Members, "members", false, "take the members along, with their roles (owners only)")
	return cmd
}

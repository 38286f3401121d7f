package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

// memberNamed finds a person of the team by the address.
func (s *session) memberNamed(ctx context.Context, team api.Team, email string) (api.Member, error) {
	members, err := s.Members(ctx, team.ID)
	if err != nil {
		return api.Member{}, err
	}
	for _, m := range members {
		if strings.EqualFold(m.User.Email, email) {
			return m, nil
		}
	}
	return api.Member{}, fail(ExitNotFound, "Nobody in team "+team.Username+" has this address.", "`infsh teams members` lists who is in it.")
}

func (p *program) teamsMembersCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List the team's people; add, promote and remove them",
		Example: `  infsh teams members
  infsh teams members add bo@example.com --role admin
  infsh teams members role bo@example.com member
  infsh teams members remove bo@example.com`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			team, err := s.teamNow(cmd.Context())
			if err != nil {
				return err
			}
			members, err := s.Members(cmd.Context(), team.ID)
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(members)
			}
			rows := [][]string{{"PERSON", "ROLE", "JOINED (UTC)"}}
			for _, m := range members {
				rows = append(rows, []string{m.User.Email, m.Role, stamp(m.CreatedAt)})
			}
			p.table(rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(p.membersAddCommand(), p.membersRoleCommand(), p.membersRemoveCommand())
	return cmd
}

func (p *program) membersAddCommand() *cobra.Command {
	in := api.MemberAdd{}
	cmd := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Add a person who has an account on this server",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.inTeam(cmd, func(ctx context.Context, s *session, team api.Team) error {
				in.Email = args[0]
				m, err := s.AddMember(ctx, team.ID, in)
				if err != nil {
					return err
				}
				p.notef("%s is in team %s now, as %s.", m.User.Email, team.Username, m.Role)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&in.Role, "role", api.RoleMember, "owner, admin or member")
	return cmd
}

func (p *program) membersRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "role EMAIL ROLE",
		Short: "Give a person another role: owner, admin or member",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.inTeam(cmd, func(ctx context.Context, s *session, team api.Team) error {
				m, err := s.memberNamed(ctx, team, args[0])
				if err != nil {
					return err
				}
				if m, err = s.SetMemberRole(ctx, team.ID, m.UserID, args[1]); err != nil {
					return err
				}
				p.notef("%s is %s of team %s now.", m.User.Email, m.Role, team.Username)
				return nil
			})
		},
	}
}

func (p *program) membersRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove EMAIL",
		Short: "Take a person out of the team, with their API keys in it, at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.inTeam(cmd, func(ctx context.Context, s *session, team api.Team) error {
				m, err := s.memberNamed(ctx, team, args[0])
				if err != nil {
					return err
				}
				if err := s.RemoveMember(ctx, team.ID, m.UserID); err != nil {
					return err
				}
				p.notef("%s is out of team %s. Rotate the values that they have seen.", m.User.Email, team.Username)
				return nil
			})
		},
	}
}

func (p *program) teamsLeaveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "leave USERNAME",
		Short: "Leave a team",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			team, err := s.teamNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			me, err := s.Me(cmd.Context())
			if err != nil {
				return err
			}
			if err := p.mustAgree(yes, "Leave team "+team.Username+"? Your API keys in it end."); err != nil {
				return err
			}
			if err := s.RemoveMember(cmd.Context(), team.ID, me.User.ID); err != nil {
				return err
			}
			if err := p.keepChoice(s, team.Username, ""); err != nil {
				return err
			}
			p.notef("You have left team %s.", team.Username)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "leave without asking")
	return cmd
}

func (p *program) teamsTransferCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "transfer EMAIL",
		Short: "Make a member owner of the team, and yourself admin",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.inTeam(cmd, func(ctx context.Context, s *session, team api.Team) error {
				m, err := s.memberNamed(ctx, team, args[0])
				if err != nil {
					return err
				}
				if err := p.mustAgree(yes, "Hand team "+team.Username+" over to "+m.User.Email+", and be an admin of it?"); err != nil {
					return err
				}
				if _, err := s.TransferTeam(ctx, team.ID, m.UserID); err != nil {
					return err
				}
				p.notef("%s owns team %s now, and you are an admin.", m.User.Email, team.Username)
				return nil
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "hand over without asking")
	return cmd
}

// inTeam runs do in the team that the command works in.
func (p *program) inTeam(cmd *cobra.Command, do func(context.Context, *session, api.Team) error) error {
	s, err := p.connect()
	if err != nil {
		return err
	}
	team, err := s.teamNow(cmd.Context())
	if err != nil {
		return err
	}
	return do(cmd.Context(), s, team)
}

package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) teamsInviteCommand() *cobra.Command {
	in := api.MemberAdd{}
	cmd := &cobra.Command{
		Use:   "invite EMAIL",
		Short: "Make a link with which a person joins the team",
		Long: `Prints a link with which the person of that address joins the team. It is shown
this once, works once, and waits for seven days: send it in a message that only
they read. Inviting the address again ends the older link.`,
		Example: `  infsh teams invite bo@example.com
  infsh teams invite bo@example.com --role admin`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.inTeam(cmd, func(ctx context.Context, s *session, team api.Team) error {
				in.Email = args[0]
				made, err := s.Invite(ctx, team.ID, in)
				if err != nil {
					return err
				}
				p.printf("%s\n", inert(made.Link.Reveal()))
				p.notef("This link makes %s %s of team %s, once, until %s UTC. It is not shown again.", made.Email, made.Role, team.Username, stamp(made.ExpiresAt))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&in.Role, "role", api.RoleMember, "owner, admin or member")
	return cmd
}

func (p *program) teamsInvitesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "invites",
		Short: "List the team's open invites, and revoke them",
		Example: `  infsh teams invites
  infsh teams invites revoke bo@example.com`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.inTeam(cmd, func(ctx context.Context, s *session, team api.Team) error {
				invites, err := s.Invites(ctx, team.ID)
				if err != nil {
					return err
				}
				if asJSON {
					return p.json(invites)
				}
				rows := [][]string{{"PERSON", "ROLE", "STATUS", "EXPIRES (UTC)", "INVITED BY"}}
				for _, i := range invites {
					rows = append(rows, []string{i.Email, i.Role, i.Status, stamp(i.ExpiresAt), i.InvitedBy.Email})
				}
				p.table(rows)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(&cobra.Command{
		Use:   "revoke EMAIL",
		Short: "End the open invite of an address",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.inTeam(cmd, func(ctx context.Context, s *session, team api.Team) error {
				invites, err := s.Invites(ctx, team.ID)
				if err != nil {
					return err
				}
				for _, i := range invites {
					if strings.EqualFold(i.Email, args[0]) {
						if err := s.RevokeInvite(ctx, team.ID, i.ID); err != nil {
							return err
						}
						p.notef("The invite of %s has ended.", i.Email)
						return nil
					}
				}
				return fail(ExitNotFound, "Team "+team.Username+" has no open invite of this address.")
			})
		},
	})
	return cmd
}

package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) webhooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Tell other services of the team's changes",
		Example: `  infsh webhooks add https://example.com/hooks/infsh
  infsh webhooks list
  infsh webhooks test ID`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	cmd.AddCommand(p.webhooksListCommand(), p.webhooksAddCommand(), p.webhooksDeleteCommand(), p.webhooksRotateCommand(),
		p.webhooksTestCommand(), p.webhooksDeliveriesCommand())
	return cmd
}

func (p *program) webhooksListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the team's webhooks",
		Args:  NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			hooks, err := s.Webhooks(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(hooks)
			}
			if len(hooks) == 0 {
				p.notef("There are no webhooks in this team yet. Add the first: infsh webhooks add https://example.com/hooks/infsh")
				return nil
			}
			rows := [][]string{{"ID", "STATE", "EVENTS", "URL", "DESCRIPTION"}}
			for _, h := range hooks {
				events := strings.Join(h.Events, ",")
				if events == "" {
					events = "all"
				}
				rows = append(rows, []string{h.ID, webhookState(h), events, h.URL, h.Description})
			}
			p.table(rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func webhookState(h api.Webhook) string {
	switch {
	case !h.Enabled:
		return "off"
	case h.FailingSince != nil:
		return "failing"
	}
	return "on"
}

func (p *program) webhooksAddCommand() *cobra.Command {
	var in api.WebhookCreate
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add an address that is told of changes, and print its signing secret",
		Long: `Adds an address that receives a signed message (Standard Webhooks) at each
secret.updated, secret.deleted, grant.pending and apikey.created, or those of
them that --event names. Messages have names and versions, never values.

The signing secret is printed on standard output, this one time only.`,
		Example: `  infsh webhooks add https://example.com/hooks/infsh
  infsh webhooks add https://example.com/hooks/infsh --event secret.updated > signing-secret`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			in.URL = args[0]
			made, err := s.CreateWebhook(cmd.Context(), in)
			if err != nil {
				return err
			}
			p.notef("Added webhook %s. Its signing secret, which is not shown again:", inert(made.ID))
			p.printf("%s\n", made.Secret.Reveal())
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&in.Events, "event", nil, "an event to tell of; may be given several times")
	cmd.Flags().StringVarP(&in.Description, "description", "d", "", "what it is for")
	return cmd
}

func (p *program) webhooksDeleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Delete a webhook with what still waits for it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !p.terminal.in {
				return Usage("deleting a webhook needs --yes, since there is no terminal to ask on")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			if !yes && !p.confirm("Delete webhook "+args[0]+"?") {
				return fail(ExitFailure, "The webhook was not deleted.")
			}
			if err := s.DeleteWebhook(cmd.Context(), args[0]); err != nil {
				return err
			}
			p.notef("Deleted the webhook.")
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "delete without asking")
	return cmd
}

func (p *program) webhooksTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test ID",
		Short: "Send a test message",
		Long: `Sends a message of type webhook.test. It is delivered like any other;
"infsh webhooks deliveries" shows whether it arrived.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			sent, err := s.TestWebhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p.printf("Test %s is on its way.\n", inert(sent.ID))
			return nil
		},
	}
}

func (p *program) webhooksRotateCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a new signing secret, and print it",
		Long: `Makes a new signing secret and prints it on standard output, this one time only.
For 24 hours each message has two signatures, with the old secret and with the
new one, so that the receiver can change over without losing any.`,
		Example: `  infsh webhooks rotate ID --yes > signing-secret`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !p.terminal.in {
				return Usage("a new signing secret needs --yes, since there is no terminal to ask on")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			if !yes && !p.confirm("Make a new signing secret for webhook "+args[0]+"? The old one ends in 24 hours.") {
				return fail(ExitFailure, "The signing secret was not changed.")
			}
			rotated, err := s.RotateWebhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p.notef("The old signing secret signs beside the new one for 24 hours. The new one, which is not shown again:")
			p.printf("%s\n", rotated.Secret.Reveal())
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "rotate without asking")
	return cmd
}

func (p *program) webhooksDeliveriesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "deliveries ID",
		Short: "List a webhook's latest messages, newest first",
		Long: `Lists the latest messages to a webhook, newest first: which arrived, which are
tried again and when, and what the receiver answered. A message is kept for
seven days after its last try.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			messages, err := s.WebhookMessages(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(messages)
			}
			if len(messages) == 0 {
				p.notef("Nothing was sent to this webhook in the last seven days. Send a test: infsh webhooks test %s", args[0])
				return nil
			}
			rows := [][]string{{"MESSAGE", "EVENT", "STATE", "ATTEMPTS", "CREATED (UTC)", "NEXT (UTC)", "LAST ERROR"}}
			for _, m := range messages {
				next := "-"
				if m.NextAt != nil {
					next = stamp(*m.NextAt)
				}
				rows = append(rows, []string{m.ID, m.Type, m.State, strconv.Itoa(m.Attempts), stamp(m.CreatedAt), next, m.LastError})
			}
			p.table(rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

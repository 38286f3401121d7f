package cli

import "github.com/spf13/cobra"

func (p *program) integrationsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "integrations",
		Short: "OAuth services (not available in this release)",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	for _, sub := range []struct{ use, short string }{
		{"list", "List integrations (not available in this release)"},
		{"connect [PROVIDER]", "Connect an integration (not available in this release)"},
		{"disconnect [PROVIDER]", "Disconnect an integration (not available in this release)"},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: sub.use, Short: sub.short, Args: cobra.MaximumNArgs(1),
			RunE: func(*cobra.Command, []string) error {
				return fail(ExitFailure, "Integrations are not available in this release.",
					"For a service with a static key, use a secret: infsh secrets set OPENAI_API_KEY")
			},
		})
	}
	return cmd
}

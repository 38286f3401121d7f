package cli

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/manifest"
)

func (p *program) appCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "app",
		Short: "Register apps and check what they need",
		Long: `An app says in app.yaml (or inf.yml) which secrets it needs:

  requirements:
    secrets:
      - key: OPENAI_API_KEY
        description: For GPT-4 API calls
      - key: DATABASE_URL
        description: PostgreSQL connection string
        optional: true

It receives the secrets that it declares and that the team lets it have, and no
others. Required ones must be set before it runs; optional ones may be missing.`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	cmd.AddCommand(
		p.appDeployCommand(), p.appCheckCommand(), p.appListCommand(), p.appVersionsCommand(), p.appUseCommand(), p.appDeleteCommand(),
		p.appGrantsCommand(), p.appApproveCommand(), p.appRevokeCommand(),
	)
	return cmd
}

// loadManifest reads the manifest in a folder or a file; the working folder
// if none is named.
func loadManifest(args []string) (*manifest.Manifest, error) {
	if len(args) == 0 {
		return manifest.Load(".")
	}
	return manifest.Load(args[0])
}

func secretRequirements(m *manifest.Manifest) []api.SecretRequirement {
	out := make([]api.SecretRequirement, 0, len(m.Secrets))
	for _, s := range m.Secrets {
		out = append(out, api.SecretRequirement{Key: string(s.Key), Description: s.Description, Optional: s.Optional})
	}
	return out
}

func integrationRequirements(m *manifest.Manifest) []api.IntegrationRequirement {
	out := make([]api.IntegrationRequirement, 0, len(m.Integrations))
	for _, i := range m.Integrations {
		out = append(out, api.IntegrationRequirement{
			Key: i.Key, Description: i.Description, Optional: i.Optional, Secrets: i.Secrets, Scopes: i.Scopes,
		})
	}
	return out
}

// deploy registers the manifest. A run, which deploys by the way, keeps revoked
// what was revoked.
func deploy(ctx context.Context, s *session, m *manifest.Manifest, keepRevoked bool) (app api.DeployedApp, made bool, err error) {
	return s.DeployApp(ctx, api.AppWrite{
		KeepRevoked: keepRevoked,
		Namespace:   m.Namespace, Name: m.Name, Description: m.Description,
		Version: api.AppVersionWrite{
			RequiredSecrets:      secretRequirements(m),
			RequiredIntegrations: integrationRequirements(m),
		},
	})
}

func appName(app api.App) string { return app.Namespace + "/" + app.Name }

func (p *program) appDeployCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "deploy [DIR|FILE]",
		Short: "Register app.yaml as the app's next version",
		Long: `Registers what app.yaml (or inf.yml) declares as the app's next version, and
says which of the declared keys are still missing. Registering the same
declarations again makes no new version.

Whoever may write secrets lets the app have what it declares. What anyone else
deploys waits for the approval of an owner or admin where it declares a key that
the app was not granted yet; the version before it goes on running meanwhile.`,
		Example: `  infsh app deploy
  infsh app deploy examples/summarizer`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := loadManifest(args)
			if err != nil {
				return err
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			app, made, err := deploy(cmd.Context(), s, m, false)
			if err != nil {
				return err
			}
			version := app.Deployment.Version.Number
			p.printf("%s version %d\n", inert(appName(app.App)), version)
			if made {
				p.notef("Registered %s, version %d.", m.Path, version)
			} else {
				p.notef("%s has not changed since version %d.", m.Path, version)
			}
			p.noteGrants(app)
			check, err := s.CheckApp(cmd.Context(), checkRequest(m, appName(app.App)))
			if errors.Is(err, api.ErrDenied) {
				// Registering is all that was asked for; not every key may check.
				return nil
			}
			if err != nil {
				return err
			}
			for _, line := range p.todo(check) {
				p.notef("%s", line)
			}
			return nil
		},
	}
}

func (p *program) appListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the team's registered apps",
		Args:  NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			apps, err := s.Apps(cmd.Context())
			if err != nil {
				return err
			}
			if len(apps) == 0 {
				p.notef("There are no apps in this team yet. Register one from its folder: infsh app deploy")
				return nil
			}
			rows := [][]string{{"APP", "VERSION", "SECRETS", "UPDATED (UTC)", "DESCRIPTION"}}
			for _, app := range apps {
				rows = append(rows, []string{
					appName(app), strconv.FormatInt(app.Version.Number, 10),
					strconv.Itoa(len(app.Version.RequiredSecrets)), stamp(app.UpdatedAt), app.Description,
				})
			}
			p.table(rows)
			return nil
		},
	}
}

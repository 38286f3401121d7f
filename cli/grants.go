package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

// noteGrants says what a deployment changed in what the app may have.
func (p *program) noteGrants(app api.DeployedApp) {
	d, name := app.Deployment, appName(app.App)
	if len(d.Granted) > 0 {
		p.notef("Granted to %s: %s.", name, strings.Join(d.Granted, ", "))
	}
	if len(d.Regranted) > 0 {
		p.notef("%s had been revoked and is granted again, since you deployed it.", strings.Join(d.Regranted, ", "))
	}
	if len(d.Waiting) > 0 {
		p.notef("Waiting for the approval of an owner or admin: %s.", strings.Join(d.Waiting, ", "))
	}
	if len(d.Revoked) > 0 {
		p.notef("Revoked, and not received: %s.", strings.Join(d.Revoked, ", "))
	}
	if len(d.Waiting)+len(d.Revoked) > 0 {
		p.notef("  infsh app approve %s", name)
		if link := p.link("/settings/apps/" + name); link != "" {
			p.notef("  %s", link)
		}
	}
	if !d.Current {
		p.notef("Version %d goes on running until then; version %d becomes current when it is approved.", app.Version.Number, d.Version.Number)
	}
}

// appByName finds NAMESPACE/NAME, or NAME in the team's own namespace.
func (p *program) appByName(ctx context.Context, s *session, name string) (api.App, error) {
	namespace, short, ok := strings.Cut(name, "/")
	if !ok {
		short = name
	}
	apps, err := s.Apps(ctx)
	if err != nil {
		return api.App{}, err
	}
	var found []api.App
	for _, a := range apps {
		if a.Name == short && (!ok || a.Namespace == namespace) {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.App{}, fail(ExitNotFound, "Not found: there is no app "+name+" in this team", "`infsh app list` shows the team's apps.")
	}
	return api.App{}, Usage("%s is the name of several apps; write NAMESPACE/NAME", quote(name))
}

func (p *program) appGrantsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "grants APP",
		Short: "List which keys an app may have, and which wait for approval",
		Example: `  infsh app grants acme/summarizer
  infsh app grants summarizer --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			app, err := p.appByName(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			grants, err := s.Grants(cmd.Context(), app.ID)
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(grants)
			}
			if len(grants.Items) == 0 {
				p.notef("%s declares no secrets.", appName(app))
				return nil
			}
			rows := [][]string{{"KEY", "STATE", "RECEIVES", "BY", "ON (UTC)"}}
			for _, g := range grants.Items {
				by, at := g.RequestedBy, g.RequestedAt
				if g.DecidedAt != nil {
					by, at = g.DecidedBy, *g.DecidedAt
				}
				rows = append(rows, []string{g.Key, g.State, g.SourceKey, cmp.Or(by, "-"), stamp(at)})
			}
			p.table(rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the server's answer as a JSON object")
	return cmd
}

func (p *program) appApproveCommand() *cobra.Command {
	var binds []string
	cmd := &cobra.Command{
		Use:   "approve APP [KEY…] [--bind DECLARED=TEAMKEY]",
		Short: "Let an app have keys that it declares",
		Long: `Lets an app have keys that it declares: those that are named, or all that wait
for approval. Whoever may write secrets may approve.

With --bind the app receives the value of another key of the team under the name
that it declares: --bind HF_TOKEN=HUGGINGFACE_TOKEN. Binding a key to its own
name undoes that.

An integration gives the app the whole token of an account, whatever it declares;
what the account is allowed is printed. With --bind google.sheets=ACCOUNT the app
receives another account than the primary one.`,
		Example: `  infsh app approve acme/summarizer
  infsh app approve acme/summarizer OPENAI_API_KEY
  infsh app approve acme/summarizer --bind HF_TOKEN=HUGGINGFACE_TOKEN`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := api.GrantApproval{Keys: args[1:], Bind: map[string]string{}}
			for _, b := range binds {
				declared, source, ok := strings.Cut(b, "=")
				if !ok || declared == "" || source == "" {
					return Usage("--bind %s is not of the form DECLARED=TEAMKEY", quote(b))
				}
				in.Bind[declared] = source
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			app, err := p.appByName(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if len(in.Keys)+len(in.Bind) == 0 {
				grants, err := s.Grants(cmd.Context(), app.ID)
				if err != nil {
					return err
				}
				for _, g := range grants.Items {
					if g.State == api.GrantWaiting {
						in.Keys = append(in.Keys, g.Key)
					}
				}
				if len(in.Keys) == 0 {
					p.notef("No key of %s waits for approval.", appName(app))
					return nil
				}
			}
			done, err := s.ApproveGrants(cmd.Context(), app.ID, in)
			if err != nil {
				return err
			}
			p.showDecision(done, "granted")
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&binds, "bind", nil, "a declared key, and the team's key whose value it receives")
	return cmd
}

func (p *program) appRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke APP KEY…",
		Short: "Take keys from an app, or deny those that wait",
		Long: `Takes keys from an app, or denies those that wait for approval. The app's next
run obeys; one that has started keeps what it received. If somebody may have
copied the value, replace it at its service too.`,
		Example: `  infsh app revoke acme/summarizer OPENAI_API_KEY`,
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			app, err := p.appByName(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			done, err := s.RevokeGrants(cmd.Context(), app.ID, api.GrantRevocation{Keys: args[1:]})
			if err != nil {
				return err
			}
			p.showDecision(done, "revoked")
			return nil
		},
	}
}

func (p *program) showDecision(done api.GrantDecision, word string) {
	for _, g := range done.Items {
		line := g.Key + " " + word
		if g.SourceKey != g.Key && g.State == api.GrantGranted {
			line += ", receives " + g.SourceKey
		}
		p.printf("%s\n", inert(line))
		if g.Whole != "" {
			p.notef("%s For an app that you trust less, connect a further account that is allowed less, and let it have that one: infsh app approve %s --bind %s=ACCOUNT", g.Whole, appName(done.App), strings.TrimSuffix(g.Key, ".*"))
		}
	}
	if len(done.Items) == 0 {
		p.notef("Nothing has changed.")
	}
	if done.Promoted {
		p.notef("Version %d of %s is current now.", done.App.Version.Number, appName(done.App))
	}
}

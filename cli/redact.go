package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/manifest"
	"infsh/redact"
	"infsh/runner"
)

func (p *program) redactCommand() *cobra.Command {
	var (
		app, file  string
		redactKeys bool
	)
	cmd := &cobra.Command{
		Use:   "redact [--app NAMESPACE/NAME[@VERSION]] [-f FILE]",
		Short: "Mask an app's secrets in what comes through standard input",
		Long: `Copies standard input to standard output, and replaces by [redacted] the values
of the secrets that the app declares, in all the forms in which "infsh run" does.
All else passes unchanged, binary data too. How often each key was masked stands
in the team's activity.

Without --app, the app is that of app.yaml (or inf.yml) in this folder, or of
FILE, as it is registered. If its values can't be fetched, nothing is copied and
the exit code says so.

Ctrl-C does not end it, but the command whose output it copies: what that prints
on its way out is masked, too.`,
		Example: `  ./summarize 2>&1 | infsh redact
  kubectl logs summarizer | infsh redact --app acme/summarizer > summarizer.log`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if app != "" && file != "" {
				return &usageError{msg: "--app and --file name two different apps: give one of them", command: cmd.CommandPath()}
			}
			if err := runner.Harden(); err != nil {
				return err
			}
			request, err := namedApp(app, file)
			if err != nil {
				return err
			}
			s, err := p.connectFor(cmd.Context(), request)
			if err != nil {
				return err
			}
			resolved, err := s.Resolve(cmd.Context(), request)
			if err != nil {
				return runError(request.App, err)
			}
			return p.redactStream(cmd.Context(), s, resolved, redactKeys)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&app, "app", "", "a registered app, and optionally one of its versions, by number or id")
	flags.StringVarP(&file, "file", "f", "", "the app's manifest, or its folder")
	flags.BoolVar(&redactKeys, "redact-keys", false, "name the key in place of each redacted value")
	return cmd
}

// namedApp is the app of --app, or of a manifest without registering it.
func namedApp(app, file string) (request api.ResolveRequest, err error) {
	request.RunID = uuid.NewString()
	if app != "" {
		request.App, request.Version, err = parseApp(app)
		return request, err
	}
	if file == "" {
		file = "."
	}
	m, err := manifest.Load(file)
	if err != nil {
		return request, err
	}
	// Without a namespace the server takes the app to be in the team's own.
	request.App = m.Name
	if m.Namespace != "" {
		request.App = m.Namespace + "/" + m.Name
	}
	return request, nil
}

func (p *program) redactStream(ctx context.Context, s *session, resolved api.ResolveResponse, withKeys bool) error {
	secrets := needles(resolved)
	for _, secret := range secrets {
		if redact.Weak(secret.Value) {
			p.notef("warning: %s is not masked: its value is shorter than %d bytes or plainly no secret", secret.Key, redact.MinLength)
		}
	}
	var opts []redact.Option
	if withKeys {
		opts = append(opts, redact.WithKeys())
	}
	if !p.terminal.in {
		signal.Ignore(os.Interrupt)
	}
	for _, own := range append([]redact.Value{s.credential}, s.masked()...) {
		secrets = append(secrets, redact.Needle{Key: runner.CredentialKey, Value: own})
	}
	w := redact.NewWriter(p.Out, secrets, opts...)
	_, err := w.ReadFrom(p.In)
	err = errors.Join(err, w.Close())
	if found := w.Findings(); len(found) > 0 {
		p.reporter(ctx, s, resolved)(found)
	}
	if err != nil {
		return fmt.Errorf("copying standard input: %w", err)
	}
	return nil
}

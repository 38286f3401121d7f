package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/redact"
)

func (p *program) integrationsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "integrations",
		Short: "Connect OAuth services and service accounts",
		Long: `Apps declare what they use of an outside service, such as google.sheets or
x.tweet.write. The team connects an account once, and each run receives a token
that is fresh.`,
		Example: `  infsh integrations list --available
  infsh integrations client google --id 1234.apps.example.com
  infsh integrations connect google --need google.sheets
  infsh integrations disconnect google`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	cmd.AddCommand(p.integrationsListCommand(), p.integrationsClientCommand(), p.integrationsConnectCommand(), p.integrationsPrimaryCommand(), p.integrationsDisconnectCommand())
	return cmd
}

func (p *program) integrationsListCommand() *cobra.Command {
	var asJSON, available bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the team's integrations, or what can be connected",
		Args:  NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			if available {
				return p.listAvailable(cmd.Context(), s, asJSON)
			}
			list, err := s.Integrations(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(list)
			}
			if len(list) == 0 {
				p.notef("There are no integrations in this team yet. What can be connected: infsh integrations list --available")
				return nil
			}
			rows := [][]string{{"PROVIDER", "ACCOUNT", "TYPE", "STATUS", "PRIMARY", "RENEWED (UTC)", "ID"}}
			for _, i := range list {
				primary, renewed := "", "-"
				if i.IsPrimary {
					primary = "yes"
				}
				if i.RefreshedAt != nil && i.ExpiresAt != nil {
					renewed = stamp(*i.RefreshedAt)
				}
				rows = append(rows, []string{i.Provider, i.AccountName, i.Type, i.Status, primary, renewed, i.ID})
			}
			p.table(rows)
			for _, i := range list {
				if i.ErrorMessage != "" {
					p.notef("%s (%s): %s", inert(i.Provider), inert(i.AccountName), inert(i.ErrorMessage))
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	cmd.Flags().BoolVar(&available, "available", false, "list what can be connected")
	return cmd
}

func (p *program) listAvailable(ctx context.Context, s *session, asJSON bool) error {
	list, err := s.IntegrationConfigs(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return p.json(list)
	}
	rows := [][]string{{"PROVIDER", "TYPE", "WHAT", "READY"}}
	for _, c := range list {
		ready := "yes"
		if !c.Available {
			ready = "needs the team's client"
		}
		rows = append(rows, []string{c.Provider, c.Type, c.Name, ready})
	}
	p.table(rows)
	return nil
}

func (p *program) integrationsConnectCommand() *cobra.Command {
	var in api.IntegrationConnect
	var paste bool
	var fields []string
	cmd := &cobra.Command{
		Use:   "connect PROVIDER",
		Short: "Connect an account, a service account or a key",
		Long: `Connects an account of a provider, so that apps may use it.

By OAuth the provider's page opens in your browser. You allow there what --need
names, and the command goes on by itself; with --paste, or where no browser can
be opened, it prints the address, and you paste what the last page shows. The
team's client at the provider is set before, by infsh integrations client or on
the page Settings → Integrations, which also says how one is made.

With --type api_key or --type service_account the key is asked for, hidden, or
read from standard input. Other fields of the form are given with --field.

With --type workload_identity there is no key: the provider trusts this server.
Without its fields the command says what to set there.`,
		Example: `  infsh integrations connect google --need google.sheets --need google.drive
  infsh integrations connect discord --type api_key
  infsh integrations connect gcp --type service_account --field project_number=123456789012 < key.json
  infsh integrations connect gcp --type workload_identity --field project_number=123456789012`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			in.Provider = args[0]
			if in.Metadata, err = typedFields(fields); err != nil {
				return err
			}
			config, err := p.way(cmd.Context(), s, in.Provider, in.Type)
			if err != nil {
				return err
			}
			in.Type = config.Type
			if in.Type == api.IntegrationFederation {
				return p.connectFederation(cmd.Context(), s, config, in, fields)
			}
			if in.Type != api.IntegrationOAuth {
				return p.connectKey(cmd.Context(), s, in)
			}
			return p.connectOAuth(cmd.Context(), s, in, paste || !p.hasDesktop())
		},
	}
	cmd.Flags().StringVar(&in.Type, "type", "", "oauth, api_key, service_account or workload_identity (default the first that the provider has)")
	cmd.Flags().StringArrayVar(&in.Capabilities, "need", nil, "what apps may do, such as google.sheets; may be given several times")
	cmd.Flags().StringVar(&in.ID, "id", "", "an integration that gets more permissions, or is connected again")
	cmd.Flags().StringArrayVar(&fields, "field", nil, "a further field of the form, KEY=TEXT; may be given several times")
	cmd.Flags().BoolVar(&paste, "paste", false, "open no browser, and paste what the last page shows")
	return cmd
}

func (p *program) integrationsClientCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "client PROVIDER",
		Short: "Set the team's client of OAuth at a provider",
		Long: `Sets the client ID and secret that you got where you registered an app at the
provider, with the redirect URL that this command prints. The secret is asked for,
hidden, or read from standard input. Accounts that were connected with another
client ID have to be connected again.`,
		Example: `  infsh integrations client google --id 1234.apps.example.com
  infsh integrations client google --id 1234.apps.example.com < secret.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if id == "" {
				return Usage("--id is missing: the client ID, which the provider shows with the secret")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			all, err := s.IntegrationConfigs(cmd.Context())
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(c api.IntegrationConfig) bool {
				return c.Provider == args[0] && c.Type == api.IntegrationOAuth
			})
			if other := slices.IndexFunc(all, func(c api.IntegrationConfig) bool { return c.Provider == args[0] }); i < 0 && other >= 0 {
				return Usage("%s is connected without a client: %s", inert(args[0]), safeCommand(all[other].Command))
			}
			if i < 0 {
				return fail(ExitNotFound, "No provider "+inert(args[0])+" is connected by OAuth.", "What can be connected: infsh integrations list --available")
			}
			p.notef("Redirect URL to register at %s: %s", inert(all[i].ShortName), inert(all[i].RedirectURL))
			secret, err := p.typedSecret(cmd.Context(), "Client secret (not shown): ")
			if err != nil {
				return err
			}
			made, err := s.SetIntegrationClient(cmd.Context(), args[0], api.IntegrationClientWrite{ClientID: id, ClientSecret: api.NewPlaintext(secret)})
			if err != nil {
				return err
			}
			p.notef("Set the client of %s: %s. Now connect an account: %s", inert(all[i].ShortName), inert(made.ClientID), cmp.Or(safeCommand(all[i].Command), "infsh integrations connect "+inert(made.Provider)))
			return nil
		},
	}
	cmd.Flags().StringVar(&id, "id", "", "the client ID")
	return cmd
}

func (p *program) integrationsPrimaryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "primary ID",
		Short: "Make an account the one that apps receive of its provider",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			made, err := s.MakeIntegrationPrimary(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p.notef("Apps receive %s (%s) now, unless they were given another account.", inert(made.DisplayName), inert(made.AccountName))
			return nil
		},
	}
}

// typedSecret asks for a secret, hidden, or reads it from standard input.
func (p *program) typedSecret(ctx context.Context, prompt string) (redact.Value, error) {
	var text string
	var err error
	if p.terminal.in {
		text, err = p.askHidden(ctx, prompt)
	} else {
		text, err = p.readAll(64 << 10)
	}
	return redact.NewValue(text), err
}

// way is how the provider is connected: as it was named, and else by what is
// ready, first of all an account.
func (p *program) way(ctx context.Context, s *session, provider, named string) (api.IntegrationConfig, error) {
	all, err := s.IntegrationConfigs(ctx)
	if err != nil {
		return api.IntegrationConfig{}, err
	}
	of := slices.DeleteFunc(all, func(c api.IntegrationConfig) bool { return c.Provider != provider })
	if len(of) == 0 {
		return api.IntegrationConfig{}, fail(ExitNotFound, "No provider "+inert(provider)+" can be connected.", "What can be: infsh integrations list --available")
	}
	var types []string
	for _, c := range of {
		if named == c.Type || named == "" && c.Type == api.IntegrationOAuth && c.Available {
			return c, nil
		}
		types = append(types, c.Type)
	}
	if named != "" {
		return api.IntegrationConfig{}, Usage("%s is not connected by --type %s: its types are %s", inert(provider), quote(named), inert(strings.Join(types, ", ")))
	}
	return of[0], nil
}

// wrongFlags tells what the server refuses of the flags from what it refuses of the
// key.
func wrongFlags(err error, in api.IntegrationConnect) error {
	var answered *api.Error
	if !errors.As(err, &answered) || answered.Status != http.StatusBadRequest || len(answered.Errors) == 0 {
		return err
	}
	var lines []string
	for _, f := range answered.Errors {
		_, typed := in.Metadata[f.Field]
		switch {
		case f.Field == "capabilities":
			lines = append(lines, "--need: "+f.Message)
		case typed:
			lines = append(lines, "--field "+f.Field+": "+f.Message)
		default:
			return err
		}
	}
	return Usage("%s", strings.Join(lines, "\n"))
}

func typedFields(fields []string) (map[string]*api.Plaintext, error) {
	out := map[string]*api.Plaintext{}
	for _, f := range fields {
		name, text, ok := strings.Cut(f, "=")
		if !ok {
			return nil, Usage("--field is KEY=TEXT, such as project_number=123456789012")
		}
		out[name] = api.NewPlaintext(redact.NewValue(text))
	}
	return out, nil
}

func (p *program) connectKey(ctx context.Context, s *session, in api.IntegrationConnect) error {
	key, err := p.typedSecret(ctx, "Key or token (not shown): ")
	if err != nil {
		return err
	}
	in.APIKey = api.NewPlaintext(key)
	made, err := s.ConnectIntegration(ctx, in)
	if err != nil {
		return wrongFlags(err, in)
	}
	if made.Integration == nil {
		return errors.New("the server did not say what was connected")
	}
	p.notef("Connected %s (%s).", inert(made.Integration.DisplayName), inert(made.Integration.AccountName))
	return nil
}

// connectWait is how long an authorization waits for its person.
const connectWait = 10 * time.Minute

// connectOAuth leads a person to the provider, and hands in what came back: by
// a listener on this machine, to which the server leads the browser on, or by
// what the person pastes.
func (p *program) connectOAuth(ctx context.Context, s *session, in api.IntegrationConnect, paste bool) error {
	var answers <-chan url.Values
	if !paste {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		in.Port = listener.Addr().(*net.TCPAddr).Port
		var stop func()
		answers, stop = receive(listener)
		defer stop()
	}
	begun, err := s.ConnectIntegration(ctx, in)
	if err != nil {
		return wrongFlags(err, in)
	}
	if !isWebURL(begun.AuthURL) {
		return errors.New("the server gave an address that is no web address")
	}
	p.notef("Open this address, and allow what it asks for:")
	p.notef("")
	p.notef("  %s", begun.AuthURL)
	p.notef("")
	var answer url.Values
	if paste {
		if answer, err = p.pastedAnswer(ctx); err != nil {
			return err
		}
	} else {
		if p.openURL(begun.AuthURL) == nil {
			p.notef("The page opens in your browser. Waiting …")
		}
		waiting, cancel := context.WithTimeout(ctx, connectWait)
		defer cancel()
		for answer == nil {
			select {
			case got := <-answers:
				// What another page sends here is not what was begun.
				if got.Get("state") == begun.State {
					answer = got
				}
			case <-waiting.Done():
				return fail(ExitFailure, "Nothing came back from the provider within ten minutes, so nothing was connected.")
			}
		}
	}
	made, err := s.CompleteIntegration(ctx, api.IntegrationComplete{
		State: api.NewPlaintext(redact.NewValue(begun.State)), Code: api.NewPlaintext(redact.NewValue(answer.Get("code"))), Issuer: answer.Get("iss"), Error: answer.Get("error"),
	})
	if err != nil {
		return err
	}
	p.notef("Connected %s (%s).", inert(made.DisplayName), inert(made.AccountName))
	return nil
}

// pastedAnswer reads what the server's page shows, or a mere code.
func (p *program) pastedAnswer(ctx context.Context) (url.Values, error) {
	var text string
	var err error
	if p.terminal.in {
		text, err = p.askHidden(ctx, "Paste what the last page shows (not shown): ")
	} else {
		text, err = p.readAll(16 << 10)
	}
	if err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	if q, err := url.ParseQuery(text); err == nil && (q.Has("code") || q.Has("error")) {
		return q, nil
	}
	return url.Values{"code": {text}}, nil
}

// receive takes what the browser brings back. It tells the person that they may
// close the page, whatever it was.
func receive(listener net.Listener) (<-chan url.Values, func()) {
	answers := make(chan url.Values, 8)
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
			if r.Method != http.MethodGet || r.URL.Path != "/" {
				http.NotFound(w, r)
				return
			}
			select {
			case answers <- r.URL.Query():
			default:
			}
			_, _ = w.Write([]byte("The command line has it now. You can close this page.\n"))
		}),
	}
	go func() { _ = server.Serve(listener) }()
	return answers, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // The last page may be on its way still.
	}
}

func (p *program) integrationsDisconnectCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "disconnect PROVIDER|ID",
		Short: "Disconnect an account, and remove its tokens",
		Long: `Disconnects an account and removes its tokens here and, where the provider offers
that, revokes them there. Apps that require it do not run any more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !p.terminal.in {
				return Usage("disconnecting needs --yes, since there is no terminal to ask on")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			if !yes {
				account, err := p.only(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				if !p.confirm("Disconnect " + inert(account.DisplayName) + " (" + inert(account.AccountName) + ")? Apps that require it do not run any more.") {
					return fail(ExitFailure, "Nothing was disconnected.")
				}
			}
			if err := s.DisconnectIntegration(cmd.Context(), args[0]); err != nil {
				return err
			}
			p.notef("Disconnected %s.", inert(args[0]))
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "disconnect without asking")
	return cmd
}

// only is the account that is meant, before a person is asked about it.
func (p *program) only(ctx context.Context, s *session, name string) (api.Integration, error) {
	all, err := s.Integrations(ctx)
	if err != nil {
		return api.Integration{}, err
	}
	found := slices.DeleteFunc(all, func(i api.Integration) bool { return i.ID != name && i.Provider != name })
	switch len(found) {
	case 0:
		return api.Integration{}, fail(ExitNotFound, "Not found: the team has no such account.", "`infsh integrations list` shows those that it has.")
	case 1:
		return found[0], nil
	}
	return api.Integration{}, fail(ExitFailure, fmt.Sprintf("The team has %d accounts there. Name one by its id; `infsh integrations list` shows them.", len(found)))
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/redact"
)

func (p *program) loginCommand() *cobra.Command {
	var withKey, noKeyring bool
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in to the server and save the login",
		Long: `Logs in through a browser: the command shows a code and an address, and waits
until you have opened the address, compared the code and approved.

With --api-key it takes an API key instead, from a hidden prompt or from standard
input. Where no browser can be opened, an API key may also be pasted while the
command waits.

The login is saved in the system's keyring where there is one, unless
--no-keyring or INFSH_KEYRING=off says otherwise, and else in credentials.json,
readable by you alone, in the folder INFSH_CONFIG_DIR or else infsh in your
configuration folder.`,
		Example: `  infsh login
  INFSH_URL=https://infsh.example.com infsh login
  infsh login --api-key < key.txt`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := p.credentialFile()
			if err != nil {
				return err
			}
			var credential redact.Value
			if withKey {
				credential, err = p.pastedKey(cmd.Context())
			} else {
				credential, err = p.deviceLogin(cmd.Context())
			}
			if err != nil {
				return err
			}
			return p.saveLogin(cmd.Context(), file, credential, !noKeyring)
		},
	}
	cmd.Flags().BoolVar(&withKey, "api-key", false, "paste an API key, or give it on standard input")
	cmd.Flags().BoolVar(&withKey, "with-api-key", false, "the same, by its former name")
	_ = cmd.Flags().MarkHidden("with-api-key") // fails only for a flag that isn't there
	cmd.Flags().BoolVar(&noKeyring, "no-keyring", false, "save the login in a file, not in the system's keyring (or INFSH_KEYRING=off)")
	return cmd
}

// saveLogin keeps a credential only once the server has said whose it is.
func (p *program) saveLogin(ctx context.Context, file credentialFile, credential redact.Value, mayUseKeyring bool) error {
	client, err := p.client(credential, "", nil)
	if err != nil {
		return err
	}
	me, err := client.Me(ctx)
	if err != nil {
		return err
	}
	login := savedLogin{credential: credential, kind: api.KindKey, email: me.User.Email, team: me.Team.Username}
	if me.Key != nil && me.Key.Kind == api.KindLogin {
		login.kind = api.KindLogin
	}
	if err := p.keep(file, client.URL(), login, mayUseKeyring); err != nil {
		return err
	}
	p.notef("Logged in to %s as %s, team %s.", client.URL(), nameOf(me), me.Team.Username)
	if p.env("INFSH_API_KEY") != "" || p.env("INFSH_API_KEY_FILE") != "" {
		p.notef("warning: INFSH_API_KEY is set and comes before this login: unset it to use the login.")
	}
	return nil
}

// nameOf is whose credential it is; a service key is nobody's.
func nameOf(me api.Me) string {
	if me.User.Email == "" {
		return "service key " + me.User.Name
	}
	return me.User.Email
}

func (p *program) pastedKey(ctx context.Context) (redact.Value, error) {
	var text string
	var err error
	if p.terminal.in {
		text, err = p.askHidden(ctx, "API key (not shown): ")
	} else {
		text, err = p.readAll(4096)
	}
	if err != nil {
		return redact.Value{}, err
	}
	credential := redact.NewValue(strings.TrimSpace(text))
	if err := api.CheckCredential(credential); err != nil {
		return redact.Value{}, err
	}
	return credential, nil
}

// deviceLogin waits for a person's approval in a browser (RFC 8628).
func (p *program) deviceLogin(ctx context.Context) (redact.Value, error) {
	client, err := p.client(redact.Value{}, "", nil)
	if err != nil {
		return redact.Value{}, err
	}
	started, err := client.StartDeviceLogin(ctx, clientName())
	if err != nil {
		return redact.Value{}, err
	}
	if !isWebURL(started.VerificationURI) {
		return redact.Value{}, errors.New("the server gave an address for the login that is no web address")
	}
	p.notef("Open %s and enter the code %s", started.VerificationURI, started.UserCode)
	p.notef("Approve only if the page shows the same code.")
	var pasted <-chan redact.Value
	switch {
	case p.hasDesktop():
		if isWebURL(started.VerificationURIComplete) && p.openURL(started.VerificationURIComplete) == nil {
			p.notef("The page opens in your browser. Waiting …")
		}
	case p.terminal.in && p.terminal.readHidden != nil:
		var stop func()
		pasted, stop = p.pasteMeanwhile(ctx)
		defer stop()
	}

	interval := time.Duration(within(started.Interval, 1, 60, 5)) * time.Second
	const slowDown = 5 * time.Second // RFC 8628, section 3.5.
	left := time.Duration(within(started.ExpiresIn, 1, 1800, 600)) * time.Second
	for ; left > 0; left -= interval {
		key, ok, err := p.waitOrPaste(ctx, interval, pasted)
		if err != nil || ok {
			return key, err
		}
		token, err := client.PollDeviceLogin(ctx, started.DeviceCode.Value)
		if err == nil {
			return token.APIKey.Value, nil
		}
		var answered *api.Error
		title := ""
		if errors.As(err, &answered) {
			title = answered.Title
		}
		switch {
		case title == api.TitleAuthorizationPending:
		case title == api.TitleSlowDown, errors.Is(err, api.ErrUnavailable):
			interval += slowDown
		case title == api.TitleAccessDenied:
			return redact.Value{}, fail(ExitDenied, "The login was declined on the page.")
		case title == api.TitleExpiredToken:
			return redact.Value{}, errLoginExpired
		default:
			return redact.Value{}, err
		}
	}
	return redact.Value{}, errLoginExpired
}

// pasteMeanwhile lets a person at a terminal without a browser paste an API key
// while the login waits. What is no API key is asked for again.
func (p *program) pasteMeanwhile(ctx context.Context) (<-chan redact.Value, func()) {
	ctx, cancel := context.WithCancel(ctx)
	keys, done := make(chan redact.Value, 1), make(chan struct{})
	go func() {
		defer close(done)
		for {
			line, err := p.askHidden(ctx, "Or paste an API key here (not shown): ")
			if err != nil {
				return
			}
			key := redact.NewValue(strings.TrimSpace(line))
			if err := api.CheckCredential(key); err != nil {
				p.notef("%v", err)
				continue
			}
			keys <- key
			return
		}
	}()
	// The terminal is given back as it was before the command goes on.
	return keys, func() { cancel(); <-done }
}

// waitOrPaste waits until the next question is due, or a key was pasted.
func (p *program) waitOrPaste(ctx context.Context, d time.Duration, pasted <-chan redact.Value) (redact.Value, bool, error) {
	if pasted == nil {
		return redact.Value{}, false, p.sleep(ctx, d)
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	slept := make(chan error, 1)
	go func() { slept <- p.sleep(waiting, d) }()
	select {
	case key := <-pasted:
		return key, true, nil
	case err := <-slept:
		return redact.Value{}, false, err
	}
}

var errLoginExpired = fail(ExitDenied, "The code has expired without an approval. Run `infsh login` again.")

// within bounds a number of a server's; what makes no sense becomes usual.
func within(n, least, most, usual int) int {
	if n <= 0 {
		return usual
	}
	return min(max(n, least), most)
}

// clientName is shown to the person who approves the login.
func clientName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "infsh"
	}
	return "infsh on " + host
}

func (p *program) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "End the saved login, here and on the server",
		Args:  NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := p.credentialFile()
			if err != nil {
				return err
			}
			url, err := api.NormalizeURL(p.serverURL())
			if err != nil {
				return err
			}
			if err := p.forgetCaches(); err != nil {
				return err
			}
			saved, ok, err := file.load(url)
			if err != nil {
				return err
			}
			if !ok {
				p.notef("There is no saved login for %s.", url)
				return nil
			}
			revokeErr := p.revoke(cmd.Context(), saved)
			if err := file.remove(url); err != nil {
				return err
			}
			if revokeErr != nil {
				code, lines := p.explain(revokeErr)
				return fail(code, append([]string{
					"The login was removed from this machine, but the server did not end it: end it in Settings → API keys.",
				}, lines...)...)
			}
			if saved.kind == api.KindLogin {
				p.notef("Logged out of %s.", url)
			} else {
				p.notef("The API key for %s was removed from this machine. It stays valid: revoke it in Settings → API keys.", url)
			}
			if p.env("INFSH_API_KEY") != "" || p.env("INFSH_API_KEY_FILE") != "" {
				p.notef("warning: INFSH_API_KEY is set, and still gives access.")
			}
			return nil
		},
	}
}

// revoke ends a login on the server. An API key that was pasted is not this
// machine's to revoke. A credential that the server does not know has ended.
func (p *program) revoke(ctx context.Context, saved savedLogin) error {
	if saved.kind != api.KindLogin {
		return nil
	}
	client, err := p.client(saved.credential, "", nil)
	if err != nil {
		return err
	}
	err = client.Logout(ctx)
	var answered *api.Error
	if errors.As(err, &answered) && answered.Title == api.TitleNotSignedIn {
		return nil
	}
	return err
}

func (p *program) meCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "me",
		Short: "Show who you are, in which team, with which rights",
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
			rows := [][]string{
				{"server", s.URL()},
				{"user", nameOf(me)},
				{"team", fmt.Sprintf("%s (%s)", me.Team.Username, me.Team.Role)},
			}
			if me.Key != nil {
				rows = append(rows,
					[]string{"credential", fmt.Sprintf("%s %s", me.Key.Kind, me.Key.Name)},
					[]string{"scopes", strings.Join(me.Key.Scopes, " ")})
			}
			p.table(rows)
			return nil
		},
	}
}

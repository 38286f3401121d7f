package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) apiKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apikeys",
		Short: "Make, list and revoke API keys",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	cmd.AddCommand(p.apiKeysListCommand(), p.apiKeysCreateCommand(), p.apiKeysRevokeCommand())
	return cmd
}

func (p *program) apiKeysListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the API keys and logins: yours, or as owner or admin all of the team's",
		Args:  NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			keys, err := s.APIKeys(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(keys)
			}
			rows := [][]string{{"NAME", "KEY", "KIND", "SCOPES", "LAST USED", "EXPIRES", "ID"}}
			for _, k := range keys {
				rows = append(rows, []string{k.Name, k.Key, kindOfKey(k), scopesOfKey(k), day(k.LastUsedAt, "never"), day(k.ExpiresAt, "never"), k.ID})
			}
			p.table(rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func kindOfKey(k api.APIKey) string {
	switch {
	case k.Kind == api.KindLogin:
		return "login"
	case k.Service:
		return "service " + k.ServiceRole
	}
	return "key"
}

func scopesOfKey(k api.APIKey) string {
	switch {
	case k.App != "":
		return "runs " + k.App
	case len(k.Scopes) == 0:
		return "none"
	case len(k.Scopes) > 3:
		return fmt.Sprintf("%d scopes", len(k.Scopes))
	}
	return strings.Join(k.Scopes, " ")
}

func day(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return t.Format(time.DateOnly)
}

func (p *program) apiKeysCreateCommand() *cobra.Command {
	var scopes []string
	var none, runner, asJSON bool
	var expires string
	in := api.APIKeyCreate{}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an API key and print it, the only time",
		Long: `Makes an API key for the team and prints it on standard output; it is shown
nowhere else and never again. Without --scope it may do all that you may.`,
		Example: `  infsh apikeys create laptop --expires 90d
  infsh apikeys create "build runner" --runner --app acme/summarize --service member > key.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if runner && (none || len(scopes) > 0) || none && len(scopes) > 0 {
				return &usageError{msg: "--scope, --no-scopes and --runner exclude each other", command: cmd.CommandPath()}
			}
			end, err := expiryOf(expires, time.Now())
			if err != nil {
				return &usageError{msg: err.Error(), command: cmd.CommandPath()}
			}
			in.Name, in.ExpiresAt = args[0], end
			switch {
			case runner:
				in.Scopes = &[]string{"apps:execute"}
			case none || len(scopes) > 0:
				list := append([]string{}, scopes...)
				in.Scopes = &list
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			made, err := s.CreateAPIKey(cmd.Context(), in)
			if err != nil {
				return err
			}
			if asJSON {
				body, err := made.MarshalRevealed()
				if err != nil {
					return err
				}
				p.printf("%s\n", body)
			} else {
				p.printf("%s\n", made.Key.Value.Reveal())
			}
			p.notef("Made %s (%s). It is shown only now.", made.Name, scopesOfKey(made.APIKey))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&scopes, "scope", nil, "what it may do, such as secrets:read; may be given several times")
	f.BoolVar(&none, "no-scopes", false, "it may do nothing")
	f.BoolVar(&runner, "runner", false, "it runs apps and does nothing else (apps:execute)")
	f.StringVar(&in.App, "app", "", "it runs this app alone (NAMESPACE/NAME)")
	f.StringVar(&in.ServiceRole, "service", "", "make it the team's own, with the role member or admin")
	f.StringVar(&expires, "expires", "", "when it ends: days such as 90d, or a time such as 2030-01-31T12:00:00Z")
	f.BoolVar(&asJSON, "json", false, "print JSON, with the key in it")
	return cmd
}

var days = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([1-9][0-9]{0,4})d$`) })

func expiryOf(text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	if m := days().FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return "", err
		}
		return now.UTC().AddDate(0, 0, n).Format(time.RFC3339), nil
	}
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return "", fmt.Errorf("--expires takes days, such as 90d, or a time, such as 2030-01-31T12:00:00Z")
	}
	return text, nil
}

func (p *program) apiKeysRevokeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke ID|NAME",
		Short: "End an API key or login, at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			keys, err := s.APIKeys(cmd.Context())
			if err != nil {
				return err
			}
			var found []api.APIKey
			for _, k := range keys {
				if k.ID == args[0] || k.Name == args[0] {
					found = append(found, k)
				}
			}
			switch {
			case len(found) == 0:
				return fail(ExitNotFound, "There is no such API key. `infsh apikeys list` shows them.")
			case len(found) > 1:
				return fail(ExitFailure, "Several API keys have that name. Name one by its id, which `infsh apikeys list` shows.")
			}
			if p.terminal.in && !yes && !p.confirm("Revoke "+found[0].Name+" ("+found[0].Key+")? Whatever uses it is refused from then on.") {
				return fail(ExitFailure, "Nothing was revoked.")
			}
			if err := s.RevokeAPIKey(cmd.Context(), found[0].ID); err != nil {
				return err
			}
			p.notef("Revoked %s.", found[0].Name)
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask")
	return cmd
}

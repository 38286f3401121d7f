package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/envvar"
)

func (p *program) secretsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Set, list, get, delete and import a team's secrets",
		Example: `  infsh secrets set OPENAI_API_KEY sk-your-key-here
  infsh secrets set OPENAI_API_KEY sk-your-key-here -d "For GPT-4 API calls"
  infsh secrets list
  infsh secrets get OPENAI_API_KEY
  infsh secrets delete OPENAI_API_KEY`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	cmd.AddCommand(
		p.secretsSetCommand(), p.secretsListCommand(), p.secretsGetCommand(), p.secretsDeleteCommand(),
		p.secretsHistoryCommand(), p.secretsActivateCommand(), p.secretsRollbackCommand(), p.secretsImportCommand(), p.secretsDiffCommand(), p.secretsRemindCommand(), p.secretsUsesCommand(),
	)
	return cmd
}

// keyArgument reads a key from the command line.
func keyArgument(arg string) (string, error) {
	key, err := envvar.ParseKey(arg)
	if err != nil {
		return "", Usage("%s", err)
	}
	return string(key), nil
}

func (p *program) secretsListCommand() *cobra.Command {
	var asJSON, due bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the team's secrets, masked",
		Long: `Lists the team's secrets, masked. Keys that a duplicated team waits for follow as
"not set yet"; --json leaves them out. --due lists those that are to be rotated, or
whose value ends soon; "secrets remind" says when.`,
		Example: `  infsh secrets list
  infsh secrets list --due
  infsh secrets list --json`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			secrets, err := s.Secrets(cmd.Context())
			if err != nil {
				return err
			}
			if due {
				secrets = slices.DeleteFunc(secrets, func(s api.Secret) bool { return dueOf(s) == "" })
			}
			if asJSON {
				return p.json(secrets)
			}
			if due && len(secrets) == 0 {
				p.notef("No secret is due.")
				return nil
			}
			expected, err := s.expectedKeys(cmd.Context(), secrets)
			if err != nil {
				return err
			}
			if due {
				expected = nil
			}
			if len(secrets)+len(expected) == 0 {
				p.notef("There are no secrets in this team yet. Add the first: infsh secrets set OPENAI_API_KEY")
				return nil
			}
			p.secretsTable(secrets, expected)
			return nil
		},
	}
	cmd.Flags().BoolVar(&due, "due", false, "list only what is to be rotated, or ends soon")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// secretsTable has a column of what is due where anything is.
func (p *program) secretsTable(secrets []api.Secret, expected []api.ExpectedKey) {
	anyDue := slices.ContainsFunc(secrets, func(s api.Secret) bool { return dueOf(s) != "" })
	var rows [][]string
	row := func(key, value, version, updated, by, due, description string) {
		cells := []string{key, value, version, updated, by}
		if anyDue {
			cells = append(cells, due)
		}
		rows = append(rows, append(cells, description))
	}
	row("KEY", "VALUE", "VERSION", "UPDATED (UTC)", "BY", "DUE", "DESCRIPTION")
	for _, secret := range secrets {
		row(secret.Key, secret.MaskedValue, versionOf(secret), stamp(secret.UpdatedAt), secret.UpdatedBy, dueOf(secret), secret.Description)
	}
	for _, e := range expected {
		row(e.Key, "not set yet", "-", "", "", "", e.Description)
	}
	p.table(rows)
}

// versionOf names the version in use, or the one that is staged where none is.
func versionOf(secret api.Secret) string {
	if secret.Version == 0 && secret.StagedVersion > 0 {
		return fmt.Sprintf("%d (staged)", secret.StagedVersion)
	}
	return strconv.FormatInt(secret.Version, 10)
}

func (p *program) secretsGetCommand() *cobra.Command {
	var reveal, asJSON bool
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Print a secret: masked, or with --reveal its value",
		Long: `Prints the masked value of a secret.

With --reveal it prints the value itself, byte for byte; a line break follows
it only on a terminal. The server records who revealed what.`,
		Example: `  infsh secrets get OPENAI_API_KEY
  infsh secrets get TLS_KEY --reveal > key.pem
  infsh secrets get OPENAI_API_KEY --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keyArgument(args[0])
			if err != nil {
				return err
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			if reveal {
				return p.reveal(cmd, s, key, asJSON)
			}
			secret, err := s.Secret(cmd.Context(), key)
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(secret)
			}
			p.printf("%s\n", inert(secret.MaskedValue))
			if secret.Version == 0 && secret.StagedVersion > 0 {
				p.notef("note: no version of %s is in use yet; this is the staged version %d.", inert(secret.Key), secret.StagedVersion)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the value itself; this is recorded")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// reveal is the one place where this program prints a value.
func (p *program) reveal(cmd *cobra.Command, s *session, key string, asJSON bool) error {
	secret, err := s.RevealSecret(cmd.Context(), key)
	if err != nil {
		return err
	}
	if asJSON {
		data, err := secret.MarshalRevealed()
		if err != nil {
			return err
		}
		return p.json(json.RawMessage(data))
	}
	p.printf("%s", secret.Value.Reveal())
	if p.terminal.out {
		p.printf("\n")
	}
	return nil
}

func (p *program) secretsDeleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete KEY",
		Short: "Delete a secret with all of its versions",
		Example: `  infsh secrets delete OPENAI_API_KEY
  infsh secrets delete OPENAI_API_KEY --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keyArgument(args[0])
			if err != nil {
				return err
			}
			if !yes && !p.terminal.in {
				return Usage("deleting %s needs --yes, since there is no terminal to ask on", key)
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			if !yes {
				// A key that is not there is told before anyone is asked.
				if _, err := s.Secret(cmd.Context(), key); err != nil {
					return err
				}
				if err := p.warnOfUses(cmd.Context(), s, key); err != nil {
					return err
				}
				if !p.confirm("Delete " + key + " with all of its versions? Apps that need it can't run without it.") {
					return fail(ExitFailure, key+" was not deleted.")
				}
			}
			if err := s.DeleteSecret(cmd.Context(), key); err != nil {
				return err
			}
			p.notef("Deleted %s.", key)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "delete without asking")
	return cmd
}

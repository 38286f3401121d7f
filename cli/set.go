package cli

import (
	"context"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/envvar"
	"infsh/redact"
)

func (p *program) secretsSetCommand() *cobra.Command {
	var (
		description string
		allowRisky  bool
		verbatim    bool
		stage       bool
		remind      reminders
	)
	cmd := &cobra.Command{
		Use:   "set KEY [VALUE]",
		Short: "Add a secret or give it a new value",
		Long: `Adds a secret, or makes a new version of one that is there.

Without VALUE, it is asked for on a terminal without being shown, and read from
standard input otherwise; VALUE "-" reads standard input too. That keeps it out
of the shell's history and the list of processes, where arguments are visible.
A VALUE that begins with "-" goes through standard input, or after "--".

A value is 1 to 65536 bytes of UTF-8 without NUL. Spaces at its ends are
refused unless --verbatim is given. One line break at the end of a single line
from standard input is not part of the value, unless --verbatim is given.

The value that is set already makes no new version. With --stage the value is
stored as a version that is not used yet; "infsh secrets activate" uses it.

--rotate-every and --expires are those of "infsh secrets remind"; an end is of the
value that is given.

A description that is not given stays as it is; -d "" removes it.`,
		Example: `  infsh secrets set OPENAI_API_KEY
  infsh secrets set OPENAI_API_KEY sk-your-key-here
  infsh secrets set OPENAI_API_KEY sk-your-key-here -d "For GPT-4 API calls"
  infsh secrets set OPENAI_API_KEY --rotate-every 90d --expires 2027-01-31
  infsh secrets set OPENAI_API_KEY --stage
  infsh secrets set TLS_KEY < key.pem
  infsh secrets set ODD_VALUE -- -begins-with-a-dash`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := envvar.ParseKey(args[0])
			if err != nil {
				return Usage("%s", err)
			}
			if err := key.Permit(allowRisky); err != nil {
				return Usage("%s", err)
			}
			in := api.SecretWrite{Key: string(key), AllowRiskyName: allowRisky, Verbatim: verbatim, Stage: stage}
			if err := remind.into(cmd, &in); err != nil {
				return err
			}
			// Who is not logged in is told so before typing a value.
			s, err := p.connect()
			if err != nil {
				return err
			}
			value, err := p.secretValue(cmd.Context(), key, args[1:], verbatim)
			if err != nil {
				return err
			}
			in.Value = api.NewPlaintext(value)
			if cmd.Flags().Changed("description") {
				in.Description = &description
			}
			secret, err := s.SetSecret(cmd.Context(), in)
			if err != nil {
				return err
			}
			p.showSet(secret, in)
			for _, warning := range secret.Warnings {
				p.notef("warning: %s", warning)
			}
			return nil
		},
	}
	// The flag library's own message repeats what it could not read, which may
	// be the value.
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, _ error) error {
		return &usageError{
			msg: "there is a flag that this command does not have, or one without its text\n" +
				"If it is a VALUE that begins with \"-\", give it on standard input or after \"--\".",
			command: cmd.CommandPath(),
		}
	})
	remind.addTo(cmd)
	cmd.Flags().StringVarP(&description, "description", "d", "", "what the secret is for")
	cmd.Flags().BoolVar(&allowRisky, "allow-risky-name", false, "permit a name that redirects traffic or trust, such as HTTPS_PROXY")
	cmd.Flags().BoolVar(&stage, "stage", false, "store the value without using it yet")
	cmd.Flags().BoolVar(&verbatim, "verbatim", false, "keep spaces and line breaks at the ends")
	return cmd
}

// showSet says what became of a value.
func (p *program) showSet(secret api.Secret, in api.SecretWrite) {
	key := inert(secret.Key)
	switch {
	case secret.Unchanged:
		p.printf("%s is unchanged: version %d holds this value already.\n", key, secret.StoredVersion)
		if in.Description != nil {
			p.printf("Its description is saved.\n")
		}
	case in.Stage:
		if secret.Version > 0 {
			p.printf("Staged version %d of %s; version %d stays in use.\n", secret.StoredVersion, key, secret.Version)
		} else {
			p.printf("Staged version %d of %s; no version is in use yet.\n", secret.StoredVersion, key)
		}
		p.notef("Use it: infsh secrets activate %s --version %d", key, secret.StoredVersion)
	default:
		p.printf("Set %s to %s, version %d.\n", key, inert(secret.MaskedValue), secret.Version)
	}
}

// secretValue gets the value from the arguments, a hidden prompt or standard
// input, in the order of the help text.
func (p *program) secretValue(ctx context.Context, key envvar.Key, rest []string, verbatim bool) (redact.Value, error) {
	var text string
	switch {
	case len(rest) == 1 && rest[0] != "-":
		p.notef("warning: a value in the arguments is visible in the shell's history and in the list of processes.")
		p.notef("Better: `infsh secrets set %s`, which asks without showing it, or `infsh secrets set %s < FILE`.", key, key)
		text = rest[0]
	case len(rest) == 0 && p.terminal.in:
		line, err := p.askHidden(ctx, "Value of "+string(key)+" (not shown): ")
		if err != nil {
			return redact.Value{}, err
		}
		text = line
	default:
		if p.terminal.in {
			p.notef("Reading the value from standard input; end it with Ctrl-D.")
		}
		input, err := p.readAll(envvar.MaxValueBytes + len("\r\n"))
		if err != nil {
			return redact.Value{}, err
		}
		text = input
		if !verbatim {
			text = envvar.FromStdin(input)
		}
		if len(text) < len(input) {
			p.notef("note: the line break at the end is not part of the value.")
		}
	}
	value, err := envvar.ParseValue(text, verbatim)
	if err != nil {
		return redact.Value{}, fail(ExitFailure, about(string(key), err.Error()))
	}
	return value, nil
}

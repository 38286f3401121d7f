package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

// reminders are the flags that say when a secret is to be rotated, and when its
// value ends.
type reminders struct{ every, expires string }

func (f *reminders) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.every, "rotate-every", "", "remind of the next rotation after that long, such as 90d; none for no reminder")
	cmd.Flags().StringVar(&f.expires, "expires", "", "when the value ends at its provider, such as 2027-01-31; none where that is not known")
}

// into puts what was given into a write.
func (f *reminders) into(cmd *cobra.Command, in *api.SecretWrite) error {
	if cmd.Flags().Changed("rotate-every") {
		days, err := daysOf(f.every)
		if err != nil {
			return err
		}
		in.RotateEveryDays = &days
	}
	if cmd.Flags().Changed("expires") {
		end := f.expires
		if end == "none" {
			end = ""
		}
		in.ExpiresAt = &end
	}
	return nil
}

// daysOf reads 90d, 12w, 1y or none.
func daysOf(text string) (int, error) {
	if text == "none" || text == "0" {
		return 0, nil
	}
	number, unit := text, 0
	for suffix, days := range map[string]int{"d": 1, "w": 7, "y": 365} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = rest, days
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || unit == 0 || n < 1 || n > 3650 {
		return 0, Usage("--rotate-every is a number of days, weeks or years, such as 90d, 12w or 1y, or none")
	}
	return n * unit, nil
}

func (p *program) secretsRemindCommand() *cobra.Command {
	var flags reminders
	cmd := &cobra.Command{
		Use:   "remind KEY",
		Short: "Say when a secret is to be rotated, or when its value ends",
		Long: `Says after how long the value of a secret is to be replaced, and when the one in
use ends at its provider. Lists and pages show what is due; "secrets list --due"
lists it. No run is ever stopped by it.

A reminder counts from the day on which the value was first stored, so it starts
anew with each rotation. An end is of one value: the next one has none until it
is given with "secrets set --expires".`,
		Example: `  infsh secrets remind OPENAI_API_KEY --rotate-every 90d
  infsh secrets remind OPENAI_API_KEY --expires 2027-01-31
  infsh secrets remind OPENAI_API_KEY --rotate-every none --expires none`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keyArgument(args[0])
			if err != nil {
				return err
			}
			in := api.SecretWrite{Key: key}
			if err := flags.into(cmd, &in); err != nil {
				return err
			}
			if in.RotateEveryDays == nil && in.ExpiresAt == nil {
				return Usage("what of it? Give --rotate-every, --expires or both")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			secret, err := s.UpdateSecret(cmd.Context(), in)
			if err != nil {
				return err
			}
			p.printf("%s: %s.\n", inert(secret.Key), remindersOf(secret))
			return nil
		},
	}
	flags.addTo(cmd)
	return cmd
}

// remindersOf says in words what is set.
func remindersOf(secret api.Secret) string {
	var words []string
	switch {
	case secret.RotateAt != nil:
		words = append(words, "to be rotated every "+strconv.Itoa(secret.RotateEveryDays)+" days, next on "+secret.RotateAt.UTC().Format("2006-01-02"))
	case secret.RotateEveryDays > 0:
		words = append(words, "to be rotated every "+strconv.Itoa(secret.RotateEveryDays)+" days")
	default:
		words = append(words, "no reminder to rotate")
	}
	if secret.ExpiresAt != nil {
		words = append(words, "the value ends on "+secret.ExpiresAt.UTC().Format("2006-01-02"))
	} else {
		words = append(words, "no end of the value is known")
	}
	return strings.Join(words, "; ")
}

// dueOf says what the secret asks for now, in a cell of a table.
func dueOf(secret api.Secret) string {
	var words []string
	if secret.Rotation != "" {
		words = append(words, "rotation "+secret.Rotation)
	}
	if secret.Expiry != "" && secret.ExpiresAt != nil {
		word := "expires "
		if secret.Expiry == "expired" {
			word = "expired "
		}
		words = append(words, word+secret.ExpiresAt.UTC().Format("2006-01-02"))
	}
	return strings.Join(words, ", ")
}

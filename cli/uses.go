package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) secretsUsesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "uses KEY",
		Short: "Say which apps have a secret, and which version their runs received",
		Long: `Lists the apps that declare a key: what their next run does without it, and which
version of it runs of each of their versions last received, as the audit log has
it. After a rotation it says whether the old value can be revoked at its provider.`,
		Example: `  infsh secrets uses OPENAI_API_KEY
  infsh secrets uses OPENAI_API_KEY --json`,
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
			uses, err := s.SecretUses(cmd.Context(), key)
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(uses)
			}
			p.showUses(uses)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func (p *program) showUses(uses api.SecretUses) {
	key := inert(uses.Key)
	if len(uses.Items) == 0 {
		p.printf("No app declares %s, and no run has received it.\n", key)
		return
	}
	rows := [][]string{{"APP", "WITHOUT IT", "APP VERSION", "RECEIVED", "WHEN (UTC)", "RUN"}}
	old := 0
	for _, u := range uses.Items {
		app, without := u.App, withoutWords(u)
		for _, h := range u.Holders {
			received := "version " + strconv.FormatInt(h.Version, 10)
			switch {
			case !h.LastRunReceived:
				received = "not in its last run"
			case h.Version != uses.Version:
				received += " (old)"
				old++
			}
			rows = append(rows, []string{app, without, appVersion(h.AppVersion), received, stamp(h.ReceivedAt), h.RunID})
			app, without = "", ""
		}
		if len(u.Holders) == 0 {
			rows = append(rows, []string{app, without, "-", "never", "", ""})
		}
	}
	p.table(rows)
	switch {
	case old > 0:
		p.notef("Version %d is in use. Where it says (old), the value before it is needed until that app has run again.", uses.Version)
	case uses.OldLastReceivedAt != nil:
		p.notef("All last runs received version %d. Once what started until %s has ended, the value before it can be revoked at its provider.", uses.Version, stamp(*uses.OldLastReceivedAt)+" UTC")
	}
	if uses.UnreadEntries > 0 {
		p.notef("note: %d entries of the log are still being read; ask again in a minute.", uses.UnreadEntries)
	}
}

func appVersion(n int64) string {
	if n == 0 {
		return "not recorded"
	}
	return strconv.FormatInt(n, 10)
}

// withoutWords says what the next run of an app does without the key.
func withoutWords(u api.SecretUse) string {
	switch u.Without {
	case "fails":
		return "next run fails"
	case "goes_on":
		return "goes on"
	}
	return "the same: " + u.Because
}

// warnOfUses tells which apps a deletion stops. Who may not see apps is told
// nothing, as by a server that does not know.
func (p *program) warnOfUses(ctx context.Context, s *session, key string) error {
	uses, err := s.SecretUses(ctx, key)
	if err != nil {
		return unlessDenied(err)
	}
	for _, u := range uses.Items {
		if u.Without == "same" {
			continue
		}
		what := fmt.Sprintf("%s requires it: its next run fails.", u.App)
		if u.Without == "goes_on" {
			what = fmt.Sprintf("%s goes on without it.", u.App)
		}
		if u.LastRun != nil {
			what += fmt.Sprintf(" It last ran on %s UTC.", stamp(u.LastRun.At))
		}
		p.notef("%s", what)
	}
	return nil
}

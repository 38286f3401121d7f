package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) activityCommand() *cobra.Command {
	var filter api.ActivityFilter
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "activity",
		Short: "Show who did what in the team, and what its apps received",
		Long: `Shows the entries of the team's audit log, the newest first. It needs the role
owner or admin. Values are never in it.`,
		Example: `  infsh activity --key STRIPE_SECRET_KEY
  infsh activity --kind app.resolve --app acme/summarizer --from 2026-03-01
  infsh activity export --format csv --outcome denied > denied.csv`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return Usage("--limit must be 1 or more")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			entries := []api.ActivityEntry{}
			for before := int64(0); len(entries) < limit; {
				page, err := s.Activity(cmd.Context(), filter, before)
				if err != nil {
					return err
				}
				entries = append(entries, page.Items...)
				if before = page.NextBefore; before == 0 {
					break
				}
			}
			entries = entries[:min(len(entries), limit)]
			if asJSON {
				return p.json(entries)
			}
			if len(entries) == 0 {
				p.notef("The activity has no such entry.")
				return nil
			}
			rows := [][]string{{"AT (UTC)", "WHO", "ACT", "TARGET", "OUTCOME", "KEYS", "WHY"}}
			for _, e := range entries {
				rows = append(rows, []string{stamp(e.At), e.ActorName, e.Action, e.Target, e.Outcome, keyVersions(e), e.Reason})
			}
			p.table(rows)
			return nil
		},
	}
	filterFlags(cmd, &filter)
	cmd.Flags().IntVar(&limit, "limit", 50, "how many entries to show")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	cmd.AddCommand(p.activityExportCommand())
	return cmd
}

func (p *program) activityExportCommand() *cobra.Command {
	var in api.ActivityExport
	cmd := &cobra.Command{
		Use:   "export --format csv|jsonl",
		Short: "Print all entries that are wanted, for other programs",
		Long: `Prints the entries of the team's audit log, the newest first, as CSV or as JSON
lines. Cells that a spreadsheet would compute begin with an apostrophe. The export
itself stands in the activity.`,
		Example: `  infsh activity export --format jsonl --from 2026-03-01 > march.jsonl`,
		Args:    NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.Format != api.ExportCSV && in.Format != api.ExportJSONLines {
				return Usage("--format must be csv or jsonl")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			return s.ExportActivity(cmd.Context(), in, p.Out)
		},
	}
	filterFlags(cmd, &in.ActivityFilter)
	cmd.Flags().StringVar(&in.Format, "format", "", "csv or jsonl")
	return cmd
}

func filterFlags(cmd *cobra.Command, f *api.ActivityFilter) {
	flags := cmd.Flags()
	flags.StringVar(&f.Key, "key", "", "of a secret: what was done to it, and who received it")
	flags.StringVar(&f.App, "app", "", "of an app, as NAMESPACE/NAME")
	flags.StringVar(&f.Person, "person", "", "of people whose email address has this in it")
	flags.StringVar(&f.Kind, "kind", "", "an act such as secret.reveal, or what stands before the dot")
	flags.StringVar(&f.Outcome, "outcome", "", "allowed, unchanged, denied or failed")
	flags.StringVar(&f.From, "from", "", "the first day, in UTC, such as 2026-03-01")
	flags.StringVar(&f.Until, "until", "", "the last day")
}

// keyVersions names what an entry is about, unless its target says it.
func keyVersions(e api.ActivityEntry) string {
	var words []string
	for _, v := range e.Versions {
		words = append(words, fmt.Sprintf("%s v%d", v.Key, v.Version))
	}
	return strings.Join(words, ", ")
}

package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"infsh/api"
	"infsh/redact"
	"infsh/runner"
)

// reportTimeout bounds what a report adds to a run whose server has gone away.
const reportTimeout = time.Second

// reporter returns what tells the team what a run printed of its secrets: counts
// by key and form. That it could not is a note, since the run itself is over.
func (p *program) reporter(ctx context.Context, s *session, resolved api.ResolveResponse) func([]redact.Finding) {
	return func(found []redact.Finding) {
		report := api.FindingsReport{App: resolved.App, Version: resolved.Version, RunID: resolved.RunID}
		for _, f := range found {
			// What was masked of an earlier version of the app may be none of its
			// keys any more.
			if _, its := resolved.Env[f.Key]; its || f.Key == runner.CredentialKey {
				report.Findings = append(report.Findings, api.Finding{Key: f.Key, Form: string(f.Form), Count: int64(f.Count)})
			}
		}
		if len(report.Findings) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
		defer cancel()
		if err := s.ReportFindings(ctx, report); err != nil {
			keys := make([]string, 0, len(found))
			for _, f := range report.Findings {
				keys = append(keys, f.Key)
			}
			p.notef("note: %s was printed and masked, which could not be told to the team: %s", inert(strings.Join(slices.Compact(keys), ", ")), inert(err.Error()))
		}
	}
}

package handlers

import (
	"net/http"

	"infsh/api"
	"infsh/secret"
	"infsh/team"
)

// reportPrinted takes what a runner masked in an app's output, in counts.
func (s *server) reportPrinted(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.FindingsReport
	if err := decode(r, &body); err != nil {
		return err
	}
	findings := make([]secret.Finding, 0, len(body.Findings))
	for _, f := range body.Findings {
		findings = append(findings, secret.Finding{Key: f.Key, Form: f.Form, Count: f.Count})
	}
	run := secret.Run{App: body.App, Version: body.Version, RunID: body.RunID}
	if err := s.Secrets.RecordPrinted(r.Context(), actor, run, findings); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

package handlers

import (
	"net/http"

	"infsh/api"
	"infsh/secret"
	"infsh/team"
)

// resolve hands a runner one app's secrets. With revealSecret it is the only
// handler that writes a stored plaintext to the wire.
func (s *server) resolve(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.ResolveRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	resolved, err := s.Secrets.Resolve(r.Context(), actor, secret.Run{App: body.App, Version: body.Version, RunID: body.RunID})
	if err != nil {
		return err
	}
	out := api.ResolveResponse{
		App: resolved.App, Version: resolved.VersionID, RunID: resolved.RunID,
		Env: make(map[string]*api.Plaintext, len(resolved.Env)), Secrets: []api.ResolvedSecret{}, MissingOptional: []string{},
	}
	for _, in := range resolved.Env {
		out.Env[string(in.Key)] = api.NewPlaintext(in.Value)
		out.Secrets = append(out.Secrets, api.ResolvedSecret{Key: string(in.Key), Version: in.Version})
	}
	out.MissingOptional = append(out.MissingOptional, resolved.MissingOptional...)
	return writeRevealed(w, http.StatusOK, out)
}

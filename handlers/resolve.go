package handlers

import (
	"context"
	"errors"
	"net/http"

	"infsh/api"
	"infsh/secret"
	"infsh/team"
)

// resolve hands a runner one app's secrets. With revealSecret it is the only
// handler that writes a stored plaintext to the wire.
func (s *server) resolve(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	return s.hand(w, r, func(ctx context.Context, run secret.Run) (secret.Resolved, error) {
		return s.Secrets.Resolve(ctx, actor, run)
	})
}

// resolvePresumed is resolve with the key as it was when it was last read: the
// run is recorded only if it is so still.
func (s *server) resolvePresumed(w http.ResponseWriter, r *http.Request, presumed team.Presumed, confirm func() (team.Actor, error)) error {
	asked := false
	err := s.hand(w, r, func(ctx context.Context, run secret.Run) (secret.Resolved, error) {
		asked = true
		resolved, err := s.Secrets.ResolvePresumed(ctx, presumed, run)
		if !errors.Is(err, secret.ErrMoved) {
			return resolved, err
		}
		actor, err := confirm()
		if err != nil {
			return secret.Resolved{}, err
		}
		return s.Secrets.Resolve(ctx, actor, run)
	})
	if !asked {
		// A request that can't be read is told so only with a key.
		if _, refused := confirm(); refused != nil {
			return refused
		}
	}
	return err
}

// hand reads what is asked, and writes what it is answered.
func (s *server) hand(w http.ResponseWriter, r *http.Request, resolve func(context.Context, secret.Run) (secret.Resolved, error)) error {
	var body api.ResolveRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	resolved, err := resolve(r.Context(), secret.Run{App: body.App, Version: body.Version, RunID: body.RunID})
	if err != nil {
		return err
	}
	out := api.ResolveResponse{
		App: resolved.App, Version: resolved.VersionID, RunID: resolved.RunID,
		Env: make(map[string]*api.Plaintext, len(resolved.Env)), Secrets: []api.ResolvedSecret{}, MissingOptional: []string{},
	}
	for _, in := range resolved.Env {
		out.Env[string(in.Key)] = api.NewPlaintext(in.Value)
		if in.Integration == "" {
			out.Secrets = append(out.Secrets, api.ResolvedSecret{Key: string(in.Key), Version: in.Version})
		}
	}
	for _, i := range resolved.Integrations {
		out.Integrations = append(out.Integrations, api.ResolvedIntegration{Key: i.Key, Provider: i.Connection.Provider, ID: i.Connection.ID, ExpiresAt: optionalTime(i.Connection.ExpiresAt)})
	}
	out.MissingOptional = append(out.MissingOptional, resolved.MissingOptional...)
	return writeRevealed(w, http.StatusOK, out)
}

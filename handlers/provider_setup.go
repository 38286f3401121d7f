package handlers

import (
	"encoding/json"
	"net/http"
	"strings"

	"infsh/api"
	"infsh/auth"
	"infsh/integration"
	"infsh/redact"
	"infsh/team"
	"infsh/views"
)

// setupJSON adds what is to be set at a provider that trusts this server.
func (s *server) setupJSON(r *http.Request, actor team.Actor, k *integration.Kind, typed map[string]redact.Value, config *api.IntegrationConfig) error {
	if err := k.CheckTyped(typed); err != nil {
		return err
	}
	setup, err := s.Integrations.Setup(r.Context(), actor, k, typed)
	if err != nil {
		return err
	}
	config.Issuer, config.Subject, config.Upload = setup.Issuer, setup.Subject, setup.Upload
	for _, step := range setup.Steps {
		config.Setup = append(config.Setup, api.IntegrationStep(step))
	}
	return nil
}

// setupView is the same for the page, with what was typed into the form if it was
// that form, and with the public keys.
func (s *server) setupView(r *http.Request, session auth.Session, k *integration.Kind, filled bool) (*views.ProviderSetup, error) {
	typed := map[string]redact.Value{}
	if filled {
		for _, f := range k.Fields {
			typed[f.Key] = redact.NewValue(r.PostForm.Get("field_" + f.Key))
		}
	}
	setup, err := s.Integrations.Setup(r.Context(), session.Actor, k, typed)
	if err != nil {
		return nil, err
	}
	out := &views.ProviderSetup{
		Issuer: setup.Issuer, Subject: setup.Subject, Audience: setup.Audience, Upload: setup.Upload,
		Insecure: !strings.HasPrefix(setup.Issuer, "https://"), OpenKeys: r.PostForm.Get("do") == "keys" && filled,
	}
	for _, step := range setup.Steps {
		out.Steps = append(out.Steps, views.SetupStep(step))
	}
	set, until, err := s.Issuer.Published(r.Context())
	if err != nil || len(set.Keys) == 0 {
		return out, err
	}
	keys, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return nil, err
	}
	out.Keys, out.KeysUntil = string(keys), views.Stamp{At: until}
	return out, nil
}

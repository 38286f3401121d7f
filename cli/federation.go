package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"infsh/api"
)

// connectFederation connects a provider that trusts the server. Before its fields
// are there it says what to set at the provider.
func (p *program) connectFederation(ctx context.Context, s *session, in api.IntegrationConnect) error {
	all, err := s.IntegrationConfigs(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(c api.IntegrationConfig) bool { return c.Provider == in.Provider && c.Type == in.Type })
	if i < 0 {
		return fail(ExitNotFound, "No provider "+inert(in.Provider)+" is connected by "+in.Type+".", "What can be connected: infsh integrations list --available")
	}
	config := all[i]
	var missing []string
	for _, f := range config.SecretFields {
		if _, given := in.Metadata[f.Key]; !given && !f.Optional && f.Default == "" {
			missing = append(missing, "--field "+inert(f.Key)+"=…")
		}
	}
	if len(missing) > 0 {
		p.notef("Set at %s that it trusts this server for the team.", config.ShortName)
		p.notef("Issuer:  %s", config.Issuer)
		p.notef("Subject: %s", config.Subject)
		for _, step := range config.Setup {
			p.notef("")
			p.notef("# %s", step.Label)
			for line := range strings.Lines(step.Text) {
				p.notef("%s", strings.TrimRight(line, "\n"))
			}
		}
		p.notef("")
		for _, f := range config.SecretFields {
			note := ""
			switch {
			case f.Default != "":
				note = " (" + f.Default + " if it is not given)"
			case f.Optional:
				note = " (may be left out)"
			}
			p.notef("--field %s=…  %s%s", f.Key, f.Label, note)
		}
		return Usage("%s is missing; run it again with that when it is set there", strings.Join(missing, " "))
	}
	made, err := s.ConnectIntegration(ctx, in)
	if err != nil {
		return err
	}
	if made.Integration == nil {
		return errors.New("the server did not say what was connected")
	}
	p.notef("Connected %s (%s).", inert(made.Integration.DisplayName), inert(made.Integration.AccountName))
	return nil
}

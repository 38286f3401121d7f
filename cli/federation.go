package cli

import (
	"context"
	"errors"
	"strings"

	"infsh/api"
)

// connectFederation connects a provider that trusts the server. Before its fields
// are there it says what to set at the provider.
func (p *program) connectFederation(ctx context.Context, s *session, config api.IntegrationConfig, in api.IntegrationConnect, fields []string) error {
	var missing []string
	for _, f := range config.SecretFields {
		if _, given := in.Metadata[f.Key]; !given && !f.Optional && f.Default == "" {
			missing = append(missing, "--field "+inert(f.Key)+"=…")
		}
	}
	if len(missing) > 0 {
		if err := p.setUp(ctx, s, config, in, fields); err != nil {
			return err
		}
		return Usage("%s is missing; run it again with that when it is set there", strings.Join(missing, " "))
	}
	made, err := s.ConnectIntegration(ctx, in)
	if err != nil {
		return wrongFlags(err, in)
	}
	if made.Integration == nil {
		return errors.New("the server did not say what was connected")
	}
	p.notef("Connected %s (%s).", inert(made.Integration.DisplayName), inert(made.Integration.AccountName))
	return nil
}

// setUp says what to set at the provider, for the fields that were given.
func (p *program) setUp(ctx context.Context, s *session, config api.IntegrationConfig, in api.IntegrationConnect, fields []string) error {
	if len(fields) > 0 {
		typed := map[string]string{}
		for _, field := range fields {
			key, text, _ := strings.Cut(field, "=")
			if !hasField(config, key) { // It may be a secret, which is in no URL.
				var keys []string
				for _, f := range config.SecretFields {
					keys = append(keys, f.Key)
				}
				return Usage("there is no --field of that name; there are %s", inert(strings.Join(keys, ", ")))
			}
			typed[key] = text
		}
		filled, err := s.IntegrationSetup(ctx, in.Provider, in.Type, typed)
		if err != nil {
			return wrongFlags(err, in)
		}
		config = filled
	}
	if !strings.HasPrefix(config.Issuer, "https://") {
		p.notef("warning: this server's public URL does not begin with https://, so %s will not trust it. Whoever runs it sets --public-url.", config.ShortName)
	}
	p.notef("Set at %s that it trusts this server for the team.", config.ShortName)
	p.notef("Issuer:  %s", config.Issuer)
	p.notef("Subject: %s", config.Subject)
	for _, step := range config.Setup {
		p.command(step.Label, step.Text)
	}
	if config.Upload != "" {
		p.command("Only where "+config.ShortName+" can't reach this server: upload its public keys, which Settings → Integrations → "+config.ShortName+" makes and shows", config.Upload)
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
	return nil
}

func hasField(config api.IntegrationConfig, key string) bool {
	for _, f := range config.SecretFields {
		if f.Key == key && !f.Sensitive {
			return true
		}
	}
	return false
}

// command prints what is to be run elsewhere, with what it is for.
func (p *program) command(label, text string) {
	p.notef("")
	p.notef("# %s", label)
	for line := range strings.Lines(text) {
		p.notef("%s", strings.TrimRight(line, "\n"))
	}
}

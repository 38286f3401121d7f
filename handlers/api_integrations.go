package handlers

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"infsh/api"
	"infsh/integration"
	"infsh/listing"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// integrationRoutes are the calls on integrations, below either of their names.
func (s *server) integrationRoutes(base string) []route {
	ap := func(method, path string, f apiFunc) route {
		return route{method: method, path: base + path, access: machine, api: f}
	}
	return []route{
		ap("POST", "/list", s.listIntegrations),
		ap("GET", "/available", s.integrationConfigs),
		ap("GET", "/configs", s.integrationConfigs),
		ap("GET", "/capabilities", s.integrationCapabilities),
		ap("POST", "/check", s.check),
		ap("POST", "", s.connectIntegration),
		ap("POST", "/complete", s.completeIntegration),
		ap("GET", "/{provider}", s.getIntegration),
		ap("PUT", "/{provider}/client", s.setIntegrationClient),
		ap("PUT", "/{provider}/primary", s.makeIntegrationPrimary),
		ap("DELETE", "/{provider}", s.disconnectIntegration),
	}
}

var integrationList = listing.List[integration.Connection]{
	Name: "integrations",
	Fields: []listing.Field[integration.Connection]{
		listing.Searched(listing.TextField("provider", func(c integration.Connection) string { return c.Provider })),
		listing.Searched(listing.TextField("account_name", func(c integration.Connection) string { return c.AccountName })),
		listing.TextField("status", func(c integration.Connection) string { return string(c.Status) }),
		listing.TimeField("created_at", func(c integration.Connection) time.Time { return c.CreatedAt }),
		listing.TimeField("updated_at", func(c integration.Connection) time.Time { return c.UpdatedAt }),
		listing.Searched(listing.IDField(func(c integration.Connection) string { return c.ID })),
	},
	SortedBy: listing.Order{Field: "provider"},
}

func (s *server) listIntegrations(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q, err := listQuery(r, integrationList)
	if err != nil {
		return err
	}
	all, err := s.Integrations.List(r.Context(), actor)
	if err != nil {
		return err
	}
	return writeList(w, integrationList, integrationList.Cut(all, q), q, s.integrationJSON)
}

// integrationConfigs answers what can be connected, how, and what is.
func (s *server) integrationConfigs(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	all, err := s.Integrations.List(r.Context(), actor)
	if err != nil {
		return err
	}
	clients, err := s.Integrations.Clients(r.Context(), actor)
	if err != nil {
		return err
	}
	ready := map[string]bool{}
	for _, c := range clients {
		ready[c.Provider] = true
	}
	query := r.URL.Query()
	typed, err := typedQuery(query)
	if err != nil {
		return err
	}
	out := []api.IntegrationConfig{}
	for _, p := range s.Integrations.Catalogue().Providers() {
		for _, k := range p.Kinds {
			if query.Has("provider") && query.Get("provider") != p.ID || query.Has("type") && query.Get("type") != string(k.Type) {
				continue
			}
			config := api.IntegrationConfig{
				Slug: p.ID + "-" + string(k.Type), Provider: p.ID, Type: string(k.Type), Name: p.Name + ": " + k.Name, ShortName: p.Name, Description: p.About,
				HowItWorks: k.Steps, DocsURL: cmp.Or(k.Docs, p.Docs), SecretFields: []api.IntegrationField{}, AllowsBYOK: true, Available: true, Grant: k.Gives(), Command: p.Command(k, ""), Env: k.Names(),
			}
			if k.Type == integration.OAuth {
				config.RedirectURL, config.Available = s.Integrations.RedirectURL(), ready[p.ID]
			}
			if k.Type == integration.Federation {
				if err := s.setupJSON(r, actor, k, typed, &config); err != nil {
					return err
				}
			}
			for _, f := range k.Fields {
				config.SecretFields = append(config.SecretFields, api.IntegrationField{Key: f.Key, Label: f.Label, Placeholder: f.Placeholder, Default: f.Default, Sensitive: f.Sensitive, Optional: f.Optional})
			}
			for _, c := range all {
				if c.Provider == p.ID && c.Type == k.Type && c.Primary {
					shown := s.integrationJSON(c)
					config.Credential = &shown
				}
			}
			out = append(out, config)
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

// typedQuery is what the commands of a set-up are to be for.
func typedQuery(query url.Values) (map[string]redact.Value, error) {
	typed := map[string]redact.Value{}
	for _, field := range query["field"] {
		key, text, ok := strings.Cut(field, "=")
		if !ok || !query.Has("provider") || !query.Has("type") {
			return nil, problem.Invalid("field", "it is KEY=TEXT, and goes with provider and type")
		}
		typed[key] = redact.NewValue(text)
	}
	return typed, nil
}

// integrationCapabilities answers what apps may declare.
func (s *server) integrationCapabilities(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if _, err := s.Integrations.List(r.Context(), actor); err != nil {
		return err
	}
	out := []api.Capability{}
	for _, p := range s.Integrations.Catalogue().Providers() {
		for _, c := range p.Capabilities {
			out = append(out, api.Capability{Key: c.Key, Provider: p.ID, Description: c.Words, Scopes: append([]string{}, c.Scopes...)})
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) connectIntegration(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.IntegrationConnect
	if err := decode(r, &body); err != nil {
		return err
	}
	if body.ConnectionScope != "" && body.ConnectionScope != "team" {
		return problem.Invalid("connection_scope", "an integration belongs to the team; leave it out, or send team")
	}
	fields := map[string]redact.Value{}
	for name, v := range body.Metadata {
		if v != nil {
			fields[name] = v.Value
		}
	}
	if kind, ok := s.kindOf(body.Provider, body.Type); ok && body.APIKey != nil && len(kind.Fields) > 0 {
		fields[kind.Fields[0].Key] = body.APIKey.Value
	}
	way := integration.Type(body.Type)
	if kind, ok := s.kindOf(body.Provider, body.Type); ok {
		way = kind.Type
	}
	if way != "" && way != integration.OAuth {
		made, err := s.Integrations.Connect(r.Context(), actor, integration.Typed{Provider: body.Provider, Type: way, Fields: fields, ConnectionID: body.ID})
		if err != nil {
			return err
		}
		shown := s.integrationJSON(made)
		return writeJSON(w, http.StatusCreated, api.IntegrationConnected{Integration: &shown, Message: "Connected."})
	}
	begun, err := s.Integrations.Begin(r.Context(), actor, integration.Begin{
		Provider: body.Provider, Capabilities: body.Capabilities, Scopes: body.Scopes, ConnectionID: body.ID, Fields: fields, Port: body.Port,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.IntegrationConnected{
		AuthURL: begun.URL, State: begun.State,
		Instructions: "Open auth_url in a browser within ten minutes, and send the code that comes back to POST /integrations/complete with the same API key.",
	})
}

func (s *server) kindOf(provider, kind string) (*integration.Kind, bool) {
	p, ok := s.Integrations.Catalogue().Provider(provider)
	if !ok {
		return nil, false
	}
	if kind == "" {
		return p.Kinds[0], true
	}
	return p.Kind(integration.Type(kind))
}

func (s *server) completeIntegration(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.IntegrationComplete
	if err := decode(r, &body); err != nil {
		return err
	}
	var in integration.Answer
	if body.State != nil {
		in.State = body.State.Value
	}
	if body.Code != nil {
		in.Code = body.Code.Value
	}
	in.Issuer, in.Error = body.Issuer, body.Error
	made, err := s.Integrations.Complete(r.Context(), actor, in)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.integrationJSON(made))
}

func (s *server) getIntegration(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, err := s.Integrations.Get(r.Context(), actor, r.PathValue("provider"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.integrationJSON(found))
}

func (s *server) setIntegrationClient(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.IntegrationClientWrite
	if err := decode(r, &body); err != nil {
		return err
	}
	var secret redact.Value
	if body.ClientSecret != nil {
		secret = body.ClientSecret.Value
	}
	made, err := s.Integrations.SetClient(r.Context(), actor, r.PathValue("provider"), body.ClientID, secret)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.IntegrationClient{Provider: made.Provider, ClientID: made.ClientID, UpdatedAt: made.UpdatedAt})
}

func (s *server) makeIntegrationPrimary(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := noBody(r); err != nil {
		return err
	}
	made, err := s.Integrations.MakePrimary(r.Context(), actor, r.PathValue("provider"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.integrationJSON(made))
}

// disconnectIntegration takes an id, or a provider that has one account.
func (s *server) disconnectIntegration(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	id, err := s.Integrations.Only(r.Context(), actor, r.PathValue("provider"))
	if err != nil {
		return err
	}
	if _, _, err := s.Integrations.Disconnect(r.Context(), actor, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) integrationJSON(c integration.Connection) api.Integration {
	out := api.Integration{
		Owned:    api.Owned{Object: api.Object{ID: c.ID, ShortID: shortID(c.ID), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}, UserID: c.CreatedByID, TeamID: c.TeamID, Visibility: api.VisibilityPrivate},
		Provider: c.Provider, Type: string(c.Type), Grant: "credentials", Scope: "team", Status: string(c.Status), DisplayName: c.Provider,
		AccountIdentifier: c.AccountID, AccountName: c.Name(), Scopes: append([]string{}, c.Scopes...), ExpiresAt: optionalTime(c.ExpiresAt), RefreshedAt: optionalTime(c.RefreshedAt),
		IsPrimary: c.Primary, ErrorMessage: c.Problem,
	}
	if p, ok := s.Integrations.Catalogue().Provider(c.Provider); ok {
		out.DisplayName = p.Name
		if k, ok := p.Kind(c.Type); ok {
			out.Grant = k.Gives()
		}
	}
	return out
}

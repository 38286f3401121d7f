package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Types of integrations.
const (
	IntegrationOAuth          = "oauth"
	IntegrationFederation     = "workload_identity"
	IntegrationAPIKey         = "api_key"
	IntegrationServiceAccount = "service_account"
)

// Integration is an account of a team at a provider. No token is in it.
type Integration struct {
	Owned
	Provider string `json:"provider"`
	// Type is oauth, api_key, service_account or workload_identity.
	Type string `json:"type"`
	// Grant is what apps receive: a token that is kept fresh, or credentials.
	Grant string `json:"grant"`
	// Scope is "team": whose it is.
	Scope string `json:"scope"`
	// Status is connected, expired or error.
	Status            string   `json:"status"`
	DisplayName       string   `json:"display_name"`
	AccountIdentifier string   `json:"account_identifier,omitempty"`
	AccountName       string   `json:"account_name,omitempty"`
	Scopes            []string `json:"scopes"`
	// ExpiresAt is when the access token ends; it is renewed before.
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	RefreshedAt  *time.Time `json:"refreshed_at,omitempty"`
	IsPrimary    bool       `json:"is_primary"`
	ErrorMessage string     `json:"error_message,omitempty"`
}

// IntegrationConfig is a way to connect a provider.
type IntegrationConfig struct {
	Slug        string `json:"slug"`
	Provider    string `json:"provider"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	ShortName   string `json:"short_name"`
	Description string `json:"description"`
	// HowItWorks are the steps that a person takes at the provider.
	HowItWorks   []string           `json:"how_it_works"`
	DocsURL      string             `json:"docs_url,omitempty"`
	SecretFields []IntegrationField `json:"secret_fields"`
	// AllowsBYOK is true: the team brings its own client or key.
	AllowsBYOK bool `json:"allows_byok"`
	// Available says that it can be connected now: for oauth, that the team has
	// its client.
	Available  bool   `json:"available"`
	HasManaged bool   `json:"has_managed"`
	Grant      string `json:"grant"`
	// RedirectURL is what is registered at the provider, for oauth.
	RedirectURL string `json:"redirect_url,omitempty"`
	// Issuer and Subject are whom the provider is to trust, for workload_identity,
	// and Setup are the commands that do it.
	Issuer  string            `json:"issuer,omitempty"`
	Subject string            `json:"subject,omitempty"`
	Setup   []IntegrationStep `json:"setup,omitempty"`
	// Upload is the command that gives the provider the public keys, where it can't
	// fetch them.
	Upload string `json:"upload,omitempty"`
	// Command connects it on the command line.
	Command string `json:"command"`
	// Env are the names that an app receives.
	Env        []string     `json:"env"`
	Credential *Integration `json:"credential,omitempty"`
}

// IntegrationStep is a command with what it is for.
type IntegrationStep struct {
	Label string `json:"label"`
	Text  string `json:"text"`
}

// IntegrationField is an input of the form of a key.
type IntegrationField struct {
	Key         string `json:"key"`
	Label       string `json:"label"`
	Placeholder string `json:"placeholder"`
	Default     string `json:"default,omitempty"`
	Sensitive   bool   `json:"sensitive"`
	Optional    bool   `json:"optional"`
}

// Capability is what an app may declare of a provider.
type Capability struct {
	Key         string   `json:"key"`
	Provider    string   `json:"provider"`
	Description string   `json:"description"`
	Scopes      []string `json:"scopes"`
}

// IntegrationConnect is the body of POST /integrations. Of the type oauth it is
// answered with the address to which a person goes; of the others the key is
// stored, once the provider has accepted it.
type IntegrationConnect struct {
	Provider string `json:"provider"`
	Type     string `json:"type,omitempty"`
	// Scopes are a provider's own, and Capabilities names such as google.sheets.
	Scopes       []string `json:"scopes,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	// ID is an integration that gets more scopes, or is connected again.
	ID string `json:"id,omitempty"`
	// Port is where a command line on the person's machine waits for the answer.
	Port int `json:"port,omitempty"`
	// APIKey is the value of the form's first field, and Metadata those of others.
	APIKey   *Plaintext            `json:"api_key,omitempty"`
	Metadata map[string]*Plaintext `json:"metadata,omitempty"`
	// ConnectionScope is whose it is: "team", or empty.
	ConnectionScope string `json:"connection_scope,omitempty"`
}

// IntegrationConnected is its answer.
type IntegrationConnected struct {
	Integration *Integration `json:"integration,omitempty"`
	// AuthURL is where the person goes.
	AuthURL      string `json:"auth_url,omitempty"`
	State        string `json:"state,omitempty"`
	Instructions string `json:"instructions,omitempty"`
	Message      string `json:"message,omitempty"`
}

// IntegrationComplete is the body of POST /integrations/complete: what the
// provider sent back with the person.
type IntegrationComplete struct {
	Provider string     `json:"provider,omitempty"`
	Type     string     `json:"type,omitempty"`
	Code     *Plaintext `json:"code"`
	State    *Plaintext `json:"state"`
	Issuer   string     `json:"iss,omitempty"`
	Error    string     `json:"error,omitempty"`
	// CodeVerifier stays on the server.
	CodeVerifier Ignored `json:"code_verifier"`
}

// IntegrationClientWrite is the body of PUT /integrations/{provider}/client: the
// team's own client of OAuth, made at the provider.
type IntegrationClientWrite struct {
	ClientID     string     `json:"client_id"`
	ClientSecret *Plaintext `json:"client_secret"`
}

// IntegrationClient is a team's client of OAuth at a provider, without its secret.
type IntegrationClient struct {
	Provider  string    `json:"provider"`
	ClientID  string    `json:"client_id"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Integrations returns all of the team's integrations.
func (c *Client) Integrations(ctx context.Context) ([]Integration, error) {
	return all[Integration](ctx, c, "/integrations/list")
}

// IntegrationConfigs returns what can be connected, and how.
func (c *Client) IntegrationConfigs(ctx context.Context) ([]IntegrationConfig, error) {
	return get[[]IntegrationConfig](ctx, c, "/integrations/configs")
}

// IntegrationSetup returns how one kind of a provider is connected, with commands
// for what was typed into its form, which is no secret.
func (c *Client) IntegrationSetup(ctx context.Context, provider, kind string, typed map[string]string) (IntegrationConfig, error) {
	q := url.Values{"provider": {provider}, "type": {kind}}
	for _, key := range slices.Sorted(maps.Keys(typed)) {
		q.Add("field", key+"="+typed[key])
	}
	found, err := get[[]IntegrationConfig](ctx, c, "/integrations/configs?"+q.Encode())
	if err != nil || len(found) == 0 {
		return IntegrationConfig{}, err
	}
	return found[0], nil
}

// ConnectIntegration begins an authorization, or stores a key.
func (c *Client) ConnectIntegration(ctx context.Context, in IntegrationConnect) (IntegrationConnected, error) {
	var out IntegrationConnected
	body, sent, err := in.encode()
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPost, "/integrations", body, sent, &out)
	return out, err
}

// CompleteIntegration hands in what a provider sent back with a person.
func (c *Client) CompleteIntegration(ctx context.Context, in IntegrationComplete) (Integration, error) {
	var out Integration
	body, sent, err := in.encode()
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPost, "/integrations/complete", body, sent, &out)
	return out, err
}

// SetIntegrationClient stores the team's client at a provider.
func (c *Client) SetIntegrationClient(ctx context.Context, provider string, in IntegrationClientWrite) (IntegrationClient, error) {
	var out IntegrationClient
	path, err := segment(provider)
	if err != nil {
		return out, err
	}
	body, sent, err := in.encode()
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPut, "/integrations/"+path+"/client", body, sent, &out)
	return out, err
}

// MakeIntegrationPrimary makes an integration the one that apps receive.
func (c *Client) MakeIntegrationPrimary(ctx context.Context, id string) (Integration, error) {
	var out Integration
	path, err := segment(id)
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPut, "/integrations/"+path+"/primary", nil, nil, &out)
	return out, err
}

// DisconnectIntegration removes an integration by its id or, where a provider
// has one, by the provider's name.
func (c *Client) DisconnectIntegration(ctx context.Context, name string) error {
	path, err := segment(name)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, http.MethodDelete, "/integrations/"+path, nil, nil, nil)
	return err
}

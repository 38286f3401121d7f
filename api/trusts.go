package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"infsh/redact"
)

// TokenPath is where runners exchange a platform's token (RFC 8693), on the same
// listener as the others.
const TokenPath = "/internal/v1/token"

// What the exchange of a token is asked for with, and what it answers.
const (
	GrantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	TokenTypeJWT       = "urn:ietf:params:oauth:token-type:jwt"
	TokenTypeID        = "urn:ietf:params:oauth:token-type:id_token"
	TokenTypeAccess    = "urn:ietf:params:oauth:token-type:access_token"
)

// TokenRequest is the form of POST /internal/v1/token (RFC 8693, section 2.1).
type TokenRequest struct {
	GrantType string `json:"grant_type"`
	// SubjectToken is the token of the platform: a signed JWT.
	SubjectToken     string `json:"subject_token"`
	SubjectTokenType string `json:"subject_token_type"`
	// Audience is the app that is to be run, namespace/name.
	Audience string `json:"audience"`
	// Team is the team's username, where the app's namespace is none.
	Team string `json:"team,omitempty"`
	// RunID is the runner's name for the run; it stands in the activity.
	RunID              string `json:"run_id,omitempty"`
	RequestedTokenType string `json:"requested_token_type,omitempty"`
	// Scope is apps:execute, whether it is asked for or not.
	Scope string `json:"scope,omitempty"`
}

// TokenResponse is the answer (RFC 8693, section 2.2). The server encodes it with
// MarshalRevealed.
type TokenResponse struct {
	AccessToken     *Plaintext `json:"access_token"`
	IssuedTokenType string     `json:"issued_token_type"`
	TokenType       string     `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn int    `json:"expires_in"`
	Scope     string `json:"scope"`
}

// MarshalRevealed encodes the answer with the credential.
func (r TokenResponse) MarshalRevealed() ([]byte, error) {
	type bare TokenResponse
	token := r.AccessToken.open()
	r.AccessToken = nil
	return json.Marshal(struct {
		bare
		AccessToken *string `json:"access_token"`
	}{bare(r), token})
}

// Exchange is what a platform's token is exchanged for.
type Exchange struct {
	Token            redact.Value
	App, Team, RunID string
}

// ExchangeToken trades a platform's token for a credential that runs one app.
func (c *Client) ExchangeToken(ctx context.Context, in Exchange) (TokenResponse, error) {
	form := url.Values{
		"grant_type": {GrantTokenExchange}, "subject_token_type": {TokenTypeJWT}, "audience": {in.App},
		"subject_token": {in.Token.Reveal()},
	}
	if in.Team != "" {
		form.Set("team", in.Team)
	}
	if in.RunID != "" {
		form.Set("run_id", in.RunID)
	}
	var out TokenResponse
	_, err := c.do(ctx, call{
		method: http.MethodPost, base: c.internal, path: TokenPath, body: []byte(form.Encode()), form: true, sent: []redact.Value{in.Token},
	}, &out)
	if err == nil && (out.AccessToken == nil || out.AccessToken.IsZero()) {
		err = &ProtocolError{URL: c.internal, Reason: "the answer has no access_token"}
	}
	return out, err
}

// TrustCondition is fulfilled by a token whose claim is one of the values.
type TrustCondition struct {
	// Claim is the name of a claim, or a JSON pointer to a member of one.
	Claim string `json:"claim"`
	// Type is string, boolean or number; string if it is left out.
	Type string `json:"type,omitempty"`
	// Values are compared exactly. A string may end with * after a colon or a slash.
	Values []string `json:"values"`
}

// TrustFields are what presets make conditions of.
type TrustFields struct {
	// Repository is owner/name or its number, of GitHub.
	Repository  string `json:"repository,omitempty"`
	Branch      string `json:"branch,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Project is group/name or its number, of GitLab.
	Project string `json:"project,omitempty"`
	Ref     string `json:"ref,omitempty"`
	// Protected admits protected branches and tags alone.
	Protected bool `json:"protected,omitempty"`
	// Namespace and ServiceAccount are of Kubernetes.
	Namespace      string `json:"namespace,omitempty"`
	ServiceAccount string `json:"service_account,omitempty"`
}

// TrustBody is the body of POST /trusts and PUT /trusts/{id}.
type TrustBody struct {
	Name string `json:"name"`
	// Preset is github, gitlab, kubernetes or other.
	Preset string `json:"preset,omitempty"`
	// Issuer is the iss of the tokens, to the letter; the preset's if it is left out.
	Issuer string `json:"issuer,omitempty"`
	// Audience is whom the tokens must be for; the server's public URL if left out.
	Audience string `json:"audience,omitempty"`
	// JWKS are the issuer's public keys, where the server can't ask for them.
	JWKS   string      `json:"jwks,omitempty"`
	Fields TrustFields `json:"fields,omitzero"`
	// Conditions come beside those that the preset makes of the fields.
	Conditions []TrustCondition `json:"conditions,omitempty"`
	// Apps are those that may be run, namespace/name.
	Apps []string `json:"apps"`
	// Reuse lets a token be exchanged again until it ends; the preset's if left out.
	Reuse *bool `json:"reuse,omitempty"`
}

// Trust is an issuer that a team trusts under conditions, for some apps.
type Trust struct {
	Owned
	Name   string `json:"name"`
	Preset string `json:"preset"`
	Issuer string `json:"issuer"`
	// Audience is whom a token must be for.
	Audience string `json:"audience"`
	// JWKS are keys that were given; empty where the issuer is asked.
	JWKS       string           `json:"jwks"`
	Conditions []TrustCondition `json:"conditions"`
	Apps       []string         `json:"apps"`
	Reuse      bool             `json:"reuse"`
	LastUsedAt *time.Time       `json:"last_used_at,omitempty"`
	// LastSubject is the sub of the token that was exchanged last.
	LastSubject string `json:"last_subject"`
}

// Trusts returns all of the team's trusts.
func (c *Client) Trusts(ctx context.Context) ([]Trust, error) {
	return all[Trust](ctx, c, "/trusts/list")
}

// CreateTrust makes a trust.
func (c *Client) CreateTrust(ctx context.Context, in TrustBody) (Trust, error) {
	var out Trust
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPost, "/trusts", body, nil, &out)
	return out, err
}

// DeleteTrust ends a trust with the credentials that came of it.
func (c *Client) DeleteTrust(ctx context.Context, id string) error {
	name, err := segment(id)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, http.MethodDelete, "/trusts/"+name, nil, nil, nil)
	return err
}

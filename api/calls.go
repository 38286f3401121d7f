package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"infsh/redact"
)

// segment escapes one segment of a path. The two that every HTTP library takes
// for a step up or down the path can't be a name of anything.
func segment(s string) (string, error) {
	if s == "" || s == "." || s == ".." {
		return "", &Error{Status: http.StatusNotFound, Title: TitleNotFound, Detail: "there is nothing of that name"}
	}
	return url.PathEscape(s), nil
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var out T
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.base, path: BasePath + path, repeatable: true}, &out)
	return out, err
}

// ask posts a question: a call that changes nothing, and so may be repeated.
func ask[T any](ctx context.Context, c *Client, base, path string, in any) (T, error) {
	var out T
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	_, err = c.do(ctx, call{method: http.MethodPost, base: base, path: path, body: body, repeatable: true}, &out)
	return out, err
}

// write sends a call that changes something. The body is nil or encoded.
func (c *Client) write(ctx context.Context, method, path string, body []byte, sent []redact.Value, out any) (int, error) {
	return c.do(ctx, call{method: method, base: c.base, path: BasePath + path, body: body, sent: sent}, out)
}

// all reads every page of a list. The number of pages is bounded, so that a
// server that never ends does not keep a client for ever.
func all[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	const pageSize, maxPages = 200, 1000
	request := ListRequest{Limit: new(pageSize)}
	items := []T{}
	for range maxPages {
		page, err := ask[List[T]](ctx, c, c.base, BasePath+path, request)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if !page.HasNext || page.NextCursor == "" {
			return items, nil
		}
		request.Cursor = page.NextCursor
	}
	return nil, &ProtocolError{URL: c.base, Reason: "its list does not end"}
}

// Me says whose credential this is.
func (c *Client) Me(ctx context.Context) (Me, error) {
	return get[Me](ctx, c, "/me")
}

// Logout revokes the login credential that it is called with.
func (c *Client) Logout(ctx context.Context) error {
	_, err := c.write(ctx, http.MethodPost, "/logout", nil, nil, nil)
	return err
}

// Teams returns the user's teams.
func (c *Client) Teams(ctx context.Context) ([]Team, error) {
	return get[[]Team](ctx, c, "/teams")
}

// CreateTeam makes a team that the user owns.
func (c *Client) CreateTeam(ctx context.Context, in TeamCreate) (Team, error) {
	var team Team
	body, err := json.Marshal(in)
	if err != nil {
		return team, err
	}
	_, err = c.write(ctx, http.MethodPost, "/teams", body, nil, &team)
	return team, err
}

// APIKeys returns the API keys that the user may see, masked.
func (c *Client) APIKeys(ctx context.Context) ([]APIKey, error) {
	return all[APIKey](ctx, c, "/apikeys/list")
}

// CreateAPIKey makes an API key. Its answer alone holds the key.
func (c *Client) CreateAPIKey(ctx context.Context, in APIKeyCreate) (APIKeyCreated, error) {
	var made APIKeyCreated
	body, err := json.Marshal(in)
	if err != nil {
		return made, err
	}
	if _, err = c.write(ctx, http.MethodPost, "/apikeys", body, nil, &made); err != nil {
		return made, err
	}
	if made.Key == nil {
		return made, &ProtocolError{URL: c.base, Reason: "the new API key has no key"}
	}
	return made, nil
}

// RevokeAPIKey ends an API key or login.
func (c *Client) RevokeAPIKey(ctx context.Context, id string) error {
	name, err := segment(id)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, http.MethodDelete, "/apikeys/"+name, nil, nil, nil)
	return err
}

// Secrets returns all of the team's secrets, masked.
func (c *Client) Secrets(ctx context.Context) ([]Secret, error) {
	return all[Secret](ctx, c, "/secrets/list")
}

func (c *Client) secretPath(key, prefix, suffix string) (string, error) {
	name, err := segment(key)
	return "/secrets" + prefix + "/" + name + suffix, err
}

// Secret returns one secret, masked.
func (c *Client) Secret(ctx context.Context, key string) (Secret, error) {
	path, err := c.secretPath(key, "", "")
	if err != nil {
		return Secret{}, err
	}
	return get[Secret](ctx, c, path)
}

// RevealSecret returns one secret with its value. The server records that.
func (c *Client) RevealSecret(ctx context.Context, key string) (Secret, error) {
	path, err := c.secretPath(key, "/reveal", "")
	if err != nil {
		return Secret{}, err
	}
	secret, err := get[Secret](ctx, c, path)
	if err != nil {
		return Secret{}, err
	}
	if secret.Value == nil {
		return Secret{}, &ProtocolError{URL: c.base, Reason: "the revealed secret has no value"}
	}
	return secret, nil
}

// SetSecret changes the secret, or adds it where it is not there yet. A nil
// Description keeps the one there is.
func (c *Client) SetSecret(ctx context.Context, in SecretWrite) (Secret, error) {
	secret, err := c.UpdateSecret(ctx, in)
	if !errors.Is(err, ErrNotFound) {
		return secret, err
	}
	secret, err = c.CreateSecret(ctx, in)
	if errors.Is(err, ErrConflict) {
		// Someone else added it in between.
		return c.UpdateSecret(ctx, in)
	}
	return secret, err
}

// UpdateSecret changes a secret that is there.
func (c *Client) UpdateSecret(ctx context.Context, in SecretWrite) (Secret, error) {
	path, err := c.secretPath(in.Key, "", "")
	if err != nil {
		return Secret{}, err
	}
	in.Key = "" // It stands in the path.
	return c.writeSecret(ctx, http.MethodPut, path, in)
}

// CreateSecret adds a secret. It fails with ErrConflict where it is there.
func (c *Client) CreateSecret(ctx context.Context, in SecretWrite) (Secret, error) {
	return c.writeSecret(ctx, http.MethodPost, "/secrets", in)
}

func (c *Client) writeSecret(ctx context.Context, method, path string, in SecretWrite) (Secret, error) {
	var secret Secret
	body, err := in.marshalRevealed()
	if err != nil {
		return secret, err
	}
	var sent []redact.Value
	if in.Value != nil {
		sent = append(sent, in.Value.Value)
	}
	_, err = c.write(ctx, method, path, body, sent, &secret)
	return secret, err
}

// DeleteSecret deletes a secret with all of its versions.
func (c *Client) DeleteSecret(ctx context.Context, key string) error {
	path, err := c.secretPath(key, "", "")
	if err != nil {
		return err
	}
	_, err = c.write(ctx, http.MethodDelete, path, nil, nil, nil)
	return err
}

// SecretVersions returns a secret's history, newest first.
func (c *Client) SecretVersions(ctx context.Context, key string) ([]SecretVersion, error) {
	path, err := c.secretPath(key, "/versions", "")
	if err != nil {
		return nil, err
	}
	versions, err := get[SecretVersions](ctx, c, path)
	return versions.Items, err
}

// RollbackSecret makes a new version that equals an earlier one.
func (c *Client) RollbackSecret(ctx context.Context, key string, version int64) (Secret, error) {
	var secret Secret
	path, err := c.secretPath(key, "/rollback", "")
	if err != nil {
		return secret, err
	}
	body, err := json.Marshal(RollbackRequest{Version: version})
	if err != nil {
		return secret, err
	}
	_, err = c.write(ctx, http.MethodPost, path, body, nil, &secret)
	return secret, err
}

// ActivateSecret puts a kept version into use, without making a new one.
func (c *Client) ActivateSecret(ctx context.Context, key string, version int64) (Secret, error) {
	var secret Secret
	path, err := c.secretPath(key, "/activate", "")
	if err != nil {
		return secret, err
	}
	body, err := json.Marshal(ActivateRequest{Version: version})
	if err != nil {
		return secret, err
	}
	_, err = c.write(ctx, http.MethodPost, path, body, nil, &secret)
	return secret, err
}

// ImportSecrets writes several secrets at once, or with DryRun says what that
// would do.
func (c *Client) ImportSecrets(ctx context.Context, in ImportRequest) (ImportResponse, error) {
	var out ImportResponse
	body, err := in.marshalRevealed()
	if err != nil {
		return out, err
	}
	var sent []redact.Value
	for _, item := range in.Items {
		if item.Value != nil {
			sent = append(sent, item.Value.Value)
		}
	}
	_, err = c.write(ctx, http.MethodPost, "/secrets/import", body, sent, &out)
	return out, err
}

// Apps returns all of the team's apps.
func (c *Client) Apps(ctx context.Context) ([]App, error) {
	return all[App](ctx, c, "/apps/list")
}

// DeployApp registers an app's declarations. It reports whether that made a
// new version; the same declarations again don't.
func (c *Client) DeployApp(ctx context.Context, in AppWrite) (app DeployedApp, made bool, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return app, false, err
	}
	status, err := c.write(ctx, http.MethodPost, "/apps", body, nil, &app)
	if app.Deployment.Version.ID == "" {
		// A server that knows no grants makes current what is deployed.
		app.Deployment = Deployment{Version: app.Version, Current: true}
		app.Deployment.Version.ID = app.VersionID
	}
	return app, status == http.StatusCreated, err
}

// CheckApp says what is set and what is missing of the declared keys.
func (c *Client) CheckApp(ctx context.Context, in CheckRequest) (CheckResponse, error) {
	return ask[CheckResponse](ctx, c, c.base, BasePath+"/apps/check", in)
}

// Resolve asks for the values that a run of an app needs. Where a required one
// is missing, the error is ErrRequirements and nothing is returned.
func (c *Client) Resolve(ctx context.Context, in ResolveRequest) (ResolveResponse, error) {
	out, err := ask[ResolveResponse](ctx, c, c.internal, ResolvePath, in)
	if err != nil {
		return ResolveResponse{}, err
	}
	for _, value := range out.Env {
		if value == nil {
			return ResolveResponse{}, &ProtocolError{URL: c.internal, Reason: "a resolved key has no value"}
		}
	}
	return out, nil
}

// ReportFindings tells what was masked in an app's output.
func (c *Client) ReportFindings(ctx context.Context, in FindingsReport) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodPost, base: c.internal, path: FindingsPath, body: body}, nil)
	return err
}

// StartDeviceLogin asks for a code that a person approves in a browser.
func (c *Client) StartDeviceLogin(ctx context.Context, clientName string) (DeviceCodeResponse, error) {
	var out DeviceCodeResponse
	body, err := json.Marshal(DeviceCodeRequest{ClientName: clientName})
	if err != nil {
		return out, err
	}
	if _, err = c.write(ctx, http.MethodPost, "/device/code", body, nil, &out); err != nil {
		return out, err
	}
	if out.DeviceCode == nil {
		return out, &ProtocolError{URL: c.base, Reason: "the login has no code"}
	}
	return out, nil
}

// PollDeviceLogin asks once whether the login was approved. Until then its
// error is an *Error with a title of RFC 8628, section 3.5.
func (c *Client) PollDeviceLogin(ctx context.Context, code redact.Value) (DeviceTokenResponse, error) {
	var out DeviceTokenResponse
	body, err := DeviceTokenRequest{DeviceCode: NewPlaintext(code)}.marshalRevealed()
	if err != nil {
		return out, err
	}
	if _, err = c.write(ctx, http.MethodPost, "/device/token", body, []redact.Value{code}, &out); err != nil {
		return out, err
	}
	if out.APIKey == nil {
		return out, &ProtocolError{URL: c.base, Reason: "the approved login has no credential"}
	}
	return out, nil
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

func grantsPath(appID, call string) (string, error) {
	id, err := segment(appID)
	return "/apps/" + id + "/grants/" + call, err
}

// Grants returns which keys an app may have, and which wait.
func (c *Client) Grants(ctx context.Context, appID string) (Grants, error) {
	path, err := grantsPath(appID, "list")
	if err != nil {
		return Grants{}, err
	}
	return ask[Grants](ctx, c, c.base, BasePath+path, struct{}{})
}

// ApproveGrants lets an app have keys that it declares.
func (c *Client) ApproveGrants(ctx context.Context, appID string, in GrantApproval) (GrantDecision, error) {
	return c.decideGrants(ctx, appID, "approve", in)
}

// RevokeGrants takes keys from an app, or denies those that wait.
func (c *Client) RevokeGrants(ctx context.Context, appID string, in GrantRevocation) (GrantDecision, error) {
	return c.decideGrants(ctx, appID, "revoke", in)
}

func (c *Client) decideGrants(ctx context.Context, appID, call string, in any) (GrantDecision, error) {
	var out GrantDecision
	path, err := grantsPath(appID, call)
	if err != nil {
		return out, err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPost, path, body, nil, &out)
	return out, err
}

// Why explains the resolver's decision about one key of an app, "namespace/name",
// in its current version if versionID is empty.
func (c *Client) Why(ctx context.Context, app, versionID, key string) (WhyResponse, error) {
	namespace, name, _ := strings.Cut(app, "/")
	path := "/apps"
	for _, part := range []string{namespace, name, "why", key} {
		s, err := segment(part)
		if err != nil {
			return WhyResponse{}, err
		}
		path += "/" + s
	}
	if versionID != "" {
		path += "?version=" + url.QueryEscape(versionID)
	}
	return get[WhyResponse](ctx, c, path)
}

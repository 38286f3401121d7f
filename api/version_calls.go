package api

import (
	"context"
	"net/http"
)

func appPath(appID string, more ...string) (string, error) {
	path := "/apps"
	for _, part := range append([]string{appID}, more...) {
		escaped, err := segment(part)
		if err != nil {
			return "", err
		}
		path += "/" + escaped
	}
	return path, nil
}

// Versions returns an app's versions, the newest first.
func (c *Client) Versions(ctx context.Context, appID string) ([]AppVersion, error) {
	path, err := appPath(appID, "versions", "list")
	if err != nil {
		return nil, err
	}
	return all[AppVersion](ctx, c, path)
}

// MakeCurrent makes a version the one that runs use which name none.
func (c *Client) MakeCurrent(ctx context.Context, appID, versionID string) (App, error) {
	var out App
	path, err := appPath(appID, "versions", versionID, "current")
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPut, path, nil, nil, &out)
	return out, err
}

// DeleteApp deletes an app with its versions and grants.
func (c *Client) DeleteApp(ctx context.Context, appID string) error {
	path, err := appPath(appID)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, http.MethodDelete, path, nil, nil, nil)
	return err
}

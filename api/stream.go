package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"infsh/redact"
)

// stream opens an answer as open does, once more with another credential where the
// one that there is was not accepted.
func (c *Client) stream(ctx context.Context, method, base, path string, body []byte, header map[string]string, mediaType string) (io.ReadCloser, error) {
	credential := c.bearer()
	opened, err := c.open(ctx, credential, method, base, path, body, header, mediaType)
	if err == nil {
		return opened, nil
	}
	if renewed, err := c.renew(ctx, credential, err); !renewed {
		return nil, err
	}
	return c.open(ctx, c.bearer(), method, base, path, body, header, mediaType)
}

// open opens an answer of a media type that is read as it comes. The call has no
// timeout but that of its context.
func (c *Client) open(ctx context.Context, credential redact.Value, method, base, path string, body []byte, header map[string]string, mediaType string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, &ProtocolError{URL: base, Reason: "the request's address is not valid"}
	}
	req.Header.Set("Accept", mediaType+", "+ProblemMediaType)
	req.Header.Set("User-Agent", c.opts.UserAgent)
	req.Header.Set("Authorization", "Bearer "+credential.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.opts.Team != "" {
		req.Header.Set(TeamHeader, c.opts.Team)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(ctx, base, err)
	}
	got, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case resp.StatusCode == http.StatusOK && got == mediaType:
		return resp.Body, nil
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		err = redirected(base, resp)
	case resp.StatusCode == http.StatusOK:
		err = &ProtocolError{URL: base, Reason: "its answer is not " + mediaType + ". Is this the address of an infsh server?"}
	default:
		answer, readErr := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if err = c.problem(call{}, resp, answer); readErr != nil {
			err = unreachable(ctx, base, readErr)
		}
	}
	resp.Body.Close()
	return nil, err
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Webhook is an endpoint that receives the team's events.
type Webhook struct {
	Owned
	URL         string `json:"url"`
	Description string `json:"description"`
	// Events are the types that it receives; an empty list means all.
	Events  []string `json:"events"`
	Enabled bool     `json:"enabled"`
	// DisabledReason says why the server switched it off.
	DisabledReason string     `json:"disabled_reason,omitempty"`
	FailingSince   *time.Time `json:"failing_since,omitempty"`
}

// WebhookCreate is the body of POST /webhooks. No Events means all.
type WebhookCreate struct {
	URL         string   `json:"url"`
	Description string   `json:"description,omitempty"`
	Events      []string `json:"events,omitempty"`
}

// WebhookUpdate is the body of PUT /webhooks/{id}; nil keeps what there is.
type WebhookUpdate struct {
	URL         *string   `json:"url,omitempty"`
	Description *string   `json:"description,omitempty"`
	Events      *[]string `json:"events,omitempty"`
	Enabled     *bool     `json:"enabled,omitempty"`
}

// WebhookCreated is the answer to POST /webhooks and POST /webhooks/{id}/rotate,
// the only ones that hold the signing secret. The server encodes it with
// MarshalRevealed.
type WebhookCreated struct {
	Webhook
	Secret *Plaintext `json:"secret"`
}

// WebhookMessage is one message to an endpoint; ID is its header webhook-id.
type WebhookMessage struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	// State is pending, delivered or failed.
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
	// NextAt is when a pending one is tried next.
	NextAt *time.Time `json:"next_at,omitempty"`
	LastAt *time.Time `json:"last_at,omitempty"`
	// LastStatus is the HTTP status of the last answer, 0 if none came.
	LastStatus int    `json:"last_status,omitempty"`
	LastError  string `json:"last_error,omitempty"`
}

// WebhookMessages is the answer to GET /webhooks/{id}/deliveries, newest first.
type WebhookMessages struct {
	Items []WebhookMessage `json:"items"`
}

// Webhooks returns all of the team's webhooks.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	return all[Webhook](ctx, c, "/webhooks/list")
}

// CreateWebhook adds an endpoint. Its signing secret is in this answer alone.
func (c *Client) CreateWebhook(ctx context.Context, in WebhookCreate) (WebhookCreated, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return WebhookCreated{}, err
	}
	return c.signingSecret(ctx, "/webhooks", body)
}

// RotateWebhook makes a new signing secret, which is in this answer alone. The
// one before signs too for another day.
func (c *Client) RotateWebhook(ctx context.Context, id string) (WebhookCreated, error) {
	path, err := webhookPath(id, "/rotate")
	if err != nil {
		return WebhookCreated{}, err
	}
	return c.signingSecret(ctx, path, nil)
}

func (c *Client) signingSecret(ctx context.Context, path string, body []byte) (WebhookCreated, error) {
	var out WebhookCreated
	if _, err := c.write(ctx, http.MethodPost, path, body, nil, &out); err != nil {
		return out, err
	}
	if out.Secret == nil {
		return out, &ProtocolError{URL: c.base, Reason: "the webhook comes without its signing secret"}
	}
	return out, nil
}

func webhookPath(id, suffix string) (string, error) {
	name, err := segment(id)
	return "/webhooks/" + name + suffix, err
}

// DeleteWebhook removes an endpoint.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	path, err := webhookPath(id, "")
	if err != nil {
		return err
	}
	_, err = c.write(ctx, http.MethodDelete, path, nil, nil, nil)
	return err
}

// TestWebhook sends a message of type webhook.test.
func (c *Client) TestWebhook(ctx context.Context, id string) (WebhookMessage, error) {
	var out WebhookMessage
	path, err := webhookPath(id, "/test")
	if err != nil {
		return out, err
	}
	_, err = c.write(ctx, http.MethodPost, path, nil, nil, &out)
	return out, err
}

// WebhookMessages returns the latest messages to an endpoint, newest first.
func (c *Client) WebhookMessages(ctx context.Context, id string) ([]WebhookMessage, error) {
	path, err := webhookPath(id, "/deliveries")
	if err != nil {
		return nil, err
	}
	out, err := get[WebhookMessages](ctx, c, path)
	return out.Items, err
}

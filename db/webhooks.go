package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"infsh/audit"
	"infsh/problem"
	"infsh/webhook"
)

// Webhooks implements webhook.Store.
type Webhooks struct{ db *DB }

// Webhooks returns the store of webhooks.
func (d *DB) Webhooks() *Webhooks { return &Webhooks{db: d} }

func (s *Webhooks) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.db.AppendAudit(ctx, e)
}

func (s *Webhooks) View(ctx context.Context, fn func(webhook.Reader) error) error {
	return s.db.view(ctx, func(q querier) error { return fn(webhookTx{q}) })
}

func (s *Webhooks) Update(ctx context.Context, fn func(webhook.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(webhookTx{q}) })
}

type webhookTx struct{ q querier }

type webhookRow struct {
	ID             string `db:"id"`
	TeamID         string `db:"team_id"`
	URL            string `db:"url"`
	Description    string `db:"description"`
	Events         string `db:"events"`
	Enabled        int64  `db:"enabled"`
	DisabledReason string `db:"disabled_reason"`
	FailingSince   int64  `db:"failing_since"`
	CreatedBy      string `db:"created_by"`
	CreatedAt      int64  `db:"created_at"`
	UpdatedAt      int64  `db:"updated_at"`
}

func (r webhookRow) webhook() webhook.Webhook {
	w := webhook.Webhook{
		ID: r.ID, TeamID: r.TeamID, URL: r.URL, Description: r.Description, Enabled: r.Enabled != 0, DisabledReason: r.DisabledReason,
		FailingSince: fromMicros(r.FailingSince), CreatedByID: r.CreatedBy, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
	for _, t := range strings.Fields(r.Events) {
		w.Events = append(w.Events, webhook.Type(t))
	}
	return w
}

func joinTypes(types []webhook.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	return strings.Join(names, " ")
}

const selectWebhooks = `SELECT id, team_id, url, description, events, enabled, disabled_reason, failing_since, created_by, created_at, updated_at
	FROM webhooks WHERE team_id = ?`

func (t webhookTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

func (t webhookTx) LockTeam(ctx context.Context, team string) ([]byte, error) {
	return wrappedDEK(ctx, t.q, team, t.q.forUpdate())
}

func (t webhookTx) Webhooks(ctx context.Context, team string) ([]webhook.Webhook, error) {
	var rows []webhookRow
	if err := t.q.list(ctx, &rows, selectWebhooks+" ORDER BY created_at, id", team); err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	out := make([]webhook.Webhook, len(rows))
	for i, r := range rows {
		out[i] = r.webhook()
	}
	return out, nil
}

func (t webhookTx) Webhook(ctx context.Context, team, id string) (webhook.Webhook, error) {
	var row webhookRow
	err := t.q.get(ctx, &row, selectWebhooks+" AND id = ?", team, id)
	if errors.Is(err, sql.ErrNoRows) {
		return webhook.Webhook{}, problem.New(problem.NotFound, "Not found: there is no such webhook in this team.")
	}
	return row.webhook(), err
}

type messageRow struct {
	ID         string `db:"id"`
	TeamID     string `db:"team_id"`
	WebhookID  string `db:"webhook_id"`
	Type       string `db:"type"`
	Payload    string `db:"payload"`
	State      string `db:"state"`
	Attempts   int    `db:"attempts"`
	CreatedAt  int64  `db:"created_at"`
	NextAt     int64  `db:"next_at"`
	LastAt     int64  `db:"last_at"`
	LastStatus int    `db:"last_status"`
	LastError  string `db:"last_error"`
}

func (r messageRow) message() webhook.Message {
	return webhook.Message{
		ID: r.ID, TeamID: r.TeamID, WebhookID: r.WebhookID, Type: webhook.Type(r.Type), Payload: []byte(r.Payload), State: webhook.State(r.State),
		Attempts: r.Attempts, CreatedAt: fromMicros(r.CreatedAt), NextAt: fromMicros(r.NextAt), LastAt: fromMicros(r.LastAt),
		LastStatus: r.LastStatus, LastError: r.LastError,
	}
}

const selectMessages = `SELECT id, team_id, webhook_id, type, payload, state, attempts, created_at, next_at, last_at, last_status, last_error
	FROM webhook_messages`

func (t webhookTx) Messages(ctx context.Context, team, webhookID string, limit int) ([]webhook.Message, error) {
	var rows []messageRow
	err := t.q.list(ctx, &rows, selectMessages+" WHERE team_id = ? AND webhook_id = ? ORDER BY created_at DESC, id DESC LIMIT ?", team, webhookID, limit)
	if err != nil {
		return nil, fmt.Errorf("list the messages of a webhook: %w", err)
	}
	out := make([]webhook.Message, len(rows))
	for i, r := range rows {
		out[i] = r.message()
	}
	return out, nil
}

func (t webhookTx) Insert(ctx context.Context, w webhook.Webhook) error {
	_, err := t.q.exec(ctx, `INSERT INTO webhooks (id, team_id, url, description, events, enabled, disabled_reason, failing_since, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		w.ID, w.TeamID, w.URL, w.Description, joinTypes(w.Events), number(w.Enabled), w.DisabledReason, micros(w.FailingSince), w.CreatedByID, micros(w.CreatedAt), micros(w.UpdatedAt))
	return err
}

func (t webhookTx) Save(ctx context.Context, w webhook.Webhook) error {
	_, err := t.q.exec(ctx, `UPDATE webhooks SET url = ?, description = ?, events = ?, enabled = ?, disabled_reason = ?, failing_since = ?, updated_at = ?
		WHERE team_id = ? AND id = ?`,
		w.URL, w.Description, joinTypes(w.Events), number(w.Enabled), w.DisabledReason, micros(w.FailingSince), micros(w.UpdatedAt), w.TeamID, w.ID)
	return err
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (t webhookTx) Delete(ctx context.Context, team, id string) error {
	*t.q.scrub = true
	_, err := t.q.exec(ctx, "DELETE FROM webhooks WHERE team_id = ? AND id = ?", team, id)
	return err
}

func (t webhookTx) Secrets(ctx context.Context, team, webhookID string) ([]webhook.Sealed, error) {
	return signingSecrets(ctx, t.q, team, webhookID)
}

func signingSecrets(ctx context.Context, q querier, team, webhookID string) ([]webhook.Sealed, error) {
	var rows []struct {
		Version   int64  `db:"version"`
		Value     []byte `db:"value"`
		ExpiresAt int64  `db:"expires_at"`
	}
	err := q.list(ctx, &rows, "SELECT version, value, expires_at FROM webhook_secrets WHERE team_id = ? AND webhook_id = ? ORDER BY version DESC", team, webhookID)
	out := make([]webhook.Sealed, len(rows))
	for i, r := range rows {
		out[i] = webhook.Sealed{Version: r.Version, Value: r.Value, ExpiresAt: fromMicros(r.ExpiresAt)}
	}
	return out, err
}

func (t webhookTx) AddSecret(ctx context.Context, team, webhookID string, s webhook.Sealed) error {
	_, err := t.q.exec(ctx, "INSERT INTO webhook_secrets (team_id, webhook_id, version, value, expires_at) VALUES (?, ?, ?, ?, ?)",
		team, webhookID, s.Version, s.Value, micros(s.ExpiresAt))
	return err
}

func (t webhookTx) ExpireSecrets(ctx context.Context, team, webhookID string, upTo int64, end, now time.Time) error {
	if _, err := t.q.exec(ctx, "DELETE FROM webhook_secrets WHERE team_id = ? AND webhook_id = ? AND expires_at > 0 AND expires_at <= ?", team, webhookID, micros(now)); err != nil {
		return err
	}
	_, err := t.q.exec(ctx, "UPDATE webhook_secrets SET expires_at = ? WHERE team_id = ? AND webhook_id = ? AND version <= ? AND expires_at = 0", micros(end), team, webhookID, upTo)
	return err
}

func (t webhookTx) Enqueue(ctx context.Context, m webhook.Message) error { return enqueue(ctx, t.q, m) }

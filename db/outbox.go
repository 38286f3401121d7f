package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/audit"
	"infsh/webhook"
)

// Outbox implements webhook.Outbox.
type Outbox struct{ db *DB }

// Outbox returns the messages that wait to be delivered.
func (d *DB) Outbox() *Outbox { return &Outbox{db: d} }

// enqueueEvents puts the events that a transaction's audit entries are into the
// outbox, for each endpoint that wants them: both are committed, or neither.
func enqueueEvents(ctx context.Context, q querier, entries []audit.Entry) error {
	var endpoints []webhook.Webhook
	asked := ""
	for _, e := range entries {
		t, body, ok := webhook.EventOf(e)
		if !ok {
			continue
		}
		if asked != e.TeamID {
			var err error
			if endpoints, err = (webhookTx{q}).Webhooks(ctx, e.TeamID); err != nil {
				return err
			}
			asked = e.TeamID
		}
		for _, w := range endpoints {
			if !w.Enabled || !w.Wants(t) {
				continue
			}
			if err := enqueue(ctx, q, webhook.NewMessage(w, t, body, e.At)); err != nil {
				return err
			}
		}
	}
	return nil
}

func enqueue(ctx context.Context, q querier, m webhook.Message) error {
	_, err := q.exec(ctx, `INSERT INTO webhook_messages (id, team_id, webhook_id, type, payload, state, attempts, created_at, next_at, leased_until, last_at, last_status, last_error)
		VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, 0, 0, 0, '')`,
		m.ID, m.TeamID, m.WebhookID, string(m.Type), string(m.Payload), string(m.State), micros(m.CreatedAt), micros(m.NextAt))
	return err
}

// Due implements webhook.Outbox. Of each endpoint it is the message that has
// waited longest, and none while another is on its way, or is leased to nobody
// since the endpoint asked for a pause. Teams take turns, and what a team has on
// its way counts as turns that it had.
func (o *Outbox) Due(ctx context.Context, now time.Time, room webhook.Room) ([]string, error) {
	var ids []string
	at := micros(now)
	err := o.db.statement().list(ctx, &ids, `WITH due AS (
			SELECT m.id, m.team_id, m.next_at, CASE WHEN w.failing_since > 0 THEN 1 ELSE 0 END AS failing,
				ROW_NUMBER() OVER (PARTITION BY m.webhook_id ORDER BY m.next_at, m.id) AS place
			FROM webhook_messages m JOIN webhooks w ON w.id = m.webhook_id AND w.enabled = 1
			WHERE m.state = 'pending' AND m.next_at <= ? AND NOT EXISTS (
				SELECT 1 FROM webhook_messages o WHERE o.webhook_id = m.webhook_id AND o.state = 'pending' AND o.leased_until > ?)
		), busy AS (
			SELECT m.team_id, CASE WHEN w.failing_since > 0 THEN 1 ELSE 0 END AS failing, COUNT(*) AS messages
			FROM webhook_messages m JOIN webhooks w ON w.id = m.webhook_id
			WHERE m.state = 'pending' AND m.next_at <= ? AND m.leased_until > ?
			GROUP BY 1, 2
		), turns AS (
			SELECT due.id, due.next_at, due.failing,
				COALESCE(busy.messages, 0) + ROW_NUMBER() OVER (PARTITION BY due.team_id, due.failing ORDER BY due.next_at, due.id) AS turn
			FROM due LEFT JOIN busy ON busy.team_id = due.team_id AND busy.failing = due.failing
			WHERE due.place = 1
		), places AS (
			SELECT id, next_at, failing, turn, ROW_NUMBER() OVER (PARTITION BY failing ORDER BY turn, next_at, id) AS place
			FROM turns WHERE failing = 0 AND turn <= ? OR failing = 1 AND turn <= ?
		)
		SELECT id FROM places WHERE failing = 0 OR place <= ? ORDER BY turn, next_at, id LIMIT ?`,
		at, at, at, at, room.Team, room.TeamFailing, room.Failing, room.All)
	return ids, err
}

// Lease implements webhook.Outbox.
func (o *Outbox) Lease(ctx context.Context, id string, now, until time.Time) (job webhook.Job, ok bool, err error) {
	err = o.db.update(ctx, func(q querier) error {
		job, ok = webhook.Job{}, false
		n, err := q.exec(ctx, `UPDATE webhook_messages SET leased_until = ?, attempts = attempts + 1
			WHERE id = ? AND state = 'pending' AND next_at <= ? AND leased_until <= ?`, micros(until), id, micros(now), micros(now))
		if err != nil || n == 0 {
			return err
		}
		var row messageRow
		if err := q.get(ctx, &row, selectMessages+" WHERE id = ?", id); err != nil {
			return err
		}
		job.Message = row.message()
		if job.Webhook, err = (webhookTx{q}).Webhook(ctx, row.TeamID, row.WebhookID); err != nil {
			return err
		}
		if job.WrappedDEK, err = wrappedDEK(ctx, q, row.TeamID, ""); err != nil {
			return err
		}
		job.Secrets, err = signingSecrets(ctx, q, row.TeamID, row.WebhookID)
		ok = err == nil && job.Webhook.Enabled
		return err
	})
	return job, ok && err == nil, err
}

// Finish implements webhook.Outbox. What a person did to the endpoint in the
// meantime stays: only the server's own switching off is stored here.
func (o *Outbox) Finish(ctx context.Context, job webhook.Job, entry audit.Entry) error {
	return o.db.update(ctx, func(q querier) error {
		_, err := q.exec(ctx, `UPDATE webhook_messages SET state = ?, next_at = ?, leased_until = ?, last_at = ?, last_status = ?, last_error = ? WHERE id = ?`,
			string(job.State), micros(job.NextAt), micros(job.HoldUntil), micros(job.LastAt), job.LastStatus, job.LastError, job.ID)
		if err != nil {
			return fmt.Errorf("store a message's end: %w", err)
		}
		if _, err := q.exec(ctx, "UPDATE webhooks SET failing_since = ? WHERE id = ?", micros(job.Webhook.FailingSince), job.Webhook.ID); err != nil {
			return err
		}
		if entry.Action == "" {
			return nil
		}
		n, err := q.exec(ctx, "UPDATE webhooks SET enabled = 0, disabled_reason = ? WHERE id = ? AND enabled = 1", job.Webhook.DisabledReason, job.Webhook.ID)
		if err != nil || n == 0 {
			return err
		}
		return appendAudit(ctx, q, entry)
	})
}

// Forget implements webhook.Outbox.
func (o *Outbox) Forget(ctx context.Context, before time.Time) error {
	var old string
	err := o.db.statement().get(ctx, &old, "SELECT id FROM webhook_messages WHERE created_at < ? LIMIT 1", micros(before))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return o.db.update(ctx, func(q querier) error {
		_, err := q.exec(ctx, `DELETE FROM webhook_messages WHERE created_at < ?
			AND (state <> 'pending' AND last_at < ? OR state = 'pending' AND webhook_id IN (SELECT id FROM webhooks WHERE enabled = 0))`, micros(before), micros(before))
		return err
	})
}

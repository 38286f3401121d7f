package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
)

// appendAudit is the only statement that writes the audit log.
func appendAudit(ctx context.Context, q querier, e audit.Entry) error {
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	versions := []byte("[]")
	if len(e.Versions) > 0 {
		var err error
		if versions, err = json.Marshal(e.Versions); err != nil {
			return err
		}
	}
	_, err := q.exec(ctx, `INSERT INTO audit_entries
		(id, team_id, at, actor_kind, actor_id, actor_name, credential_id, action, target, outcome, reason, remote_addr, request_id, run_id, versions)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.TeamID, micros(e.At), e.ActorKind, e.ActorID, e.ActorName, e.CredentialID, e.Action, e.Target,
		string(e.Outcome), e.Reason, e.RemoteAddr, e.RequestID, e.RunID, string(versions))
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// AppendAudit appends one entry on its own.
func (d *DB) AppendAudit(ctx context.Context, e audit.Entry) error {
	return d.update(ctx, func(q querier) error { return appendAudit(ctx, q, e) })
}

type auditRow struct {
	Seq          int64  `db:"seq"`
	ID           string `db:"id"`
	TeamID       string `db:"team_id"`
	At           int64  `db:"at"`
	ActorKind    string `db:"actor_kind"`
	ActorID      string `db:"actor_id"`
	ActorName    string `db:"actor_name"`
	CredentialID string `db:"credential_id"`
	Action       string `db:"action"`
	Target       string `db:"target"`
	Outcome      string `db:"outcome"`
	Reason       string `db:"reason"`
	RemoteAddr   string `db:"remote_addr"`
	RequestID    string `db:"request_id"`
	RunID        string `db:"run_id"`
	Versions     string `db:"versions"`
}

func (r auditRow) entry() (audit.Entry, error) {
	e := audit.Entry{
		Seq: r.Seq, ID: r.ID, At: fromMicros(r.At), TeamID: r.TeamID, ActorKind: r.ActorKind, ActorID: r.ActorID, ActorName: r.ActorName,
		CredentialID: r.CredentialID, Action: r.Action, Target: r.Target, Outcome: audit.Outcome(r.Outcome), Reason: r.Reason,
		RemoteAddr: r.RemoteAddr, RequestID: r.RequestID, RunID: r.RunID,
	}
	if err := json.Unmarshal([]byte(r.Versions), &e.Versions); err != nil {
		return audit.Entry{}, fmt.Errorf("audit entry %s: %w", r.ID, err)
	}
	return e, nil
}

// Entries implements audit.Store: the team's entries, the newest first.
func (d *DB) Entries(ctx context.Context, team string, before int64, limit int) ([]audit.Entry, error) {
	var entries []audit.Entry
	err := d.view(ctx, func(q querier) error {
		var rows []auditRow
		query, args := "SELECT * FROM audit_entries WHERE team_id = ? ORDER BY seq DESC LIMIT ?", []any{team, limit}
		if before > 0 {
			query, args = "SELECT * FROM audit_entries WHERE team_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?", []any{team, before, limit}
		}
		if err := q.list(ctx, &rows, query, args...); err != nil {
			return err
		}
		for _, r := range rows {
			e, err := r.entry()
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return nil
	})
	return entries, err
}

// LastAllowed implements audit.Store.
func (d *DB) LastAllowed(ctx context.Context, team, action, target string) (at time.Time, err error) {
	err = d.view(ctx, func(q querier) error {
		var us int64
		err := q.get(ctx, &us, "SELECT COALESCE(MAX(at), 0) FROM audit_entries WHERE team_id = ? AND action = ? AND target = ? AND outcome = 'allowed'", team, action, target)
		at = fromMicros(us)
		return err
	})
	return at, err
}

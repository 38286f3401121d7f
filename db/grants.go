package db

import (
	"context"
	"fmt"

	"infsh/envvar"
	"infsh/secret"
)

type grantRow struct {
	AppID            string `db:"app_id"`
	Key              string `db:"key"`
	SourceKey        string `db:"source_key"`
	State            string `db:"state"`
	RequestedByID    string `db:"requested_by"`
	RequestedBy      string `db:"requested_by_email"`
	RequestedVersion string `db:"requested_version"`
	Number           int64  `db:"number"`
	RequestedAt      int64  `db:"requested_at"`
	DecidedByID      string `db:"decided_by"`
	DecidedBy        string `db:"decided_by_email"`
	DecidedAt        int64  `db:"decided_at"`
}

func (r grantRow) grant() secret.Grant {
	return secret.Grant{
		AppID: r.AppID, Key: envvar.Key(r.Key), SourceKey: envvar.Key(r.SourceKey), State: secret.GrantState(r.State),
		RequestedByID: r.RequestedByID, RequestedBy: r.RequestedBy, RequestedVersionID: r.RequestedVersion, RequestedVersion: r.Number, RequestedAt: fromMicros(r.RequestedAt),
		DecidedByID: r.DecidedByID, DecidedBy: r.DecidedBy, DecidedAt: fromMicros(r.DecidedAt),
	}
}

var selectGrants = `SELECT g.app_id, g.key, g.source_key, g.state, g.requested_by, g.requested_version, g.requested_at, g.decided_by, g.decided_at,
		` + author("r", "g.team_id", "g.requested_by") + ` AS requested_by_email, ` + author("d", "g.team_id", "g.decided_by") + ` AS decided_by_email,
		COALESCE(v.number, 0) AS number
	FROM app_grants g
	LEFT JOIN users r ON r.id = g.requested_by
	LEFT JOIN users d ON d.id = g.decided_by
	LEFT JOIN app_versions v ON v.id = g.requested_version AND v.app_id = g.app_id
	WHERE g.team_id = ? AND g.app_id = ?`

// Grants implements app.Reader and secret.Reader.
func (t appTx) Grants(ctx context.Context, team, appID string) (secret.Grants, error) {
	var rows []grantRow
	err := t.q.list(ctx, &rows, selectGrants, team, appID)
	if err != nil {
		return nil, fmt.Errorf("read grants: %w", err)
	}
	grants := make(secret.Grants, len(rows))
	for _, r := range rows {
		g := r.grant()
		grants[g.Key] = g
	}
	return grants, nil
}

// SetGrant implements app.Tx.
func (t appTx) SetGrant(ctx context.Context, team string, g secret.Grant) error {
	_, err := t.q.exec(ctx, `INSERT INTO app_grants (team_id, app_id, key, source_key, state, requested_by, requested_version, requested_at, decided_by, decided_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (team_id, app_id, key) DO UPDATE SET source_key = excluded.source_key, state = excluded.state,
			requested_by = excluded.requested_by, requested_version = excluded.requested_version, requested_at = excluded.requested_at,
			decided_by = excluded.decided_by, decided_at = excluded.decided_at`,
		team, g.AppID, string(g.Key), string(g.SourceKey), string(g.State),
		g.RequestedByID, g.RequestedVersionID, micros(g.RequestedAt), g.DecidedByID, micros(g.DecidedAt))
	return err
}

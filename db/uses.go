package db

import (
	"context"
	"fmt"

	"infsh/envvar"
	"infsh/secret"
)

// declares is a condition on a version's list of requirements, as InsertVersion
// writes it. Parsing the lists of all apps would take far longer. A key has
// letters, digits and _ alone.
func (q querier) declares(requirements, key string) string {
	find := "instr"
	if q.dialect == postgresDialect {
		find = "strpos"
	}
	return find + "(" + requirements + `, '{"Kind":"secret","Key":"' || ` + key + ` || '",') > 0`
}

// Declaring implements secret.Reader.
func (t secretTx) Declaring(ctx context.Context, team string, key envvar.Key) ([]secret.AppVersion, error) {
	var rows []struct {
		AppID     string `db:"app_id"`
		Namespace string `db:"namespace"`
		Name      string `db:"name"`
		CurrentID string `db:"current_id"`
		versionRow
	}
	err := t.q.list(ctx, &rows, `SELECT a.id AS app_id, a.namespace, a.name, a.version_id AS current_id, `+versionColumns+`
		FROM apps a
		JOIN app_versions v ON v.team_id = a.team_id AND v.app_id = a.id AND v.id IN (a.version_id, a.pending_version_id)
		LEFT JOIN users u ON u.id = v.created_by
		WHERE a.team_id = ? AND a.id IN (
			SELECT d.id FROM apps d JOIN app_versions w ON w.team_id = d.team_id AND w.app_id = d.id AND w.id IN (d.version_id, d.pending_version_id)
			WHERE d.team_id = ? AND `+t.q.declares("w.requirements", "?")+`
			UNION SELECT g.app_id FROM app_grants g WHERE g.team_id = ? AND g.source_key = ?)
		ORDER BY a.namespace, a.name, v.number`, team, team, string(key), team, string(key))
	if err != nil {
		return nil, fmt.Errorf("list the apps that declare a key: %w", err)
	}
	out := make([]secret.AppVersion, len(rows))
	for i, r := range rows {
		v, err := r.version()
		if err != nil {
			return nil, err
		}
		grants, err := appTx(t).Grants(ctx, team, r.AppID)
		if err != nil {
			return nil, err
		}
		out[i] = secret.AppVersion{
			AppID: r.AppID, App: r.Namespace + "/" + r.Name, ID: v.ID, Number: v.Number, Digest: v.Digest, CreatedBy: v.CreatedBy, CreatedAt: v.CreatedAt,
			Current: v.ID == r.CurrentID, Requirements: v.Requirements, Grants: grants,
		}
	}
	return out, nil
}

// CountUses implements secret.Reader.
func (t secretTx) CountUses(ctx context.Context, team string, keys []envvar.Key) (map[envvar.Key]int, error) {
	out := make(map[envvar.Key]int, len(keys))
	if len(keys) == 0 {
		return out, nil
	}
	var rows []struct {
		Key  envvar.Key `db:"source_key"`
		Apps int        `db:"apps"`
	}
	err := t.q.in(ctx, &rows, `SELECT g.source_key, count(*) AS apps
		FROM app_grants g
		JOIN apps a ON a.team_id = g.team_id AND a.id = g.app_id
		JOIN app_versions v ON v.team_id = a.team_id AND v.app_id = a.id AND v.id = a.version_id
		WHERE g.team_id = ? AND g.state = 'granted' AND g.source_key IN (?) AND `+t.q.declares("v.requirements", "g.key")+`
		GROUP BY g.source_key`, team, keys)
	for _, r := range rows {
		out[r.Key] = r.Apps
	}
	return out, err
}

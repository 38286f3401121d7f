package db

import (
	"context"
	"encoding/json"
	"fmt"

	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
)

// runRow is either the app's version, whose declared key is empty, or the grant
// of a key that it declares with the current version of the secret, whose id is
// empty if the key is not granted or the secret not set.
type runRow struct {
	ID           string `db:"id"`
	Declared     string `db:"declared"`
	State        string `db:"state"`
	Key          string `db:"key"`
	Version      int64  `db:"version"`
	Bytes        []byte `db:"bytes"`
	Requirements string `db:"requirements"`
}

// forRun is one statement, so that it reads one snapshot in one round trip. The
// first row is the app's version with the team's key; the others are the
// declared secrets that are asked for, each of them found by an index of its own.
// Which secret is injected for a declared key is decided by the join of grants
// with secrets, and nowhere else: what is not granted is not even read.
func forRun(q querier, versionID string) string {
	version := "v.id = a.version_id"
	if versionID != "" {
		version = "v.id = ?"
	}
	return `WITH run AS (
		SELECT a.team_id, a.id AS app_id, v.id AS version_id, v.requirements, t.wrapped_dek
		FROM apps a
		JOIN app_versions v ON v.team_id = a.team_id AND v.app_id = a.id AND ` + version + `
		JOIN teams t ON t.id = a.team_id
		WHERE a.team_id = ? AND a.namespace = ? AND a.name = ?
	), declared AS (
		SELECT run.team_id, run.app_id, ` + q.declaredKeys("run.requirements") + `
	)
	SELECT version_id AS id, '' AS declared, '' AS state, '' AS key, 0 AS version, wrapped_dek AS bytes, requirements FROM run
	UNION ALL
	SELECT COALESCE(v.secret_id, ''), d.key, g.state, g.source_key, COALESCE(s.version, 0), v.value, ''
	FROM declared d
	JOIN app_grants g ON g.team_id = d.team_id AND g.app_id = d.app_id AND g.key = d.key
	LEFT JOIN secrets s ON s.team_id = g.team_id AND s.key = g.source_key AND g.state = 'granted'
	LEFT JOIN secret_versions v ON v.team_id = s.team_id AND v.secret_id = s.id AND v.version = s.version`
}

// declaredKeys completes a SELECT from run with a row for each secret in a
// list of requirements, as InsertVersion writes it.
func (q querier) declaredKeys(list string) string {
	if q.dialect == postgresDialect {
		return `r."Key" AS key FROM run, json_to_recordset(NULLIF(` + list + `, 'null')::json) AS r("Kind" text, "Key" text) WHERE r."Kind" = 'secret'`
	}
	return `r.value ->> 'Key' AS key FROM run, json_each(` + list + `) AS r WHERE r.value ->> 'Kind' = 'secret'`
}

// ForRun implements secret.Store.
func (s *Secrets) ForRun(ctx context.Context, team, namespace, name, versionID string) (secret.RunData, error) {
	args := []any{team, namespace, name}
	if versionID != "" {
		args = append([]any{versionID}, args...)
	}
	q := s.db.statement()
	var rows []runRow
	if err := q.list(ctx, &rows, forRun(q, versionID), args...); err != nil {
		return secret.RunData{}, fmt.Errorf("read what a run needs: %w", err)
	}
	return runData(rows, team, namespace, name)
}

func runData(rows []runRow, team, namespace, name string) (secret.RunData, error) {
	data := secret.RunData{Grants: make(secret.Grants, len(rows)), Held: make(map[envvar.Key]secret.Held, len(rows))}
	for _, r := range rows {
		if key := envvar.Key(r.Declared); key != "" {
			data.Grants[key] = secret.Grant{Key: key, SourceKey: envvar.Key(r.Key), State: secret.GrantState(r.State)}
			if r.ID != "" {
				data.Held[key] = secret.Held{
					Record: secret.Record{ID: r.ID, TeamID: team, Key: envvar.Key(r.Key), Version: r.Version},
					Sealed: secret.Sealed{Number: r.Version, Value: r.Bytes},
				}
			}
			continue
		}
		data.App, data.VersionID, data.WrappedDEK = namespace+"/"+name, r.ID, r.Bytes
		if err := json.Unmarshal([]byte(r.Requirements), &data.Requirements); err != nil {
			return secret.RunData{}, fmt.Errorf("requirements of version %s: %w", r.ID, err)
		}
	}
	if data.VersionID == "" {
		return secret.RunData{}, problem.New(problem.NotFound, "Not found: there is no such app in this team.")
	}
	return data, nil
}

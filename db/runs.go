package db

import (
	"context"
	"encoding/json"
	"fmt"

	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
)

// runRow is either the app's version, whose key is empty, or the current
// version of a secret that it declares.
type runRow struct {
	ID           string `db:"id"`
	Declared     string `db:"declared"`
	Key          string `db:"key"`
	Version      int64  `db:"version"`
	Bytes        []byte `db:"bytes"`
	Requirements string `db:"requirements"`
}

// forRun is one statement, so that it reads one snapshot in one round trip. The
// first row is the app's version with the team's key; the others are the
// declared secrets that are set, each of them found by an index of its own.
// What is injected for a declared key is decided by the join of declared with
// secrets, and nowhere else.
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
	SELECT version_id AS id, '' AS declared, '' AS key, 0 AS version, wrapped_dek AS bytes, requirements FROM run
	UNION ALL
	SELECT s.id, d.key, s.key, s.version, v.value, ''
	FROM declared d
	JOIN secrets s ON s.team_id = d.team_id AND s.key = d.key
	JOIN secret_versions v ON v.team_id = s.team_id AND v.secret_id = s.id AND v.version = s.version`
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
	data := secret.RunData{Held: make(map[envvar.Key]secret.Held, len(rows))}
	for _, r := range rows {
		if r.Key != "" {
			data.Held[envvar.Key(r.Declared)] = secret.Held{
				Record: secret.Record{ID: r.ID, TeamID: team, Key: envvar.Key(r.Key), Version: r.Version},
				Sealed: secret.Sealed{Number: r.Version, Value: r.Bytes},
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

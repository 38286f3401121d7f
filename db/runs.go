package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
)

// runQuery is one run's question.
type runQuery struct{ team, namespace, name, versionID string }

// ForRun implements secret.Store. It joins others that ask at the same time.
func (s *Secrets) ForRun(ctx context.Context, team, namespace, name, versionID string) (secret.RunData, error) {
	return found(ctx, s.db.runs, runQuery{team, namespace, name, versionID})
}

// recordQuery is the question of a run that is to be recorded.
type recordQuery struct {
	runQuery
	begun secret.Begun
}

// RecordRun implements secret.Store. What runs need that ask at the same time is
// read in one statement, and their entries are one commit of the same
// transaction. So on SQLite it is read by the connection that writes: each
// commit empties the page caches of all the others.
func (s *Secrets) RecordRun(ctx context.Context, team, namespace, name, versionID string, begun secret.Begun) (*secret.Disclosure, error) {
	begun.Entry = named(begun.Entry)
	return found(ctx, s.db.recorded, recordQuery{runQuery{team, namespace, name, versionID}, begun})
}

// recordRuns answers a group of runs, and writes their entries.
func (d *DB) recordRuns(ctx context.Context, wanted []recordQuery) ([]answer[*secret.Disclosure], error) {
	ctx, cancel := context.WithTimeout(ctx, groupTimeout)
	defer cancel()
	out := make([]answer[*secret.Disclosure], len(wanted))
	rest, unsure, err := d.recordAhead(ctx, wanted, out)
	if err != nil {
		return nil, auditFailed(err)
	}
	if len(rest) == 0 {
		return out, nil
	}
	others := make([]recordQuery, len(rest))
	for n, i := range rest {
		others[n] = wanted[i]
	}
	var decided []answer[*secret.Disclosure]
	err = d.record(ctx, func(q querier) (err error) {
		if decided, err = d.decide(ctx, q, others); err != nil {
			return err
		}
		written, err := writtenAhead(ctx, q, unsure)
		if err != nil {
			return err
		}
		for n, w := range others {
			if disclosure, ok := written[rest[n]]; ok {
				decided[n] = answer[*secret.Disclosure]{value: disclosure}
				continue
			}
			if errors.Is(decided[n].err, secret.ErrMoved) || w.begun.Holds(decided[n].value) {
				continue
			}
			*q.entries = append(*q.entries, secret.Concluded(w.begun.Entry, decided[n].value, decided[n].err))
		}
		return nil
	})
	if err != nil {
		if len(unsure) > 0 {
			// Without the error's own kind: nobody is to ask for these runs again.
			err = errors.New(err.Error())
			return nil, uncertainly(err)
		}
		return nil, auditFailed(err)
	}
	for n, i := range rest {
		out[i] = decided[n]
	}
	return out, nil
}

// decide answers a group of runs, by what was decided before where it is still
// so.
func (d *DB) decide(ctx context.Context, q querier, wanted []recordQuery) ([]answer[*secret.Disclosure], error) {
	teams := make([]string, len(wanted))
	for i, w := range wanted {
		teams[i] = w.team
	}
	// The revisions are read first: what is read after them may be newer, and is
	// then read once more, and is never older.
	heads, revisions, err := lockHeads(ctx, q, teams)
	if err != nil {
		return nil, err
	}
	*q.heads = heads
	out := make([]answer[*secret.Disclosure], len(wanted))
	var missing []runQuery
	var places []int
	for i, w := range wanted {
		if w.begun.Revision != 0 && w.begun.Revision != revisions[w.team] {
			out[i].err = secret.ErrMoved
			continue
		}
		var ok bool
		if out[i].value, ok = d.disclosures.get(w.runQuery, revisions); !ok {
			missing, places = append(missing, w.runQuery), append(places, i)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	read, err := readRuns(ctx, q, missing)
	if err != nil {
		return nil, err
	}
	for n, i := range places {
		if out[i].err = read[n].err; out[i].err != nil {
			continue
		}
		out[i].value = wanted[i].begun.Decide(read[n].value)
		if revision, ok := revisions[missing[n].team]; ok {
			d.disclosures.put(missing[n], missing[n].team, revision, out[i].value, out[i].value.Size())
		}
	}
	return out, nil
}

// runStatement reads what the wanted runs need, in one statement: so each of
// them sees one snapshot, and they all share one round trip. A run's row with an
// empty state is its app's version with the team's wrapped key; the others are
// the grants of the keys that it declares, with the current version of the
// secret, whose number is 0 if the key is not granted or the secret not set.
// Which secret is injected for a declared key is decided by the join of grants
// with secrets, and nowhere else: what is not granted is not even read.
//
// Each step is a look-up by an index. SQLite keeps the order of a CROSS JOIN,
// where it would otherwise read all secrets of the team.
func runStatement(q querier) string {
	return `WITH run AS MATERIALIZED (
		SELECT w.n, a.team_id, a.id AS app_id, v.id AS version_id, v.number, v.requirements, t.wrapped_dek
		FROM ` + q.wanted("team_id", "namespace", "name", "version_id") + `
		CROSS JOIN apps a
		CROSS JOIN app_versions v
		CROSS JOIN teams t
		WHERE a.team_id = w.team_id AND a.namespace = w.namespace AND a.name = w.name
			AND v.team_id = a.team_id AND v.app_id = a.id AND v.id = CASE WHEN w.version_id = '' THEN a.version_id WHEN length(w.version_id) <= ` + numberDigits + ` THEN (
				SELECT o.id FROM app_versions o WHERE o.team_id = a.team_id AND o.app_id = a.id AND CAST(o.number AS TEXT) = w.version_id
			) ELSE w.version_id END
			AND t.id = a.team_id
	), declared AS (
		SELECT run.n, run.team_id, run.app_id, ` + q.declaredKeys("run.requirements") + `
	)
	SELECT n, version_id AS name, '' AS state, '' AS key, number AS version, wrapped_dek AS bytes, requirements FROM run
	UNION ALL
	SELECT d.n, d.key, g.state, g.source_key, COALESCE(v.version, 0), v.value, ''
	FROM declared d
	CROSS JOIN app_grants g
	LEFT JOIN secrets s ON s.team_id = g.team_id AND s.key = g.source_key AND g.state = 'granted'
	LEFT JOIN secret_versions v ON v.team_id = s.team_id AND v.secret_id = s.id AND v.version = s.version
	WHERE g.team_id = d.team_id AND g.app_id = d.app_id AND g.key = d.key`
}

// declaredKeys completes a SELECT from run with a row for each requirement in a
// list of them, as InsertVersion writes it: under the name that its grant has
// (secret.Requirement.GrantKey).
func (q querier) declaredKeys(list string) string {
	if q.dialect == postgresDialect {
		return `CASE WHEN r."Kind" = 'integration' AND strpos(r."Key", '.') = 0 THEN r."Key" || '.*' ELSE r."Key" END AS key
			FROM run, json_to_recordset(NULLIF(` + list + `, 'null')::json) AS r("Kind" text, "Key" text)`
	}
	return `CASE WHEN r.value ->> 'Kind' = 'integration' AND instr(r.value ->> 'Key', '.') = 0 THEN (r.value ->> 'Key') || '.*' ELSE r.value ->> 'Key' END AS key
		FROM run CROSS JOIN json_each(` + list + `) AS r`
}

// readRuns answers a group of runs.
func readRuns(ctx context.Context, q querier, wanted []runQuery) ([]answer[secret.RunData], error) {
	out := make([]answer[secret.RunData], len(wanted))
	columns := make([][]string, 4)
	for i, w := range wanted {
		for c, text := range []string{w.team, w.namespace, w.name, w.versionID} {
			columns[c] = append(columns[c], text)
		}
		out[i].err = problem.New(problem.NotFound, "Not found: there is no such app in this team.")
		out[i].value.Grants, out[i].value.Held = secret.Grants{}, map[envvar.Key]secret.Held{}
	}
	err := q.each(ctx, runStatement(q), q.lists(columns), func(scan func(...any) error) error {
		var n, version int64
		var name, state, source, requirements string
		var bytes []byte
		if err := scan(&n, &name, &state, &source, &version, &bytes, &requirements); err != nil {
			return err
		}
		i := q.place(n)
		run := &out[i].value
		if state != "" {
			key := envvar.Key(name)
			run.Grants[key] = secret.Grant{Key: key, SourceKey: envvar.Key(source), State: secret.GrantState(state)}
			if version > 0 {
				run.Held[key] = secret.Held{
					Record: secret.Record{TeamID: wanted[i].team, Key: envvar.Key(source), Version: version},
					Sealed: secret.Sealed{Number: version, Value: bytes},
				}
			}
			return nil
		}
		run.App, run.VersionID, run.Version, run.WrappedDEK = wanted[i].namespace+"/"+wanted[i].name, name, version, bytes
		if out[i].err = json.Unmarshal([]byte(requirements), &run.Requirements); out[i].err != nil {
			out[i].err = fmt.Errorf("requirements of version %s: %w", name, out[i].err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what runs need: %w", err)
	}
	return out, readConnections(ctx, q, wanted, out)
}

// readConnections adds the teams' connections to those runs that declare
// integrations, in one more statement if there are any.
func readConnections(ctx context.Context, q querier, wanted []runQuery, out []answer[secret.RunData]) error {
	var teams []string
	integrates := func(i int) bool {
		return out[i].err == nil && slices.ContainsFunc(out[i].value.Requirements, func(r secret.Requirement) bool { return r.Kind == secret.KindIntegration })
	}
	for i, w := range wanted {
		if integrates(i) {
			teams = append(teams, w.team)
		}
	}
	if len(teams) == 0 {
		return nil
	}
	all, err := connections(ctx, q, distinct(teams))
	if err != nil {
		return err
	}
	for i, w := range wanted {
		if integrates(i) {
			out[i].value.Connections = all[w.team]
		}
	}
	return nil
}

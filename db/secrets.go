package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/integration"
	"infsh/listing"
	"infsh/problem"
	"infsh/secret"
)

// Secrets implements secret.Store.
type Secrets struct{ db *DB }

// Secrets returns the store of secrets.
func (d *DB) Secrets() *Secrets { return &Secrets{db: d} }

func (s *Secrets) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.db.AppendAudit(ctx, e)
}

func (s *Secrets) View(ctx context.Context, fn func(secret.Reader) error) error {
	return s.db.view(ctx, func(q querier) error { return fn(secretTx{q}) })
}

func (s *Secrets) Update(ctx context.Context, fn func(secret.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(secretTx{q}) })
}

type secretTx struct{ q querier }

type secretRow struct {
	ID          string `db:"id"`
	TeamID      string `db:"team_id"`
	Key         string `db:"key"`
	Description string `db:"description"`
	Version     int64  `db:"version"`
	Staged      int64  `db:"staged_version"`
	Hint        []byte `db:"hint"`
	Value       []byte `db:"value"`
	CreatedAt   int64  `db:"created_at"`
	UpdatedAt   int64  `db:"updated_at"`
	CreatedByID string `db:"created_by"`
	UpdatedByID string `db:"updated_by"`
	UpdatedBy   string `db:"updated_by_email"`
	RotateEvery int    `db:"rotate_every_days"`
	ValueAt     int64  `db:"value_at"`
	ExpiresAt   int64  `db:"expires_at"`
}

func (r secretRow) record() secret.Record {
	return secret.Record{
		ID: r.ID, TeamID: r.TeamID, Key: envvar.Key(r.Key), Description: r.Description, Version: r.Version, StagedVersion: r.Staged, Hint: r.Hint,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
		CreatedByID: r.CreatedByID, UpdatedByID: r.UpdatedByID, UpdatedBy: r.UpdatedBy,
		Life: secret.Life{RotateEvery: r.RotateEvery, ValueAt: fromMicros(r.ValueAt), ExpiresAt: fromMicros(r.ExpiresAt)},
	}
}

// valueAt is when the value of a version was first stored.
func valueAt(version string) string {
	return "COALESCE(NULLIF(" + version + ".value_from, 0), " + version + ".created_at)"
}

// ofUse is what an expression says of w, the version in use, and 0 while there is
// none.
func ofUse(expression string) string {
	return "COALESCE((SELECT " + expression + " FROM secret_versions w WHERE w.team_id = s.team_id AND w.secret_id = s.id AND w.version = s.version), 0)"
}

// rotateAt and attentionAt are those of secret.Life.
var (
	rotateAt    = fmt.Sprintf("CASE WHEN s.rotate_every_days = 0 THEN 0 ELSE %s + s.rotate_every_days * %d END", valueAt("w"), (24 * time.Hour).Microseconds())
	soonAt      = fmt.Sprintf("(w.expires_at - %d)", secret.ExpiresSoon.Microseconds())
	attentionAt = "CASE WHEN w.expires_at > 0 AND (s.rotate_every_days = 0 OR " + soonAt + " < " + rotateAt + ") THEN " + soonAt + " ELSE " + rotateAt + " END"
)

// newestStaged is the newest version of s that was never in use.
const newestStaged = `(SELECT MAX(w.version) FROM secret_versions w WHERE w.team_id = s.team_id AND w.secret_id = s.id AND w.staged = 1)`

// secretColumns are those of a record. selectSecrets reads them with the hint
// of the version in use, or of the newest staged one where none is; selectHeld
// reads the version in use, with its ciphertext. What follows begins with the
// rest of a WHERE that starts with the team.
var (
	updatedBy     = author("u", "s.team_id", "s.updated_by")
	secretColumns = `SELECT s.id, s.team_id, s.key, s.description, s.version, v.hint, s.created_at, s.updated_at,
		s.rotate_every_days, ` + valueAt("v") + ` AS value_at, v.expires_at, s.created_by, s.updated_by, ` + updatedBy + ` AS updated_by_email`
	fromSecrets = `
	FROM secrets s
	JOIN secret_versions v ON v.team_id = s.team_id AND v.secret_id = s.id AND v.version = `
	ofTeam = `
	LEFT JOIN users u ON u.id = s.updated_by
	WHERE s.team_id = ?`

	selectSecrets = secretColumns + ", COALESCE(" + newestStaged + ", 0) AS staged_version" +
		fromSecrets + "CASE WHEN s.version > 0 THEN s.version ELSE " + newestStaged + " END" + ofTeam
	selectHeld = secretColumns + ", v.value" + fromSecrets + "s.version" + ofTeam
	// selectStates reads what the grid of teams shows of each secret.
	selectStates = "SELECT s.key, s.version, " + valueAt("v") + " AS value_at, COALESCE(" + newestStaged + ", 0) AS staged_version" +
		fromSecrets + "CASE WHEN s.version > 0 THEN s.version ELSE " + newestStaged + " END WHERE s.team_id = ?"
)

// secretPages are the secrets by pages. Whoever counts them needs no version,
// and reads far less without it.
var secretPages = paged{
	selected: selectSecrets,
	counted:  "FROM secrets s LEFT JOIN users u ON u.id = s.updated_by WHERE s.team_id = ?",
	columns: map[string]column{
		"id": {"s.id", true}, "key": {"s.key", true}, "description": {"s.description", true}, "version": {"s.version", false},
		"user_id": {"s.created_by", true}, "updated_by": {updatedBy, true},
		"created_at": {"s.created_at", false}, "updated_at": {"s.updated_at", false},
		"value_at": {ofUse(valueAt("w")), false}, "rotate_at": {ofUse(rotateAt), false},
		"expires_at": {ofUse("w.expires_at"), false}, "attention_at": {ofUse(attentionAt), false},
	},
}

func (t secretTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

func (t secretTx) WrappedDEK(ctx context.Context, team string) ([]byte, error) {
	return wrappedDEK(ctx, t.q, team, "")
}

func (t secretTx) LockTeam(ctx context.Context, team string) ([]byte, error) {
	return wrappedDEK(ctx, t.q, team, t.q.forUpdate())
}

func wrappedDEK(ctx context.Context, q querier, team, lock string) (wrapped []byte, err error) {
	err = q.get(ctx, &wrapped, "SELECT wrapped_dek FROM teams WHERE id = ?"+lock, team)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.New(problem.NotFound, "Not found: this team does not exist any more.")
	}
	return wrapped, err
}

// Connections implements secret.Reader.
func (t secretTx) Connections(ctx context.Context, team string) ([]integration.Held, error) {
	all, err := connections(ctx, t.q, []string{team})
	return all[team], err
}

// KeyStates implements secret.Reader.
func (t secretTx) KeyStates(ctx context.Context, team string) ([]secret.KeyState, error) {
	var rows []struct {
		Key     envvar.Key `db:"key"`
		Version int64      `db:"version"`
		Staged  int64      `db:"staged_version"`
		ValueAt int64      `db:"value_at"`
	}
	if err := t.q.list(ctx, &rows, selectStates, team); err != nil {
		return nil, fmt.Errorf("list the states of secrets: %w", err)
	}
	states := make([]secret.KeyState, len(rows))
	for i, r := range rows {
		states[i] = secret.KeyState{Key: r.Key, Version: r.Version, StagedVersion: r.Staged, ValueAt: fromMicros(r.ValueAt)}
	}
	return states, nil
}

func (t secretTx) Records(ctx context.Context, team string) ([]secret.Record, error) {
	var rows []secretRow
	if err := t.q.list(ctx, &rows, selectSecrets+" ORDER BY s.key", team); err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	records := make([]secret.Record, len(rows))
	for i := range rows {
		records[i] = rows[i].record()
	}
	return records, nil
}

func (t secretTx) RecordPage(ctx context.Context, team string, q listing.Query) (listing.Page[secret.Record], error) {
	rows, err := readPage[secretRow](ctx, t.q, secretPages, team, q)
	if err != nil {
		return listing.Page[secret.Record]{}, fmt.Errorf("list secrets: %w", err)
	}
	page := listing.Page[secret.Record]{Total: rows.Total, Before: rows.Before}
	for i := range rows.Items {
		page.Items = append(page.Items, rows.Items[i].record())
	}
	return page, nil
}

func (t secretTx) Keys(ctx context.Context, team string) ([]envvar.Key, error) {
	var keys []envvar.Key
	err := t.q.list(ctx, &keys, "SELECT key FROM secrets WHERE team_id = ? ORDER BY key", team)
	return keys, err
}

func (t secretTx) KeysAnyCase(ctx context.Context, team string, keys []envvar.Key) (found []envvar.Key, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	folded := make([]string, len(keys))
	for i, key := range keys {
		folded[i] = listing.Fold(string(key))
	}
	err = t.q.in(ctx, &found, "SELECT key FROM secrets WHERE team_id = ? AND lower(key) IN (?) ORDER BY key", team, folded)
	return found, err
}

func (t secretTx) KeysInUse(ctx context.Context, team string) ([]envvar.Key, error) {
	var keys []envvar.Key
	err := t.q.list(ctx, &keys, "SELECT key FROM secrets WHERE team_id = ? AND version > 0 ORDER BY key", team)
	return keys, err
}

func (t secretTx) OnlyStaged(ctx context.Context, team string, keys []envvar.Key) (map[envvar.Key]int64, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var rows []struct {
		Key    envvar.Key `db:"key"`
		Staged int64      `db:"staged_version"`
	}
	err := t.q.in(ctx, &rows, `SELECT s.key, COALESCE(`+newestStaged+`, 0) AS staged_version
		FROM secrets s WHERE s.team_id = ? AND s.version = 0 AND s.key IN (?)`, team, keys)
	out := map[envvar.Key]int64{}
	for _, r := range rows {
		out[r.Key] = r.Staged
	}
	return out, err
}

func (t secretTx) Record(ctx context.Context, team string, key envvar.Key) (secret.Record, error) {
	var row secretRow
	err := t.q.get(ctx, &row, selectSecrets+" AND s.key = ?", team, string(key))
	if errors.Is(err, sql.ErrNoRows) {
		return secret.Record{}, problem.New(problem.SecretNotFound, "Secret not found.")
	}
	return row.record(), err
}

func (t secretTx) Current(ctx context.Context, team string, keys []envvar.Key) ([]secret.Held, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var rows []secretRow
	if err := t.q.in(ctx, &rows, selectHeld+" AND s.key IN (?)", team, keys); err != nil {
		return nil, fmt.Errorf("read secrets: %w", err)
	}
	held := make([]secret.Held, len(rows))
	for i, r := range rows {
		held[i] = secret.Held{Record: r.record(), Sealed: secret.Sealed{Number: r.Version, Value: r.Value, Hint: r.Hint}}
	}
	return held, nil
}

type sealedRow struct {
	Version     int64  `db:"version"`
	Staged      int64  `db:"staged"`
	Value       []byte `db:"value"`
	Hint        []byte `db:"hint"`
	CreatedAt   int64  `db:"created_at"`
	CreatedByID string `db:"created_by"`
	CreatedBy   string `db:"created_by_email"`
	ValueAt     int64  `db:"value_at"`
	ExpiresAt   int64  `db:"expires_at"`
}

func (r sealedRow) sealed() secret.Sealed {
	return secret.Sealed{Number: r.Version, Staged: r.Staged != 0, Value: r.Value, Hint: r.Hint, CreatedAt: fromMicros(r.CreatedAt), CreatedByID: r.CreatedByID, CreatedBy: r.CreatedBy, ValueAt: fromMicros(r.ValueAt), ExpiresAt: fromMicros(r.ExpiresAt)}
}

var selectVersions = `SELECT v.version, v.staged, v.value, v.hint, v.created_at, ` + valueAt("v") + ` AS value_at, v.expires_at, v.created_by, ` + author("u", "v.team_id", "v.created_by") + ` AS created_by_email
	FROM secret_versions v LEFT JOIN users u ON u.id = v.created_by
	WHERE v.team_id = ? AND v.secret_id = ?`

func (t secretTx) Versions(ctx context.Context, team, secretID string) ([]secret.Sealed, error) {
	var rows []sealedRow
	if err := t.q.list(ctx, &rows, selectVersions+" ORDER BY v.version DESC", team, secretID); err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	out := make([]secret.Sealed, len(rows))
	for i := range rows {
		out[i] = rows[i].sealed()
	}
	return out, nil
}

func (t secretTx) Sealed(ctx context.Context, team, secretID string, number int64) (secret.Sealed, error) {
	var row sealedRow
	err := t.q.get(ctx, &row, selectVersions+" AND v.version = ?", team, secretID, number)
	if errors.Is(err, sql.ErrNoRows) {
		return secret.Sealed{}, problem.New(problem.NotFound, "Not found: this version is not kept.")
	}
	return row.sealed(), err
}

func (t secretTx) Insert(ctx context.Context, r secret.Record) error {
	_, err := t.q.exec(ctx, `INSERT INTO secrets (id, team_id, key, description, version, created_by, updated_by, created_at, updated_at, rotate_every_days)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.TeamID, string(r.Key), r.Description, r.Version, r.CreatedByID, r.UpdatedByID, micros(r.CreatedAt), micros(r.UpdatedAt), r.RotateEvery)
	if isUnique(err) {
		return &problem.Error{Code: problem.Conflict, Detail: fmt.Sprintf("%s is set already.", r.Key), Cause: err}
	}
	return err
}

func (t secretTx) SetCurrent(ctx context.Context, r secret.Record) error {
	_, err := t.q.exec(ctx, "UPDATE secrets SET description = ?, version = ?, updated_by = ?, updated_at = ? WHERE team_id = ? AND id = ?",
		r.Description, r.Version, r.UpdatedByID, micros(r.UpdatedAt), r.TeamID, r.ID)
	if err != nil {
		return err
	}
	_, err = t.q.exec(ctx, "UPDATE secret_versions SET staged = 0 WHERE team_id = ? AND secret_id = ? AND version = ? AND staged = 1", r.TeamID, r.ID, r.Version)
	return err
}

func (t secretTx) LastNumber(ctx context.Context, team, secretID string) (last int64, err error) {
	err = t.q.get(ctx, &last, "SELECT COALESCE(MAX(version), 0) FROM secret_versions WHERE team_id = ? AND secret_id = ?", team, secretID)
	return last, err
}

func (t secretTx) AddVersion(ctx context.Context, team, secretID string, v secret.Sealed) error {
	staged, valueFrom := 0, int64(0)
	if v.Staged {
		staged = 1
	}
	if !v.ValueAt.Equal(v.CreatedAt) {
		valueFrom = micros(v.ValueAt)
	}
	_, err := t.q.exec(ctx, "INSERT INTO secret_versions (team_id, secret_id, version, staged, value, hint, created_by, created_at, expires_at, value_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		team, secretID, v.Number, staged, v.Value, v.Hint, v.CreatedByID, micros(v.CreatedAt), micros(v.ExpiresAt), valueFrom)
	return err
}

// CountDue looks only at the secrets that have a reminder or an end.
func (t secretTx) CountDue(ctx context.Context, team string, at time.Time) (n int, err error) {
	err = t.q.get(ctx, &n, `SELECT count(*) FROM secrets s
		JOIN secret_versions w ON w.team_id = s.team_id AND w.secret_id = s.id AND w.version = s.version
		WHERE s.team_id = ? AND s.id IN (
			SELECT id FROM secrets WHERE team_id = ? AND rotate_every_days > 0
			UNION SELECT secret_id FROM secret_versions WHERE team_id = ? AND expires_at > 0)
		AND (`+attentionAt+`) BETWEEN 1 AND ?`, team, team, team, micros(at))
	return n, err
}

func (t secretTx) SetReminder(ctx context.Context, r secret.Record, number int64, expiresAt time.Time) error {
	if _, err := t.q.exec(ctx, "UPDATE secrets SET rotate_every_days = ? WHERE team_id = ? AND id = ?", r.RotateEvery, r.TeamID, r.ID); err != nil {
		return err
	}
	_, err := t.q.exec(ctx, "UPDATE secret_versions SET expires_at = ? WHERE team_id = ? AND secret_id = ? AND version = ?", micros(expiresAt), r.TeamID, r.ID, number)
	return err
}

func (t secretTx) Prune(ctx context.Context, team, secretID string, upTo, inUse int64) error {
	_, err := t.q.exec(ctx, "DELETE FROM secret_versions WHERE team_id = ? AND secret_id = ? AND version <= ? AND version <> ?", team, secretID, upTo, inUse)
	return err
}

func (t secretTx) TeamsHolding(ctx context.Context, user, exceptTeam string, keys []envvar.Key) (map[envvar.Key][]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var rows []struct {
		Key      envvar.Key `db:"key"`
		Username string     `db:"username"`
	}
	err := t.q.in(ctx, &rows, `SELECT s.key, t.username
		FROM memberships m JOIN teams t ON t.id = m.team_id JOIN secrets s ON s.team_id = m.team_id
		WHERE m.user_id = ? AND m.team_id <> ? AND s.version > 0 AND s.key IN (?) ORDER BY s.key, t.username`, user, exceptTeam, keys)
	out := map[envvar.Key][]string{}
	for _, r := range rows {
		out[r.Key] = append(out[r.Key], r.Username)
	}
	return out, err
}

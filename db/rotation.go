package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/rotation"
)

// Rotation implements rotation.Store.
type Rotation struct{ db *DB }

// Rotation returns the store of keys.
func (d *DB) Rotation() *Rotation { return &Rotation{db: d} }

func (s *Rotation) View(ctx context.Context, fn func(rotation.Reader) error) error {
	return s.db.view(ctx, func(q querier) error { return fn(rotationTx{q}) })
}

func (s *Rotation) Update(ctx context.Context, fn func(rotation.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(rotationTx{q}) })
}

type rotationTx struct{ q querier }

func (t rotationTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

type kekRow struct {
	StoreID  string `db:"id"`
	ID       string `db:"kek_id"`
	Check    []byte `db:"kek_check"`
	OldID    string `db:"old_kek_id"`
	OldCheck []byte `db:"old_kek_check"`
}

func readKEKs(ctx context.Context, q querier, lock string) (rotation.KEKs, error) {
	var row kekRow
	err := q.get(ctx, &row, "SELECT id, kek_id, kek_check, old_kek_id, old_kek_check FROM stores WHERE singleton = 1"+lock)
	if errors.Is(err, sql.ErrNoRows) {
		return rotation.KEKs{}, nil
	}
	return rotation.KEKs(row), err
}

// shareKEKs reads which KEK is in use and keeps it so until the transaction
// ends. Whoever stores something that the KEK wraps has called it, so that a
// rotation, which locks the row, misses nothing. On SQLite the transaction is
// the only writer already.
func shareKEKs(ctx context.Context, q querier) (rotation.KEKs, error) {
	lock := ""
	if q.dialect == postgresDialect {
		lock = " FOR SHARE"
	}
	return readKEKs(ctx, q, lock)
}

func (t rotationTx) KEKs(ctx context.Context) (rotation.KEKs, error) { return readKEKs(ctx, t.q, "") }

func (t rotationTx) LockKEKs(ctx context.Context) (rotation.KEKs, error) {
	return readKEKs(ctx, t.q, t.q.forUpdate())
}

func (t rotationTx) SetKEKs(ctx context.Context, k rotation.KEKs) error {
	if k.OldCheck == nil {
		k.OldCheck = []byte{}
	}
	_, err := t.q.exec(ctx, "UPDATE stores SET kek_id = ?, kek_check = ?, old_kek_id = ?, old_kek_check = ? WHERE singleton = 1",
		k.ID, k.Check, k.OldID, k.OldCheck)
	return err
}

type teamKeyRow struct {
	ID           string `db:"id"`
	Of           int    `db:"of_what"`
	Username     string `db:"username"`
	WrappedDEK   []byte `db:"wrapped_dek"`
	KEKID        string `db:"kek_id"`
	DEKRotatedAt int64  `db:"dek_rotated_at"`
}

func (r teamKeyRow) key() rotation.TeamKey {
	return rotation.TeamKey{TeamID: r.ID, Person: r.Of == ofPerson, Issuer: r.Of == ofIssuer, Username: r.Username, WrappedDEK: r.WrappedDEK, KEKID: r.KEKID, RotatedAt: fromMicros(r.DEKRotatedAt)}
}

const selectTeamKeys = "SELECT id, username, wrapped_dek, kek_id, dek_rotated_at, 0 AS of_what FROM teams WHERE "

// What a keyset is of that is no team's.
const (
	ofPerson = 1
	ofIssuer = 2
)

// selectKeysets are the keysets that the KEK wraps: those of teams, of people,
// and of the issuer's keys.
const selectKeysets = `SELECT * FROM (SELECT id, username, wrapped_dek, kek_id, dek_rotated_at, 0 AS of_what FROM teams
	UNION ALL SELECT f.user_id, u.email, f.wrapped_dek, f.kek_id, 0, 1 FROM totp_factors f JOIN users u ON u.id = f.user_id
	UNION ALL SELECT id, '', wrapped_dek, kek_id, 0, 2 FROM issuer_keys) AS wrapped WHERE `

func (t rotationTx) TeamKey(ctx context.Context, teamID string) (rotation.TeamKey, error) {
	return t.teamKey(ctx, "id = ?", teamID)
}

func (t rotationTx) TeamKeyByName(ctx context.Context, username string) (rotation.TeamKey, error) {
	return t.teamKey(ctx, "username = ?", username)
}

func (t rotationTx) teamKey(ctx context.Context, where, arg string) (rotation.TeamKey, error) {
	var row teamKeyRow
	err := t.q.get(ctx, &row, selectTeamKeys+where, arg)
	if errors.Is(err, sql.ErrNoRows) {
		return rotation.TeamKey{}, problem.New(problem.NotFound, "Not found: there is no such team.")
	}
	return row.key(), err
}

func (t rotationTx) TeamsNotWrappedBy(ctx context.Context, kekID, after string, limit int) ([]rotation.TeamKey, error) {
	return t.teamKeys(ctx, selectKeysets+"kek_id <> ?", kekID, after, limit)
}

func (t rotationTx) TeamsRotatedBefore(ctx context.Context, at time.Time, after string, limit int) ([]rotation.TeamKey, error) {
	return t.teamKeys(ctx, selectTeamKeys+"dek_rotated_at < ?", micros(at), after, limit)
}

func (t rotationTx) teamKeys(ctx context.Context, query string, arg any, after string, limit int) ([]rotation.TeamKey, error) {
	var rows []teamKeyRow
	if err := t.q.list(ctx, &rows, query+" AND id > ? ORDER BY id LIMIT ?", arg, after, limit); err != nil {
		return nil, fmt.Errorf("list the teams' keys: %w", err)
	}
	keys := make([]rotation.TeamKey, len(rows))
	for i, r := range rows {
		keys[i] = r.key()
	}
	return keys, nil
}

func (t rotationTx) CountTeamsNotWrappedBy(ctx context.Context, kekID string) (n int, err error) {
	err = t.q.get(ctx, &n, `SELECT (SELECT count(*) FROM teams WHERE kek_id <> ?) + (SELECT count(*) FROM totp_factors WHERE kek_id <> ?)
		+ (SELECT count(*) FROM issuer_keys WHERE kek_id <> ?)`, kekID, kekID, kekID)
	return n, err
}

func (t rotationTx) CountVersionsRotatedBefore(ctx context.Context, at time.Time) (n int, err error) {
	err = t.q.get(ctx, &n, `SELECT (SELECT count(*) FROM secret_versions v JOIN teams t ON t.id = v.team_id WHERE t.dek_rotated_at < ?)
		+ (SELECT count(*) FROM webhook_secrets v JOIN teams t ON t.id = v.team_id WHERE t.dek_rotated_at < ?)
		+ (SELECT count(*) FROM integration_values v JOIN teams t ON t.id = v.team_id WHERE t.dek_rotated_at < ?)`, micros(at), micros(at), micros(at))
	return n, err
}

// notSealedBy follows a condition on the team. The prefix, 5 bytes, names the
// key that sealed: docs/format.md, "Sealed form".
const notSealedBy = "(substr(v.value, 1, 5) <> ? OR substr(v.hint, 1, 5) <> ?)"

func (t rotationTx) VersionsNotSealedBy(ctx context.Context, teamID string, prefix []byte, after rotation.Version, limit int) ([]rotation.Version, error) {
	var rows []struct {
		SecretID string        `db:"secret_id"`
		Key      envvar.Key    `db:"key"`
		Number   int64         `db:"version"`
		Value    []byte        `db:"value"`
		Hint     []byte        `db:"hint"`
		Of       rotation.What `db:"of_what"`
	}
	// Ids are unique among all of them together.
	err := t.q.list(ctx, &rows, `SELECT * FROM (
			SELECT v.secret_id, s.key, v.version, v.value, v.hint, 'secret-value' AS of_what
			FROM secret_versions v JOIN secrets s ON s.id = v.secret_id AND s.team_id = v.team_id
			WHERE v.team_id = ? AND `+notSealedBy+` AND (v.secret_id > ? OR (v.secret_id = ? AND v.version > ?))
			UNION ALL
			SELECT v.webhook_id, v.webhook_id, v.version, v.value, v.value, 'webhook-secret'
			FROM webhook_secrets v
			WHERE v.team_id = ? AND substr(v.value, 1, 5) <> ? AND (v.webhook_id > ? OR (v.webhook_id = ? AND v.version > ?))
			UNION ALL
			SELECT v.owner_id, v.owner_id, v.version, v.value, v.value, 'integration-token'
			FROM integration_values v
			WHERE v.team_id = ? AND substr(v.value, 1, 5) <> ? AND (v.owner_id > ? OR (v.owner_id = ? AND v.version > ?))
		) AS sealed ORDER BY secret_id, version LIMIT ?`,
		teamID, prefix, prefix, after.SecretID, after.SecretID, after.Number,
		teamID, prefix, after.SecretID, after.SecretID, after.Number,
		teamID, prefix, after.SecretID, after.SecretID, after.Number, limit)
	if err != nil {
		return nil, fmt.Errorf("list the versions to seal anew: %w", err)
	}
	out := make([]rotation.Version, len(rows))
	for i, r := range rows {
		out[i] = rotation.Version(r)
	}
	return out, nil
}

func (t rotationTx) CountVersionsNotSealedBy(ctx context.Context, teamID string, prefix []byte) (n int, err error) {
	err = t.q.get(ctx, &n, "SELECT (SELECT count(*) FROM secret_versions v WHERE v.team_id = ? AND "+notSealedBy+`)
		+ (SELECT count(*) FROM webhook_secrets v WHERE v.team_id = ? AND substr(v.value, 1, 5) <> ?)
		+ (SELECT count(*) FROM integration_values v WHERE v.team_id = ? AND substr(v.value, 1, 5) <> ?)`, teamID, prefix, prefix, teamID, prefix, teamID, prefix)
	return n, err
}

func (t rotationTx) ReplaceDEK(ctx context.Context, kekCheck []byte, old, replacement rotation.TeamKey) (bool, error) {
	keks, err := shareKEKs(ctx, t.q)
	if err != nil || string(keks.Check) != string(kekCheck) {
		return false, err
	}
	if old.Person {
		n, err := t.q.exec(ctx, "UPDATE totp_factors SET wrapped_dek = ?, kek_id = ? WHERE user_id = ? AND wrapped_dek = ?",
			replacement.WrappedDEK, replacement.KEKID, old.TeamID, old.WrappedDEK)
		return n > 0, err
	}
	if old.Issuer {
		n, err := t.q.exec(ctx, "UPDATE issuer_keys SET wrapped_dek = ?, kek_id = ? WHERE id = ? AND wrapped_dek = ?",
			replacement.WrappedDEK, replacement.KEKID, old.TeamID, old.WrappedDEK)
		return n > 0, err
	}
	n, err := t.q.exec(ctx, "UPDATE teams SET wrapped_dek = ?, kek_id = ?, dek_rotated_at = ? WHERE id = ? AND wrapped_dek = ?",
		replacement.WrappedDEK, replacement.KEKID, micros(replacement.RotatedAt), old.TeamID, old.WrappedDEK)
	return n > 0, err
}

func (t rotationTx) Reseal(ctx context.Context, teamID string, old rotation.Version, value, hint []byte) (bool, error) {
	switch old.Of {
	case rotation.OfIntegration:
		n, err := t.q.exec(ctx, "UPDATE integration_values SET value = ? WHERE team_id = ? AND owner_id = ? AND version = ? AND value = ?",
			value, teamID, old.SecretID, old.Number, old.Value)
		return n > 0, err
	case rotation.OfWebhook:
		n, err := t.q.exec(ctx, "UPDATE webhook_secrets SET value = ? WHERE team_id = ? AND webhook_id = ? AND version = ? AND value = ?",
			value, teamID, old.SecretID, old.Number, old.Value)
		return n > 0, err
	}
	n, err := t.q.exec(ctx, "UPDATE secret_versions SET value = ?, hint = ? WHERE team_id = ? AND secret_id = ? AND version = ? AND value = ? AND hint = ?",
		value, hint, teamID, old.SecretID, old.Number, old.Value, old.Hint)
	return n > 0, err
}

func (t rotationTx) BeginDEKRotation(ctx context.Context, now time.Time) (since time.Time, err error) {
	if _, err := t.q.exec(ctx, "UPDATE stores SET dek_rotation_at = ? WHERE singleton = 1 AND dek_rotation_at = 0", micros(now)); err != nil {
		return time.Time{}, err
	}
	var us int64
	err = t.q.get(ctx, &us, "SELECT dek_rotation_at FROM stores WHERE singleton = 1")
	return fromMicros(us), err
}

func (t rotationTx) EndDEKRotation(ctx context.Context) error {
	_, err := t.q.exec(ctx, "UPDATE stores SET dek_rotation_at = 0 WHERE singleton = 1")
	return err
}

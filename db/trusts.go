package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"infsh/audit"
	"infsh/auth"
	"infsh/federation"
	"infsh/problem"
	"infsh/team"
)

// Trusts implements federation.Store.
type Trusts struct{ db *DB }

// Trusts returns the store of trusts.
func (d *DB) Trusts() *Trusts { return &Trusts{db: d} }

func (s *Trusts) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.db.AppendAudit(ctx, e)
}

func (s *Trusts) View(ctx context.Context, fn func(federation.Reader) error) error {
	return s.db.view(ctx, func(q querier) error { return fn(trustTx{q}) })
}

func (s *Trusts) Update(ctx context.Context, fn func(federation.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(trustTx{q}) })
}

type trustTx struct{ q querier }

func (t trustTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

func (t trustTx) LockTeam(ctx context.Context, teamID string) error {
	_, err := wrappedDEK(ctx, t.q, teamID, t.q.forUpdate())
	return err
}

type trustRow struct {
	ID          string `db:"id"`
	TeamID      string `db:"team_id"`
	Name        string `db:"name"`
	Preset      string `db:"preset"`
	Issuer      string `db:"issuer"`
	Audience    string `db:"audience"`
	JWKS        string `db:"jwks"`
	Conditions  string `db:"conditions"`
	Reuse       int64  `db:"reuse"`
	CreatedBy   string `db:"created_by"`
	CreatedAt   int64  `db:"created_at"`
	UpdatedAt   int64  `db:"updated_at"`
	LastUsedAt  int64  `db:"last_used_at"`
	LastSubject string `db:"last_subject"`
}

func (r trustRow) trust() (federation.Trust, error) {
	t := federation.Trust{
		ID: r.ID, TeamID: r.TeamID, Name: r.Name, Preset: federation.Preset(r.Preset), Issuer: r.Issuer, Audience: r.Audience, JWKS: r.JWKS, Reuse: r.Reuse != 0,
		CreatedByID: r.CreatedBy, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt), LastUsedAt: fromMicros(r.LastUsedAt), LastSubject: r.LastSubject,
	}
	if err := json.Unmarshal([]byte(r.Conditions), &t.Conditions); err != nil {
		return federation.Trust{}, fmt.Errorf("the conditions of trust %s: %w", r.ID, err)
	}
	return t, nil
}

const selectTrusts = `SELECT t.id, t.team_id, t.name, t.preset, t.issuer, t.audience, t.jwks, t.conditions, t.reuse, t.created_by, t.created_at, t.updated_at,
	t.last_used_at, t.last_subject FROM trusts t WHERE t.team_id = ?`

// trusts reads those that a query finds, with their apps.
func (t trustTx) trusts(ctx context.Context, query string, args ...any) ([]federation.Trust, error) {
	var rows []trustRow
	if err := t.q.list(ctx, &rows, query, args...); err != nil {
		return nil, fmt.Errorf("read trusts: %w", err)
	}
	out, places := make([]federation.Trust, len(rows)), map[string]int{}
	ids := make([]string, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.trust(); err != nil {
			return nil, err
		}
		ids[i], places[r.ID] = r.ID, i
	}
	if len(ids) == 0 {
		return out, nil
	}
	query, args, err := sqlx.In(`SELECT b.trust_id, a.id, a.namespace || '/' || a.name AS name FROM trust_apps b
		JOIN apps a ON a.id = b.app_id AND a.team_id = b.team_id WHERE b.trust_id IN (?) ORDER BY a.namespace, a.name`, ids)
	if err != nil {
		return nil, err
	}
	var apps []struct {
		TrustID string `db:"trust_id"`
		ID      string `db:"id"`
		Name    string `db:"name"`
	}
	if err := t.q.list(ctx, &apps, query, args...); err != nil {
		return nil, fmt.Errorf("read the apps of trusts: %w", err)
	}
	for _, a := range apps {
		one := &out[places[a.TrustID]]
		one.Apps = append(one.Apps, team.AppBinding{ID: a.ID, Name: a.Name})
	}
	return out, nil
}

func (t trustTx) Trusts(ctx context.Context, teamID string) ([]federation.Trust, error) {
	return t.trusts(ctx, selectTrusts+" ORDER BY t.created_at, t.id", teamID)
}

func (t trustTx) Trust(ctx context.Context, teamID, id string) (federation.Trust, error) {
	found, err := t.trusts(ctx, selectTrusts+" AND t.id = ?", teamID, id)
	if err == nil && len(found) == 0 {
		err = problem.New(problem.NotFound, "Not found: there is no such trust in this team.")
	}
	if err != nil {
		return federation.Trust{}, err
	}
	return found[0], nil
}

func (t trustTx) Trusted(ctx context.Context, teamName, namespace, name, issuer string) (teamID string, trusts []federation.Trust, err error) {
	err = t.q.get(ctx, &teamID, "SELECT id FROM teams WHERE username = ?", teamName)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	trusts, err = t.trusts(ctx, selectTrusts+` AND t.issuer = ? AND t.id IN
		(SELECT b.trust_id FROM trust_apps b JOIN apps a ON a.id = b.app_id WHERE a.team_id = ? AND a.namespace = ? AND a.name = ?)
		ORDER BY t.created_at, t.id`, teamID, issuer, teamID, namespace, name)
	return teamID, trusts, err
}

func (t trustTx) App(ctx context.Context, teamID, namespace, name string) (team.AppBinding, error) {
	id, err := authTx(t).AppID(ctx, teamID, namespace, name)
	return team.AppBinding{ID: id, Name: namespace + "/" + name}, err
}

func (t trustTx) KeyEnds(ctx context.Context, teamID, keyID string) (time.Time, error) {
	k, err := authTx(t).TeamKey(ctx, teamID, keyID)
	return k.ExpiresAt, err
}

func (t trustTx) Insert(ctx context.Context, in federation.Trust) error {
	conditions, err := json.Marshal(in.Conditions)
	if err != nil {
		return err
	}
	_, err = t.q.exec(ctx, `INSERT INTO trusts (id, team_id, name, preset, issuer, audience, jwks, conditions, reuse, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		in.ID, in.TeamID, in.Name, string(in.Preset), in.Issuer, in.Audience, in.JWKS, string(conditions), number(in.Reuse), in.CreatedByID, micros(in.CreatedAt), micros(in.UpdatedAt))
	if err != nil {
		return err
	}
	return t.insertApps(ctx, in)
}

func (t trustTx) insertApps(ctx context.Context, in federation.Trust) error {
	for _, a := range in.Apps {
		if _, err := t.q.exec(ctx, "INSERT INTO trust_apps (trust_id, app_id, team_id) VALUES (?, ?, ?)", in.ID, a.ID, in.TeamID); err != nil {
			return err
		}
	}
	return nil
}

// Save removes the rows of the apps, with which the credentials go.
func (t trustTx) Save(ctx context.Context, in federation.Trust) error {
	conditions, err := json.Marshal(in.Conditions)
	if err != nil {
		return err
	}
	_, err = t.q.exec(ctx, `UPDATE trusts SET name = ?, preset = ?, issuer = ?, audience = ?, jwks = ?, conditions = ?, reuse = ?, updated_at = ? WHERE team_id = ? AND id = ?`,
		in.Name, string(in.Preset), in.Issuer, in.Audience, in.JWKS, string(conditions), number(in.Reuse), micros(in.UpdatedAt), in.TeamID, in.ID)
	if err != nil {
		return err
	}
	if _, err := t.q.exec(ctx, "DELETE FROM trust_apps WHERE team_id = ? AND trust_id = ?", in.TeamID, in.ID); err != nil {
		return err
	}
	return t.insertApps(ctx, in)
}

func (t trustTx) Delete(ctx context.Context, teamID, id string) error {
	_, err := t.q.exec(ctx, "DELETE FROM trusts WHERE team_id = ? AND id = ?", teamID, id)
	return err
}

func (t trustTx) Used(ctx context.Context, in federation.Trust, subject string, now time.Time) (bool, error) {
	n, err := t.q.exec(ctx, "UPDATE trusts SET last_used_at = ?, last_subject = ? WHERE team_id = ? AND id = ? AND updated_at = ?",
		micros(now), subject, in.TeamID, in.ID, micros(in.UpdatedAt))
	return n > 0, err
}

func (t trustTx) UseToken(ctx context.Context, id []byte, expires time.Time) (first bool, err error) {
	n, err := t.q.exec(ctx, "INSERT INTO used_tokens (token_hash, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING", id, micros(expires))
	return n > 0, err
}

func (t trustTx) CountCredentials(ctx context.Context, trustID string, now time.Time) (n int, err error) {
	err = t.q.get(ctx, &n, "SELECT count(*) FROM runner_credentials WHERE trust_id = ? AND expires_at > ?", trustID, micros(now))
	return n, err
}

func (t trustTx) InsertCredential(ctx context.Context, c auth.RunnerCredential) (bool, error) {
	lock := ""
	if t.q.dialect == postgresDialect {
		lock = " FOR KEY SHARE"
	}
	n, err := t.q.exec(ctx, `INSERT INTO runner_credentials (token_hash, id, team_id, trust_id, app_id, created_at, expires_at)
		SELECT ?, ?, team_id, trust_id, app_id, ?, ? FROM trust_apps WHERE team_id = ? AND trust_id = ? AND app_id = ?`+lock,
		c.TokenHash, c.ID, micros(c.CreatedAt), micros(c.ExpiresAt), c.TeamID, c.TrustID, c.AppID)
	return n > 0, err
}

func refusalsOf(teamID string, signed bool) string {
	if signed {
		return "refused tokens, signed, of " + teamID
	}
	return "refused tokens of " + teamID
}

func (t trustTx) Refusals(ctx context.Context, teamID string, signed bool) (n int, since time.Time, err error) {
	th, err := authTx(t).Throttle(ctx, refusalsOf(teamID, signed))
	return th.Failures, th.LastAt, err
}

func (t trustTx) SetRefusals(ctx context.Context, teamID string, signed bool, n int, since time.Time) error {
	return authTx(t).SetThrottle(ctx, auth.Throttle{Bucket: refusalsOf(teamID, signed), Failures: n, LastAt: since})
}

// RunnerCredential implements auth.Store.
func (s *Auth) RunnerCredential(ctx context.Context, tokenHash []byte) (auth.RunnerRecord, error) {
	var r struct {
		ID        string `db:"id"`
		TeamID    string `db:"team_id"`
		TeamName  string `db:"team_name"`
		TrustID   string `db:"trust_id"`
		TrustName string `db:"trust_name"`
		AppID     string `db:"app_id"`
		AppName   string `db:"app_name"`
		CreatedAt int64  `db:"created_at"`
		ExpiresAt int64  `db:"expires_at"`
	}
	err := s.statement().get(ctx, &r, `SELECT c.id, c.team_id, m.username AS team_name, c.trust_id, t.name AS trust_name, c.app_id, a.namespace || '/' || a.name AS app_name,
		c.created_at, c.expires_at
		FROM runner_credentials c
		JOIN trusts t ON t.id = c.trust_id AND t.team_id = c.team_id
		JOIN apps a ON a.id = c.app_id AND a.team_id = c.team_id
		JOIN teams m ON m.id = c.team_id
		WHERE c.token_hash = ?`, tokenHash)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.RunnerRecord{}, noKey()
	}
	if err != nil {
		return auth.RunnerRecord{}, fmt.Errorf("read a runner's credential: %w", err)
	}
	return auth.RunnerRecord{
		RunnerCredential: auth.RunnerCredential{
			ID: r.ID, TeamID: r.TeamID, TrustID: r.TrustID, AppID: r.AppID, TokenHash: tokenHash, CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
		},
		TeamName: r.TeamName, TrustName: r.TrustName, App: team.AppBinding{ID: r.AppID, Name: r.AppName},
	}, nil
}

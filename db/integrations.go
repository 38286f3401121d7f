package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"infsh/audit"
	"infsh/auth"
	"infsh/integration"
	"infsh/problem"
)

// Integrations implements integration.Store.
type Integrations struct{ db *DB }

// Integrations returns the store of integrations.
func (d *DB) Integrations() *Integrations { return &Integrations{db: d} }

func (s *Integrations) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.db.AppendAudit(ctx, e)
}

func (s *Integrations) View(ctx context.Context, fn func(integration.Reader) error) error {
	return s.db.view(ctx, func(q querier) error { return fn(integrationTx{q}) })
}

func (s *Integrations) Update(ctx context.Context, fn func(integration.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(integrationTx{q}) })
}

// Due implements integration.Store.
func (s *Integrations) Due(ctx context.Context, now time.Time, except []string, limit int) ([]integration.Ref, error) {
	query, args := "", []any{micros(now), micros(now)}
	if len(except) > 0 {
		some, list, err := sqlx.In(" AND provider NOT IN (?)", except)
		if err != nil {
			return nil, err
		}
		query, args = some, append(args, list...)
	}
	var rows []struct {
		TeamID string `db:"team_id"`
		ID     string `db:"id"`
	}
	err := s.db.statement().list(ctx, &rows, "SELECT team_id, id FROM integrations WHERE refresh_at > 0 AND refresh_at <= ? AND leased_until <= ?"+query+
		" ORDER BY refresh_at LIMIT ?", append(args, limit)...)
	out := make([]integration.Ref, len(rows))
	for i, r := range rows {
		out[i] = integration.Ref{TeamID: r.TeamID, ID: r.ID}
	}
	return out, err
}

// Lease implements integration.Store.
func (s *Integrations) Lease(ctx context.Context, ref integration.Ref, version int64, now, until time.Time) (leased bool, err error) {
	err = s.db.update(ctx, func(q querier) error {
		n, err := q.exec(ctx, "UPDATE integrations SET leased_until = ? WHERE team_id = ? AND id = ? AND version = ? AND leased_until <= ?",
			micros(until), ref.TeamID, ref.ID, version, micros(now))
		leased = n > 0
		return err
	})
	return leased, err
}

// ForgetFlows implements integration.Store.
func (s *Integrations) ForgetFlows(ctx context.Context, now time.Time) error {
	return s.db.update(ctx, func(q querier) error {
		_, err := q.exec(ctx, "DELETE FROM integration_flows WHERE expires_at <= ?", micros(now))
		return err
	})
}

type integrationTx struct{ q querier }

func (t integrationTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

func (t integrationTx) LockTeam(ctx context.Context, team string) ([]byte, error) {
	return wrappedDEK(ctx, t.q, team, t.q.forUpdate())
}

func (t integrationTx) WrappedDEK(ctx context.Context, team string) ([]byte, error) {
	return wrappedDEK(ctx, t.q, team, "")
}

type connectionRow struct {
	ID          string `db:"id"`
	TeamID      string `db:"team_id"`
	Provider    string `db:"provider"`
	Type        string `db:"type"`
	AccountID   string `db:"account_id"`
	AccountName string `db:"account_name"`
	Scopes      string `db:"scopes"`
	Status      string `db:"status"`
	Problem     string `db:"problem"`
	Primary     int64  `db:"is_primary"`
	Version     int64  `db:"version"`
	ExpiresAt   int64  `db:"expires_at"`
	RefreshAt   int64  `db:"refresh_at"`
	RefreshedAt int64  `db:"refreshed_at"`
	Failures    int    `db:"failures"`
	CreatedBy   string `db:"created_by"`
	CreatedAt   int64  `db:"created_at"`
	UpdatedAt   int64  `db:"updated_at"`
	Sealed      []byte `db:"value"`
}

func (r connectionRow) held() integration.Held {
	return integration.Held{Sealed: r.Sealed, Connection: integration.Connection{
		ID: r.ID, TeamID: r.TeamID, Provider: r.Provider, Type: integration.Type(r.Type), AccountID: r.AccountID, AccountName: r.AccountName,
		Scopes: strings.Fields(r.Scopes), Status: integration.Status(r.Status), Problem: r.Problem, Primary: r.Primary != 0, Version: r.Version,
		ExpiresAt: fromMicros(r.ExpiresAt), RefreshAt: fromMicros(r.RefreshAt), RefreshedAt: fromMicros(r.RefreshedAt), Failures: r.Failures,
		CreatedByID: r.CreatedBy, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}}
}

const selectConnections = `SELECT i.id, i.team_id, i.provider, i.type, i.account_id, i.account_name, i.scopes, i.status, i.problem, i.is_primary, i.version,
		i.expires_at, i.refresh_at, i.refreshed_at, i.failures, i.created_by, i.created_at, i.updated_at, v.value
	FROM integrations i JOIN integration_values v ON v.team_id = i.team_id AND v.owner_id = i.id AND v.version = i.version WHERE `

// connections reads those of teams, in one statement.
func connections(ctx context.Context, q querier, teams []string) (map[string][]integration.Held, error) {
	var rows []connectionRow
	if err := q.in(ctx, &rows, selectConnections+"i.team_id IN (?) ORDER BY i.provider, i.type, i.created_at, i.id", teams); err != nil {
		return nil, fmt.Errorf("read integrations: %w", err)
	}
	out := map[string][]integration.Held{}
	for _, r := range rows {
		out[r.TeamID] = append(out[r.TeamID], r.held())
	}
	return out, nil
}

func (t integrationTx) Connections(ctx context.Context, team string) ([]integration.Held, error) {
	all, err := connections(ctx, t.q, []string{team})
	return all[team], err
}

func (t integrationTx) Connection(ctx context.Context, team, id string) (integration.Held, error) {
	var row connectionRow
	err := t.q.get(ctx, &row, selectConnections+"i.team_id = ? AND i.id = ?", team, searchable(id))
	if errors.Is(err, sql.ErrNoRows) {
		return integration.Held{}, problem.New(problem.NotFound, "Not found: there is no such integration in this team.")
	}
	return row.held(), err
}

func (t integrationTx) InsertConnection(ctx context.Context, c integration.Connection) error {
	_, err := t.q.exec(ctx, `INSERT INTO integrations (id, team_id, provider, type, account_id, account_name, scopes, status, problem, is_primary, version,
			expires_at, refresh_at, refreshed_at, failures, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.TeamID, c.Provider, string(c.Type), c.AccountID, c.AccountName, strings.Join(c.Scopes, " "), string(c.Status), c.Problem, number(c.Primary), c.Version,
		micros(c.ExpiresAt), micros(c.RefreshAt), micros(c.RefreshedAt), c.Failures, c.CreatedByID, micros(c.CreatedAt), micros(c.UpdatedAt))
	return err
}

func (t integrationTx) SaveConnection(ctx context.Context, c integration.Connection) error {
	_, err := t.q.exec(ctx, `UPDATE integrations SET account_id = ?, account_name = ?, scopes = ?, status = ?, problem = ?, version = ?,
			expires_at = ?, refresh_at = ?, refreshed_at = ?, failures = ?, updated_at = ?, leased_until = 0 WHERE team_id = ? AND id = ?`,
		c.AccountID, c.AccountName, strings.Join(c.Scopes, " "), string(c.Status), c.Problem, c.Version,
		micros(c.ExpiresAt), micros(c.RefreshAt), micros(c.RefreshedAt), c.Failures, micros(c.UpdatedAt), c.TeamID, c.ID)
	return err
}

func (t integrationTx) SetRefreshAt(ctx context.Context, team, id string, at time.Time) error {
	_, err := t.q.exec(ctx, "UPDATE integrations SET refresh_at = ? WHERE team_id = ? AND id = ?", micros(at), team, id)
	return err
}

func (t integrationTx) SetPrimary(ctx context.Context, team, id string, primary bool) error {
	_, err := t.q.exec(ctx, "UPDATE integrations SET is_primary = ? WHERE team_id = ? AND id = ?", number(primary), team, id)
	return err
}

func (t integrationTx) DeleteConnection(ctx context.Context, team, id string) error {
	_, err := t.q.exec(ctx, "DELETE FROM integrations WHERE team_id = ? AND id = ?", team, id)
	return err
}

func (t integrationTx) Leased(ctx context.Context, team, id string, until time.Time) (bool, error) {
	var n int
	err := t.q.get(ctx, &n, "SELECT count(*) FROM integrations WHERE team_id = ? AND id = ? AND leased_until = ?", team, id, micros(until))
	return n > 0, err
}

// callsOf is where a team's calls are counted, among the throttles of sign-ins,
// whose names are hashes.
func callsOf(team string) string { return "integrations of " + team }

func (t integrationTx) Calls(ctx context.Context, team string) (n int, since time.Time, err error) {
	th, err := authTx(t).Throttle(ctx, callsOf(team))
	return th.Failures, th.LastAt, err
}

func (t integrationTx) SetCalls(ctx context.Context, team string, n int, since time.Time) error {
	return authTx(t).SetThrottle(ctx, auth.Throttle{Bucket: callsOf(team), Failures: n, LastAt: since})
}

type clientRow struct {
	ID        string `db:"id"`
	TeamID    string `db:"team_id"`
	Provider  string `db:"provider"`
	Type      string `db:"type"`
	ClientID  string `db:"client_id"`
	Version   int64  `db:"version"`
	CreatedBy string `db:"created_by"`
	CreatedAt int64  `db:"created_at"`
	UpdatedAt int64  `db:"updated_at"`
}

func (t integrationTx) Clients(ctx context.Context, team string) ([]integration.Client, error) {
	var rows []clientRow
	err := t.q.list(ctx, &rows, "SELECT id, team_id, provider, type, client_id, version, created_by, created_at, updated_at FROM integration_clients WHERE team_id = ? ORDER BY provider", team)
	out := make([]integration.Client, len(rows))
	for i, r := range rows {
		out[i] = integration.Client{
			ID: r.ID, TeamID: r.TeamID, Provider: r.Provider, Type: integration.Type(r.Type), ClientID: r.ClientID, Version: r.Version,
			CreatedByID: r.CreatedBy, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
		}
	}
	return out, err
}

func (t integrationTx) InsertClient(ctx context.Context, c integration.Client) error {
	_, err := t.q.exec(ctx, `INSERT INTO integration_clients (id, team_id, provider, type, client_id, version, created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.TeamID, c.Provider, string(c.Type), c.ClientID, c.Version, c.CreatedByID, micros(c.CreatedAt), micros(c.UpdatedAt))
	return err
}

func (t integrationTx) SaveClient(ctx context.Context, c integration.Client) error {
	_, err := t.q.exec(ctx, "UPDATE integration_clients SET client_id = ?, version = ?, updated_at = ? WHERE team_id = ? AND id = ?", c.ClientID, c.Version, micros(c.UpdatedAt), c.TeamID, c.ID)
	return err
}

func (t integrationTx) Value(ctx context.Context, team, owner string, version int64) (sealed []byte, err error) {
	err = t.q.get(ctx, &sealed, "SELECT value FROM integration_values WHERE team_id = ? AND owner_id = ? AND version = ?", team, owner, version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.New(problem.NotFound, "Not found: nothing is stored of this integration.")
	}
	return sealed, err
}

func (t integrationTx) SetValue(ctx context.Context, team, owner string, version int64, sealed []byte) error {
	if err := t.DeleteValues(ctx, team, owner); err != nil {
		return err
	}
	_, err := t.q.exec(ctx, "INSERT INTO integration_values (team_id, owner_id, version, value) VALUES (?, ?, ?, ?)", team, owner, version, sealed)
	return err
}

func (t integrationTx) DeleteValues(ctx context.Context, team, owner string) error {
	*t.q.scrub = true
	_, err := t.q.exec(ctx, "DELETE FROM integration_values WHERE team_id = ? AND owner_id = ?", team, owner)
	return err
}

type flowRow struct {
	StateHash     []byte `db:"state_hash"`
	ID            string `db:"id"`
	TeamID        string `db:"team_id"`
	UserID        string `db:"user_id"`
	Holder        string `db:"holder"`
	Provider      string `db:"provider"`
	Type          string `db:"type"`
	Scopes        string `db:"scopes"`
	IntegrationID string `db:"integration_id"`
	Verifier      []byte `db:"verifier"`
	Redirect      string `db:"redirect"`
	Port          int    `db:"port"`
	CreatedAt     int64  `db:"created_at"`
	ExpiresAt     int64  `db:"expires_at"`
}

func (t integrationTx) InsertFlow(ctx context.Context, f integration.Flow) error {
	_, err := t.q.exec(ctx, `INSERT INTO integration_flows (state_hash, id, team_id, user_id, holder, provider, type, scopes, integration_id, verifier, redirect, port, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		f.StateHash, f.ID, f.TeamID, f.UserID, f.Holder, f.Provider, string(f.Type), strings.Join(f.Scopes, " "), f.ConnectionID, f.Verifier, f.Redirect, f.Port, micros(f.CreatedAt), micros(f.ExpiresAt))
	return err
}

func (t integrationTx) CountFlows(ctx context.Context, team string, now time.Time) (n int, err error) {
	err = t.q.get(ctx, &n, "SELECT count(*) FROM integration_flows WHERE team_id = ? AND expires_at > ?", team, micros(now))
	return n, err
}

func (t integrationTx) Flow(ctx context.Context, stateHash []byte) (integration.Flow, error) {
	var r flowRow
	err := t.q.get(ctx, &r, `SELECT state_hash, id, team_id, user_id, holder, provider, type, scopes, integration_id, verifier, redirect, port, created_at, expires_at
		FROM integration_flows WHERE state_hash = ?`, stateHash)
	if errors.Is(err, sql.ErrNoRows) {
		return integration.Flow{}, problem.New(problem.NotFound, "Not found: there is no such authorization.")
	}
	return integration.Flow{
		StateHash: r.StateHash, ID: r.ID, TeamID: r.TeamID, UserID: r.UserID, Holder: r.Holder, Provider: r.Provider, Type: integration.Type(r.Type),
		Scopes: strings.Fields(r.Scopes), ConnectionID: r.IntegrationID, Verifier: r.Verifier, Redirect: r.Redirect, Port: r.Port,
		CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
	}, err
}

func (t integrationTx) DeleteFlow(ctx context.Context, stateHash []byte) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM integration_flows WHERE state_hash = ?", stateHash)
	return n > 0, err
}

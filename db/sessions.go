package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/account"
	"infsh/audit"
	"infsh/auth"
	"infsh/problem"
	"infsh/team"
)

// Auth implements auth.Store. Its parts are in sessions.go, apikeys.go,
// devices.go, factors.go and throttles.go.
type Auth struct{ db *DB }

// Auth returns the store of credentials.
func (d *DB) Auth() *Auth { return &Auth{db: d} }

func (s *Auth) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.db.AppendAudit(ctx, e)
}

func (s *Auth) Update(ctx context.Context, fn func(auth.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(authTx{q}) })
}

func (s *Auth) statement() querier { return s.db.statement() }

type authTx struct{ q querier }

func (t authTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

// membershipColumns go with the tables memberships m and teams t, outer-joined:
// all are empty where there is no membership.
const membershipColumns = `COALESCE(t.id, '') AS member_team_id, COALESCE(t.username, '') AS member_team_name,
	CASE WHEN t.id IS NULL THEN '' ELSE COALESCE(m.role, '') END AS member_role, COALESCE(t.members_may_edit, 0) AS members_may_edit`

type membershipRow struct {
	TeamID         string    `db:"member_team_id"`
	TeamName       string    `db:"member_team_name"`
	Role           team.Role `db:"member_role"`
	MembersMayEdit bool      `db:"members_may_edit"`
}

func (r membershipRow) membership() auth.Membership {
	if r.Role == "" {
		return auth.Membership{}
	}
	return auth.Membership{TeamID: r.TeamID, TeamName: r.TeamName, Role: r.Role, MembersMayEdit: r.MembersMayEdit}
}

type sessionRow struct {
	ID         string `db:"id"`
	TokenHash  []byte `db:"token_hash"`
	UserID     string `db:"user_id"`
	Email      string `db:"email"`
	TeamID     string `db:"team_id"`
	CSRF       string `db:"csrf_token"`
	RemoteAddr string `db:"remote_addr"`
	UserAgent  string `db:"user_agent"`
	CreatedAt  int64  `db:"created_at"`
	LastSeenAt int64  `db:"last_seen_at"`
	ExpiresAt  int64  `db:"expires_at"`
	Confirmed  int64  `db:"confirmed_at"`
	membershipRow
}

func (s *Auth) Session(ctx context.Context, tokenHash []byte) (auth.SessionRecord, auth.Membership, error) {
	var r sessionRow
	err := s.statement().get(ctx, &r, `SELECT s.id, s.token_hash, s.user_id, u.email, s.team_id, s.csrf_token, s.remote_addr, s.user_agent,
			s.created_at, s.last_seen_at, s.expires_at, s.confirmed_at, `+membershipColumns+`
		FROM sessions s
		JOIN users u ON u.id = s.user_id
		LEFT JOIN memberships m ON m.team_id = s.team_id AND m.user_id = s.user_id
		LEFT JOIN teams t ON t.id = m.team_id
		WHERE s.token_hash = ?`, tokenHash)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.SessionRecord{}, auth.Membership{}, problem.New(problem.NotFound, "the session has ended")
	}
	if err != nil {
		return auth.SessionRecord{}, auth.Membership{}, fmt.Errorf("read the session: %w", err)
	}
	return auth.SessionRecord{
		ID: r.ID, TokenHash: r.TokenHash, UserID: r.UserID, Email: r.Email, TeamID: r.TeamID, CSRF: r.CSRF,
		RemoteAddr: r.RemoteAddr, UserAgent: r.UserAgent,
		CreatedAt: fromMicros(r.CreatedAt), LastSeenAt: fromMicros(r.LastSeenAt), ExpiresAt: fromMicros(r.ExpiresAt),
		ConfirmedAt: fromMicros(r.Confirmed),
	}, r.membership(), nil
}

func (s *Auth) TouchSession(ctx context.Context, tokenHash []byte, now, before time.Time) error {
	return s.db.update(ctx, func(q querier) error {
		_, err := q.exec(ctx, "UPDATE sessions SET last_seen_at = ? WHERE token_hash = ? AND last_seen_at <= ?", micros(now), tokenHash, micros(before))
		return err
	})
}

func (s *Auth) SignIns(ctx context.Context, user string, now, idleSince time.Time) ([]auth.SignIn, error) {
	var rows []struct {
		ID          string `db:"id"`
		CommandLine bool   `db:"command_line"`
		Name        string `db:"name"`
		RemoteAddr  string `db:"remote_addr"`
		CreatedAt   int64  `db:"created_at"`
		LastUsedAt  int64  `db:"last_used_at"`
	}
	err := s.statement().list(ctx, &rows, `SELECT * FROM (
			SELECT id, 0 AS command_line, user_agent AS name, remote_addr, created_at, last_seen_at AS last_used_at
			FROM sessions WHERE user_id = ? AND expires_at > ? AND last_seen_at > ?
			UNION ALL
			SELECT id, 1, name, '', created_at, last_used_at
			FROM api_keys WHERE user_id = ? AND kind = 'login' AND (expires_at = 0 OR expires_at > ?)
		) AS signed_in ORDER BY last_used_at DESC, created_at DESC, id`, user, micros(now), micros(idleSince), user, micros(now))
	if err != nil {
		return nil, fmt.Errorf("list where a person is signed in: %w", err)
	}
	out := make([]auth.SignIn, len(rows))
	for i, r := range rows {
		out[i] = auth.SignIn{ID: r.ID, CommandLine: r.CommandLine, Name: r.Name, RemoteAddr: r.RemoteAddr, CreatedAt: fromMicros(r.CreatedAt), LastUsedAt: fromMicros(r.LastUsedAt)}
	}
	return out, nil
}

func (s *Auth) Membership(ctx context.Context, team, user string) (auth.Membership, error) {
	q := s.statement()
	if j := joinedIn(ctx); j != nil {
		// A second connection, while this one is held, could be one too many.
		q = j.q
	}
	return membership(ctx, q, team, user)
}

func (t authTx) Membership(ctx context.Context, team, user string) (auth.Membership, error) {
	return membership(ctx, t.q, team, user)
}

const selectMemberships = "SELECT " + membershipColumns + " FROM memberships m JOIN teams t ON t.id = m.team_id"

func membership(ctx context.Context, q querier, team, user string) (auth.Membership, error) {
	var r membershipRow
	err := q.get(ctx, &r, selectMemberships+" WHERE m.team_id = ? AND m.user_id = ?", team, user)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Membership{}, account.NoTeam()
	}
	return r.membership(), err
}

func (t authTx) FirstMembership(ctx context.Context, user string) (auth.Membership, error) {
	var r membershipRow
	err := t.q.get(ctx, &r, selectMemberships+" WHERE m.user_id = ? ORDER BY m.created_at, t.username LIMIT 1", user)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Membership{}, nil
	}
	return r.membership(), err
}

func (t authTx) PersonByEmail(ctx context.Context, folded string) (auth.Person, error) {
	return t.person(ctx, "u.email_folded = ?", folded)
}

func (t authTx) PersonByID(ctx context.Context, user string) (auth.Person, error) {
	// The row is locked on its own: not each database locks outer joins.
	if _, err := t.PasswordHash(ctx, user); err != nil {
		return auth.Person{}, err
	}
	return t.person(ctx, "u.id = ?", user)
}

func (t authTx) person(ctx context.Context, where string, arg any) (auth.Person, error) {
	var r struct {
		UserID       string `db:"id"`
		Email        string `db:"email"`
		PasswordHash string `db:"password_hash"`
		HasFactors   bool   `db:"has_factors"`
		membershipRow
	}
	err := t.q.get(ctx, &r, "SELECT u.id, u.email, u.password_hash, "+membershipColumns+`,
			CASE WHEN EXISTS (SELECT 1 FROM totp_factors f WHERE f.user_id = u.id AND f.confirmed_at > 0)
				OR EXISTS (SELECT 1 FROM passkeys p WHERE p.user_id = u.id) THEN 1 ELSE 0 END AS has_factors
		FROM users u
		LEFT JOIN memberships m ON m.user_id = u.id
		LEFT JOIN teams t ON t.id = m.team_id
		WHERE `+where+" ORDER BY m.created_at, t.username LIMIT 1", arg)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Person{}, nil
	}
	return auth.Person{UserID: r.UserID, Email: r.Email, PasswordHash: r.PasswordHash, HasFactors: r.HasFactors, First: r.membership()}, err
}

func (t authTx) PasswordHash(ctx context.Context, user string) (hash string, err error) {
	err = t.q.get(ctx, &hash, "SELECT password_hash FROM users WHERE id = ?"+t.q.forUpdate(), user)
	if errors.Is(err, sql.ErrNoRows) {
		return "", problem.New(problem.NotFound, "Not found: this account does not exist any more.")
	}
	return hash, err
}

func (t authTx) SetPasswordHash(ctx context.Context, user, hash string, now time.Time) error {
	_, err := t.q.exec(ctx, "UPDATE users SET password_hash = ?, updated_at = ? WHERE id = ?", hash, micros(now), user)
	return err
}

func (t authTx) InsertSession(ctx context.Context, s auth.SessionRecord) error {
	_, err := t.q.exec(ctx, `INSERT INTO sessions
		(token_hash, id, user_id, team_id, csrf_token, remote_addr, user_agent, created_at, last_seen_at, expires_at, confirmed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.TokenHash, s.ID, s.UserID, s.TeamID, s.CSRF, s.RemoteAddr, s.UserAgent, micros(s.CreatedAt), micros(s.LastSeenAt), micros(s.ExpiresAt), micros(s.ConfirmedAt))
	return err
}

func (t authTx) DeleteSession(ctx context.Context, tokenHash []byte) error {
	_, err := t.q.exec(ctx, "DELETE FROM sessions WHERE token_hash = ?", tokenHash)
	return err
}

func (t authTx) DeleteSessions(ctx context.Context, user, exceptID string) error {
	_, err := t.q.exec(ctx, "DELETE FROM sessions WHERE user_id = ? AND id <> ?", user, exceptID)
	return err
}

func (t authTx) DeleteSessionOf(ctx context.Context, user, id string) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM sessions WHERE user_id = ? AND id = ?", user, id)
	return n > 0, err
}

func (t authTx) KeepSessions(ctx context.Context, user string, keep int) error {
	_, err := t.q.exec(ctx, `DELETE FROM sessions WHERE user_id = ? AND id NOT IN
		(SELECT id FROM sessions WHERE user_id = ? ORDER BY last_seen_at DESC, created_at DESC, id LIMIT ?)`, user, user, keep)
	return err
}

func (t authTx) SetSessionTeam(ctx context.Context, id, team string) (bool, error) {
	n, err := t.q.exec(ctx, `UPDATE sessions SET team_id = ? WHERE id = ? AND EXISTS
		(SELECT 1 FROM memberships m WHERE m.team_id = ? AND m.user_id = sessions.user_id)`, team, id, team)
	return n > 0, err
}

func (t authTx) RotateSession(ctx context.Context, id string, tokenHash []byte, confirmed time.Time) error {
	n, err := t.q.exec(ctx, "UPDATE sessions SET token_hash = ?, confirmed_at = ? WHERE id = ?", tokenHash, micros(confirmed), id)
	if err == nil && n == 0 {
		return problem.New(problem.NotFound, "the session has ended")
	}
	return err
}

func (t authTx) DeleteExpired(ctx context.Context, now, idleSince time.Time) error {
	for _, d := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM sessions WHERE expires_at <= ? OR last_seen_at <= ?", []any{micros(now), micros(idleSince)}},
		{"DELETE FROM device_logins WHERE expires_at <= ?", []any{micros(now)}},
		{"DELETE FROM pending_logins WHERE expires_at <= ?", []any{micros(now)}},
		{"DELETE FROM passkey_challenges WHERE expires_at <= ?", []any{micros(now)}},
		{"DELETE FROM sign_ons WHERE expires_at <= ?", []any{micros(now)}},
		{"DELETE FROM runner_credentials WHERE expires_at <= ?", []any{micros(now)}},
		{"DELETE FROM used_tokens WHERE expires_at <= ?", []any{micros(now)}},
		{"DELETE FROM api_keys WHERE kind = 'login' AND expires_at > 0 AND expires_at <= ?", []any{micros(now)}},
	} {
		if _, err := t.q.exec(ctx, d.query, d.args...); err != nil {
			return fmt.Errorf("remove what has expired: %w", err)
		}
	}
	return nil
}

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/account"
	"infsh/auth"
	"infsh/problem"
)

type identityRow struct {
	UserID     string `db:"user_id"`
	Issuer     string `db:"issuer"`
	Subject    string `db:"subject"`
	Email      string `db:"email"`
	CreatedAt  int64  `db:"created_at"`
	LastUsedAt int64  `db:"last_used_at"`
}

func findIdentity(ctx context.Context, q querier, where string, args ...any) (account.Identity, error) {
	var r identityRow
	err := q.get(ctx, &r, "SELECT * FROM identities WHERE "+where, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return account.Identity{}, problem.New(problem.NotFound, "Not found: nobody is connected there.")
	}
	return account.Identity{
		UserID: r.UserID, Issuer: r.Issuer, Subject: r.Subject, Email: r.Email, CreatedAt: fromMicros(r.CreatedAt), LastUsedAt: fromMicros(r.LastUsedAt),
	}, err
}

func (t accountTx) Identity(ctx context.Context, issuer, subject string) (account.Identity, error) {
	return findIdentity(ctx, t.q, "issuer = ? AND subject = ?", issuer, subject)
}

func (t accountTx) IdentityOf(ctx context.Context, user, issuer string) (account.Identity, error) {
	return findIdentity(ctx, t.q, "user_id = ? AND issuer = ?", user, issuer)
}

func (s *Auth) IdentityOf(ctx context.Context, user, issuer string) (account.Identity, error) {
	return findIdentity(ctx, s.statement(), "user_id = ? AND issuer = ?", user, issuer)
}

func (t accountTx) SignsInAlone(ctx context.Context, user string) (bool, error) {
	var n int
	err := t.q.get(ctx, &n, `SELECT (SELECT count(*) FROM users WHERE id = ? AND password_hash <> '') + (SELECT count(*) FROM passkeys WHERE user_id = ?)`, user, user)
	return n > 0, err
}

func (t accountTx) InvitesTo(ctx context.Context, folded string) ([]account.StoredInvite, error) {
	var rows []inviteRow
	if err := t.q.list(ctx, &rows, selectInvites+" WHERE i.email_folded = ? AND i.status = 'pending' ORDER BY i.created_at DESC, i.id", folded); err != nil {
		return nil, fmt.Errorf("list the invites to an address: %w", err)
	}
	out := make([]account.StoredInvite, len(rows))
	for i, r := range rows {
		out[i] = r.invite()
	}
	return out, nil
}

func insertIdentity(ctx context.Context, q querier, i account.Identity) error {
	_, err := q.exec(ctx, "INSERT INTO identities (user_id, issuer, subject, email, created_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?)",
		i.UserID, i.Issuer, i.Subject, i.Email, micros(i.CreatedAt), micros(i.LastUsedAt))
	if isUnique(err) {
		return problem.New(problem.Conflict, "One of the two is connected already: your account here with another account there, or that one with another person's here. Disconnect it first.")
	}
	return err
}

func (t accountTx) InsertIdentity(ctx context.Context, i account.Identity) error {
	return insertIdentity(ctx, t.q, i)
}

func (t authTx) InsertIdentity(ctx context.Context, i account.Identity) error {
	return insertIdentity(ctx, t.q, i)
}

func (t authTx) UseIdentity(ctx context.Context, user, issuer, subject string, now time.Time) (bool, error) {
	n, err := t.q.exec(ctx, "UPDATE identities SET last_used_at = ? WHERE user_id = ? AND issuer = ? AND subject = ?", micros(now), user, issuer, subject)
	return n > 0, err
}

func (t authTx) DeleteIdentities(ctx context.Context, user, issuer string) (int, error) {
	n, err := t.q.exec(ctx, "DELETE FROM identities WHERE user_id = ? AND (issuer = ? OR ? = '')", user, issuer, issuer)
	return int(n), err
}

func (t authTx) InsertSignOn(ctx context.Context, s auth.WaitingSignOn) error {
	_, err := t.q.exec(ctx, "INSERT INTO sign_ons (state_hash, browser_hash, network, purpose, session_id, next, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		s.StateHash, s.BrowserHash, s.Network, string(s.Purpose), s.SessionID, s.Next, micros(s.CreatedAt), micros(s.ExpiresAt))
	return err
}

func (t authTx) TakeSignOn(ctx context.Context, stateHash []byte, now time.Time) (auth.WaitingSignOn, error) {
	var r struct {
		StateHash   []byte `db:"state_hash"`
		BrowserHash []byte `db:"browser_hash"`
		Network     string `db:"network"`
		Purpose     string `db:"purpose"`
		SessionID   string `db:"session_id"`
		Next        string `db:"next"`
		CreatedAt   int64  `db:"created_at"`
		ExpiresAt   int64  `db:"expires_at"`
	}
	gone := problem.New(problem.NotFound, "no browser was sent there")
	err := t.q.get(ctx, &r, "SELECT * FROM sign_ons WHERE state_hash = ?"+t.q.forUpdate(), stateHash)
	if errors.Is(err, sql.ErrNoRows) || err == nil && r.ExpiresAt <= micros(now) {
		return auth.WaitingSignOn{}, gone
	}
	if err != nil {
		return auth.WaitingSignOn{}, err
	}
	n, err := t.q.exec(ctx, "DELETE FROM sign_ons WHERE state_hash = ?", stateHash)
	if err == nil && n == 0 {
		err = gone
	}
	return auth.WaitingSignOn{
		StateHash: r.StateHash, BrowserHash: r.BrowserHash, Network: r.Network, Purpose: auth.SignOnPurpose(r.Purpose), SessionID: r.SessionID, Next: r.Next,
		CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
	}, err
}

func (t authTx) KeepSignOns(ctx context.Context, network string, keep int) error {
	_, err := t.q.exec(ctx, `DELETE FROM sign_ons WHERE network = ? AND state_hash NOT IN
		(SELECT state_hash FROM sign_ons WHERE network = ? ORDER BY created_at DESC, state_hash LIMIT ?)`, network, network, keep)
	return err
}

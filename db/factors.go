package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"infsh/auth"
	"infsh/problem"
)

func (s *Auth) Factors(ctx context.Context, user string) (auth.Factors, error) {
	return factors(ctx, s.statement(), user)
}

func (t authTx) Factors(ctx context.Context, user string) (auth.Factors, error) {
	return factors(ctx, t.q, user)
}

type passkeyRow struct {
	ID           string `db:"id"`
	UserID       string `db:"user_id"`
	Name         string `db:"name"`
	CredentialID []byte `db:"credential_id"`
	PublicKey    []byte `db:"public_key"`
	AAGUID       []byte `db:"aaguid"`
	Transports   string `db:"transports"`
	Flags        byte   `db:"flags"`
	SignCount    uint32 `db:"sign_count"`
	CreatedAt    int64  `db:"created_at"`
	LastUsedAt   int64  `db:"last_used_at"`
}

func factors(ctx context.Context, q querier, user string) (auth.Factors, error) {
	var out auth.Factors
	var counts struct {
		App        int64 `db:"app"`
		Codes      int   `db:"codes"`
		NoPassword int   `db:"no_password"`
	}
	err := q.get(ctx, &counts, `SELECT COALESCE((SELECT confirmed_at FROM totp_factors WHERE user_id = ?), 0) AS app,
		(SELECT count(*) FROM recovery_codes WHERE user_id = ?) AS codes,
		(SELECT count(*) FROM users WHERE id = ? AND password_hash = '') AS no_password`, user, user, user)
	if err != nil {
		return out, fmt.Errorf("read the second factors: %w", err)
	}
	out.App, out.RecoveryCodes, out.NoPassword = fromMicros(counts.App), counts.Codes, counts.NoPassword > 0
	var rows []passkeyRow
	if err := q.list(ctx, &rows, "SELECT * FROM passkeys WHERE user_id = ? ORDER BY created_at, id", user); err != nil {
		return out, fmt.Errorf("read the passkeys: %w", err)
	}
	for _, r := range rows {
		out.Passkeys = append(out.Passkeys, auth.Passkey{
			ID: r.ID, UserID: r.UserID, Name: r.Name, CredentialID: r.CredentialID, PublicKey: r.PublicKey, AAGUID: r.AAGUID,
			Transports: strings.Fields(r.Transports), Flags: r.Flags, SignCount: r.SignCount,
			CreatedAt: fromMicros(r.CreatedAt), LastUsedAt: fromMicros(r.LastUsedAt),
		})
	}
	return out, nil
}

func (t authTx) App(ctx context.Context, user string) (auth.AppRecord, error) {
	var r struct {
		UserID      string `db:"user_id"`
		WrappedDEK  []byte `db:"wrapped_dek"`
		KEKID       string `db:"kek_id"`
		Seed        []byte `db:"seed"`
		LastStep    int64  `db:"last_step"`
		CreatedAt   int64  `db:"created_at"`
		ConfirmedAt int64  `db:"confirmed_at"`
	}
	err := t.q.get(ctx, &r, "SELECT * FROM totp_factors WHERE user_id = ?"+t.q.forUpdate(), user)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.AppRecord{}, problem.New(problem.NotFound, "Not found: you have no authenticator app here. It may have been removed already.")
	}
	return auth.AppRecord{
		UserID: r.UserID, WrappedDEK: r.WrappedDEK, KEKID: r.KEKID, Seed: r.Seed, LastStep: r.LastStep,
		CreatedAt: fromMicros(r.CreatedAt), ConfirmedAt: fromMicros(r.ConfirmedAt),
	}, err
}

func (t authTx) PutApp(ctx context.Context, a auth.AppRecord) (bool, error) {
	n, err := t.q.exec(ctx, `INSERT INTO totp_factors (user_id, wrapped_dek, kek_id, seed, last_step, created_at, confirmed_at)
		VALUES (?, ?, ?, ?, 0, ?, 0)
		ON CONFLICT (user_id) DO UPDATE SET wrapped_dek = excluded.wrapped_dek, kek_id = excluded.kek_id, seed = excluded.seed,
			last_step = 0, created_at = excluded.created_at
		WHERE totp_factors.confirmed_at = 0`, a.UserID, a.WrappedDEK, a.KEKID, a.Seed, micros(a.CreatedAt))
	return n > 0, err
}

func (t authTx) UseApp(ctx context.Context, user string, step int64, now time.Time) (bool, error) {
	n, err := t.q.exec(ctx, `UPDATE totp_factors SET last_step = ?, confirmed_at = CASE WHEN confirmed_at = 0 THEN ? ELSE confirmed_at END
		WHERE user_id = ? AND last_step < ?`, step, micros(now), user, step)
	return n > 0, err
}

func (t authTx) DeleteApp(ctx context.Context, user string) error {
	_, err := t.q.exec(ctx, "DELETE FROM totp_factors WHERE user_id = ?", user)
	return err
}

func (t authTx) InsertPasskey(ctx context.Context, p auth.Passkey) error {
	_, err := t.q.exec(ctx, `INSERT INTO passkeys (id, user_id, name, credential_id, public_key, aaguid, transports, flags, sign_count, created_at, last_used_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		p.ID, p.UserID, p.Name, p.CredentialID, p.PublicKey, p.AAGUID, strings.Join(p.Transports, " "), p.Flags, p.SignCount, micros(p.CreatedAt))
	if isUnique(err) {
		return problem.New(problem.Conflict, "This passkey is registered already.")
	}
	return err
}

func (t authTx) UsedPasskey(ctx context.Context, p auth.Passkey, before uint32) (bool, error) {
	n, err := t.q.exec(ctx, "UPDATE passkeys SET sign_count = ?, flags = ?, last_used_at = ? WHERE user_id = ? AND id = ? AND sign_count = ?",
		p.SignCount, p.Flags, micros(p.LastUsedAt), p.UserID, p.ID, before)
	return n > 0, err
}

func (t authTx) DeletePasskey(ctx context.Context, user, id string) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM passkeys WHERE user_id = ? AND id = ?", user, id)
	return n > 0, err
}

func (t authTx) DeletePasskeys(ctx context.Context, user string) error {
	_, err := t.q.exec(ctx, "DELETE FROM passkeys WHERE user_id = ?", user)
	return err
}

func (t authTx) SetRecoveryCodes(ctx context.Context, user string, hashes [][]byte) error {
	if _, err := t.q.exec(ctx, "DELETE FROM recovery_codes WHERE user_id = ?", user); err != nil {
		return err
	}
	for _, h := range hashes {
		if _, err := t.q.exec(ctx, "INSERT INTO recovery_codes (user_id, code_hash) VALUES (?, ?)", user, h); err != nil {
			return err
		}
	}
	return nil
}

func (t authTx) UseRecoveryCode(ctx context.Context, user string, hash []byte) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM recovery_codes WHERE user_id = ? AND code_hash = ?", user, hash)
	return n > 0, err
}

func (t authTx) KEKInUse(ctx context.Context) (storeID string, check []byte, err error) {
	keks, err := shareKEKs(ctx, t.q)
	return keks.StoreID, keks.Check, err
}

func (t authTx) PutChallenge(ctx context.Context, c auth.Challenge) error {
	_, err := t.q.exec(ctx, `INSERT INTO passkey_challenges (holder, network, ceremony, created_at, expires_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (holder) DO UPDATE SET network = excluded.network, ceremony = excluded.ceremony, created_at = excluded.created_at, expires_at = excluded.expires_at`,
		c.Holder, c.Network, c.Ceremony, micros(c.CreatedAt), micros(c.ExpiresAt))
	return err
}

func (t authTx) TakeChallenge(ctx context.Context, holder string, now time.Time) ([]byte, error) {
	var r struct {
		Ceremony  []byte `db:"ceremony"`
		ExpiresAt int64  `db:"expires_at"`
	}
	err := t.q.get(ctx, &r, "SELECT ceremony, expires_at FROM passkey_challenges WHERE holder = ?"+t.q.forUpdate(), holder)
	if errors.Is(err, sql.ErrNoRows) || err == nil && r.ExpiresAt <= micros(now) {
		return nil, problem.New(problem.NotFound, "no passkey was asked for here")
	}
	if err != nil {
		return nil, err
	}
	n, err := t.q.exec(ctx, "DELETE FROM passkey_challenges WHERE holder = ?", holder)
	if err == nil && n == 0 {
		err = problem.New(problem.NotFound, "no passkey was asked for here")
	}
	return r.Ceremony, err
}

func (t authTx) KeepChallenges(ctx context.Context, network string, keep int) error {
	_, err := t.q.exec(ctx, `DELETE FROM passkey_challenges WHERE network = ? AND holder NOT IN
		(SELECT holder FROM passkey_challenges WHERE network = ? ORDER BY created_at DESC, holder LIMIT ?)`, network, network, keep)
	return err
}

func (t authTx) InsertPending(ctx context.Context, p auth.PendingLogin) error {
	joining := 0
	if p.Joining {
		joining = 1
	}
	_, err := t.q.exec(ctx, "INSERT INTO pending_logins (token_hash, user_id, joining, failures, created_at, expires_at) VALUES (?, ?, ?, 0, ?, ?)",
		p.TokenHash, p.UserID, joining, micros(p.CreatedAt), micros(p.ExpiresAt))
	return err
}

func (t authTx) Pending(ctx context.Context, tokenHash []byte, now time.Time) (auth.PendingLogin, error) {
	var r struct {
		TokenHash []byte `db:"token_hash"`
		UserID    string `db:"user_id"`
		Email     string `db:"email"`
		Joining   bool   `db:"joining"`
		Failures  int    `db:"failures"`
		CreatedAt int64  `db:"created_at"`
		ExpiresAt int64  `db:"expires_at"`
	}
	err := t.q.get(ctx, &r, `SELECT p.token_hash, p.user_id, u.email, p.joining, p.failures, p.created_at, p.expires_at
		FROM pending_logins p JOIN users u ON u.id = p.user_id WHERE p.token_hash = ? AND p.expires_at > ?`, tokenHash, micros(now))
	if errors.Is(err, sql.ErrNoRows) {
		return auth.PendingLogin{}, problem.New(problem.NotFound, "no sign-in waits here")
	}
	return auth.PendingLogin{
		TokenHash: r.TokenHash, UserID: r.UserID, Email: r.Email, Joining: r.Joining, Failures: r.Failures,
		CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
	}, err
}

func (t authTx) FailPending(ctx context.Context, tokenHash []byte) (n int, err error) {
	if _, err := t.q.exec(ctx, "UPDATE pending_logins SET failures = failures + 1 WHERE token_hash = ?", tokenHash); err != nil {
		return 0, err
	}
	err = t.q.get(ctx, &n, "SELECT failures FROM pending_logins WHERE token_hash = ?", tokenHash)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

func (t authTx) DeletePending(ctx context.Context, tokenHash []byte) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM pending_logins WHERE token_hash = ?", tokenHash)
	return n > 0, err
}

func (t authTx) DeletePendingOf(ctx context.Context, user string) error {
	_, err := t.q.exec(ctx, "DELETE FROM pending_logins WHERE user_id = ?", user)
	return err
}

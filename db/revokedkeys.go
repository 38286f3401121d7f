package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/auth"
)

// rememberRevoked keeps the hashes of API keys that are about to be deleted.
func rememberRevoked(ctx context.Context, q querier, now time.Time, where string, args ...any) error {
	_, err := q.exec(ctx, `INSERT INTO revoked_keys (token_hash, team_id, key_id, user_id, name, revoked_at)
		SELECT token_hash, team_id, id, user_id, name, `+fmt.Sprint(micros(now))+` FROM api_keys WHERE `+where+" ON CONFLICT DO NOTHING", args...)
	if err != nil {
		return fmt.Errorf("remember the revoked API keys: %w", err)
	}
	return nil
}

func (s *Auth) RevokedKey(ctx context.Context, tokenHash []byte) (auth.RevokedKey, error) {
	var r struct {
		KeyID   string `db:"key_id"`
		TeamID  string `db:"team_id"`
		UserID  string `db:"user_id"`
		Name    string `db:"name"`
		TriedAt int64  `db:"tried_at"`
	}
	err := s.statement().get(ctx, &r, "SELECT key_id, team_id, user_id, name, tried_at FROM revoked_keys WHERE token_hash = ?", tokenHash)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.RevokedKey{}, noKey()
	}
	if err != nil {
		return auth.RevokedKey{}, fmt.Errorf("read the revoked API key: %w", err)
	}
	return auth.RevokedKey{KeyID: r.KeyID, TeamID: r.TeamID, UserID: r.UserID, Name: r.Name, TriedAt: fromMicros(r.TriedAt)}, nil
}

func (t authTx) TriedRevoked(ctx context.Context, tokenHash []byte, now, before time.Time) (bool, error) {
	n, err := t.q.exec(ctx, "UPDATE revoked_keys SET tried_at = ? WHERE token_hash = ? AND tried_at <= ?", micros(now), tokenHash, micros(before))
	return n > 0, err
}

func (t authTx) ForgetRevoked(ctx context.Context, before time.Time) error {
	_, err := t.q.exec(ctx, "DELETE FROM revoked_keys WHERE revoked_at <= ?", micros(before))
	return err
}

package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"infsh/audit"
	"infsh/secret"
)

// FingerprintKey implements secret.Tx.
func (t secretTx) FingerprintKey(ctx context.Context) (secret.FingerprintKey, error) {
	keks, err := readKEKs(ctx, t.q, "")
	if err != nil {
		return secret.FingerprintKey{}, err
	}
	sealed, err := fingerprintKey(ctx, t.q)
	return secret.FingerprintKey{StoreID: keks.StoreID, KEKCheck: keks.Check, Sealed: sealed}, err
}

func fingerprintKey(ctx context.Context, q querier) (sealed []byte, err error) {
	err = q.get(ctx, &sealed, "SELECT sealed FROM fingerprint_keys WHERE singleton = 1")
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return sealed, err
}

// MakeFingerprintKey implements secret.Tx. The KEK in use stays so until the
// transaction ends.
func (t secretTx) MakeFingerprintKey(ctx context.Context, old []byte, seal func(storeID string, check []byte) ([]byte, error)) (secret.FingerprintKey, error) {
	keks, err := shareKEKs(ctx, t.q)
	if err != nil {
		return secret.FingerprintKey{}, err
	}
	sealed, err := seal(keks.StoreID, keks.Check)
	if err != nil {
		return secret.FingerprintKey{}, err
	}
	if old == nil {
		old = []byte{}
	}
	_, err = t.q.exec(ctx, `INSERT INTO fingerprint_keys (singleton, sealed) VALUES (1, ?)
		ON CONFLICT (singleton) DO UPDATE SET sealed = excluded.sealed WHERE fingerprint_keys.sealed = ?`, sealed, old)
	if err != nil {
		return secret.FingerprintKey{}, err
	}
	// Somebody else may have been first.
	return t.FingerprintKey(ctx)
}

// FingerprintKey implements rotation.Reader.
func (t rotationTx) FingerprintKey(ctx context.Context) ([]byte, error) {
	return fingerprintKey(ctx, t.q)
}

// SetFingerprintKey implements rotation.Tx.
func (t rotationTx) SetFingerprintKey(ctx context.Context, sealed []byte) error {
	_, err := t.q.exec(ctx, "UPDATE fingerprint_keys SET sealed = ? WHERE singleton = 1", sealed)
	return err
}

// Fingerprint implements secret.Tx.
func (t secretTx) Fingerprint(ctx context.Context, team, secretID string, number int64) (sealed []byte, err error) {
	err = t.q.get(ctx, &sealed, "SELECT sealed FROM secret_fingerprints WHERE team_id = ? AND secret_id = ? AND version = ?", team, secretID, number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return sealed, err
}

// SetFingerprint implements secret.Tx. A version that is gone gets none.
func (t secretTx) SetFingerprint(ctx context.Context, team, secretID string, number int64, sealed []byte) error {
	value := "?"
	if t.q.dialect == postgresDialect {
		value = "?::bytea"
	}
	_, err := t.q.exec(ctx, `INSERT INTO secret_fingerprints (team_id, secret_id, version, sealed)
		SELECT team_id, secret_id, version, `+value+` FROM secret_versions WHERE team_id = ? AND secret_id = ? AND version = ?
		ON CONFLICT (team_id, secret_id, version) DO UPDATE SET sealed = excluded.sealed`, sealed, team, secretID, number)
	return err
}

// Compared implements secret.Tx.
func (t secretTx) Compared(ctx context.Context, e audit.Entry) (bool, error) {
	versions, err := json.Marshal(e.Versions)
	if err != nil {
		return false, err
	}
	var last string
	err = t.q.get(ctx, &last, `SELECT versions FROM audit_entries WHERE team_id = ? AND action = ? AND target = ? AND outcome = 'allowed' AND actor_id = ?
		ORDER BY seq DESC LIMIT 1`, e.TeamID, e.Action, e.Target, e.ActorID)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return last == string(versions), err
}

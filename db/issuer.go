package db

import (
	"context"
	"time"

	"infsh/audit"
	"infsh/issuer"
)

// Issuer implements issuer.Store.
type Issuer struct{ db *DB }

// Issuer returns the store of the keys with which the server signs.
func (d *DB) Issuer() *Issuer { return &Issuer{db: d} }

// Keys implements issuer.Store.
func (s *Issuer) Keys(ctx context.Context) ([]issuer.Key, error) {
	return issuerKeys(ctx, s.db.statement())
}

// Update implements issuer.Store.
func (s *Issuer) Update(ctx context.Context, fn func(issuer.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(issuerTx{q}) })
}

type issuerTx struct{ q querier }

func (t issuerTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

func issuerKeys(ctx context.Context, q querier) ([]issuer.Key, error) {
	var rows []struct {
		ID         string `db:"id"`
		WrappedDEK []byte `db:"wrapped_dek"`
		KEKID      string `db:"kek_id"`
		PrivateKey []byte `db:"private_key"`
		CreatedAt  int64  `db:"created_at"`
		SignsFrom  int64  `db:"signs_from"`
	}
	err := q.list(ctx, &rows, "SELECT id, wrapped_dek, kek_id, private_key, created_at, signs_from FROM issuer_keys ORDER BY signs_from, id")
	out := make([]issuer.Key, len(rows))
	for i, r := range rows {
		out[i] = issuer.Key{ID: r.ID, WrappedDEK: r.WrappedDEK, KEKID: r.KEKID, Sealed: r.PrivateKey, CreatedAt: fromMicros(r.CreatedAt), SignsFrom: fromMicros(r.SignsFrom)}
	}
	return out, err
}

// Lock implements issuer.Tx. The row of the store stands for the keys: who changes
// them is rare, and a rotation of the KEK, which locks it too, misses none.
func (t issuerTx) Lock(ctx context.Context) (issuer.Locked, error) {
	keks, err := readKEKs(ctx, t.q, t.q.forUpdate())
	if err != nil {
		return issuer.Locked{}, err
	}
	keys, err := issuerKeys(ctx, t.q)
	return issuer.Locked{StoreID: keks.StoreID, KEKCheck: keks.Check, Keys: keys}, err
}

// Insert implements issuer.Tx.
func (t issuerTx) Insert(ctx context.Context, k issuer.Key) error {
	_, err := t.q.exec(ctx, "INSERT INTO issuer_keys (id, wrapped_dek, kek_id, private_key, created_at, signs_from) VALUES (?, ?, ?, ?, ?, ?)",
		k.ID, k.WrappedDEK, k.KEKID, k.Sealed, micros(k.CreatedAt), micros(k.SignsFrom))
	return err
}

// SetSignsFrom implements issuer.Tx.
func (t issuerTx) SetSignsFrom(ctx context.Context, id string, at time.Time) error {
	_, err := t.q.exec(ctx, "UPDATE issuer_keys SET signs_from = ? WHERE id = ?", micros(at), id)
	return err
}

// Delete implements issuer.Tx.
func (t issuerTx) Delete(ctx context.Context, id string) error {
	*t.q.scrub = true
	_, err := t.q.exec(ctx, "DELETE FROM issuer_keys WHERE id = ?", id)
	return err
}

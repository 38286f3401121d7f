package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"infsh/audit"
	"infsh/auth"
	"infsh/problem"
)

// joined is a transaction that the stores' own take part in: what they would
// commit is committed with it or not at all.
type joined struct {
	q querier
	// deferred are entries with no other effect, such as denials. They stay
	// when the transaction does not.
	deferred []audit.Entry
}

type joinedKey struct{}

// joinedIn returns the transaction that ctx brings along; nil if none.
func joinedIn(ctx context.Context) *joined {
	j, _ := ctx.Value(joinedKey{}).(*joined)
	return j
}

func (s *Auth) Once(ctx context.Context, call auth.Call, expired time.Time, fn func(context.Context) ([]byte, error)) (before auth.Call, found bool, err error) {
	var j *joined
	err = s.db.update(ctx, func(q querier) error {
		j, found = &joined{q: q}, false
		// The team's row is locked as writers lock it, and not first shared by
		// the foreign key: two calls that share it would wait for each other.
		if _, err := wrappedDEK(ctx, q, call.TeamID, q.forUpdate()); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "DELETE FROM idempotent_calls WHERE credential_id = ? AND key_mac = ? AND created_at <= ?",
			call.CredentialID, call.KeyMAC, micros(expired)); err != nil {
			return err
		}
		n, err := q.exec(ctx, `INSERT INTO idempotent_calls (credential_id, team_id, key_mac, request_mac, answer, created_at)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, call.CredentialID, call.TeamID, call.KeyMAC, call.RequestMAC, []byte{}, micros(call.CreatedAt))
		if err != nil {
			return fmt.Errorf("claim an idempotency key: %w", err)
		}
		if n == 0 {
			found = true
			before, err = callOf(ctx, q, call)
			return err
		}
		answer, err := fn(context.WithValue(ctx, joinedKey{}, j))
		if err != nil {
			return err
		}
		_, err = q.exec(ctx, "UPDATE idempotent_calls SET answer = ? WHERE credential_id = ? AND key_mac = ?", answer, call.CredentialID, call.KeyMAC)
		return err
	})
	if j != nil {
		for _, e := range j.deferred {
			if failed := audit.Record(ctx, s.db, e); failed != nil {
				return auth.Call{}, false, failed
			}
		}
	}
	return before, found, err
}

func callOf(ctx context.Context, q querier, call auth.Call) (auth.Call, error) {
	var row struct {
		RequestMAC []byte `db:"request_mac"`
		Answer     []byte `db:"answer"`
	}
	err := q.get(ctx, &row, "SELECT request_mac, answer FROM idempotent_calls WHERE credential_id = ? AND key_mac = ?", call.CredentialID, call.KeyMAC)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Call{}, problem.New(problem.Conflict, "Another call with this Idempotency-Key has just ended. Try again.")
	}
	call.RequestMAC, call.Answer = row.RequestMAC, row.Answer
	return call, err
}

func (t authTx) ForgetCalls(ctx context.Context, before time.Time) error {
	_, err := t.q.exec(ctx, "DELETE FROM idempotent_calls WHERE created_at <= ?", micros(before))
	return err
}

package db

import (
	"context"
	"fmt"

	"infsh/envvar"
	"infsh/secret"
)

func (t secretTx) Expected(ctx context.Context, team string) ([]secret.Expected, error) {
	var rows []struct {
		Key         envvar.Key `db:"key"`
		Description string     `db:"description"`
	}
	err := t.q.list(ctx, &rows, `SELECT e.key, e.description FROM expected_keys e WHERE e.team_id = ?
		AND NOT EXISTS (SELECT 1 FROM secrets s WHERE s.team_id = e.team_id AND s.key = e.key) ORDER BY e.key`, team)
	if err != nil {
		return nil, fmt.Errorf("list expected keys: %w", err)
	}
	out := make([]secret.Expected, len(rows))
	for i, r := range rows {
		out[i] = secret.Expected{Key: r.Key, Description: r.Description}
	}
	return out, nil
}

func (t secretTx) DeleteExpected(ctx context.Context, team string, key envvar.Key) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM expected_keys WHERE team_id = ? AND key = ?", team, string(key))
	return n > 0, err
}

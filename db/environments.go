package db

import (
	"context"
	"fmt"
	"time"

	"infsh/account"
	"infsh/problem"
)

func (t accountTx) InsertEnvironment(ctx context.Context, team string, e account.Environment, now time.Time) error {
	_, err := t.q.exec(ctx, "INSERT INTO environments (team_id, group_id, group_name, name, created_at) VALUES (?, ?, ?, ?, ?)",
		team, e.GroupID, e.GroupName, e.Name, micros(now))
	if isUnique(err) {
		return &problem.Error{
			Code: problem.Conflict, Detail: fmt.Sprintf("%s has the environment %s already.", e.GroupName, e.Name),
			Fields: []problem.Field{{Name: "as", Message: e.GroupName + " has this environment already"}},
		}
	}
	return err
}

func (t accountTx) ExpectKeys(ctx context.Context, team, like string, now time.Time) (int, error) {
	n, err := t.q.exec(ctx, `INSERT INTO expected_keys (team_id, key, description, created_at)
		SELECT CAST(? AS TEXT), key, description, CAST(? AS BIGINT) FROM secrets WHERE team_id = ?
		UNION ALL
		SELECT CAST(? AS TEXT), e.key, e.description, CAST(? AS BIGINT) FROM expected_keys e WHERE e.team_id = ?
			AND NOT EXISTS (SELECT 1 FROM secrets s WHERE s.team_id = e.team_id AND s.key = e.key)`,
		team, micros(now), like, team, micros(now), like)
	return int(n), err
}

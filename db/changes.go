package db

import (
	"context"
	"slices"

	"infsh/audit"
)

// Changes implements feed.Source.
func (d *DB) Changes(ctx context.Context, teams []string) (map[string]int64, error) {
	return d.numbers(ctx, "SELECT team_id, number FROM team_changes WHERE team_id IN (?)", teams)
}

func (d *DB) numbers(ctx context.Context, query string, teams []string) (map[string]int64, error) {
	out := make(map[string]int64, len(teams))
	for some := range slices.Chunk(teams, 500) {
		var rows []struct {
			TeamID string `db:"team_id"`
			Number int64  `db:"number"`
		}
		if err := d.statement().in(ctx, &rows, query, some); err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.TeamID] = r.Number
		}
	}
	return out, nil
}

// Heads tells of new entries in the audit logs of teams: a feed.Source whose
// numbers are those of the last entries.
type Heads struct{ d *DB }

// Heads returns the source.
func (d *DB) Heads() Heads { return Heads{d} }

// Changes implements feed.Source.
func (h Heads) Changes(ctx context.Context, teams []string) (map[string]int64, error) {
	return h.d.numbers(ctx, "SELECT team_id, seq AS number FROM audit_chains WHERE team_id IN (?)", teams)
}

// OnChange sets what is called after a transaction of this instance that
// changed something of a team. It is set before the database is used.
func (d *DB) OnChange(f func()) { d.changed = f }

// countChanges increments the number of each team of which the transaction has
// changed something: that is what its audit entries say was done. It comes
// late, so that the rows are locked for a short time, and in the order of the
// teams.
func countChanges(ctx context.Context, q querier, entries []audit.Entry) (changed bool, err error) {
	var teams []string
	for _, e := range entries {
		if e.Outcome == audit.Allowed && e.TeamID != "" && !audit.OwnAct(e.Action) {
			teams = append(teams, e.TeamID)
		}
	}
	for _, team := range distinct(teams) {
		// A team that the transaction has deleted gets no row.
		_, err := q.exec(ctx, `INSERT INTO team_changes (team_id, number) SELECT id, 1 FROM teams WHERE id = ?
			ON CONFLICT (team_id) DO UPDATE SET number = team_changes.number + 1`, team)
		if err != nil {
			return false, err
		}
	}
	return len(teams) > 0, nil
}

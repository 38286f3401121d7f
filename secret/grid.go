package secret

import (
	"context"
	"slices"
	"strings"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/team"
)

// MaxGrid is how many teams are put side by side.
const MaxGrid = 10

// Grid is what several teams of one person have: every key of any of them,
// sorted, and no value.
type Grid struct {
	Rows []GridRow
	// Compared tells, for each team, whether its values were compared.
	Compared []bool
}

// GridRow is one key in each of the teams.
type GridRow struct {
	Key   envvar.Key
	Cells []GridCell
}

// GridCell is a key in one team.
type GridCell struct {
	// Version is the one in use, 0 if none is.
	Version int64
	// Staged tells that there is a value which is not in use yet.
	Staged  bool
	ValueAt time.Time
	// Value numbers the different values of a key from 1, in the order of the teams:
	// cells of a row with the same number have the same value. It is 0 where nothing
	// was compared.
	Value int
}

// Differs reports that the teams are not known to be alike: one lacks the key, or
// has another value than the one before.
func (r GridRow) Differs() bool {
	return slices.ContainsFunc(r.Cells, func(c GridCell) bool {
		return (c.Version > 0) != (r.Cells[0].Version > 0) || c.Value > 1
	})
}

// Grid puts teams of one person side by side, each as an actor of its own. With
// compare it also tells which values are equal, under the rules of Compare: among
// the teams in which the person may reveal, whose logs have an entry before it
// returns.
//
// Errors: problem.InvalidField (field in), and those of audit.Guard.
func (s *Service) Grid(ctx context.Context, actors []team.Actor, compare bool) (Grid, error) {
	for i, a := range actors {
		if err := audit.Guard(ctx, s.store, a, team.ListSecrets, ""); err != nil {
			return Grid{}, err
		}
		if compare {
			if err := audit.Guard(ctx, s.store, a, team.CompareSecrets, othersOf(actors, i)); err != nil {
				return Grid{}, err
			}
		}
		if a.UserID() != actors[0].UserID() {
			return Grid{}, problem.New(problem.PermissionDenied, "Permission denied: two people's teams are not compared.")
		}
		if slices.ContainsFunc(actors[:i], func(b team.Actor) bool { return b.TeamID() == a.TeamID() }) {
			return Grid{}, problem.Invalid("in", "a team stands there twice")
		}
	}
	if len(actors) == 0 || len(actors) > MaxGrid {
		return Grid{}, problem.Invalid("in", "choose between 1 and %d teams", MaxGrid)
	}
	out := Grid{Compared: make([]bool, len(actors))}
	var revealing []team.Actor
	for _, a := range actors {
		if compare && a.Can(team.RevealSecret) {
			revealing = append(revealing, a)
		}
	}
	if len(revealing) < 2 {
		revealing = nil
	}
	for i, a := range actors {
		out.Compared[i] = slices.ContainsFunc(revealing, func(b team.Actor) bool { return b.TeamID() == a.TeamID() })
	}
	var opened [][]audit.KeyVersion
	err := s.store.View(ctx, func(r Reader) (err error) {
		if out.Rows, err = gridRows(ctx, r, actors); err != nil {
			return err
		}
		var numbers map[envvar.Key][]int
		if numbers, opened, err = s.compareValues(ctx, r, revealing, out.shared()); err != nil {
			return err
		}
		for _, row := range out.Rows {
			n := numbers[row.Key]
			for i := range row.Cells {
				if out.Compared[i] && len(n) > 0 {
					row.Cells[i].Value, n = n[0], n[1:]
				}
			}
		}
		return nil
	})
	if err == nil {
		err = s.recordCompared(ctx, revealing, opened)
	}
	if err != nil {
		return Grid{}, err
	}
	return out, nil
}

// shared are the keys that more than one of the compared teams has in use, sorted.
func (g Grid) shared() (keys []envvar.Key) {
	for _, row := range g.Rows {
		n := 0
		for i, c := range row.Cells {
			if g.Compared[i] && c.Version > 0 {
				n++
			}
		}
		if n > 1 {
			keys = append(keys, row.Key)
		}
	}
	return keys
}

func gridRows(ctx context.Context, r Reader, actors []team.Actor) ([]GridRow, error) {
	byKey := map[envvar.Key][]GridCell{}
	for i, a := range actors {
		states, err := r.KeyStates(ctx, a.TeamID())
		if err != nil {
			return nil, err
		}
		for _, rec := range states {
			cells := byKey[rec.Key]
			if cells == nil {
				cells = make([]GridCell, len(actors))
				byKey[rec.Key] = cells
			}
			cells[i] = GridCell{Version: rec.Version, Staged: rec.StagedVersion > 0, ValueAt: rec.ValueAt}
		}
	}
	rows := make([]GridRow, 0, len(byKey))
	for key, cells := range byKey {
		rows = append(rows, GridRow{key, cells})
	}
	slices.SortFunc(rows, func(a, b GridRow) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return rows, nil
}

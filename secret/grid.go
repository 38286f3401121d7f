package secret

import (
	"context"
	"slices"
	"strings"
	"time"

	"infsh/audit"
	"infsh/envelope"
	"infsh/envvar"
	"infsh/problem"
	"infsh/redact"
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
	var revealing []int
	for i, a := range actors {
		if compare && a.Can(team.RevealSecret) {
			revealing = append(revealing, i)
		}
	}
	if len(revealing) < 2 {
		revealing = nil
	}
	opened := make([][]audit.KeyVersion, len(actors))
	err := s.store.View(ctx, func(r Reader) (err error) {
		if out.Rows, err = gridRows(ctx, r, actors); err != nil {
			return err
		}
		opened, err = s.numberValues(ctx, r, actors, revealing, out.Rows)
		return err
	})
	if err != nil {
		return Grid{}, err
	}
	compared := make([]team.Actor, len(revealing))
	for n, i := range revealing {
		compared[n], out.Compared[i] = actors[i], true
	}
	for n, i := range revealing {
		entry := audit.By(actors[i], team.CompareSecrets, othersOf(compared, n), audit.Allowed)
		entry.Versions = opened[i]
		// Nothing is told before this is durable.
		if err := audit.Record(ctx, s.store, entry); err != nil {
			return Grid{}, err
		}
	}
	return out, nil
}

// othersOf names the teams but for one.
func othersOf(actors []team.Actor, but int) string {
	var names []string
	for i, a := range actors {
		if i != but {
			names = append(names, a.TeamName())
		}
	}
	return strings.Join(names, ", ")
}

func gridRows(ctx context.Context, r Reader, actors []team.Actor) ([]GridRow, error) {
	byKey := map[envvar.Key][]GridCell{}
	for i, a := range actors {
		records, err := r.Records(ctx, a.TeamID())
		if err != nil {
			return nil, err
		}
		for _, rec := range records {
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

// numberValues fills in which of the values are the same, among the teams of those
// places, and returns for each team the versions that it opened for it.
func (s *Service) numberValues(ctx context.Context, r Reader, actors []team.Actor, places []int, rows []GridRow) ([][]audit.KeyVersion, error) {
	opened := make([][]audit.KeyVersion, len(actors))
	var shared []envvar.Key
	for _, row := range rows {
		n := 0
		for _, i := range places {
			if row.Cells[i].Version > 0 {
				n++
			}
		}
		if n > 1 {
			shared = append(shared, row.Key)
		}
	}
	if len(shared) == 0 {
		return opened, nil
	}
	deks := make([]*envelope.DEK, len(actors))
	held := make([]map[envvar.Key]Held, len(actors))
	for _, i := range places {
		var err error
		if deks[i], err = s.readDEK(ctx, r, actors[i]); err != nil {
			return nil, err
		}
		current, err := r.Current(ctx, actors[i].TeamID(), shared)
		if err != nil {
			return nil, err
		}
		held[i] = make(map[envvar.Key]Held, len(current))
		for _, h := range current {
			held[i][h.Key] = h
		}
	}
	for _, row := range rows {
		if _, found := slices.BinarySearch(shared, row.Key); !found {
			continue
		}
		var different []redact.Value
		for _, i := range places {
			h, ok := held[i][row.Key]
			if !ok {
				continue
			}
			value, err := open(deks[i], h.Record, h.Sealed)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(different, value.Equal)
			if at < 0 {
				at, different = len(different), append(different, value)
			}
			row.Cells[i].Value = at + 1
			opened[i] = append(opened[i], audit.KeyVersion{Key: string(row.Key), Version: h.Sealed.Number})
		}
	}
	return opened, nil
}

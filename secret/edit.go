package secret

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/team"
)

// TeamsEdit is what is to be set in several teams of one person: together, or not
// at all.
type TeamsEdit struct {
	Teams          []TeamItems
	AllowRiskyName bool
	// DryRun only says what would happen.
	DryRun bool
	// Seen is that of the dry run whose outcome the person has agreed to.
	Seen string
}

// TeamItems are the items of one team.
type TeamItems struct {
	Actor team.Actor
	Items []ImportItem
}

// TeamsEdited is the outcome.
type TeamsEdited struct {
	// Results are those of each team, in its order, with one for each item.
	Results [][]ImportResult
	// Seen names what was there, so that a later change of it is noticed.
	Seen string
	// Stale tells that something else is there than was seen, so that nothing was
	// written.
	Stale   bool
	Written bool
}

// EditTeams sets keys of several teams, each as an actor of its own, in one
// transaction. What is set already gets a new version. In a team in which the
// person may not write, each item is refused. If any is, or if what is there is not
// what the dry run has seen, nothing is written anywhere.
//
// Errors: problem.InvalidField (fields in, items), and those of audit.Guard, but
// for problem.TeamRoleRequired.
func (s *Service) EditTeams(ctx context.Context, edit TeamsEdit) (TeamsEdited, error) {
	denied := make([]error, len(edit.Teams))
	items := 0
	for i, t := range edit.Teams {
		err := audit.Guard(ctx, s.store, t.Actor, team.SetSecret, importTarget(edit.of(t)))
		if problem.CodeOf(err) == problem.TeamRoleRequired {
			denied[i] = err
		} else if err != nil {
			return TeamsEdited{}, err
		}
		if t.Actor.UserID() != edit.Teams[0].Actor.UserID() {
			return TeamsEdited{}, problem.New(problem.PermissionDenied, "Permission denied: two people's teams are not changed together.")
		}
		if slices.ContainsFunc(edit.Teams[:i], func(other TeamItems) bool { return other.Actor.TeamID() == t.Actor.TeamID() }) {
			return TeamsEdited{}, problem.Invalid("in", "a team stands there twice")
		}
		items += len(t.Items)
	}
	switch {
	case items == 0:
		return TeamsEdited{}, problem.Invalid("items", "there is nothing to set")
	case items > MaxImport:
		return TeamsEdited{}, problem.Invalid("items", "at most %d values are set at once, those of all teams together; set them in parts", MaxImport)
	}
	var out TeamsEdited
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		out, err = s.editTeams(ctx, tx, edit, denied)
		return err
	})
	if err != nil {
		return TeamsEdited{}, err
	}
	return out, nil
}

// of is what the edit sets in one of the teams.
func (e TeamsEdit) of(t TeamItems) Import {
	return Import{Items: t.Items, Overwrite: true, DryRun: e.DryRun, AllowRiskyName: e.AllowRiskyName}
}

func (s *Service) editTeams(ctx context.Context, tx Tx, edit TeamsEdit, denied []error) (TeamsEdited, error) {
	out := TeamsEdited{Results: make([][]ImportResult, len(edit.Teams))}
	// In the order of the teams, so that two such transactions don't wait for each other.
	order := make([]int, len(edit.Teams))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(edit.Teams[a].Actor.TeamID(), edit.Teams[b].Actor.TeamID()) })
	plans, deks := make([]weighed, len(edit.Teams)), make([]*envelope.DEK, len(edit.Teams))
	seen, blocked := sha256.New(), false
	for _, i := range order {
		t := edit.Teams[i]
		if denied[i] != nil {
			blocked, out.Results[i] = true, refuseAll(t.Items, denied[i])
			continue
		}
		var err error
		if deks[i], err = s.lockTeam(ctx, tx, t.Actor); err != nil {
			return out, err
		}
		if plans[i], err = weigh(ctx, tx, t.Actor, deks[i], edit.of(t)); err != nil {
			return out, err
		}
		out.Results[i], blocked = plans[i].results, blocked || plans[i].blocked
		plans[i].describe(seen, t.Actor.TeamID())
	}
	out.Seen = hex.EncodeToString(seen.Sum(nil))
	out.Stale = !edit.DryRun && !blocked && out.Seen != edit.Seen
	for _, i := range order {
		var err error
		switch t := edit.Teams[i]; {
		case denied[i] != nil:
		case edit.DryRun, blocked, out.Stale:
			err = recordLook(ctx, tx, t.Actor, edit.of(t))
		default:
			err = s.writeWeighed(ctx, tx, t.Actor, deks[i], plans[i])
		}
		if err != nil {
			return out, err
		}
	}
	out.Written = !edit.DryRun && !blocked && !out.Stale
	return out, nil
}

// refuseAll says of each item why none of them can be set.
func refuseAll(items []ImportItem, why error) []ImportResult {
	results := make([]ImportResult, len(items))
	for i, item := range items {
		results[i] = ImportResult{auditKey(item.Key), ImportRefused, why.Error()}
	}
	return results
}

// describe tells what is there of each key, and what would become of it. It has
// nothing of a value.
func (w weighed) describe(out io.Writer, teamID string) {
	for i, res := range w.results {
		version := int64(0)
		if r := w.existing[i]; r != nil {
			version = r.Version
		}
		fmt.Fprintf(out, "%s %s %s %d\n", teamID, res.Key, res.Status, version)
	}
}

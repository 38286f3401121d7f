package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"infsh/auth"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

// gridPageSize is how many keys a page of the grid has.
const gridPageSize = 100

func (s *server) environmentsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.showGrid(w, r, session, r.URL.Query(), false)
}

// compareTeamsForm opens values in the server to tell which are equal, and leaves
// entries.
func (s *server) compareTeamsForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.showGrid(w, r, session, r.PostForm, true)
}

func (s *server) showGrid(w http.ResponseWriter, r *http.Request, session auth.Session, q url.Values, compare bool) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	p.Path = "/settings/environments"
	list := views.GridState{In: q["in"], Query: searchTerm(q.Get("q")), Only: q.Get("show") == "differences", From: searchTerm(q.Get("from"))}
	model := views.TeamsGrid{List: list, Most: secret.MaxGrid}
	chosen := list.In
	if len(chosen) == 0 {
		chosen = usualTeams(p)
	}
	// In the order of the switcher, whatever that of the address.
	var actors []team.Actor
	for _, t := range p.Teams {
		choice := views.GridChoice{ID: t.ID, Label: t.Label(), Username: t.Username, Chosen: slices.Contains(chosen, t.ID)}
		model.Choices = append(model.Choices, choice)
	}
	if len(chosen) > secret.MaxGrid {
		model.Error = fmt.Sprintf("Choose at most %d teams. These are the first of them.", secret.MaxGrid)
		chosen = chosen[:secret.MaxGrid]
	}
	slices.SortStableFunc(chosen, func(a, b string) int { return placeOf(p, a) - placeOf(p, b) })
	for _, id := range slices.Compact(chosen) {
		actor, err := s.Authenticator.InTeam(r.Context(), session.Actor, id)
		if err != nil {
			return err
		}
		actors = append(actors, actor)
	}
	grid, err := s.Secrets.Grid(r.Context(), actors, compare)
	if err != nil {
		return err
	}
	revealing := 0
	for i, a := range actors {
		t := p.Teams[max(placeOf(p, a.TeamID()), 0)]
		model.Teams = append(model.Teams, views.GridTeam{
			ID: a.TeamID(), Label: t.Label(), Username: t.Username, Role: t.Role, Current: a.TeamID() == session.Actor.TeamID(), CanEdit: a.Can(team.SetSecret), Compared: grid.Compared[i],
		})
		if a.Can(team.RevealSecret) {
			revealing++
		}
	}
	model.CanCompare, model.Compared, model.Keys = revealing > 1, slices.Contains(grid.Compared, true), len(grid.Rows)
	s.fillGrid(&model, grid)
	s.render(w, r, http.StatusOK, views.EnvironmentsPage(p, model))
	return nil
}

// fillGrid takes the rows of a page.
func (s *server) fillGrid(model *views.TeamsGrid, grid secret.Grid) {
	term := strings.ToLower(model.List.Query)
	for _, row := range grid.Rows {
		if model.List.Only && !row.Differs() || !strings.Contains(strings.ToLower(string(row.Key)), term) {
			continue
		}
		model.Total++
		switch {
		case string(row.Key) <= model.List.From:
			model.Before++
			continue
		case len(model.Rows) == gridPageSize:
			model.Next = model.Rows[gridPageSize-1].Key
			continue
		}
		shown := views.GridRow{Key: string(row.Key), Differs: row.Differs()}
		first := map[int]string{} // by the value's number
		for i, c := range row.Cells {
			cell := views.GridCell{Version: int(c.Version), Staged: c.Staged}
			if c.Version > 0 {
				cell.Since = views.Ago(c.ValueAt, s.now())
			}
			if c.Value > 0 {
				cell.Same, cell.Other = first[c.Value], len(first) > 0 && first[c.Value] == ""
				if cell.Same == "" {
					first[c.Value] = model.Teams[i].Label
				}
			}
			shown.Cells = append(shown.Cells, cell)
		}
		model.Rows = append(model.Rows, shown)
	}
}

// usualTeams are the environments of the present team's group, or else all teams.
func usualTeams(p views.Page) (ids []string) {
	for _, t := range p.Teams {
		if p.Team.GroupID == "" || t.GroupID == p.Team.GroupID {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) > secret.MaxGrid {
		ids = ids[:secret.MaxGrid]
		if !slices.Contains(ids, p.Team.ID) {
			ids[0] = p.Team.ID
		}
	}
	return ids
}

// placeOf is a team's place in the switcher, -1 for one that is not there.
func placeOf(p views.Page, id string) int {
	return slices.IndexFunc(p.Teams, func(t views.Team) bool { return t.ID == id })
}

// openInTeam goes to another team, and there to a key or to the form that adds it.
func (s *server) openInTeam(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	id, name, _ := strings.Cut(r.PostForm.Get("open"), " ")
	key, err := envvar.ParseKey(name)
	if err != nil {
		return problem.Invalid("open", "it must be a team and a key")
	}
	there, err := s.Authenticator.InTeam(r.Context(), session.Actor, id)
	if err != nil {
		return err
	}
	to := "/settings/secrets/" + url.PathEscape(string(key))
	found, err := s.Secrets.Get(r.Context(), there, string(key))
	if errors.Is(err, problem.SecretNotFound) || err == nil && found.Version == 0 && found.StagedVersion == 0 {
		to = settingsHome + "?" + url.Values{"add": {string(key)}}.Encode()
	} else if err != nil {
		return err
	}
	if err := s.Sessions.SwitchTeam(r.Context(), session, id); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashSwitched, subject: there.TeamName()})
	redirect(w, r, to)
	return nil
}

package handlers

import (
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

// editTeamsPage is where keys of several teams are set as text, in which the chosen
// ones stand without their values.
func (s *server) editTeamsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	form := teamsEditForm(p, r, q)
	if keys := q["key"]; len(keys) > 0 {
		if form.Text, err = s.sheetOf(r, session, p, form, keys); err != nil {
			return err
		}
	}
	p.Path = gridHome
	s.render(w, r, http.StatusOK, views.TeamsEditPage(p, form))
	return nil
}

// gridHome is the page of all teams.
const gridHome = "/settings/environments"

func teamsEditForm(p views.Page, r *http.Request, q url.Values) views.TeamsEditForm {
	form := views.TeamsEditForm{MaxValues: secret.MaxImport, AllowRisky: ticked(r, "allow_risky_name"), Errors: views.FieldErrors{}}
	chosen := q["in"]
	if len(chosen) == 0 && r.Method == http.MethodGet {
		chosen = usualTeams(p)
	}
	for _, t := range p.Teams {
		form.Choices = append(form.Choices, views.GridChoice{ID: t.ID, Label: t.Label(), Username: t.Username, Chosen: slices.Contains(chosen, t.ID)})
	}
	return form
}

// sheetOf is a text that has the chosen keys of each chosen team, in which the
// person may write, and no value.
func (s *server) sheetOf(r *http.Request, session auth.Session, p views.Page, form views.TeamsEditForm, keys []string) (string, error) {
	var actors []team.Actor
	for _, c := range form.Choices {
		if !c.Chosen || len(actors) == secret.MaxGrid {
			continue
		}
		actor, err := s.Authenticator.InTeam(r.Context(), session.Actor, c.ID)
		if err != nil {
			return "", err
		}
		if actor.Can(team.SetSecret) {
			actors = append(actors, actor)
		}
	}
	if len(actors) == 0 {
		return "", nil
	}
	grid, err := s.Secrets.Grid(r.Context(), actors, false)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, a := range actors {
		var set, missing []string
		for _, row := range grid.Rows {
			switch {
			case !slices.Contains(keys, string(row.Key)) || len(set)+len(missing) == gridPageSize:
			case row.Cells[i].Version > 0:
				set = append(set, string(row.Key)+"=\n")
			default:
				missing = append(missing, string(row.Key)+"=\n")
			}
		}
		fmt.Fprintf(&b, "[%s]\n%s", a.TeamName(), strings.Join(set, ""))
		if len(missing) > 0 {
			fmt.Fprintf(&b, "# Not set yet:\n%s", strings.Join(missing, ""))
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

// editTeamsForm says what the text would change, or changes it. Either way it comes
// with the form, and is kept nowhere.
func (s *server) editTeamsForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	form := teamsEditForm(p, r, r.PostForm)
	tried := r.PostForm.Get("act") == "apply"
	pairs, wrong, err := lookAt(r.PostForm.Get("sheet"), envvar.LookAtSheet)
	if err != nil {
		return err
	}
	sheet := sheetFor(p, form, pairs)
	sheet.wrong = append(sheet.wrong, wrong...)
	edit := secret.TeamsEdit{AllowRiskyName: form.AllowRisky, DryRun: !tried || len(sheet.wrong) > 0, Seen: s.seenPreview(r)}
	for _, one := range sheet.teams {
		actor, err := s.Authenticator.InTeam(r.Context(), session.Actor, one.id)
		if err != nil {
			return err
		}
		items := secret.TeamItems{Actor: actor}
		for _, pair := range one.pairs {
			items.Items = append(items.Items, secret.ImportItem{Key: string(pair.Key), Value: pair.Value})
		}
		edit.Teams = append(edit.Teams, items)
	}
	if len(edit.Teams) == 0 && len(sheet.wrong) == 0 && !tried {
		return s.showTeamsEdit(w, r, p, form, http.StatusOK) // Nothing was typed yet.
	}
	form.Preview = &views.EditPreview{Left: sheet.left, Wrong: wrongLines(sheet.wrong)}
	form.Preview.All.Tried = tried
	var out secret.TeamsEdited
	if len(edit.Teams) > 0 || len(sheet.wrong) == 0 {
		out, err = s.Secrets.EditTeams(r.Context(), edit)
	}
	if problem.CodeOf(err) == problem.InvalidField {
		form.Preview, form.Errors[""] = nil, sentence(strings.TrimPrefix(err.Error(), "items: "))
		return s.showTeamsEdit(w, r, p, form, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return err
	}
	for i, one := range sheet.teams {
		form.Preview.Teams = append(form.Preview.Teams, views.EditedTeam{Label: one.label, Lines: importLines(one.pairs, out.Results[i])})
	}
	form.Preview.Seen, form.Preview.Stale = out.Seen, out.Stale
	form.Preview.Count()
	if out.Written {
		s.leaveFlash(w, flash{kind: flashEdited, subject: importedSubject(form.Preview.All) + inTeams(len(edit.Teams))})
		redirect(w, r, gridHome+"?"+url.Values{"in": r.PostForm["in"]}.Encode())
		return nil
	}
	if !isPartial(r) {
		s.rememberPreview(w, out.Seen)
	}
	status := http.StatusOK
	if tried {
		status = http.StatusUnprocessableEntity
	}
	return s.showTeamsEdit(w, r, p, form, status)
}

func (s *server) showTeamsEdit(w http.ResponseWriter, r *http.Request, p views.Page, form views.TeamsEditForm, status int) error {
	if wants(r, "edit-preview") {
		s.render(w, r, status, views.EditPreviewView(form))
		return nil
	}
	p.Path = gridHome
	s.render(w, r, status, views.TeamsEditPage(p, form))
	return nil
}

// previewCookie keeps what a preview has seen for the form in another tab, where
// there is no script to put it there.
func (s *server) previewCookie() string {
	if s.secure() {
		return "__Host-infsh-preview"
	}
	return "infsh_preview"
}

func (s *server) rememberPreview(w http.ResponseWriter, seen string) {
	http.SetCookie(w, &http.Cookie{
		Name: s.previewCookie(), Value: seen, Path: "/", MaxAge: 3600, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	})
}

// seenPreview is what the person has looked at before.
func (s *server) seenPreview(r *http.Request) string {
	if r.PostForm.Has("seen") {
		return r.PostForm.Get("seen")
	}
	c, err := r.Cookie(s.previewCookie())
	if err != nil {
		return ""
	}
	return c.Value
}

// sheet is a text, put in order by teams.
type sheet struct {
	teams []sheetTeam
	wrong []*envvar.DotenvError
	// left counts the keys that stand without a value.
	left int
}

type sheetTeam struct {
	id, label string
	pairs     []envvar.Pair
}

// sheetFor gives each assignment to the team of its heading, or to each chosen one.
func sheetFor(p views.Page, form views.TeamsEditForm, pairs []envvar.Pair) (out sheet) {
	for _, t := range p.Teams {
		out.teams = append(out.teams, sheetTeam{id: t.ID, label: t.Label()})
	}
	for _, pair := range pairs {
		to := 0
		for i, t := range p.Teams {
			if pair.Heading == t.Username || pair.Heading == "" && form.Choices[i].Chosen {
				if to++; !pair.Left {
					out.teams[i].pairs = append(out.teams[i].pairs, pair)
				}
			}
		}
		switch {
		case to == 0 && pair.Heading == "":
			out.wrong = append(out.wrong, &envvar.DotenvError{Line: pair.Line, Msg: "no team is ticked that it could go to, and it stands under no heading"})
		case to == 0:
			out.wrong = append(out.wrong, &envvar.DotenvError{Line: pair.Line, Msg: "the heading above it names no team of yours; a heading is a team’s username, such as [" + p.Team.Username + "]"})
		case pair.Left:
			out.left++
		}
	}
	out.teams = slices.DeleteFunc(out.teams, func(t sheetTeam) bool { return len(t.pairs) == 0 })
	return out
}

func inTeams(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", in %d teams", n)
}

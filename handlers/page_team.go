package handlers

import (
	"net/http"

	"infsh/account"
	"infsh/auth"
	"infsh/team"
	"infsh/views"
)

func (s *server) teamPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.showTeam(w, r, session, http.StatusOK, func(*views.TeamSettings) {})
}

// showTeam renders the team's settings, with what a refused form came to.
func (s *server) showTeam(w http.ResponseWriter, r *http.Request, session auth.Session, status int, with func(*views.TeamSettings)) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	actor := session.Actor
	model := views.TeamSettings{
		Rename:       views.RenameTeam{Username: p.Team.Username, Name: p.Team.Name},
		Duplicate:    views.DuplicateTeam{This: "production", As: "staging"},
		CanRename:    actor.Can(team.RenameTeam),
		CanDuplicate: actor.Can(team.DuplicateTeam),
		CanDelete:    actor.Can(team.DeleteTeam),
	}
	for _, t := range p.Teams {
		if t.GroupID == p.Team.GroupID && t.GroupID != "" {
			model.Group = append(model.Group, t)
			if t.Environment == model.Duplicate.As {
				model.Duplicate.As = ""
			}
		}
	}
	with(&model)
	s.render(w, r, status, views.TeamPage(p, model))
	return nil
}

func (s *server) renameTeamForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form := views.RenameTeam{Username: r.PostForm.Get("username"), Name: r.PostForm.Get("name")}
	if _, err := s.Accounts.RenameTeam(r.Context(), session.Actor, &form.Username, &form.Name); err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		form.Errors = fields
		return s.showTeam(w, r, session, http.StatusUnprocessableEntity, func(m *views.TeamSettings) { m.Rename = form })
	}
	s.leaveFlash(w, flash{kind: flashNames})
	redirect(w, r, "/settings/team")
	return nil
}

func (s *server) duplicateTeamForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form := views.DuplicateTeam{
		As: r.PostForm.Get("as"), This: r.PostForm.Get("this"), Username: r.PostForm.Get("username"), Members: ticked(r, "members"),
	}
	made, _, err := s.Accounts.DuplicateTeam(r.Context(), session.Actor, account.Duplicate{As: form.As, This: form.This, Username: form.Username, Members: form.Members})
	if err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		form.Errors = fields
		return s.showTeam(w, r, session, http.StatusUnprocessableEntity, func(m *views.TeamSettings) { m.Duplicate = form })
	}
	if err := s.Sessions.SwitchTeam(r.Context(), session, made.ID); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashDoubled, subject: made.Username})
	redirect(w, r, settingsHome)
	return nil
}

// deleteTeamForm asks for the team's username, so that no slip of the hand is
// enough.
func (s *server) deleteTeamForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	name := session.Actor.TeamName()
	if session.Actor.Can(team.DeleteTeam) && r.PostForm.Get("username") != name {
		wrong := views.FieldErrors{"username": "Type " + name + " to delete the team."}
		return s.showTeam(w, r, session, http.StatusUnprocessableEntity, func(m *views.TeamSettings) { m.DeleteErrors = wrong })
	}
	if err := s.Accounts.DeleteTeam(r.Context(), session.Actor); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashGone, subject: name})
	redirect(w, r, settingsHome)
	return nil
}

func (s *server) newTeamPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, views.NewTeamPage(p, views.NewTeam{}))
	return nil
}

func (s *server) newTeam(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form := views.NewTeam{Username: r.PostForm.Get("username"), Name: r.PostForm.Get("name")}
	made, err := s.Accounts.CreateTeam(r.Context(), session.Actor, form.Username, form.Name)
	if err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		form.Errors = fields
		p, err := s.chrome(w, r, session)
		if err != nil {
			return err
		}
		s.render(w, r, http.StatusUnprocessableEntity, views.NewTeamPage(p, form))
		return nil
	}
	if err := s.Sessions.SwitchTeam(r.Context(), session, made.ID); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashTeam, subject: made.Username})
	redirect(w, r, settingsHome)
	return nil
}

package handlers

import (
	"net/http"

	"infsh/auth"
	"infsh/views"
)

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

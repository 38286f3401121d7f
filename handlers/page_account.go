package handlers

import (
	"net/http"

	"infsh/auth"
	"infsh/views"
)

func (s *server) accountPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.account(w, r, session, http.StatusOK, nil)
}

func (s *server) account(w http.ResponseWriter, r *http.Request, session auth.Session, status int, errs views.FieldErrors) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	browsers, logins, err := s.Sessions.Count(r.Context(), session)
	if err != nil {
		return err
	}
	s.render(w, r, status, views.AccountPage(p, views.Account{Email: session.Actor.Email(), Sessions: browsers, Logins: logins, Errors: errs}))
	return nil
}

func (s *server) changePassword(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	err := s.Sessions.ChangePassword(w, r, session, secretField(r, "current"), secretField(r, "new"))
	if err == nil {
		s.leaveFlash(w, flash{kind: flashPassword})
		redirect(w, r, "/settings/account")
		return nil
	}
	fields, ok := fieldErrors(err)
	if !ok {
		return err
	}
	return s.account(w, r, session, http.StatusUnprocessableEntity, fields)
}

func (s *server) signOutEverywhere(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Sessions.SignOutEverywhere(w, r, session); err != nil {
		return err
	}
	forget(w)
	redirect(w, r, "/login")
	return nil
}

package handlers

import (
	"net/http"

	"infsh/auth"
	"infsh/views"
)

func (s *server) accountPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.account(w, r, session, http.StatusOK, func(*views.Account) {})
}

// account renders the page, with what a refused form came to.
func (s *server) account(w http.ResponseWriter, r *http.Request, session auth.Session, status int, with func(*views.Account)) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	browsers, logins, err := s.Sessions.Count(r.Context(), session)
	if err != nil {
		return err
	}
	p.Path = accountHome
	model := views.Account{Email: session.Actor.Email(), Sessions: browsers, Logins: logins}
	if model.Factors, err = s.factors(r, session); err != nil {
		return err
	}
	with(&model)
	s.render(w, r, status, views.AccountPage(p, model))
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
	return s.account(w, r, session, http.StatusUnprocessableEntity, func(a *views.Account) { a.Errors = fields })
}

func (s *server) signOutEverywhere(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Sessions.SignOutEverywhere(w, r, session); err != nil {
		return err
	}
	forget(w)
	redirect(w, r, "/login")
	return nil
}

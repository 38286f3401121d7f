package handlers

import (
	"net/http"
	"strings"

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
	signIns, err := s.Sessions.SignIns(r.Context(), session)
	if err != nil {
		return err
	}
	p.Path = accountHome
	model := views.Account{Email: session.Actor.Email()}
	for _, in := range signIns {
		row := views.SignInRow{
			ID: in.ID, Name: in.Name, CommandLine: in.CommandLine, From: in.RemoteAddr, This: in.ID == session.ID,
			Since: views.Ago(in.CreatedAt, s.now()), Used: views.Ago(in.LastUsedAt, s.now()),
		}
		if in.CommandLine {
			model.Logins++
		} else {
			row.Name = browserWords(in.Name)
			model.Sessions++
		}
		model.SignIns = append(model.SignIns, row)
	}
	if model.Factors, err = s.factors(r, session); err != nil {
		return err
	}
	if model.SignOn, err = s.connection(r, session); err != nil {
		return err
	}
	model.NoPassword = model.Factors.NoPassword
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

func (s *server) endSignIn(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Sessions.EndSignIn(r.Context(), session, r.PathValue("id")); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashSignIn})
	redirect(w, r, accountHome)
	return nil
}

// browsers and systems are what user agents say of themselves, the more special
// word before the one that others say too.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems  = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// browserWords names a browser as its user agent does: a hint, and no proof.
func browserWords(userAgent string) string {
	word := func(of [][2]string, unknown string) string {
		for _, w := range of {
			if strings.Contains(userAgent, w[0]) {
				return w[1]
			}
		}
		return unknown
	}
	name, system := word(browsers, "A browser"), word(systems, "")
	if system == "" {
		return name
	}
	return name + " on " + system
}

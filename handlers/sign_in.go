package handlers

import (
	"errors"
	"net/http"
	"time"

	"infsh/account"
	"infsh/auth"
	"infsh/problem"
	"infsh/views"
)

// settingsHome is where one lands after signing in.
const settingsHome = "/settings/secrets"

// publicChrome is what a page without a session shows. If there is a session
// after all, its token goes into the forms.
func (s *server) publicChrome(r *http.Request) views.Public {
	p := views.Public{Theme: s.themeOf(r)}
	if session, err := s.Authenticator.Session(r); err == nil {
		p.CSRF = session.CSRF
	}
	return p
}

func (s *server) setupPage(w http.ResponseWriter, r *http.Request) error {
	needed, err := s.Accounts.NeedsSetup(r.Context())
	if err != nil {
		return err
	}
	if !needed {
		redirect(w, r, "/login")
		return nil
	}
	s.render(w, r, http.StatusOK, views.SetupPage(s.publicChrome(r), views.SetupForm{Code: r.URL.Query().Get("code")}))
	return nil
}

func (s *server) setup(w http.ResponseWriter, r *http.Request) error {
	form := views.SetupForm{Code: r.PostForm.Get("code"), Email: r.PostForm.Get("email"), Team: r.PostForm.Get("team")}
	password := secretField(r, "password")
	from := s.Authenticator.Origin(r)
	_, err := s.Accounts.Setup(r.Context(), account.NewAccount{
		Code: secretField(r, "code"), Email: form.Email, Password: password, Team: form.Team,
	}, from)
	if err != nil {
		status := http.StatusUnprocessableEntity
		if fields, ok := fieldErrors(err); ok {
			form.Errors = fields
		} else if errors.Is(err, problem.PermissionDenied) {
			status = http.StatusForbidden
			form.Code = ""
			form.Errors = views.FieldErrors{"code": describe(err).Detail}
		} else {
			return err
		}
		s.render(w, r, status, views.SetupPage(s.publicChrome(r), form))
		return nil
	}
	if _, err := s.Sessions.LoginFirst(w, r, form.Email, password, from); err != nil {
		return err
	}
	redirect(w, r, settingsHome)
	return nil
}

func (s *server) loginPage(w http.ResponseWriter, r *http.Request) error {
	needed, err := s.Accounts.NeedsSetup(r.Context())
	if err != nil {
		return err
	}
	if needed {
		redirect(w, r, "/setup")
		return nil
	}
	next := localPath(r.URL.Query().Get("next"), "")
	if _, err := s.Authenticator.Session(r); err == nil {
		redirect(w, r, localPath(next, settingsHome))
		return nil
	}
	return s.showLogin(w, r, http.StatusOK, views.LoginForm{Next: next})
}

func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	form := views.LoginForm{Email: r.PostForm.Get("email"), Next: localPath(r.PostForm.Get("next"), "")}
	_, err := s.Sessions.Login(w, r, form.Email, secretField(r, "password"), s.Authenticator.Origin(r))
	if err == nil {
		s.metrics.login(loginOK)
		redirect(w, r, localPath(form.Next, settingsHome))
		return nil
	}
	p := describe(err)
	switch p.Code {
	case problem.SecondFactorNeeded:
		toSecondStep(w, r, form.Next)
		return nil
	case problem.NotSignedIn:
		s.metrics.login(loginFailed)
		form.Errors = views.FieldErrors{"": p.Detail}
	case problem.RateLimited:
		s.metrics.login(loginThrottled)
		setRetryAfter(w, p)
		form.Throttled = p.Detail
	case problem.InvalidField:
		form.Errors, _ = fieldErrors(err)
	default:
		return err
	}
	return s.showLogin(w, r, loginStatus(p.Code), form)
}

// loginStatus keeps 401 and 429, which clients and proxies understand.
func loginStatus(code problem.Code) int {
	if code == problem.InvalidField {
		return http.StatusUnprocessableEntity
	}
	return statuses[code]
}

func (s *server) logout(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Sessions.Logout(w, r, session); err != nil {
		return err
	}
	forget(w)
	redirect(w, r, localPath(r.PostForm.Get("next"), "/login"))
	return nil
}

// forget makes the browser drop what it keeps of the signed-in pages.
func forget(w http.ResponseWriter) {
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
}

func (s *server) setTheme(w http.ResponseWriter, r *http.Request, _ auth.Session) error {
	http.SetCookie(w, &http.Cookie{
		Name: s.themeCookie(), Value: string(views.ParseTheme(r.PostForm.Get("theme"))), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	})
	redirect(w, r, localPath(r.PostForm.Get("return"), settingsHome))
	return nil
}

func (s *server) switchTeam(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	id := r.PostForm.Get("team_id")
	if err := s.Sessions.SwitchTeam(r.Context(), session, id); err != nil {
		return err
	}
	now, err := s.Accounts.Team(r.Context(), session.Actor, id)
	if err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashSwitched, subject: now.Username})
	redirect(w, r, settingsHome)
	return nil
}

func (s *server) settings(w http.ResponseWriter, r *http.Request, _ auth.Session) error {
	redirect(w, r, settingsHome)
	return nil
}

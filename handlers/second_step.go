package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"infsh/account"
	"infsh/auth"
	"infsh/problem"
	"infsh/views"
)

const secondStepHome = "/login/verify"

// toSecondStep leads one whose password was right on to the second factor.
func toSecondStep(w http.ResponseWriter, r *http.Request, next string) {
	to := secondStepHome
	if next != "" {
		to += "?next=" + url.QueryEscape(next)
	}
	redirect(w, r, to)
}

func (s *server) secondStepPage(w http.ResponseWriter, r *http.Request) error {
	return s.showSecondStep(w, r, http.StatusOK, views.SecondStep{Next: localPath(r.URL.Query().Get("next"), "")})
}

// showSecondStep renders what the login that waits asks for; form holds what
// the last attempt came to.
func (s *server) showSecondStep(w http.ResponseWriter, r *http.Request, status int, form views.SecondStep) error {
	asked, err := s.Sessions.SecondFactor(r)
	if err != nil {
		return err
	}
	form.Email, form.App, form.Passkey, form.RecoveryCodes = asked.Email, asked.App, asked.Passkey, asked.RecoveryCodes
	s.render(w, r, status, views.SecondStepPage(s.publicChrome(r), form))
	return nil
}

func (s *server) secondStep(w http.ResponseWriter, r *http.Request) error {
	form := views.SecondStep{Next: localPath(r.PostForm.Get("next"), "")}
	from := s.Authenticator.Origin(r)
	proof := auth.Proof{Code: secretField(r, "code"), Credential: []byte(r.PostForm.Get("credential"))}
	asked, err := s.Sessions.SecondFactor(r)
	if err == nil {
		var offer account.Offer
		var join func(context.Context, string) (string, error)
		if asked.Joining {
			code, _ := s.keptInvite(r)
			if offer, err = s.Accounts.FindInvite(r.Context(), code); err != nil {
				return s.showInvite(w, r, http.StatusNotFound, views.Invite{})
			}
			join = func(ctx context.Context, userID string) (string, error) {
				return s.Accounts.AcceptInviteAs(ctx, userID, code, from)
			}
		}
		if _, err = s.Sessions.Verify(w, r, proof, from, join); err == nil {
			s.metrics.login(loginOK)
			if asked.Joining {
				return s.joined(w, r, offer.TeamUsername)
			}
			redirect(w, r, localPath(form.Next, settingsHome))
			return nil
		}
	}
	switch p := describe(err); p.Code {
	case problem.NotSignedIn:
		s.metrics.login(loginFailed)
		return s.showLogin(w, r, statuses[p.Code], views.LoginForm{Next: form.Next, Errors: views.FieldErrors{"": p.Detail}})
	case problem.InvalidField:
		s.metrics.login(loginFailed)
		form.Errors, _ = fieldErrors(err)
		return s.showSecondStep(w, r, http.StatusUnauthorized, form)
	case problem.RateLimited:
		s.metrics.login(loginThrottled)
		setRetryAfter(w, p)
		form.Throttled = p.Detail
		return s.showSecondStep(w, r, statuses[p.Code], form)
	}
	return err
}

// loginOptions answers a script that asks what a passkey is to sign.
func (s *server) loginOptions(w http.ResponseWriter, r *http.Request) error {
	var options json.RawMessage
	var err error
	from := s.Authenticator.Origin(r)
	switch r.PostForm.Get("for") {
	case "login":
		options, err = s.Sessions.BeginPasskeyLogin(w, r, from)
	case "verify":
		options, err = s.Sessions.BeginVerify(r, from)
	default:
		return problem.Invalid("for", "it must be login or verify")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, options)
}

func (s *server) passkeyLogin(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.PostForm.Get("next"), "")
	_, err := s.Sessions.LoginByPasskey(w, r, []byte(r.PostForm.Get("credential")), s.Authenticator.Origin(r))
	if err == nil {
		s.metrics.login(loginOK)
		redirect(w, r, localPath(next, settingsHome))
		return nil
	}
	p := describe(err)
	if p.Code != problem.NotSignedIn {
		return err
	}
	s.metrics.login(loginFailed)
	return s.showLogin(w, r, statuses[p.Code], views.LoginForm{Next: next, Errors: views.FieldErrors{"credential": p.Detail}})
}

// showLogin renders the login page, with what the last attempt came to.
func (s *server) showLogin(w http.ResponseWriter, r *http.Request, status int, form views.LoginForm) error {
	form.SignOn = s.signOnName()
	form.SignOnOnly = s.SignOn != nil && s.SignOn.Only()
	form.Passkeys = s.Sessions.OffersPasskeys() && !form.SignOnOnly
	s.render(w, r, status, views.LoginPage(s.publicChrome(r), form))
	return nil
}

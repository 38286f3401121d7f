package handlers

import (
	"errors"
	"net/http"

	"infsh/account"
	"infsh/auth"
	"infsh/problem"
	"infsh/views"
)

// signOnName is what people call the provider; empty if there is none.
func (s *server) signOnName() string {
	if s.SignOn == nil {
		return ""
	}
	return s.SignOn.Name()
}

func (s *server) beginSignOn(w http.ResponseWriter, r *http.Request) error {
	return s.toProvider(w, r, auth.ToSignIn, localPath(r.PostForm.Get("next"), ""), auth.Session{})
}

func (s *server) beginConnect(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.toProvider(w, r, auth.ToConnect, accountHome, session)
}

// beginProof comes from the question whether it is still the same person, and
// leads back to the page on which that was asked.
func (s *server) beginProof(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.toProvider(w, r, auth.ToProve, localPath(r.PostForm.Get("back"), settingsHome), session)
}

// toProvider answers a form with a page that goes on to the provider by itself.
// A redirect would be the form's, and the content security policy lets forms go
// to this server alone.
func (s *server) toProvider(w http.ResponseWriter, r *http.Request, purpose auth.SignOnPurpose, next string, session auth.Session) error {
	to, err := s.SignOn.Begin(w, r, purpose, next, session, s.Authenticator.Origin(r))
	if err != nil {
		return s.signOnFailed(w, r, purpose, err)
	}
	w.Header().Set("Refresh", "0; url="+to)
	s.render(w, r, http.StatusOK, views.GoOnPage(views.Public{Theme: s.themeOf(r)}, s.SignOn.Name(), to))
	return nil
}

// signOnCallback is where the provider leads back to. Its address holds a code
// that works once, for this server alone; nothing that the page leads to is told
// of it.
func (s *server) signOnCallback(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	q := r.URL.Query()
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(q[name]) > 1 {
			return s.signOnFailed(w, r, "", badRequest("The answer says %s twice. Begin again.", name))
		}
	}
	session, err := s.Authenticator.Session(r)
	if err != nil && !errors.Is(err, problem.NotSignedIn) {
		return err
	}
	done, err := s.SignOn.Finish(w, r, auth.SignOnAnswer{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error")}, session, s.Authenticator.Origin(r))
	next := localPath(done.Next, settingsHome)
	signingIn := done.Purpose == auth.ToSignIn
	switch {
	case err == nil && signingIn:
		s.metrics.login(loginOK)
		return s.signedOn(w, r, done, next)
	case err == nil && done.Purpose == auth.ToConnect:
		s.leaveFlash(w, flash{kind: flashConnected, subject: s.SignOn.Name()})
		redirect(w, r, next)
		return nil
	case err == nil:
		s.leaveFlash(w, flash{kind: flashProved})
		redirect(w, r, next)
		return nil
	case errors.Is(err, problem.SecondFactorNeeded):
		toSecondStep(w, r, localPath(done.Next, ""))
		return nil
	case signingIn && errors.Is(err, problem.RateLimited):
		s.metrics.login(loginThrottled)
	case signingIn:
		s.metrics.login(loginFailed)
	}
	return s.signOnFailed(w, r, done.Purpose, err)
}

// signedOn leads on whom the provider has signed in. Who opened an invite's link
// before may have joined by it already.
func (s *server) signedOn(w http.ResponseWriter, r *http.Request, done auth.SignedOn, next string) error {
	if code, ok := s.keptInvite(r); ok && next == inviteHome {
		offer, err := s.Accounts.FindInvite(r.Context(), code)
		if err == nil && offer.Status == account.InviteAccepted && offer.TeamID == done.Actor.TeamID() {
			return s.joined(w, r, offer.TeamUsername)
		}
	}
	redirect(w, r, next)
	return nil
}

// signOnFailed says why the provider's way led to nothing, and what to do.
func (s *server) signOnFailed(w http.ResponseWriter, r *http.Request, purpose auth.SignOnPurpose, err error) error {
	p := describe(err)
	status := statuses[p.Code]
	if p.Code == problem.NotSignedIn || p.Code == problem.ConfirmationNeeded {
		return err
	}
	s.logFailure(r, p, status)
	setRetryAfter(w, p)
	model := views.ErrorPageModel{Status: status, Title: headlines[status], Detail: p.Detail, RequestID: requestID(r), BackURL: "/login", Back: "Go to the sign-in page"}
	switch {
	case purpose == auth.ToConnect:
		model.Title, model.BackURL, model.Back = "Not connected", accountHome, "Go to your account"
	case purpose == auth.ToProve:
		model.Title, model.BackURL, model.Back = "Not confirmed", settingsHome, "Go to secrets"
	case status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
		model.Title = "Not signed in"
	}
	s.render(w, r, status, views.ErrorPage(views.Public{Theme: s.themeOf(r)}, model))
	return nil
}

func (s *server) disconnectSignOn(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.SignOn.Disconnect(r.Context(), session); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashDisconnected, subject: s.SignOn.Name()})
	redirect(w, r, accountHome)
	return nil
}

// connection is the account page's section on single sign-on.
func (s *server) connection(r *http.Request, session auth.Session) (views.SignOn, error) {
	out := views.SignOn{Name: s.signOnName()}
	if s.SignOn == nil {
		return out, nil
	}
	have, err := s.SignOn.Connection(r.Context(), session)
	if err != nil || !have.Connected() {
		return out, err
	}
	out.Connected, out.Needed, out.Email = true, have.Needed, have.Email
	out.Since, out.Used = views.Ago(have.CreatedAt, s.now()), views.Ago(have.LastUsedAt, s.now())
	return out, nil
}

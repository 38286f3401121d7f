package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"infsh/account"
	"infsh/auth"
	"infsh/problem"
	"infsh/redact"
	"infsh/views"
)

const (
	inviteHome = "/invite"
	// inviteKept is how long the browser keeps the code of an invite whose link
	// was opened: time to sign in, or to choose a password.
	inviteKept    = time.Hour
	maxInviteCode = 128
)

func (s *server) inviteCookie() string {
	if s.secure() {
		return "__Host-infsh-invite"
	}
	return "infsh_invite"
}

// keepInvite stores the code in the browser; the zero time.Duration removes it.
func (s *server) keepInvite(w http.ResponseWriter, code string, kept time.Duration) {
	age := int(kept.Seconds())
	if age == 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.inviteCookie(), Value: code, Path: "/", MaxAge: age, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	})
}

func (s *server) keptInvite(r *http.Request) (redact.Value, bool) {
	c, err := r.Cookie(s.inviteCookie())
	if err != nil || c.Value == "" || len(c.Value) > maxInviteCode {
		return redact.Value{}, false
	}
	return redact.NewValue(c.Value), true
}

// invitePage takes the code out of the address at once, so that no page, and
// with it no Referer and no bookmark, has it. Opening the link uses nothing up:
// programs that look at the links in a message open them too.
func (s *server) invitePage(w http.ResponseWriter, r *http.Request) error {
	if q := r.URL.Query(); q.Has("code") {
		if code := q.Get("code"); len(code) <= maxInviteCode {
			s.keepInvite(w, code, inviteKept)
		}
		http.Redirect(w, r, inviteHome, http.StatusSeeOther)
		return nil
	}
	return s.showInvite(w, r, http.StatusOK, views.Invite{})
}

// showInvite renders the invite as it is now, to whoever is signed in now;
// form holds what the person's last attempt came to.
func (s *server) showInvite(w http.ResponseWriter, r *http.Request, status int, form views.Invite) error {
	form.State = views.InviteNone
	code, ok := s.keptInvite(r)
	if ok {
		form.State = views.InviteInvalid
		offer, err := s.Accounts.FindInvite(r.Context(), code)
		switch {
		case err == nil:
			form.Team, form.Email, form.Role, form.InvitedBy = offer.TeamName, offer.Email, string(offer.Role), offer.InvitedBy
			form.State = s.inviteState(r, offer, &form)
		case !errors.Is(err, problem.NotFound):
			return err
		}
	}
	switch form.State {
	case views.InviteInvalid:
		status = http.StatusNotFound
	case views.InviteUsed, views.InviteExpired:
		status = http.StatusConflict
	}
	form.SignOn = s.signOnName()
	form.SignOnOnly = s.SignOn != nil && s.SignOn.Only()
	s.render(w, r, status, views.InvitePage(s.publicChrome(r), form))
	return nil
}

func (s *server) inviteState(r *http.Request, offer account.Offer, form *views.Invite) views.InviteState {
	switch offer.Status {
	case account.InvitePending:
	case account.InviteAccepted:
		return views.InviteUsed
	case account.InviteExpired:
		return views.InviteExpired
	default:
		return views.InviteInvalid
	}
	form.Expires = views.Stamp{At: offer.ExpiresAt}
	session, err := s.Authenticator.Session(r)
	switch {
	case err != nil && offer.HasAccount:
		return views.InviteSignIn
	case err != nil:
		return views.InviteNewAccount
	case account.FoldEmail(session.Actor.Email()) != account.FoldEmail(offer.Email):
		form.SignedInAs = session.Actor.Email()
		return views.InviteOtherAccount
	}
	form.SignedInAs = session.Actor.Email()
	return views.InviteJoin
}

// acceptInvite joins the team as whoever is signed in, or signs in or makes an
// account first.
func (s *server) acceptInvite(w http.ResponseWriter, r *http.Request) error {
	code, ok := s.keptInvite(r)
	if !ok {
		return s.showInvite(w, r, http.StatusBadRequest, views.Invite{})
	}
	session, err := s.Authenticator.Session(r)
	if err == nil {
		return s.joinSignedIn(w, r, session, code)
	}
	offer, err := s.Accounts.FindInvite(r.Context(), code)
	if err != nil || offer.Status != account.InvitePending {
		return s.showInvite(w, r, http.StatusNotFound, views.Invite{})
	}
	password, from := secretField(r, "password"), s.Authenticator.Origin(r)
	if offer.HasAccount {
		_, err = s.Sessions.LoginToJoin(w, r, offer.Email, password, from, func(ctx context.Context, userID string) (string, error) {
			return s.Accounts.AcceptInviteAs(ctx, userID, code, from)
		})
	} else if _, err = s.Accounts.JoinByInvite(r.Context(), code, password, from); err == nil {
		_, err = s.Sessions.Login(w, r, offer.Email, password, from)
	}
	if err == nil {
		return s.joined(w, r, offer.TeamUsername)
	}
	p := describe(err)
	form := views.Invite{}
	switch p.Code {
	case problem.SecondFactorNeeded:
		toSecondStep(w, r, "") // The team is joined with it, not before.
		return nil
	case problem.NotSignedIn:
		s.metrics.login(loginFailed)
		form.Errors = views.FieldErrors{"password": "This is not the password of this account."}
	case problem.RateLimited:
		s.metrics.login(loginThrottled)
		setRetryAfter(w, p)
		form.Throttled = p.Detail
	case problem.InvalidField:
		form.Errors, _ = fieldErrors(err)
	case problem.Conflict, problem.NotFound:
		form.Errors = views.FieldErrors{"": p.Detail}
	default:
		return err
	}
	return s.showInvite(w, r, loginStatus(p.Code), form)
}

func (s *server) joinSignedIn(w http.ResponseWriter, r *http.Request, session auth.Session, code redact.Value) error {
	teamID, err := s.Accounts.AcceptInvite(r.Context(), session.Actor, code)
	if err != nil {
		p := describe(err)
		switch p.Code {
		case problem.Conflict, problem.NotFound, problem.PermissionDenied:
			return s.showInvite(w, r, statuses[p.Code], views.Invite{Errors: views.FieldErrors{"": p.Detail}})
		}
		return err
	}
	if err := s.Sessions.SwitchTeam(r.Context(), session, teamID); err != nil {
		return err
	}
	joined, err := s.Accounts.Team(r.Context(), session.Actor, teamID)
	if err != nil {
		return err
	}
	return s.joined(w, r, joined.Username)
}

func (s *server) joined(w http.ResponseWriter, r *http.Request, username string) error {
	s.keepInvite(w, "", 0)
	s.leaveFlash(w, flash{kind: flashJoined, subject: username})
	redirect(w, r, settingsHome)
	return nil
}

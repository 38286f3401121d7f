package handlers

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"

	"infsh/api"
	"infsh/auth"
	"infsh/problem"
	"infsh/views"
)

// startDevice begins the login of a command line (RFC 8628, section 3.1).
func (s *server) startDevice(w http.ResponseWriter, r *http.Request) error {
	var body api.DeviceCodeRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	start, err := s.Devices.Start(r.Context(), body.ClientName, s.Authenticator.Origin(r))
	if err != nil {
		return err
	}
	page := s.config.PublicURL.JoinPath("device")
	complete := *page
	complete.RawQuery = url.Values{"code": {start.UserCode}}.Encode()
	return writeRevealed(w, http.StatusOK, api.DeviceCodeResponse{
		DeviceCode: api.NewPlaintext(start.DeviceCode), UserCode: start.UserCode,
		VerificationURI: page.String(), VerificationURIComplete: complete.String(),
		ExpiresIn: int(start.ExpiresIn.Seconds()), Interval: int(start.Interval.Seconds()),
	})
}

// pollDevice hands out the credential once a person has approved (section 3.4).
func (s *server) pollDevice(w http.ResponseWriter, r *http.Request) error {
	var body api.DeviceTokenRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	if body.DeviceCode == nil {
		return problem.Invalid("device_code", "it is missing")
	}
	login, err := s.Devices.Poll(r.Context(), body.DeviceCode.Value, s.Authenticator.Origin(r))
	if err != nil {
		return err
	}
	return writeRevealed(w, http.StatusOK, api.DeviceTokenResponse{
		APIKey: api.NewPlaintext(login.Token), User: api.DeviceUser{ID: login.UserID, Email: login.Email},
		Team: api.DeviceTeamRef{ID: login.TeamID, Username: login.TeamUsername},
	})
}

const noDevice = "No login waits with this code. It may have expired; run `infsh login` again."

// devicePage shows the code to compare, and who asks.
func (s *server) devicePage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.deviceForm(w, r, session, r.URL.Query().Get("code"), http.StatusOK, nil)
}

func (s *server) deviceForm(w http.ResponseWriter, r *http.Request, session auth.Session, code string, status int, errs views.FieldErrors) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	form := views.DeviceForm{Errors: errs}
	if code != "" {
		found, err := s.Devices.Find(r.Context(), session.Actor, code)
		switch {
		case errors.Is(err, problem.NotFound):
			status = http.StatusNotFound
			form.Errors = views.FieldErrors{"code": noDevice}
		case err != nil:
			return err
		default:
			form = views.DeviceForm{
				Code: found.UserCode, Client: found.ClientName, Address: found.RemoteAddr, Started: views.Ago(found.CreatedAt, s.now()),
				Expires: inMinutes(found.ExpiresAt.Sub(s.now())), TeamID: session.Actor.TeamID(), Errors: errs,
			}
		}
	}
	s.render(w, r, status, views.DevicePage(p, form))
	return nil
}

func inMinutes(d time.Duration) string {
	n := int(math.Ceil(d.Minutes()))
	if n <= 1 {
		return "in a minute"
	}
	return fmt.Sprintf("in %d minutes", n)
}

func (s *server) approveDevice(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	teamID := r.PostForm.Get("team_id")
	if teamID == "" {
		teamID = session.Actor.TeamID()
	}
	// A page of an earlier version sends both decisions to this address.
	if r.PostForm.Get("decision") != "approve" {
		return problem.Invalid("decision", "it must be approve")
	}
	return s.decideDevice(w, r, session, teamID, func(code string) error {
		return s.Devices.ApproveIn(r.Context(), session.Actor, teamID, code)
	})
}

// denyDevice takes nobody's time: what is refused needs no proof.
func (s *server) denyDevice(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.decideDevice(w, r, session, "", func(code string) error {
		return s.Devices.Deny(r.Context(), session.Actor, code)
	})
}

// decideDevice decides on the login with the form's code; teamID is where it
// was approved for, and empty where it was denied.
func (s *server) decideDevice(w http.ResponseWriter, r *http.Request, session auth.Session, teamID string, decide func(code string) error) error {
	code := r.PostForm.Get("code")
	found, err := s.Devices.Find(r.Context(), session.Actor, code)
	if errors.Is(err, problem.NotFound) {
		return s.deviceForm(w, r, session, "", http.StatusNotFound, views.FieldErrors{"code": noDevice})
	}
	if err != nil {
		return err
	}
	err = decide(code)
	if fields, ok := fieldErrors(err); ok {
		return s.deviceForm(w, r, session, code, http.StatusUnprocessableEntity, fields)
	}
	if err != nil {
		return err
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	result := views.DeviceResult{Approved: teamID != "", Client: found.ClientName}
	for _, t := range p.Teams {
		if t.ID == teamID {
			result.Team = t.Label()
		}
	}
	s.render(w, r, http.StatusOK, views.DeviceResultPage(p, result))
	return nil
}

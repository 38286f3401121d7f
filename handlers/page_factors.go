package handlers

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"

	"infsh/auth"
	"infsh/problem"
	"infsh/redact"
	"infsh/views"
)

const accountHome = "/settings/account"

// factors is what the account page shows of a person's second factors.
func (s *server) factors(r *http.Request, session auth.Session) (views.Factors, error) {
	have, err := s.Sessions.Factors(r.Context(), session)
	if err != nil {
		return views.Factors{}, err
	}
	model := views.Factors{
		On: have.On(), HasApp: !have.App.IsZero(), App: views.Ago(have.App, s.now()), Offers: s.Sessions.OffersPasskeys(), RecoveryCodes: have.RecoveryCodes, NoPassword: have.NoPassword,
	}
	for _, p := range have.Passkeys {
		model.Passkeys = append(model.Passkeys, views.PasskeyRow{
			ID: p.ID, Name: p.Name, Added: views.Ago(p.CreatedAt, s.now()), Used: views.Ago(p.LastUsedAt, s.now()), Synced: p.Synced(),
		})
	}
	return model, nil
}

func (s *server) beginApp(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	app, err := s.Sessions.BeginApp(r.Context(), session)
	if err != nil {
		return err
	}
	return s.showApp(w, r, session, http.StatusOK, app, nil)
}

// showApp is the only page that shows a seed, and only until its first code.
func (s *server) showApp(w http.ResponseWriter, r *http.Request, session auth.Session, status int, app auth.NewApp, errs views.FieldErrors) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	p.Path = accountHome
	picture, err := qrOf(app.URL.Reveal())
	if err != nil {
		return err
	}
	s.render(w, r, status, views.AppSetupPage(p, views.AppSetup{Secret: app.Secret.Reveal(), QR: picture, Errors: errs}))
	return nil
}

// qrMargin is the white around a code, in its squares, that readers ask for.
const qrMargin = 4

func qrOf(text string) (views.QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return views.QR{}, err
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && isDark(code.At(x, y).RGBA()) {
				x++
			}
			if x > from {
				path.WriteString("M" + strconv.Itoa(from+qrMargin) + " " + strconv.Itoa(y+qrMargin) + "h" + strconv.Itoa(x-from) + "v1h-" + strconv.Itoa(x-from) + "z")
			}
		}
	}
	return views.QR{Path: path.String(), Size: size + 2*qrMargin}, nil
}

func isDark(r, _, _, _ uint32) bool { return r == 0 }

func (s *server) confirmApp(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	codes, err := s.Sessions.ConfirmApp(r.Context(), session, secretField(r, "code"))
	if err == nil {
		return s.factorAdded(w, r, session, codes, flash{kind: flashApp}, "The authenticator app is on.")
	}
	fields, status := views.FieldErrors{}, http.StatusUnprocessableEntity
	switch p := describe(err); p.Code {
	case problem.InvalidField:
		fields, _ = fieldErrors(err)
	case problem.RateLimited:
		setRetryAfter(w, p)
		fields["code"], status = p.Detail, http.StatusTooManyRequests
	default:
		return err
	}
	app, err := s.Sessions.WaitingApp(r.Context(), session)
	if err != nil {
		return err
	}
	return s.showApp(w, r, session, status, app, fields)
}

// factorAdded shows the recovery codes that were made, or leads back.
func (s *server) factorAdded(w http.ResponseWriter, r *http.Request, session auth.Session, codes []redact.Value, f flash, what string) error {
	if len(codes) == 0 {
		s.leaveFlash(w, f)
		redirect(w, r, accountHome)
		return nil
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	p.Path = accountHome
	model := views.RecoveryCodes{What: what}
	for _, c := range codes {
		model.Codes = append(model.Codes, c.Reveal())
	}
	s.render(w, r, http.StatusOK, views.RecoveryCodesPage(p, model))
	return nil
}

func (s *server) removeApp(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Sessions.RemoveApp(r.Context(), session); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashNoApp})
	redirect(w, r, accountHome)
	return nil
}

// passkeyOptions answers a script that asks what a passkey is to do.
func (s *server) passkeyOptions(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	var options json.RawMessage
	var err error
	switch r.PostForm.Get("for") {
	case "register":
		options, err = s.Sessions.BeginPasskey(r.Context(), session)
	case "confirm":
		options, err = s.Sessions.BeginConfirm(r.Context(), session)
	default:
		return problem.Invalid("for", "it must be register or confirm")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, options)
}

func (s *server) addPasskey(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	name := r.PostForm.Get("name")
	codes, err := s.Sessions.AddPasskey(r.Context(), session, name, []byte(r.PostForm.Get("credential")))
	if err == nil {
		return s.factorAdded(w, r, session, codes, flash{kind: flashPasskey, subject: strings.TrimSpace(name)}, "The passkey was added.")
	}
	fields, ok := fieldErrors(err)
	if !ok {
		return err
	}
	return s.account(w, r, session, http.StatusUnprocessableEntity, func(a *views.Account) {
		a.Factors.Errors, a.Factors.PasskeyName = fields, name
	})
}

func (s *server) removePasskey(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Sessions.RemovePasskey(r.Context(), session, r.PathValue("id")); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashNoPasskey})
	redirect(w, r, accountHome)
	return nil
}

func (s *server) newRecoveryCodes(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	codes, err := s.Sessions.NewRecoveryCodes(r.Context(), session)
	if err != nil {
		return err
	}
	return s.factorAdded(w, r, session, codes, flash{}, "The codes before are worth nothing any more.")
}

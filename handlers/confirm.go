package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"

	"infsh/auth"
	"infsh/problem"
	"infsh/views"
)

// These fields come along with a form, to prove who sends it.
const (
	confirmPassword   = "confirm_password"
	confirmCode       = "confirm_code"
	confirmCredential = "confirm_credential"
	confirmUsername   = "confirm_username" // For the browser's password manager.
)

// shownProof takes the proof out of a form, so that nothing else sees it.
func shownProof(r *http.Request) (proof auth.Proof, ok bool) {
	ok = r.PostForm.Has(confirmPassword) || r.PostForm.Has(confirmCode) || r.PostForm.Has(confirmCredential)
	proof = auth.Proof{Password: secretField(r, confirmPassword), Code: secretField(r, confirmCode), Credential: []byte(r.PostForm.Get(confirmCredential))}
	for _, name := range []string{confirmPassword, confirmCode, confirmCredential, confirmUsername} {
		r.PostForm.Del(name)
	}
	return proof, ok
}

// confirm lets a request pass if the session's person has proved lately who
// they are. Otherwise it answers with the question, and the session it returns
// is the zero one. The question is a form that sends again what was sent,
// together with the proof, so what was begun goes on; routes whose forms hold a
// value don't ask this way, since a value is in no page.
//
// A proof is answered by the same request once more (307): the session has a
// new cookie, and what the act leads to, in other tabs too, must not come before
// the browser has that.
func (s *server) confirm(rt route, w http.ResponseWriter, r *http.Request, session auth.Session) (auth.Session, error) {
	proof, shown := shownProof(r)
	needed := s.Sessions.Confirmed(session)
	switch {
	case needed == nil:
		if shown && isPartial(r) {
			// Where the answer goes elsewhere, the question would stay open.
			w.Header().Set("HX-Trigger-After-Swap", "infsh:confirmed")
		}
		return session, nil
	case !shown:
		return auth.Session{}, s.askToConfirm(rt, w, r, session, needed)
	}
	if err := s.Sessions.Confirm(w, r, session, proof); err != nil {
		return auth.Session{}, s.askToConfirm(rt, w, r, session, err)
	}
	http.Redirect(w, r, r.URL.RequestURI(), http.StatusTemporaryRedirect)
	return auth.Session{}, nil
}

// askToConfirm answers with the question, over HTMX in a dialog, and with what
// the last answer came to.
func (s *server) askToConfirm(rt route, w http.ResponseWriter, r *http.Request, session auth.Session, why error) error {
	problemOf := describe(why)
	form := views.Confirm{
		To: rt.confirm, Action: r.URL.EscapedPath(), Target: targetOf(r), Back: cameFrom(r),
		Minutes: int(auth.ConfirmWindow.Minutes()), Errors: views.FieldErrors{},
	}
	status := statuses[problemOf.Code]
	switch problemOf.Code {
	case problem.ConfirmationNeeded:
	case problem.InvalidField:
		status = http.StatusUnprocessableEntity
		form.Errors, _ = fieldErrors(why)
	case problem.RateLimited:
		setRetryAfter(w, problemOf)
		form.Errors[""] = problemOf.Detail
	default:
		return why
	}
	have, err := s.Sessions.Factors(r.Context(), session)
	if err != nil {
		return err
	}
	if s.SignOn != nil {
		connection, err := s.SignOn.Connection(r.Context(), session)
		if err != nil {
			return err
		}
		if connection.Connected() {
			form.SignOn = s.SignOn.Name()
		}
	}
	form.NoPassword = have.NoPassword
	form.App, form.Passkey = !have.App.IsZero(), len(have.Passkeys) > 0 && s.Sessions.OffersPasskeys()
	names := make([]string, 0, len(r.PostForm))
	for name := range r.PostForm {
		if name != csrfField && name != teamField { // The page's own are the same.
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.PostForm[name] {
			form.Fields = append(form.Fields, views.HiddenField{Name: name, Value: value})
		}
	}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	p.Path = form.Back // Where the page's other forms lead back to.
	if isPartial(r) {
		w.Header().Set("HX-Retarget", "#dialog")
		w.Header().Set("HX-Reswap", "innerHTML")
		s.render(w, r, status, views.ConfirmDialog(p, form))
		return nil
	}
	s.render(w, r, status, views.ConfirmPage(p, form))
	return nil
}

var elementID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`) })

// targetOf is the element into which HTMX puts the answer of what was begun.
func targetOf(r *http.Request) string {
	if id := r.Header.Get("HX-Target"); elementID().MatchString(id) {
		return id
	}
	return "dialog"
}

// cameFrom is the page on which a form stands.
func cameFrom(r *http.Request) string {
	from := r.Referer()
	if isPartial(r) {
		from = r.Header.Get("HX-Current-URL")
	}
	u, err := url.Parse(from)
	if err != nil {
		return settingsHome
	}
	return localPath(u.RequestURI(), settingsHome)
}

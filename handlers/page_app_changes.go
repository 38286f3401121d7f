package handlers

import (
	"fmt"
	"net/http"

	"infsh/app"
	"infsh/auth"
	"infsh/secret"
	"infsh/views"
)

// appDialog fills in the question that the address asks, and renders it alone
// where HTMX wants no more. A version that can't be the current one has its
// reason in the place of a button.
func (s *server) appDialog(w http.ResponseWriter, r *http.Request, session auth.Session, p views.Page, found app.App, model *views.AppDetail) (rendered bool, err error) {
	q := r.URL.Query()
	switch id := q.Get("current"); {
	case q.Has("delete") && model.CanDelete:
		model.Delete = true
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.DeleteAppDialog(p, *model))
			return true, nil
		}
	case id != "" && model.CanMove:
		version, report, err := s.Secrets.CheckVersion(r.Context(), session.Actor, found.FullName(), id)
		if err != nil {
			return false, err
		}
		check := s.appCheck(report, version, nil, "current")
		model.MakeCurrent = &views.MakeCurrent{ID: version.ID, Check: check}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.MakeCurrentDialog(p, *model))
			return true, nil
		}
	}
	return false, nil
}

func (s *server) deleteAppForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	found, err := s.Apps.ByName(r.Context(), session.Actor, r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return err
	}
	if err := s.Apps.Delete(r.Context(), session.Actor, found.ID); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashAppGone, subject: found.FullName()})
	redirect(w, r, "/settings/apps")
	return nil
}

func (s *server) makeCurrentForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	found, err := s.Apps.ByName(r.Context(), session.Actor, r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return err
	}
	moved, err := s.Apps.MakeCurrent(r.Context(), session.Actor, found.ID, r.PostForm.Get("version"))
	if err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashMoved, subject: fmt.Sprintf("Version %d", moved.Current.Number)})
	redirect(w, r, secret.AppURL(found.FullName()))
	return nil
}

package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"infsh/auth"
	"infsh/envvar"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

func (s *server) secretsPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	q := r.URL.Query()
	if q.Has("add") && wants(r, "dialog") {
		p, err := s.chrome(w, r, session)
		if err != nil {
			return err
		}
		s.render(w, r, http.StatusOK, views.AddSecretDialog(p, *s.addForm(r, q)))
		return nil
	}
	p, model, err := s.secrets(w, r, session, currentList(r))
	if err != nil {
		return err
	}
	if wants(r, "secrets-table") {
		s.render(w, r, http.StatusOK, views.SecretsTable(p, model))
		return nil
	}
	if q.Has("add") && model.CanEdit {
		model.Add = s.addForm(r, q)
	}
	s.render(w, r, http.StatusOK, views.SecretsPage(p, model))
	return nil
}

// addForm is the Add dialog, filled in by a link of a failed check.
func (s *server) addForm(r *http.Request, q url.Values) *views.AddSecret {
	form := &views.AddSecret{Key: q.Get("add"), Description: q.Get("description"), List: currentList(r), Known: known()}
	form.Return, form.ReturnName = checkReturn(q.Get("return"))
	if form.Key != "" {
		form.Advice = views.NameAdvice{Advice: envvar.Key(form.Key).Advice()}
	}
	return form
}

// checkReturn accepts only the page of an app's check as the way back.
func checkReturn(path string) (accepted, name string) {
	name, ok := strings.CutPrefix(path, "/settings/apps/")
	if !ok {
		return "", ""
	}
	if _, _, err := secret.ParseApp(name); err != nil {
		return "", ""
	}
	return path, name
}

func (s *server) dismissKeyForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	key := r.PostForm.Get("key")
	if err := s.Secrets.Dismiss(r.Context(), session.Actor, key); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashDismiss, subject: key})
	redirect(w, r, settingsHome)
	return nil
}

func (s *server) secretRow(one secret.Secret, twin envvar.Key) views.SecretRow {
	row := views.SecretRow{
		Key: string(one.Key), Description: one.Description, Masked: one.Masked, Version: int(one.Version), Staged: int(one.StagedVersion),
		UpdatedBy: one.UpdatedBy, Updated: views.Ago(one.UpdatedAt, s.now()), Life: s.life(one),
	}
	if twin != "" {
		row.Warning = fmt.Sprintf("Differs from %s only in case.", twin)
	}
	return row
}

func known() []views.KnownSecret {
	var out []views.KnownSecret
	for _, k := range envvar.WellKnown() {
		out = append(out, views.KnownSecret{Key: string(k.Key), Service: k.Service, Description: k.Description})
	}
	return out
}

// formValue takes the value out of a form, with the line breaks that the
// person typed: a form sends them as CRLF, and may add a last one. What was
// changed by that is told.
func formValue(r *http.Request, verbatim bool) (value redact.Value, notes string) {
	raw := r.PostForm.Get("value")
	kept := strings.ReplaceAll(raw, "\r\n", "\n")
	if !verbatim {
		kept = envvar.FromForm(raw)
	}
	if strings.Contains(kept, "\n") && strings.Contains(raw, "\r") {
		notes = "Its line breaks are stored as LF."
	} else if len(kept) < len(raw) {
		notes = "The line break at its end is not part of the value."
	}
	return redact.NewValue(kept), notes
}

// notesOn joins what there is to say of a secret that was just written.
func notesOn(written secret.Written, notes, more string) string {
	for _, w := range written.Warnings {
		notes += " " + sentence(w)
	}
	return strings.TrimSpace(notes + " " + more)
}

func (s *server) addSecretForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form := views.AddSecret{
		Key: strings.TrimSpace(r.PostForm.Get("key")), Description: r.PostForm.Get("description"), List: currentList(r),
		AllowRisky: ticked(r, "allow_risky_name"), Verbatim: ticked(r, "verbatim"), Stage: ticked(r, "stage"), Known: known(),
	}
	form.Return, form.ReturnName = checkReturn(r.PostForm.Get("return"))
	value, notes := formValue(r, form.Verbatim)
	write := secret.Write{
		Key: form.Key, Value: &value, Description: &form.Description, Verbatim: form.Verbatim, AllowRiskyName: form.AllowRisky, Stage: form.Stage,
	}
	var err error
	var written secret.Written
	if form.Ends, err = endFields(r, &write); err == nil {
		written, err = s.Secrets.Set(r.Context(), session.Actor, secret.Create, write)
	}
	if err == nil {
		return s.secretsSaved(w, r, session, flash{kind: savedAs(written, flashAdded), subject: savedSubject(written), notes: notesOn(written, notes, s.twinNote(r, session, written))}, form.Return)
	}
	fields, ok := fieldErrors(err)
	if !ok {
		return err
	}
	form.Errors = fields
	form.Advice = adviceOn(form.Key, nil)
	form.Advice.AllowRisky = form.AllowRisky
	if fields["key"] != "" {
		form.Advice.Refused = "" // the error at the field says it already
	}
	status := http.StatusUnprocessableEntity
	if wants(r, "dialog") {
		p, err := s.chrome(w, r, session)
		if err != nil {
			return err
		}
		s.render(w, r, status, views.AddSecretDialog(p, form))
		return nil
	}
	p, model, err := s.secrets(w, r, session, form.List)
	if err != nil {
		return err
	}
	model.Add = &form
	s.render(w, r, status, views.SecretsPage(p, model))
	return nil
}

// savedAs says what became of a secret that was just written.
func savedAs(written secret.Written, otherwise flashKind) flashKind {
	switch {
	case written.Unchanged:
		return flashUnchanged
	case written.Stored > 0 && written.Stored != written.Version:
		return flashStaged
	}
	return otherwise
}

func savedSubject(written secret.Written) string {
	switch savedAs(written, "") {
	case flashUnchanged:
		return fmt.Sprintf("version %d of %s", written.Stored, written.Key)
	case flashStaged:
		return fmt.Sprintf("Version %d of %s", written.Stored, written.Key)
	}
	return string(written.Key)
}

// secretsSaved shows the list after a change. Someone who came from a failed
// check is offered the way back to it.
func (s *server) secretsSaved(w http.ResponseWriter, r *http.Request, session auth.Session, f flash, back string) error {
	if !isPartial(r) || !fromList(r) {
		s.leaveFlash(w, f)
		to := currentList(r).URL()
		if back != "" {
			to = back
		}
		redirect(w, r, to)
		return nil
	}
	p, model, err := s.secrets(w, r, session, currentList(r))
	if err != nil {
		return err
	}
	p.Path = settingsHome
	if f.notes != "" {
		p.Flash = &views.Flash{Kind: views.FlashWarning, Message: f.message()}
	}
	if back, name := checkReturn(back); back != "" {
		p.Flash = &views.Flash{Kind: views.FlashSuccess, Message: f.message(), LinkURL: back, Link: "Back to the check of " + name}
	}
	if model.Undone = f.undone; f.undo != "" {
		model.Undo = &views.Undo{ID: f.undo, CSRF: p.CSRF, Team: p.Team.ID, Message: f.message()}
	} else {
		toast(w, f)
	}
	s.render(w, r, http.StatusOK, views.SecretsSaved(p, model))
	return nil
}

// nameAdvice says what there is to say about a name while it is typed.
func (s *server) nameAdvice(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	keys, err := s.Secrets.Keys(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, views.NameAdviceView(adviceOn(strings.TrimSpace(r.URL.Query().Get("key")), keys)))
	return nil
}

func adviceOn(name string, have []envvar.Key) views.NameAdvice {
	var a views.NameAdvice
	if name == "" {
		return a
	}
	key, err := envvar.ParseKey(name)
	if err != nil {
		a.Refused = sentence(err.Error())
		return a
	}
	switch key.Risk() {
	case envvar.Refused:
		a.Refused = sentence(key.Permit(false).Error())
	case envvar.Risky:
		a.Risky = sentence(key.Permit(false).Error())
	}
	a.Advice = key.Advice()
	if slices.Contains(have, key) {
		a.Exists = fmt.Sprintf("%s is set already. Edit it to store a new value.", key)
		a.EditURL = "/settings/secrets/" + url.PathEscape(string(key))
	}
	for _, other := range have {
		if other != key && strings.EqualFold(string(other), string(key)) {
			a.CaseTwin = string(other)
		}
	}
	return a
}

func (s *server) secretPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	key, q := r.PathValue("key"), r.URL.Query()
	p, model, err := s.secretDetail(w, r, session, key)
	if err != nil {
		return err
	}
	switch {
	case q.Has("edit") && wants(r, "dialog"):
		model.Edit.List = currentList(r)
		s.render(w, r, http.StatusOK, views.EditSecretDialog(p, model.Edit))
		return nil
	case q.Has("delete") && model.CanEdit:
		remove := views.DeleteSecret{Key: key, UsedBy: model.Uses.Rows, List: currentList(r)}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.DeleteSecretDialog(p, remove))
			return nil
		}
		model.Delete = &remove
	}
	s.render(w, r, http.StatusOK, views.SecretPage(p, model))
	return nil
}

func (s *server) secretDetail(w http.ResponseWriter, r *http.Request, session auth.Session, key string) (views.Page, views.SecretDetail, error) {
	var model views.SecretDetail
	p, err := s.chrome(w, r, session)
	if err != nil {
		return p, model, err
	}
	found, err := s.Secrets.Get(r.Context(), session.Actor, key)
	if err != nil {
		return p, model, err
	}
	history, err := s.Secrets.History(r.Context(), session.Actor, key)
	if err != nil {
		return p, model, err
	}
	model.Row = s.secretRow(found, "")
	model.CanEdit = session.Actor.Can(team.SetSecret)
	model.CanReveal = session.Actor.Can(team.RevealSecret) && found.Version > 0
	model.Edit = views.EditSecret{Key: key, Description: found.Description, Masked: found.Masked, Version: int(found.Version), Staged: int(found.StagedVersion)}
	model.LifeForm = lifeForm(found)
	if found.Key.Risk() == envvar.Risky {
		model.Edit.Risky = sentence(found.Key.Permit(false).Error())
	}
	for _, v := range history {
		model.History = append(model.History, views.SecretVersion{
			Version: int(v.Number), Masked: v.Masked, Created: views.Ago(v.CreatedAt, s.now()), By: v.CreatedBy, State: views.VersionState(v.State), Ends: views.Day(v.ExpiresAt),
		})
	}
	if model.Uses, err = s.usesOf(r, session, key); err != nil {
		return p, model, err
	}
	model.Edit.Receivers = model.Uses.Receivers()
	model.Compare = found.Version > 0 && session.Actor.Can(team.RevealSecret) && slices.ContainsFunc(p.Teams, func(t views.Team) bool {
		return t.ID != p.Team.ID && team.Role(t.Role).AtLeast(team.Admin)
	})
	return p, model, nil
}

// secretForm is the plain form's way to PUT and DELETE.
func (s *server) secretForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	switch r.PostForm.Get(methodField) {
	case http.MethodPut:
		return s.editSecretForm(w, r, session)
	case http.MethodDelete:
		return s.deleteSecretForm(w, r, session)
	}
	return problem.Invalid(methodField, "it must be PUT or DELETE")
}

func (s *server) editSecretForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	key := r.PathValue("key")
	verbatim, risky, stage := ticked(r, "verbatim"), ticked(r, "allow_risky_name"), ticked(r, "stage")
	write := secret.Write{Key: key, Verbatim: verbatim, AllowRiskyName: risky, Stage: stage}
	notes := ""
	if r.PostForm.Get("value") != "" {
		var value redact.Value
		value, notes = formValue(r, verbatim)
		write.Value = &value
	}
	if r.PostForm.Has("description") {
		description := r.PostForm.Get("description")
		write.Description = &description
	}
	ends, err := endFields(r, &write)
	var written secret.Written
	if err == nil {
		written, err = s.Secrets.Set(r.Context(), session.Actor, secret.Change, write)
	}
	if err == nil {
		return s.secretsSaved(w, r, session, flash{kind: savedAs(written, flashChanged), subject: savedSubject(written), notes: notesOn(written, notes, s.twinNote(r, session, written))}, "/settings/secrets/"+url.PathEscape(key))
	}
	fields, ok := fieldErrors(err)
	if !ok {
		return err
	}
	p, model, err := s.secretDetail(w, r, session, key)
	if err != nil {
		return err
	}
	model.Edit.Description, model.Edit.List = r.PostForm.Get("description"), currentList(r)
	model.Edit.AllowRisky, model.Edit.Verbatim, model.Edit.Stage = risky, verbatim, stage
	model.Edit.Errors, model.Edit.Ends = fields, ends
	if wants(r, "dialog") {
		s.render(w, r, http.StatusUnprocessableEntity, views.EditSecretDialog(p, model.Edit))
		return nil
	}
	s.render(w, r, http.StatusUnprocessableEntity, views.SecretPage(p, model))
	return nil
}

func (s *server) deleteSecretForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	key := r.PathValue("key")
	deletion, err := s.Secrets.Delete(r.Context(), session.Actor, key)
	if err != nil {
		return err
	}
	return s.secretsDeleted(w, r, session, deletion)
}

func (s *server) rollbackSecretForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return problem.Invalid("version", "it must be the number of a version")
	}
	rolled, err := s.Secrets.Rollback(r.Context(), session.Actor, r.PathValue("key"), version)
	if err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashRolled, subject: fmt.Sprintf("%s to version %d, as version %d,", rolled.Key, version, rolled.Version)})
	redirect(w, r, "/settings/secrets/"+url.PathEscape(string(rolled.Key)))
	return nil
}

func (s *server) activateSecretForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return problem.Invalid("version", "it must be the number of a version")
	}
	activated, err := s.Secrets.Activate(r.Context(), session.Actor, r.PathValue("key"), version)
	if err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashActivated, subject: fmt.Sprintf("Version %d of %s", activated.Version, activated.Key)})
	redirect(w, r, "/settings/secrets/"+url.PathEscape(string(activated.Key)))
	return nil
}

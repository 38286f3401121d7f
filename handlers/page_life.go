package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"infsh/auth"
	"infsh/problem"
	"infsh/secret"
	"infsh/views"
)

// life is what a page shows of a secret's age, reminder and end.
func (s *server) life(one secret.Secret) views.Life {
	now := s.now()
	out := views.Life{
		Age: views.Old(one.ValueAt, now), RotateEvery: one.RotateEvery, RotateAt: views.Day(one.RotateAt()), ExpiresAt: views.Day(one.ExpiresAt),
	}
	switch one.Rotation(now) {
	case secret.RotationDue:
		out.Needs = append(out.Needs, views.Need{Kind: "warning", Text: "Rotation due", At: out.RotateAt})
	case secret.RotationOverdue:
		out.Needs = append(out.Needs, views.Need{Kind: "error", Text: "Rotation overdue", At: out.RotateAt})
	}
	switch one.Expiry(now) {
	case secret.ExpirySoon:
		out.Needs = append(out.Needs, views.Need{Kind: "warning", Text: "Ends " + out.ExpiresAt.Text(), At: out.ExpiresAt})
	case secret.Expired:
		out.Needs = append(out.Needs, views.Need{Kind: "error", Text: "Ended " + out.ExpiresAt.Text(), At: out.ExpiresAt})
	}
	return out
}

// lifeForm is the form of a secret's reminder, filled in.
func lifeForm(one secret.Secret) views.LifeForm {
	form := views.LifeForm{Key: string(one.Key)}
	if one.RotateEvery > 0 {
		form.Every = strconv.Itoa(one.RotateEvery)
	}
	if !one.ExpiresAt.IsZero() {
		form.Ends = one.ExpiresAt.UTC().Format(time.DateOnly)
	}
	return form
}

// everyOf reads a number of days; empty is none.
func everyOf(text string) (int, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, problem.Invalid("rotate_every_days", "it is a number of days")
	}
	return n, nil
}

// endFields reads what a form with a value says of its reminder and end; what is
// left empty stays as it is.
func endFields(r *http.Request, write *secret.Write) (views.EndFields, error) {
	fields := views.EndFields{Every: strings.TrimSpace(r.PostForm.Get("rotate_every_days")), Ends: strings.TrimSpace(r.PostForm.Get("expires_at"))}
	if fields.Every != "" {
		every, err := everyOf(fields.Every)
		if err != nil {
			return fields, err
		}
		write.RotateEvery = &every
	}
	if fields.Ends != "" {
		end, err := secret.ParseEnd(fields.Ends)
		if err != nil {
			return fields, err
		}
		write.ExpiresAt = &end
	}
	return fields, nil
}

// remindersForm stores both fields as they are: an empty one is none.
func (s *server) remindersForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	key := r.PathValue("key")
	form := views.LifeForm{Key: key, Every: r.PostForm.Get("rotate_every_days"), Ends: strings.TrimSpace(r.PostForm.Get("expires_at"))}
	found, err := s.Secrets.Get(r.Context(), session.Actor, key)
	if err != nil {
		return err
	}
	write := secret.Write{Key: key}
	every, err := everyOf(form.Every)
	write.RotateEvery = &every
	// The field has no time of the day, so the same day keeps what is stored.
	if err == nil && form.Ends != lifeForm(found).Ends {
		var end time.Time
		end, err = secret.ParseEnd(form.Ends)
		write.ExpiresAt = &end
	}
	if err == nil {
		_, err = s.Secrets.Set(r.Context(), session.Actor, secret.Change, write)
	}
	if err == nil {
		s.leaveFlash(w, flash{kind: flashReminded, subject: key})
		redirect(w, r, "/settings/secrets/"+url.PathEscape(key))
		return nil
	}
	fields, ok := fieldErrors(err)
	if !ok {
		return err
	}
	p, model, err := s.secretDetail(w, r, session, key)
	if err != nil {
		return err
	}
	form.Errors = fields
	model.LifeForm = form
	s.render(w, r, http.StatusUnprocessableEntity, views.SecretPage(p, model))
	return nil
}

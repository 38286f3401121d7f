package handlers

import (
	"net/http"
	"slices"

	"infsh/auth"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
	"infsh/views"
	"infsh/webhook"
)

const webhooksHome = "/settings/webhooks"

// eventWords say what an event tells of.
var eventWords = map[webhook.Type]string{
	webhook.SecretUpdated: "A secret was set, staged or activated",
	webhook.SecretDeleted: "A secret was deleted",
	webhook.GrantPending:  "An app waits for the team to grant it a key",
	webhook.APIKeyCreated: "An API key was made",
}

func (s *server) webhooksPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.showWebhooks(w, r, session, http.StatusOK, newWebhookForm(), nil)
}

func newWebhookForm() views.WebhookForm {
	var form views.WebhookForm
	for _, t := range webhook.Types {
		form.Choice = append(form.Choice, views.EventChoice{Type: string(t), Words: eventWords[t]})
	}
	return form
}

func (s *server) showWebhooks(w http.ResponseWriter, r *http.Request, session auth.Session, status int, form views.WebhookForm, made *views.NewWebhook) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	all, err := s.Webhooks.List(r.Context(), session.Actor)
	if err != nil {
		return err
	}
	model := views.Webhooks{CanEdit: session.Actor.Can(team.CreateWebhook), Form: form, Created: made}
	for _, one := range all {
		model.Rows = append(model.Rows, s.webhookRow(one))
	}
	s.render(w, r, status, views.WebhooksPage(p, model))
	return nil
}

func (s *server) webhookRow(w webhook.Webhook) views.WebhookRow {
	row := views.WebhookRow{
		ID: w.ID, URL: w.URL, Description: w.Description, Enabled: w.Enabled, Reason: w.DisabledReason,
		FailingSince: views.Ago(w.FailingSince, s.now()), Created: views.Ago(w.CreatedAt, s.now()),
	}
	for _, t := range w.Events {
		row.Events = append(row.Events, string(t))
	}
	return row
}

func (s *server) createWebhookForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form := newWebhookForm()
	form.URL, form.Description = r.PostForm.Get("url"), r.PostForm.Get("description")
	events := r.PostForm["events"]
	for i, c := range form.Choice {
		form.Choice[i].Ticked = slices.Contains(events, c.Type)
	}
	made, signing, err := s.Webhooks.Create(r.Context(), session.Actor, webhook.New{URL: form.URL, Description: form.Description, Events: events})
	if err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		form.Errors = fields
		return s.showWebhooks(w, r, session, http.StatusUnprocessableEntity, form, nil)
	}
	return s.showWebhooks(w, r, session, http.StatusOK, newWebhookForm(), shownSecret(made, signing))
}

// shownSecret is what the one page shows that ever shows a signing secret.
func shownSecret(w webhook.Webhook, signing redact.Value) *views.NewWebhook {
	return &views.NewWebhook{ID: w.ID, URL: w.URL, Secret: signing.Reveal()}
}

func (s *server) webhookPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	return s.showWebhook(w, r, session, nil)
}

func (s *server) showWebhook(w http.ResponseWriter, r *http.Request, session auth.Session, rotated *views.NewWebhook) error {
	p, err := s.chrome(w, r, session)
	if err != nil {
		return err
	}
	found, messages, err := s.Webhooks.Get(r.Context(), session.Actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	model := views.WebhookDetail{Row: s.webhookRow(found), CanEdit: session.Actor.Can(team.UpdateWebhook), Rotated: rotated}
	for _, m := range messages {
		shown := views.WebhookMessage{
			ID: m.ID, Type: string(m.Type), State: string(m.State), Attempts: m.Attempts,
			Created: views.Ago(m.CreatedAt, s.now()), Error: m.LastError,
		}
		if m.State == webhook.Pending && m.Attempts > 0 {
			shown.Next = views.Stamp{At: m.NextAt}
		}
		model.Messages = append(model.Messages, shown)
	}
	s.render(w, r, http.StatusOK, views.WebhookPage(p, model))
	return nil
}

// webhookForm is what the buttons of a webhook's page do.
func (s *server) webhookForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	id, ctx := r.PathValue("id"), r.Context()
	to, f := webhooksHome+"/"+id, flash{}
	switch do := r.PostForm.Get("do"); do {
	case "test":
		if _, err := s.Webhooks.Test(ctx, session.Actor, id); err != nil {
			return err
		}
		f.kind = flashTested
	case "enable", "disable":
		on := do == "enable"
		if _, err := s.Webhooks.Update(ctx, session.Actor, id, webhook.Change{Enabled: &on}); err != nil {
			return err
		}
		f.kind = flashPolicy
	case "rotate":
		rotated, signing, err := s.Webhooks.RotateSecret(ctx, session.Actor, id)
		if err != nil {
			return err
		}
		return s.showWebhook(w, r, session, shownSecret(rotated, signing))
	case "delete":
		if err := s.Webhooks.Delete(ctx, session.Actor, id); err != nil {
			return err
		}
		to, f.kind = webhooksHome, flashUnhooked
	default:
		return problem.Invalid("do", "it must be test, enable, disable, rotate or delete")
	}
	s.leaveFlash(w, f)
	redirect(w, r, to)
	return nil
}

package handlers

import (
	"net/http"
	"time"

	"infsh/api"
	"infsh/listing"
	"infsh/team"
	"infsh/webhook"
)

var webhookList = listing.List[webhook.Webhook]{
	Name: "webhooks",
	Fields: []listing.Field[webhook.Webhook]{
		listing.Searched(listing.TextField("url", func(w webhook.Webhook) string { return w.URL })),
		listing.Searched(listing.TextField("description", func(w webhook.Webhook) string { return w.Description })),
		listing.TimeField("created_at", func(w webhook.Webhook) time.Time { return w.CreatedAt }),
		listing.TimeField("updated_at", func(w webhook.Webhook) time.Time { return w.UpdatedAt }),
		listing.IDField(func(w webhook.Webhook) string { return w.ID }),
	},
	SortedBy: listing.Order{Field: "created_at"},
}

func (s *server) listWebhooks(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q, err := listQuery(r, webhookList)
	if err != nil {
		return err
	}
	all, err := s.Webhooks.List(r.Context(), actor)
	if err != nil {
		return err
	}
	return writeList(w, webhookList, webhookList.Cut(all, q), q, webhookJSON)
}

func (s *server) createWebhook(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.WebhookCreate
	if err := decode(r, &body); err != nil {
		return err
	}
	made, signing, err := s.Webhooks.Create(r.Context(), actor, webhook.New{URL: body.URL, Description: body.Description, Events: body.Events})
	if err != nil {
		return err
	}
	return writeRevealed(w, http.StatusCreated, api.WebhookCreated{Webhook: webhookJSON(made), Secret: api.NewPlaintext(signing)})
}

func (s *server) getWebhook(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, _, err := s.Webhooks.Get(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, webhookJSON(found))
}

func (s *server) updateWebhook(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.WebhookUpdate
	if err := decode(r, &body); err != nil {
		return err
	}
	changed, err := s.Webhooks.Update(r.Context(), actor, r.PathValue("id"), webhook.Change{
		URL: body.URL, Description: body.Description, Events: body.Events, Enabled: body.Enabled,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, webhookJSON(changed))
}

func (s *server) deleteWebhook(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := s.Webhooks.Delete(r.Context(), actor, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) testWebhook(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := noBody(r); err != nil {
		return err
	}
	sent, err := s.Webhooks.Test(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, webhookMessageJSON(sent))
}

func (s *server) rotateWebhook(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := noBody(r); err != nil {
		return err
	}
	rotated, signing, err := s.Webhooks.RotateSecret(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeRevealed(w, http.StatusOK, api.WebhookCreated{Webhook: webhookJSON(rotated), Secret: api.NewPlaintext(signing)})
}

func (s *server) webhookDeliveries(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	_, messages, err := s.Webhooks.Get(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	out := api.WebhookMessages{Items: []api.WebhookMessage{}}
	for _, m := range messages {
		out.Items = append(out.Items, webhookMessageJSON(m))
	}
	return writeJSON(w, http.StatusOK, out)
}

func webhookJSON(w webhook.Webhook) api.Webhook {
	out := api.Webhook{
		Owned: owned(w.ID, w.CreatedByID, w.TeamID, w.CreatedAt, w.UpdatedAt), URL: w.URL, Description: w.Description,
		Events: []string{}, Enabled: w.Enabled, DisabledReason: w.DisabledReason, FailingSince: optionalTime(w.FailingSince),
	}
	for _, t := range w.Events {
		out.Events = append(out.Events, string(t))
	}
	return out
}

func webhookMessageJSON(m webhook.Message) api.WebhookMessage {
	out := api.WebhookMessage{
		ID: m.ID, Type: string(m.Type), CreatedAt: m.CreatedAt, State: string(m.State), Attempts: m.Attempts,
		LastAt: optionalTime(m.LastAt), LastStatus: m.LastStatus, LastError: m.LastError,
	}
	if m.State == webhook.Pending {
		out.NextAt = optionalTime(m.NextAt)
	}
	return out
}

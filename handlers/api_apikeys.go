package handlers

import (
	"net/http"
	"time"

	"infsh/api"
	"infsh/auth"
	"infsh/team"
)

var apiKeyList = listable[auth.Key]{
	fields: map[string]func(auth.Key) string{
		"id":           func(k auth.Key) string { return k.ID },
		"name":         func(k auth.Key) string { return k.Name },
		"created_at":   func(k auth.Key) string { return sortable(k.CreatedAt) },
		"last_used_at": func(k auth.Key) string { return sortable(k.LastUsedAt) },
	},
	searched: []string{"name"},
	sortedBy: "created_at",
	id:       func(k auth.Key) string { return k.ID },
}

func (s *server) listAPIKeys(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var req api.ListRequest
	if err := decode(r, &req, lenient, mayBeEmpty); err != nil {
		return err
	}
	all, err := s.Keys.List(r.Context(), actor)
	if err != nil {
		return err
	}
	page, err := apiKeyList.page(all, req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, mapList(page, apiKeyJSON))
}

func (s *server) createAPIKey(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.APIKeyCreate
	if err := decode(r, &body, lenient); err != nil {
		return err
	}
	key, token, err := s.Keys.Create(r.Context(), actor, body.Name, body.Scopes, time.Time{})
	if err != nil {
		return err
	}
	return writeRevealed(w, http.StatusCreated, api.APIKeyCreated{APIKey: apiKeyJSON(key), Key: api.NewPlaintext(token)})
}

func (s *server) revokeAPIKey(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := s.Keys.Revoke(r.Context(), actor, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func apiKeyJSON(k auth.Key) api.APIKey {
	return api.APIKey{
		Owned: owned(k.ID, k.UserID, k.TeamID, k.CreatedAt, k.CreatedAt),
		Name:  k.Name, Key: k.Masked(), Scopes: k.Scopes.Strings(), LastUsedAt: optionalTime(k.LastUsedAt), ExpiresAt: optionalTime(k.ExpiresAt),
	}
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

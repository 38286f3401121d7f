package handlers

import (
	"net/http"
	"time"

	"infsh/api"
	"infsh/auth"
	"infsh/listing"
	"infsh/problem"
	"infsh/team"
)

var apiKeyList = listing.List[auth.Key]{
	Name: "apikeys",
	Fields: []listing.Field[auth.Key]{
		listing.Searched(listing.TextField("name", func(k auth.Key) string { return k.Name })),
		listing.TextField("user_id", func(k auth.Key) string { return k.UserID }),
		listing.TimeField("created_at", func(k auth.Key) time.Time { return k.CreatedAt }),
		listing.TimeField("last_used_at", func(k auth.Key) time.Time { return k.LastUsedAt }),
		listing.TimeField("expires_at", func(k auth.Key) time.Time { return k.ExpiresAt }),
		listing.IDField(func(k auth.Key) string { return k.ID }),
	},
	SortedBy: listing.Order{Field: "created_at"},
}

func (s *server) listAPIKeys(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q, err := listQuery(r, apiKeyList)
	if err != nil {
		return err
	}
	all, err := s.Keys.List(r.Context(), actor)
	if err != nil {
		return err
	}
	return writeList(w, apiKeyList, apiKeyList.Cut(all, q), q, apiKeyJSON)
}

func (s *server) createAPIKey(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.APIKeyCreate
	if err := decode(r, &body); err != nil {
		return err
	}
	expires, err := expiry(body.ExpiresAt)
	if err != nil {
		return err
	}
	key, token, err := s.Keys.Create(r.Context(), actor, auth.NewKey{
		Name: body.Name, Scopes: body.Scopes, ExpiresAt: expires, App: body.App, ServiceRole: body.ServiceRole,
	})
	if err != nil {
		return err
	}
	return writeRevealed(w, http.StatusCreated, api.APIKeyCreated{APIKey: apiKeyJSON(key), Key: api.NewPlaintext(token)})
}

// expiry reads the end of a key as the SDK sends it; empty is none.
func expiry(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() > 9999 {
		return time.Time{}, problem.Invalid("expires_at", "a time is written as in RFC 3339, such as 2030-01-31T12:00:00Z")
	}
	return t.UTC(), nil
}

// takeOverAPIKey makes a key the team's own.
func (s *server) takeOverAPIKey(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.APIKeyTakeOver
	if err := decode(r, &body, mayBeEmpty); err != nil {
		return err
	}
	key, err := s.Keys.TakeOver(r.Context(), actor, r.PathValue("id"), body.ServiceRole)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, apiKeyJSON(key))
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
		Name:  k.Name, Key: k.Masked(), Scopes: k.EffectiveScopes().Strings(), Kind: string(k.Kind), App: k.App.Name, Service: k.IsService(), ServiceRole: string(k.Service),
		LastUsedAt: optionalTime(k.LastUsedAt), ExpiresAt: optionalTime(k.ExpiresAt),
	}
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

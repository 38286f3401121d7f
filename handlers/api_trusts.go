package handlers

import (
	"net/http"
	"time"

	"infsh/api"
	"infsh/federation"
	"infsh/listing"
	"infsh/team"
)

var trustList = listing.List[federation.Trust]{
	Name: "trusts",
	Fields: []listing.Field[federation.Trust]{
		listing.Searched(listing.TextField("name", func(t federation.Trust) string { return t.Name })),
		listing.Searched(listing.TextField("issuer", func(t federation.Trust) string { return t.Issuer })),
		listing.TimeField("created_at", func(t federation.Trust) time.Time { return t.CreatedAt }),
		listing.TimeField("updated_at", func(t federation.Trust) time.Time { return t.UpdatedAt }),
		listing.IDField(func(t federation.Trust) string { return t.ID }),
	},
	SortedBy: listing.Order{Field: "created_at"},
}

func (s *server) listTrusts(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q, err := listQuery(r, trustList)
	if err != nil {
		return err
	}
	all, err := s.Trusts.List(r.Context(), actor)
	if err != nil {
		return err
	}
	return writeList(w, trustList, trustList.Cut(all, q), q, s.trustJSON)
}

func (s *server) createTrust(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	draft, err := readTrust(r)
	if err != nil {
		return err
	}
	made, err := s.Trusts.Create(r.Context(), actor, draft)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, s.trustJSON(made))
}

func (s *server) getTrust(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, err := s.Trusts.Get(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.trustJSON(found))
}

func (s *server) updateTrust(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	draft, err := readTrust(r)
	if err != nil {
		return err
	}
	changed, err := s.Trusts.Update(r.Context(), actor, r.PathValue("id"), draft)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.trustJSON(changed))
}

func (s *server) deleteTrust(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := s.Trusts.Delete(r.Context(), actor, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func readTrust(r *http.Request) (federation.Draft, error) {
	var body api.TrustBody
	if err := decode(r, &body); err != nil {
		return federation.Draft{}, err
	}
	f := body.Fields
	d := federation.Draft{
		Name: body.Name, Preset: body.Preset, Issuer: body.Issuer, Audience: body.Audience, JWKS: body.JWKS, Apps: body.Apps, Reuse: body.Reuse,
		Fields: federation.Fields{
			Repository: f.Repository, Branch: f.Branch, Environment: f.Environment, Project: f.Project, Ref: f.Ref, Protected: f.Protected,
			Namespace: f.Namespace, ServiceAccount: f.ServiceAccount,
		},
	}
	for _, c := range body.Conditions {
		if c.Type == "" {
			c.Type = string(federation.String)
		}
		d.Conditions = append(d.Conditions, federation.Condition{Claim: c.Claim, Type: federation.Type(c.Type), Values: c.Values})
	}
	return d, nil
}

func (s *server) trustJSON(t federation.Trust) api.Trust {
	out := api.Trust{
		Owned: owned(t.ID, t.CreatedByID, t.TeamID, t.CreatedAt, t.UpdatedAt), Name: t.Name, Preset: string(t.Preset), Issuer: t.Issuer,
		Audience: s.Trusts.Audience(t), JWKS: t.JWKS, Conditions: []api.TrustCondition{}, Apps: []string{}, Reuse: t.Reuse,
		LastUsedAt: optionalTime(t.LastUsedAt), LastSubject: t.LastSubject,
	}
	for _, c := range t.Conditions {
		out.Conditions = append(out.Conditions, api.TrustCondition{Claim: c.Claim, Type: string(c.Type), Values: c.Values})
	}
	for _, a := range t.Apps {
		out.Apps = append(out.Apps, a.Name)
	}
	return out
}

package handlers

import (
	"net/http"

	"infsh/api"
	"infsh/integration"
	"infsh/listing"
	"infsh/team"
)

// integrationRoutes are the calls on integrations, below either of their names.
func (s *server) integrationRoutes(base string) []route {
	ap := func(method, path string, f apiFunc) route {
		return route{method: method, path: base + path, access: machine, api: f}
	}
	return []route{
		ap("POST", "/list", s.listIntegrations),
		ap("GET", "/available", s.integrationCatalogue),
		ap("GET", "/configs", s.integrationCatalogue),
		ap("GET", "/capabilities", s.integrationCatalogue),
		ap("POST", "/check", s.check),
		ap("POST", "", s.connectIntegration),
		ap("GET", "/{provider}", s.getIntegration),
		ap("DELETE", "/{provider}", s.disconnectIntegration),
	}
}

var integrationList = listing.List[integration.Integration]{
	Name:     "integrations",
	Fields:   []listing.Field[integration.Integration]{listing.Searched(listing.IDField(func(i integration.Integration) string { return i.ID }))},
	SortedBy: listing.Order{Field: "id"},
}

func (s *server) listIntegrations(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q, err := listQuery(r, integrationList)
	if err != nil {
		return err
	}
	all, err := s.Integrations.List(r.Context(), actor)
	if err != nil {
		return err
	}
	return writeList(w, integrationList, integrationList.Cut(all, q), q, integrationJSON)
}

// integrationCatalogue answers what can be connected, how, and to do what:
// nothing.
func (s *server) integrationCatalogue(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if _, err := s.Integrations.List(r.Context(), actor); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, []api.Integration{})
}

func (s *server) connectIntegration(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.IntegrationConnect
	if err := decode(r, &body); err != nil {
		return err
	}
	return s.Integrations.Connect(r.Context(), actor)
}

func (s *server) getIntegration(_ http.ResponseWriter, r *http.Request, actor team.Actor) error {
	return s.Integrations.Get(r.Context(), actor)
}

func (s *server) disconnectIntegration(_ http.ResponseWriter, r *http.Request, actor team.Actor) error {
	return s.Integrations.Disconnect(r.Context(), actor)
}

func integrationJSON(i integration.Integration) api.Integration {
	return api.Integration{Owned: api.Owned{Object: api.Object{ID: i.ID}}}
}

package handlers

import (
	"net/http"
	"strings"
	"time"

	"infsh/api"
	"infsh/app"
	"infsh/envvar"
	"infsh/listing"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

var appList = listing.List[app.App]{
	Name: "apps",
	Fields: []listing.Field[app.App]{
		listing.Searched(listing.TextField("namespace", func(a app.App) string { return a.Namespace })),
		listing.Searched(listing.TextField("name", func(a app.App) string { return a.Name })),
		listing.Searched(listing.TextField("description", func(a app.App) string { return a.Description })),
		listing.TextField("user_id", func(a app.App) string { return a.CreatedByID }),
		listing.TextField("version_id", func(a app.App) string { return a.Current.ID }),
		listing.TimeField("created_at", func(a app.App) time.Time { return a.CreatedAt }),
		listing.TimeField("updated_at", func(a app.App) time.Time { return a.UpdatedAt }),
		listing.IDField(func(a app.App) string { return a.ID }),
	},
	SortedBy: listing.Order{Field: "name"},
}

func (s *server) listApps(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	q, err := listQuery(r, appList)
	if err != nil {
		return err
	}
	all, err := s.Apps.List(r.Context(), actor)
	if err != nil {
		return err
	}
	return writeList(w, appList, appList.Cut(all, q), q, appJSON)
}

func (s *server) deployApp(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.AppBody
	if err := decode(r, &body); err != nil {
		return err
	}
	if body.PreserveCurrentVersion {
		return problem.Invalid("preserve_current_version", "this server makes current what is deployed; leave it out, and make another version current afterwards")
	}
	deployed, made, err := s.Apps.Deploy(r.Context(), actor, app.Registration{
		Namespace: body.Namespace, Name: body.Name, Description: body.Description,
		Requirements: requirements(body.Version.RequiredSecrets, body.Version.RequiredIntegrations),
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return writeJSON(w, status, appJSON(deployed))
}

func (s *server) getApp(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, err := s.Apps.ByID(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, appJSON(found))
}

func (s *server) getAppByName(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, err := s.Apps.ByName(r.Context(), actor, r.PathValue("namespace"), r.PathValue("name"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, appJSON(found))
}

func (s *server) checkApp(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.CheckRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	reqs := requirements(body.Secrets, body.Integrations)
	report, err := s.Secrets.Check(r.Context(), actor, reqs)
	if err != nil {
		return err
	}
	unused, err := s.Secrets.Unused(r.Context(), actor, body.App, reqs)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, checkJSON(report, unused))
}

func requirements(secrets []api.SecretRequirement, integrations []api.IntegrationRequirement) []secret.Requirement {
	out := make([]secret.Requirement, 0, len(secrets)+len(integrations))
	for _, r := range secrets {
		out = append(out, secret.Requirement{Kind: secret.KindSecret, Key: r.Key, Description: r.Description, Optional: r.Optional})
	}
	for _, r := range integrations {
		out = append(out, secret.Requirement{Kind: secret.KindIntegration, Key: r.Key, Description: r.Description, Optional: r.Optional, Secrets: r.Secrets, Scopes: r.Scopes})
	}
	return out
}

func appJSON(a app.App) api.App {
	return api.App{
		Owned:     owned(a.ID, a.CreatedByID, a.TeamID, a.CreatedAt, a.UpdatedAt),
		Namespace: a.Namespace, Name: a.Name, Description: a.Description, VersionID: a.Current.ID, Version: appVersionJSON(a.Current),
	}
}

func appVersionJSON(v app.Version) api.AppVersion {
	out := api.AppVersion{
		ID: v.ID, ShortID: shortID(v.ID), Number: v.Number, Digest: v.Digest, CreatedAt: v.CreatedAt, UpdatedAt: v.CreatedAt,
		RequiredSecrets: []api.SecretRequirement{}, RequiredIntegrations: []api.IntegrationRequirement{},
	}
	for _, r := range v.Requirements {
		if r.Kind == secret.KindIntegration {
			out.RequiredIntegrations = append(out.RequiredIntegrations, api.IntegrationRequirement{Key: r.Key, Description: r.Description, Optional: r.Optional, Secrets: r.Secrets, Scopes: r.Scopes})
			continue
		}
		out.RequiredSecrets = append(out.RequiredSecrets, api.SecretRequirement{Key: r.Key, Description: r.Description, Optional: r.Optional})
	}
	return out
}

func checkJSON(report secret.Report, unused []envvar.Key) api.CheckResponse {
	out := api.CheckResponse{Satisfied: report.Satisfied(), Errors: requirementErrors(report.Blocking(), report.TeamName), Items: []api.CheckItem{}, Unused: []string{}}
	for _, item := range report.Items {
		c := api.CheckItem{Key: item.Key, Kind: string(item.Kind), Optional: item.Optional, State: api.CheckState(item.State), Version: item.Version, StagedVersion: item.StagedVersion}
		if item.State != secret.Set {
			c.Message, c.URL = item.Message(report.TeamName), item.ActionURL()
		}
		for _, near := range item.NearMisses {
			c.NearMisses = append(c.NearMisses, api.NearMiss{Key: string(near.Key), Reason: near.Reason, Team: near.Team})
		}
		out.Items = append(out.Items, c)
	}
	for _, key := range unused {
		out.Unused = append(out.Unused, string(key))
	}
	return out
}

// requirementErrors are what the SDK and the runner read.
func requirementErrors(items []secret.Item, teamName string) []api.RequirementError {
	out := make([]api.RequirementError, 0, len(items))
	for _, item := range items {
		e := api.RequirementError{Type: api.RequirementType(item.Kind), Key: item.Key, Message: item.Message(teamName), StagedVersion: item.StagedVersion}
		e.Action = api.Action{Type: api.ActionAddSecret, URL: item.ActionURL()}
		if item.Kind == secret.KindIntegration {
			e.Action.Type = api.ActionConnect
			e.Action.Provider, _, _ = strings.Cut(item.Key, ".")
		}
		out = append(out, e)
	}
	return out
}

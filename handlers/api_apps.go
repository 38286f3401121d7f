package handlers

import (
	"net/http"
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
	reqs, err := requirements("version.required_secrets", body.Version.RequiredSecrets, body.Version.RequiredIntegrations)
	if err != nil {
		return err
	}
	done, err := s.Apps.Deploy(r.Context(), actor, app.Registration{
		Namespace: body.Namespace, Name: body.Name, Description: body.Description, Requirements: reqs,
		VersionID: body.Version.ID, KeepRevoked: body.KeepRevoked,
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if done.Made {
		status = http.StatusCreated
	}
	return writeJSON(w, status, api.DeployedApp{App: appJSON(done.App), Deployment: api.Deployment{
		Version: appVersionJSON(done.Version), Current: done.IsCurrent(),
		Granted: keyNames(done.Granted), Regranted: keyNames(done.Regranted), Waiting: keyNames(done.Waiting), Revoked: keyNames(done.Revoked),
	}})
}

func keyNames(keys []envvar.Key) []string {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = string(key)
	}
	return out
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

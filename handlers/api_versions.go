package handlers

import (
	"net/http"
	"time"

	"infsh/api"
	"infsh/app"
	"infsh/listing"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

func (s *server) updateApp(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.AppChangeBody
	if err := decode(r, &body); err != nil {
		return err
	}
	there, err := s.Apps.ByID(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	if body.Namespace != nil && *body.Namespace != there.Namespace || body.Name != nil && *body.Name != there.Name {
		return problem.Invalid("name", "an app can't be renamed: runs and keys name it; deploy it under the other name")
	}
	changed, err := s.Apps.Update(r.Context(), actor, there.ID, app.Change{Description: body.Description})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, appJSON(changed))
}

func (s *server) deleteApp(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := s.Apps.Delete(r.Context(), actor, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// versionList is that of one app, whose cursors are of no use for another's.
func versionList(appID string) listing.List[app.Version] {
	return listing.List[app.Version]{
		Name: "versions of " + appID,
		Fields: []listing.Field[app.Version]{
			listing.Unique(listing.NumberField("number", func(v app.Version) int64 { return v.Number })),
			listing.Searched(listing.TextField("digest", func(v app.Version) string { return v.Digest })),
			listing.TimeField("created_at", func(v app.Version) time.Time { return v.CreatedAt }),
			listing.IDField(func(v app.Version) string { return v.ID }),
		},
		SortedBy: listing.Order{Field: "number", Desc: true},
	}
}

func (s *server) listVersions(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	list := versionList(r.PathValue("id"))
	q, err := listQuery(r, list)
	if err != nil {
		return err
	}
	all, err := s.Apps.Versions(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeList(w, list, list.Cut(all, q), q, appVersionJSON)
}

// getVersion answers with the app as it is in that version.
func (s *server) getVersion(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, err := s.Apps.ByID(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	if found.Current, err = s.Apps.Version(r.Context(), actor, found.ID, r.PathValue("version")); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, appJSON(found))
}

func (s *server) makeVersionCurrent(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := noBody(r); err != nil {
		return err
	}
	changed, err := s.Apps.MakeCurrent(r.Context(), actor, r.PathValue("id"), r.PathValue("version"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, appJSON(changed))
}

// notOffered answers what the SDK can ask of an app and this server has no use
// for: an app is its team's alone, and has neither licences nor a shop window.
func (s *server) notOffered(_ http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.NotOfferedBody
	if err := decode(r, &body, mayBeEmpty); err != nil {
		return err
	}
	if _, err := s.Apps.ByID(r.Context(), actor, r.PathValue("id")); err != nil {
		return err
	}
	return problem.New(problem.NotImplemented, "This server does not do that: an app belongs to its team, and is registered here for its secrets alone.")
}

// runApp answers the SDK's run as far as this server can: whether the app's
// requirements are met. It starts nothing.
func (s *server) runApp(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.RunBody
	if err := decode(r, &body); err != nil {
		return err
	}
	namespace, name, err := secret.ParseApp(body.App)
	if err != nil {
		return err
	}
	found, err := s.Apps.ByName(r.Context(), actor, namespace, name)
	if err != nil {
		return err
	}
	report, err := s.Secrets.Check(r.Context(), actor, secret.Checked{App: found.FullName(), Requirements: found.Current.Requirements})
	if err != nil {
		return err
	}
	if blocking := report.Blocking(); len(blocking) > 0 {
		return &secret.Unmet{App: found.FullName(), TeamName: report.TeamName, Items: blocking}
	}
	return problem.New(problem.NotImplemented, "%s has all that it requires. This server runs nothing itself: start it with `infsh run --app %s -- COMMAND`.", found.FullName(), found.FullName())
}

package handlers

import (
	"maps"
	"net/http"
	"slices"

	"infsh/api"
	"infsh/app"
	"infsh/integration"
	"infsh/secret"
	"infsh/team"
)

func (s *server) listGrants(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body struct{}
	if err := decode(r, &body, mayBeEmpty); err != nil {
		return err
	}
	grants, err := s.Apps.Grants(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Grants{Items: grantsJSON(grants)})
}

func (s *server) approveGrants(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.GrantApproval
	if err := decode(r, &body); err != nil {
		return err
	}
	var wanted []app.Approval
	for _, key := range body.Keys {
		if _, bound := body.Bind[key]; !bound {
			wanted = append(wanted, app.Approval{Key: key})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(body.Bind)) {
		wanted = append(wanted, app.Approval{Key: key, SourceKey: body.Bind[key]})
	}
	decision, err := s.Apps.Approve(r.Context(), actor, r.PathValue("id"), wanted)
	if err != nil {
		return err
	}
	out := decisionJSON(decision)
	if err := s.tellWhole(r, actor, decision.Grants, out.Items); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, out)
}

// tellWhole says of the integrations among new grants what an app can do with
// them; without the accounts to a credential that may not list those.
func (s *server) tellWhole(r *http.Request, actor team.Actor, grants []secret.Grant, told []api.Grant) error {
	var all []integration.Held
	read := !actor.Can(team.ListIntegrations)
	for i, g := range grants {
		key, is := g.Integration()
		if !is || g.State != secret.Granted {
			continue
		}
		if !read {
			read = true
			connections, err := s.Integrations.List(r.Context(), actor)
			if err != nil {
				return err
			}
			all = integration.Unsealed(connections)
		}
		chosen := ""
		if g.Bound() {
			chosen = string(g.SourceKey)
		}
		told[i].Whole = s.Integrations.Catalogue().Whole(key, all, chosen)
	}
	return nil
}

func (s *server) revokeGrants(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.GrantRevocation
	if err := decode(r, &body); err != nil {
		return err
	}
	decision, err := s.Apps.Revoke(r.Context(), actor, r.PathValue("id"), body.Keys)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, decisionJSON(decision))
}

// why explains the resolver's decision about one key.
func (s *server) why(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	d, err := s.Secrets.Why(r.Context(), actor, r.PathValue("namespace")+"/"+r.PathValue("name"), r.URL.Query().Get("version"), r.PathValue("key"))
	if err != nil {
		return err
	}
	out := api.WhyResponse{
		App: d.Version.App, VersionID: d.Version.ID, Version: d.Version.Number, Current: d.Version.Current,
		Key: d.Key, Injected: d.Injected(), Steps: []api.WhyStep{},
	}
	for _, step := range d.Steps {
		out.Steps = append(out.Steps, api.WhyStep{Name: string(step.Name), OK: step.OK, Text: step.Text, Todo: step.Todo})
	}
	return writeJSON(w, http.StatusOK, out)
}

func decisionJSON(d app.Decision) api.GrantDecision {
	return api.GrantDecision{App: appJSON(d.App), Items: grantsJSON(d.Grants), Promoted: d.Promoted}
}

func grantsJSON(grants []secret.Grant) []api.Grant {
	out := make([]api.Grant, 0, len(grants))
	for _, g := range grants {
		one := api.Grant{
			AppID: g.AppID, Key: string(g.Key), SourceKey: string(g.SourceKey), State: string(g.State),
			RequestedByID: g.RequestedByID, RequestedBy: g.RequestedBy,
			RequestedVersionID: g.RequestedVersionID, RequestedVersion: g.RequestedVersion, RequestedAt: g.RequestedAt,
			DecidedByID: g.DecidedByID, DecidedBy: g.DecidedBy,
		}
		if !g.DecidedAt.IsZero() {
			one.DecidedAt = &g.DecidedAt
		}
		out = append(out, one)
	}
	return out
}

package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"infsh/api"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// check compares declarations with what the team has set and granted.
func (s *server) check(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.CheckRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	reqs, err := requirements("secrets", body.Secrets, body.Integrations)
	if err != nil {
		return err
	}
	checked := secret.Checked{App: body.App, Requirements: reqs}
	report, err := s.Secrets.Check(r.Context(), actor, checked)
	if err != nil {
		return err
	}
	unused, err := s.Secrets.Unused(r.Context(), actor, checked)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, checkJSON(report, unused))
}

// requirements reads declarations; field names the list of secrets in errors.
func requirements(field string, secrets []api.SecretRequirement, integrations []api.IntegrationRequirement) ([]secret.Requirement, error) {
	out := make([]secret.Requirement, 0, len(secrets)+len(integrations))
	for i, r := range secrets {
		switch r.Delivery {
		case "", "env":
		case "file", "broker":
			return nil, problem.Invalid(fmt.Sprintf("%s[%d].delivery", field, i), "the delivery %s is not supported yet; use env", r.Delivery)
		default:
			return nil, problem.Invalid(fmt.Sprintf("%s[%d].delivery", field, i), "it must be env")
		}
		out = append(out, secret.Requirement{Kind: secret.KindSecret, Key: r.Key, Description: r.Description, Optional: r.Optional})
	}
	for _, r := range integrations {
		out = append(out, secret.Requirement{Kind: secret.KindIntegration, Key: r.Key, Description: r.Description, Optional: r.Optional, Secrets: r.Secrets, Scopes: r.Scopes})
	}
	return out, nil
}

func checkJSON(report secret.Report, unused []envvar.Key) api.CheckResponse {
	out := api.CheckResponse{App: report.App, Satisfied: report.Satisfied(), Errors: requirementErrors(report.Blocking(), report.TeamName), Items: []api.CheckItem{}, Unused: []string{}}
	for _, item := range report.Items {
		c := api.CheckItem{Key: item.Key, Kind: string(item.Kind), Optional: item.Optional, State: api.CheckState(item.State), Version: item.Version, StagedVersion: item.StagedVersion}
		if report.App != "" {
			c.Grant = cmp.Or(string(item.Grant.State), string(secret.NotGranted))
		}
		if item.Grant.Bound() {
			c.Source = string(item.Source())
		}
		if item.Kind == secret.KindIntegration && item.Link.Connection.ID != "" {
			c.Account, c.Env = item.Link.Connection.Name(), item.Link.Names
		}
		if item.State != secret.Set {
			c.Message, c.URL, c.Command = item.Message(report.TeamName), item.ActionURL(), item.Link.Connect
		}
		if report.App != "" {
			c.Propose = string(item.Binding())
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

// integrationError is what is wrong with a declared integration, and what to do.
func integrationError(item secret.Item) (api.RequirementType, api.Action) {
	action := api.Action{Type: api.ActionConnect, Provider: item.Link.Provider, ProviderName: item.Link.Name, URL: item.ActionURL()}
	if action.Provider == "" {
		action.Provider, _, _ = strings.Cut(item.Key, ".")
	}
	if item.State != secret.NeedsScopes {
		return api.RequirementIntegration, action
	}
	action.Type, action.Scopes, action.ScopeDescriptions = api.ActionAddScopes, item.Link.Lacking, map[string]string{}
	for _, scope := range item.Link.Lacking {
		action.ScopeDescriptions[scope] = item.Link.Words
	}
	return api.RequirementScope, action
}

// requirementErrors are what the SDK and the runner read.
func requirementErrors(items []secret.Item, teamName string) []api.RequirementError {
	out := make([]api.RequirementError, 0, len(items))
	for _, item := range items {
		e := api.RequirementError{Type: api.RequirementType(item.Kind), Key: item.Key, Message: item.Message(teamName), State: api.CheckState(item.State), StagedVersion: item.StagedVersion}
		e.Action = api.Action{Type: api.ActionAddSecret, URL: item.ActionURL()}
		if item.Kind == secret.KindIntegration {
			e.Type, e.Action = integrationError(item)
		}
		out = append(out, e)
	}
	return out
}

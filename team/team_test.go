package team_test

import (
	"errors"
	"fmt"
	"testing"

	"infsh/problem"
	"infsh/team"
)

func actor(kind team.Kind, role team.Role, scopes ...team.Scope) team.Actor {
	return team.NewActor(team.Identity{Kind: kind, UserID: "u", TeamID: "t", TeamName: "acme", Role: role, Scopes: scopes})
}

// Rights as in the contract. A person in a browser is bound by the role; an API
// key by the role and by its scopes.
func TestAuthorize(t *testing.T) {
	every := team.EveryScope()
	mayEdit := team.NewActor(team.Identity{Kind: team.Session, UserID: "u", TeamID: "t", TeamName: "acme", Role: team.Member, MembersMayEdit: true})
	for _, c := range []struct {
		who    string
		actor  team.Actor
		action team.Action
		want   error
	}{
		{"nobody", team.Actor{}, team.ListSecrets, problem.NotSignedIn},
		{"a member", actor(team.Session, team.Member), team.ListSecrets, nil},
		{"a member", actor(team.Session, team.Member), team.SetSecret, problem.TeamRoleRequired},
		{"a member", actor(team.Session, team.Member), team.RevealSecret, problem.TeamRoleRequired},
		{"a member", actor(team.Session, team.Member), team.DeployApp, nil},
		{"a member", actor(team.Session, team.Member), team.ReadAudit, problem.TeamRoleRequired},
		{"a member of a team that lets them edit", mayEdit, team.SetSecret, nil},
		{"a member of a team that lets them edit", mayEdit, team.DeleteSecret, nil},
		{"a member of a team that lets them edit", mayEdit, team.RevealSecret, problem.TeamRoleRequired},
		{"an admin", actor(team.Session, team.Admin), team.SetSecret, nil},
		{"an owner", actor(team.Session, team.Owner), team.RevealSecret, nil},
		{"no role", actor(team.Session, ""), team.ListSecrets, problem.TeamRoleRequired},
		{"a role that only looks like one", actor(team.Session, "Owner"), team.ListSecrets, problem.TeamRoleRequired},
		{"an owner's key without scopes", actor(team.Key, team.Owner), team.ListSecrets, problem.ScopeRequired},
		{"an owner's reading key", actor(team.Key, team.Owner, team.ScopeSecretsRead), team.ListSecrets, nil},
		{"an owner's reading key", actor(team.Key, team.Owner, team.ScopeSecretsRead), team.RevealSecret, nil},
		{"an owner's reading key", actor(team.Key, team.Owner, team.ScopeSecretsRead), team.SetSecret, problem.ScopeRequired},
		{"a member's reading key", actor(team.Key, team.Member, team.ScopeSecretsRead), team.RevealSecret, problem.TeamRoleRequired},
		{"a key of everything", actor(team.Key, team.Owner, team.ScopeAll), team.SetSecret, nil},
		{"a key of a resource", actor(team.Key, team.Owner, team.ScopeSecrets), team.SetSecret, nil},
		{"a key of another resource", actor(team.Key, team.Owner, team.ScopeApps), team.SetSecret, problem.ScopeRequired},
		{"a key of every scope", actor(team.Key, team.Owner, every...), team.ChangeSelf, problem.ScopeRequired},
		{"an act that the policy does not know", actor(team.Session, team.Owner), "secret.steal", problem.PermissionDenied},
	} {
		t.Run(fmt.Sprintf("%s/%s", c.who, c.action), func(t *testing.T) {
			err := c.actor.Authorize(c.action)
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// A runner's key can receive an app's secrets and do nothing else (R7).
func TestARunnersKeyCanOnlyResolve(t *testing.T) {
	runner := actor(team.Key, team.Owner, team.ScopeAppsExecute)
	if err := runner.Authorize(team.ResolveApp); err != nil {
		t.Errorf("it can't resolve: %v", err)
	}
	for _, action := range []team.Action{
		team.ListSecrets, team.SetSecret, team.DeleteSecret, team.RevealSecret, team.SecretHistory, team.RollbackSecret,
		team.StageSecret, team.ActivateSecret,
		team.ListWebhooks, team.CreateWebhook, team.UpdateWebhook, team.RotateWebhook, team.TestWebhook, team.DeleteWebhook,
		team.ListApps, team.DeployApp, team.UpdateApp, team.MoveCurrent, team.DeleteApp, team.AllowGrant, team.RevokeGrant, team.DenyGrant, team.AskGrant, team.CheckApp, team.ListIntegrations, team.ConnectIntegration, team.ListAPIKeys, team.CreateAPIKey, team.RevokeAPIKey,
		team.ViewTeam, team.CreateTeam, team.EditTeam, team.ListMembers, team.ChangeRole, team.RemoveMember, team.ReadAudit, team.ViewSelf, team.ChangeSelf,
	} {
		if !errors.Is(runner.Authorize(action), problem.ScopeRequired) {
			t.Errorf("it may %s", action)
		}
	}
}

// A credential can make only credentials that it covers.
func TestScopesCover(t *testing.T) {
	for _, c := range []struct {
		have, want team.Scopes
		covers     bool
	}{
		{team.Scopes{team.ScopeAll}, team.EveryScope(), true},
		{team.EveryScope(), team.Scopes{team.ScopeAll}, false},
		{team.Scopes{team.ScopeSecrets}, team.Scopes{team.ScopeSecretsRead, team.ScopeSecretsWrite}, true},
		{team.Scopes{team.ScopeSecretsRead, team.ScopeSecretsWrite}, team.Scopes{team.ScopeSecrets}, true},
		{team.Scopes{team.ScopeSecretsRead}, team.Scopes{team.ScopeSecretsWrite}, false},
		{team.Scopes{team.ScopeSecretsRead}, nil, true},
		{nil, team.Scopes{team.ScopeSecretsRead}, false},
	} {
		if got := c.have.Cover(c.want); got != c.covers {
			t.Errorf("%v covers %v: %v", c.have, c.want, got)
		}
	}
}

func TestParseScopes(t *testing.T) {
	got, err := team.ParseScopes([]string{"secrets:read", "apps:execute", "secrets:read"})
	if err != nil || len(got) != 2 || got[0] != team.ScopeAppsExecute {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "secrets:", "SECRETS:READ", "secrets:read ", "session", "secrets:*", "**"} {
		if _, err := team.ParseScopes([]string{bad}); err == nil {
			t.Errorf("%q is taken for a scope", bad)
		}
	}
}

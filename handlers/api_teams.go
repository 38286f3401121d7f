package handlers

import (
	"net/http"

	"infsh/account"
	"infsh/api"
	"infsh/team"
)

func (s *server) me(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	user, current, err := s.Accounts.Self(r.Context(), actor)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Me{
		User: api.User{Object: object(user.ID, user.CreatedAt, user.CreatedAt), Email: user.Email, Name: user.Name},
		Team: teamJSON(current),
		Key:  &api.Credential{ID: actor.CredentialID(), Kind: string(actor.Kind()), Name: actor.CredentialName(), Scopes: actor.EffectiveScopes().Strings(), Service: actor.IsService()},
	})
}

func (s *server) apiLogout(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	if err := s.Keys.RevokePresented(r.Context(), actor); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) listTeams(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	teams, err := s.Accounts.Teams(r.Context(), actor)
	if err != nil {
		return err
	}
	out := make([]api.Team, len(teams))
	for i := range teams {
		out[i] = teamJSON(teams[i])
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) createTeam(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	var body api.TeamBody
	if err := decode(r, &body); err != nil {
		return err
	}
	made, err := s.Accounts.CreateTeam(r.Context(), actor, body.Username, body.Name)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, teamJSON(made))
}

func (s *server) getTeam(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	found, err := s.Accounts.Team(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, teamJSON(found))
}

func (s *server) updateTeam(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	var body api.TeamChangeBody
	if err := decode(r, &body); err != nil {
		return err
	}
	changed, err := s.Accounts.RenameTeam(r.Context(), there, body.Username, body.Name)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, teamJSON(changed))
}

func (s *server) duplicateTeam(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	var body api.TeamDuplicate
	if err := decode(r, &body); err != nil {
		return err
	}
	made, keys, err := s.Accounts.DuplicateTeam(r.Context(), there, account.Duplicate{
		As: body.As, This: body.This, Username: body.Username, Name: body.Name, Members: body.Members,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, api.TeamDuplicated{Team: teamJSON(made), ExpectedKeys: keys})
}

// diffTeams compares as two actors, each in one of the teams.
func (s *server) diffTeams(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	first, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	var body api.TeamDiffRequest
	if err := decode(r, &body); err != nil {
		return err
	}
	second, err := s.Authenticator.InTeam(r.Context(), actor, body.With)
	if err != nil {
		return err
	}
	diff, err := s.Secrets.Compare(r.Context(), first, second)
	if err != nil {
		return err
	}
	out := api.TeamDiff{First: first.TeamName(), Second: second.TeamName(), Same: diff.Same(), Compared: diff.Compared, Keys: make([]api.KeyDiff, len(diff.Keys))}
	for i, k := range diff.Keys {
		out.Keys[i] = api.KeyDiff{Key: string(k.Key), State: string(k.Likeness)}
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) expectedKeys(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	keys, err := s.Secrets.Expected(r.Context(), there)
	if err != nil {
		return err
	}
	out := make([]api.ExpectedKey, len(keys))
	for i, k := range keys {
		out[i] = api.ExpectedKey{Key: string(k.Key), Description: k.Description}
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) deleteTeam(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	if err := s.Accounts.DeleteTeam(r.Context(), there); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) checkUsername(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	username := r.URL.Query().Get("username")
	is, why, err := s.Accounts.CheckUsername(r.Context(), actor, username)
	if err != nil {
		return err
	}
	out := api.UsernameAvailability{Available: is == account.Available, Detail: why}
	if !out.Available {
		out.Reason = string(is)
	}
	// What can be no username may be anything, so it is not repeated.
	if is != account.Unusable {
		out.Value = username
	}
	return writeJSON(w, http.StatusOK, out)
}

func teamJSON(t account.Team) api.Team {
	out := api.Team{
		Object: object(t.ID, t.CreatedAt, t.UpdatedAt), Type: api.TeamTypeTeam, Username: t.Username, Name: t.Name, SetupCompleted: true,
		Role: string(t.Role), MembersMayEdit: t.MembersMayEdit,
	}
	if e := t.Environment; !e.IsZero() {
		out.Environment = &api.Environment{Name: e.Name, GroupID: e.GroupID, GroupName: e.GroupName}
	}
	return out
}

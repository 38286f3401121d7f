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
		User: api.User{Object: object(user.ID, user.CreatedAt, user.CreatedAt), Email: user.Email},
		Team: teamJSON(current),
		Key:  &api.Credential{ID: actor.CredentialID(), Kind: string(actor.Kind()), Name: actor.CredentialName(), Scopes: actor.Scopes().Strings()},
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

func (s *server) deleteTeam(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.Authenticator.InTeam(r.Context(), actor, r.PathValue("id"))
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
	available, reason, err := s.Accounts.CheckUsername(r.Context(), actor, r.URL.Query().Get("username"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Available bool   `json:"available"`
		Reason    string `json:"reason,omitempty"`
	}{available, reason})
}

func teamJSON(t account.Team) api.Team {
	return api.Team{Object: object(t.ID, t.CreatedAt, t.UpdatedAt), Username: t.Username, Name: t.Name, Role: string(t.Role), MembersMayEdit: t.MembersMayEdit}
}

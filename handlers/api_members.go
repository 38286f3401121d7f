package handlers

import (
	"net/http"

	"github.com/google/uuid"

	"infsh/account"
	"infsh/api"
	"infsh/team"
)

// teamOf returns the actor in the team of the address. For a key that is its
// own team alone.
func (s *server) teamOf(r *http.Request, actor team.Actor) (team.Actor, error) {
	return s.Authenticator.InTeam(r.Context(), actor, r.PathValue("id"))
}

func (s *server) listMembers(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	members, err := s.Accounts.Members(r.Context(), there)
	if err != nil {
		return err
	}
	out := make([]api.Member, len(members))
	for i, m := range members {
		out[i] = memberJSON(there.TeamID(), m)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) addMember(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	var body api.MemberAdd
	if err := decode(r, &body); err != nil {
		return err
	}
	added, err := s.Accounts.AddMember(r.Context(), there, body.Email, body.Role)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, memberJSON(there.TeamID(), added))
}

func (s *server) setMemberRole(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	var body api.MemberRole
	if err := decode(r, &body); err != nil {
		return err
	}
	changed, err := s.Accounts.SetRole(r.Context(), there, r.PathValue("user"), body.Role)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, memberJSON(there.TeamID(), changed))
}

func (s *server) removeMember(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	if err := s.Accounts.RemoveMember(r.Context(), there, r.PathValue("user")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) transferTeam(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	var body api.TeamTransfer
	if err := decode(r, &body); err != nil {
		return err
	}
	owner, err := s.Accounts.TransferTeam(r.Context(), there, body.UserID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, memberJSON(there.TeamID(), owner))
}

func (s *server) listInvites(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	invites, err := s.Accounts.Invites(r.Context(), there)
	if err != nil {
		return err
	}
	out := make([]api.Invite, len(invites))
	for i, invite := range invites {
		out[i] = inviteJSON(invite)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) createInvite(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	var body api.MemberAdd
	if err := decode(r, &body); err != nil {
		return err
	}
	made, code, err := s.Accounts.Invite(r.Context(), there, body.Email, body.Role)
	if err != nil {
		return err
	}
	return writeRevealed(w, http.StatusCreated, api.InviteCreated{Invite: inviteJSON(made), Link: api.NewPlaintext(s.inviteLink(code))})
}

func (s *server) revokeInvite(w http.ResponseWriter, r *http.Request, actor team.Actor) error {
	there, err := s.teamOf(r, actor)
	if err != nil {
		return err
	}
	if err := s.Accounts.RevokeInvite(r.Context(), there, r.PathValue("invite")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// memberJSON gives a membership an id of its own, made of its team's and its
// person's, since the API's objects have one.
func memberJSON(teamID string, m account.Member) api.Member {
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte("infsh membership "+teamID+" "+m.UserID)).String()
	return api.Member{
		Owned: owned(id, m.UserID, teamID, m.JoinedAt, m.JoinedAt), Role: string(m.Role),
		User: api.MemberUser{ID: m.UserID, Email: m.Email},
	}
}

func inviteJSON(i account.Invite) api.Invite {
	return api.Invite{
		Owned: owned(i.ID, i.InvitedByID, i.TeamID, i.CreatedAt, i.CreatedAt), Email: i.Email, Role: string(i.Role), Status: string(i.Status),
		ExpiresAt: i.ExpiresAt, InvitedBy: api.MemberUser{ID: i.InvitedByID, Email: i.InvitedBy},
	}
}

package handlers

import (
	"net/http"
	"slices"

	"infsh/auth"
	"infsh/problem"
	"infsh/team"
	"infsh/views"
)

func (s *server) membersPage(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	p, model, err := s.members(w, r, session)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if id := q.Get("role"); id != "" {
		m, err := memberIn(model, id)
		if err != nil {
			return err
		}
		form := views.MemberRole{Member: m, Choice: rolesToGive(session.Actor)}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.MemberRoleDialog(p, form))
			return nil
		}
		model.Role = &form
	}
	if id := q.Get("remove"); id != "" {
		m, err := memberIn(model, id)
		if err != nil {
			return err
		}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.RemoveMemberDialog(p, m))
			return nil
		}
		model.Remove = &m
	}
	if q.Has("invite") && model.CanManage {
		form := views.InviteForm{Role: string(team.Member), Choice: rolesToGive(session.Actor)}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.InviteDialog(p, form))
			return nil
		}
		model.Invite = &form
	}
	if q.Has("transfer") && model.CanTransfer {
		form := nextOwners(model)
		if wants(r, "dialog") {
			s.render(w, r, http.StatusOK, views.TransferDialog(p, form))
			return nil
		}
		model.Transfer = &form
	}
	s.render(w, r, http.StatusOK, views.MembersPage(p, model))
	return nil
}

func memberIn(model views.Members, id string) (views.MemberRow, error) {
	i := slices.IndexFunc(model.Rows, func(row views.MemberRow) bool { return row.ID == id })
	if i < 0 {
		return views.MemberRow{}, problem.New(problem.NotFound, "Not found: this person is not in the team.")
	}
	return model.Rows[i], nil
}

// rolesToGive shows only what the domain would accept: owners make owners.
func rolesToGive(actor team.Actor) []string {
	var out []string
	for _, role := range team.Roles {
		if actor.Role().MayChange("", role) {
			out = append(out, string(role))
		}
	}
	return out
}

func (s *server) members(w http.ResponseWriter, r *http.Request, session auth.Session) (views.Page, views.Members, error) {
	actor := session.Actor
	model := views.Members{CanManage: actor.Can(team.ChangeRole)}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return p, model, err
	}
	current, err := s.Accounts.Team(r.Context(), actor, actor.TeamID())
	if err != nil {
		return p, model, err
	}
	model.MembersMayEdit = current.MembersMayEdit
	members, err := s.Accounts.Members(r.Context(), actor)
	if err != nil {
		return p, model, err
	}
	for _, m := range members {
		mayTouch, self := actor.Role().MayChange(m.Role, ""), m.UserID == actor.UserID()
		model.Rows = append(model.Rows, views.MemberRow{
			ID: m.UserID, Email: m.Email, Role: string(m.Role), Joined: views.Ago(m.JoinedAt, s.now()), Self: self,
			CanChange: mayTouch, CanRemove: mayTouch || self,
		})
	}
	model.CanTransfer = actor.Can(team.TransferTeam) && len(nextOwners(model).Choice) > 0
	if !actor.Can(team.ListInvites) {
		return p, model, nil
	}
	invites, err := s.Accounts.Invites(r.Context(), actor)
	if err != nil {
		return p, model, err
	}
	for _, i := range invites {
		model.Invites = append(model.Invites, views.InviteRow{
			ID: i.ID, Email: i.Email, Role: string(i.Role), Status: string(i.Status), InvitedBy: i.InvitedBy,
			Created: views.Ago(i.CreatedAt, s.now()), Expires: views.Stamp{At: i.ExpiresAt}, CanRevoke: actor.Role().MayChange("", i.Role),
		})
	}
	return p, model, nil
}

func (s *server) memberRoleForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	member, err := s.Accounts.SetRole(r.Context(), session.Actor, r.PathValue("id"), r.PostForm.Get("role"))
	if err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		p, model, err := s.members(w, r, session)
		if err != nil {
			return err
		}
		row, err := memberIn(model, r.PathValue("id"))
		if err != nil {
			return err
		}
		form := views.MemberRole{Member: row, Choice: rolesToGive(session.Actor), Errors: fields}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusUnprocessableEntity, views.MemberRoleDialog(p, form))
			return nil
		}
		model.Role = &form
		s.render(w, r, http.StatusUnprocessableEntity, views.MembersPage(p, model))
		return nil
	}
	return s.membersSaved(w, r, session, flash{kind: flashRole, subject: member.Email})
}

func (s *server) removeMemberForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	_, before, err := s.members(w, r, session)
	if err != nil {
		return err
	}
	removed, err := memberIn(before, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Accounts.RemoveMember(r.Context(), session.Actor, removed.ID); err != nil {
		return err
	}
	if removed.Self {
		redirect(w, r, settingsHome)
		return nil
	}
	return s.membersSaved(w, r, session, flash{kind: flashRemoved, subject: removed.Email})
}

func (s *server) membersSaved(w http.ResponseWriter, r *http.Request, session auth.Session, f flash) error {
	if !isPartial(r) {
		s.leaveFlash(w, f)
		redirect(w, r, "/settings/members")
		return nil
	}
	// One's own role may have changed, so the actor is made anew.
	fresh, err := s.Authenticator.Session(r)
	if err != nil {
		return err
	}
	p, model, err := s.members(w, r, fresh)
	if err != nil {
		return err
	}
	toast(w, f)
	s.render(w, r, http.StatusOK, views.MembersSaved(p, model))
	return nil
}

func (s *server) membersPolicyForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Accounts.SetMembersMayEdit(r.Context(), session.Actor, ticked(r, "members_may_edit")); err != nil {
		return err
	}
	s.leaveFlash(w, flash{kind: flashPolicy})
	redirect(w, r, "/settings/members")
	return nil
}

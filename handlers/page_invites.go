package handlers

import (
	"net/http"

	"infsh/auth"
	"infsh/views"
)

func (s *server) inviteForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	form := views.InviteForm{Email: r.PostForm.Get("email"), Role: r.PostForm.Get("role"), Choice: rolesToGive(session.Actor)}
	invite, code, err := s.Accounts.Invite(r.Context(), session.Actor, form.Email, form.Role)
	if err != nil {
		fields, ok := fieldErrors(err)
		if !ok {
			return err
		}
		form.Errors = fields
		p, model, err := s.members(w, r, session)
		if err != nil {
			return err
		}
		if wants(r, "dialog") {
			s.render(w, r, http.StatusUnprocessableEntity, views.InviteDialog(p, form))
			return nil
		}
		model.Invite = &form
		s.render(w, r, http.StatusUnprocessableEntity, views.MembersPage(p, model))
		return nil
	}
	p, model, err := s.members(w, r, session)
	if err != nil {
		return err
	}
	// The link is shown this once: only the hash of its code is kept.
	model.Invited = &views.NewInvite{Email: invite.Email, Link: s.inviteLink(code).Reveal()}
	if isPartial(r) {
		s.render(w, r, http.StatusOK, views.InviteCreated(p, model))
		return nil
	}
	s.render(w, r, http.StatusOK, views.MembersPage(p, model))
	return nil
}

func (s *server) revokeInviteForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	if err := s.Accounts.RevokeInvite(r.Context(), session.Actor, r.PathValue("id")); err != nil {
		return err
	}
	return s.membersSaved(w, r, session, flash{kind: flashInvite})
}

func nextOwners(model views.Members) views.TransferForm {
	var form views.TransferForm
	for _, row := range model.Rows {
		if !row.Self && row.Role != "owner" {
			form.Choice = append(form.Choice, row)
		}
	}
	return form
}

func (s *server) transferForm(w http.ResponseWriter, r *http.Request, session auth.Session) error {
	owner, err := s.Accounts.TransferTeam(r.Context(), session.Actor, r.PostForm.Get("user_id"))
	if err != nil {
		return err
	}
	// Much of the page depends on one's own role, which has changed.
	s.leaveFlash(w, flash{kind: flashOwner, subject: owner.Email})
	redirect(w, r, "/settings/members")
	return nil
}

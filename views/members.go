package views

// Members lists who belongs to the team.
type Members struct {
	Rows           []MemberRow
	CanManage      bool // the actor may change roles, remove people and set the policy
	MembersMayEdit bool
	CanTransfer    bool        // the actor owns the team, and somebody else is in it
	Invites        []InviteRow // neither accepted nor revoked; empty for who may not invite
	Role           *MemberRole // the dialog is open
	Remove         *MemberRow  // the confirmation is open
	Invite         *InviteForm // the dialog is open
	Invited        *NewInvite  // the link is shown, once
	Transfer       *TransferForm
}

// InviteRow is one open invite.
type InviteRow struct {
	ID        string
	Email     string
	Role      string
	Status    string // pending, expired, or revoked where the inviter's right has ended
	Created   Stamp
	Expires   Stamp
	InvitedBy string
	CanRevoke bool
}

// InviteForm invites a person.
type InviteForm struct {
	Email  string
	Role   string
	Choice []string    // the roles that the actor may give
	Errors FieldErrors // email, role
}

// NewInvite is an invite that was just made. Link is the credential in it.
type NewInvite struct {
	Email string
	Link  string
}

// TransferForm chooses the team's next owner.
type TransferForm struct {
	Choice []MemberRow
}

// MemberRow is one person in the team.
type MemberRow struct {
	ID        string // the user's id
	Email     string
	Role      string
	Joined    Stamp
	Self      bool
	CanChange bool // the actor may change this role
	CanRemove bool
}

// MemberRole is the form that changes a role.
type MemberRole struct {
	Member MemberRow
	Choice []string // the roles that the actor may give
	Errors FieldErrors
}

// NewTeam is the form that makes a team.
type NewTeam struct {
	Username string
	Name     string
	Errors   FieldErrors // username, name
}

package views

// Members lists who belongs to the team.
type Members struct {
	Rows           []MemberRow
	CanManage      bool // the actor may change roles, remove people and set the policy
	MembersMayEdit bool
	Role           *MemberRole // the dialog is open
	Remove         *MemberRow  // the confirmation is open
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

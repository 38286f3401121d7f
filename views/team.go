package views

// TeamSettings is the page on which a team is renamed, duplicated and deleted.
type TeamSettings struct {
	CanRename    bool
	CanDuplicate bool
	CanDelete    bool // the actor owns the team, and so may also take members along
	Group        []Team
	Rename       RenameTeam
	Duplicate    DuplicateTeam
	DeleteErrors FieldErrors // username
}

// RenameTeam is the form with the team's names.
type RenameTeam struct {
	Username string
	Name     string
	Errors   FieldErrors // username, name
}

// DuplicateTeam makes a team for another environment.
type DuplicateTeam struct {
	As       string
	This     string // asked only of a team that stands alone
	Username string
	Members  bool
	Errors   FieldErrors // as, this, username, name
}

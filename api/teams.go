package api

import "time"

// Roles of a member.
const (
	RoleOwner  = "owner"
	RoleAdmin  = "admin"
	RoleMember = "member"
)

// TeamTypeTeam is the only type of a team: there are no personal ones.
const TeamTypeTeam = "team"

// Team is a team as one of its members sees it.
type Team struct {
	Object
	Type           string `json:"type"`
	Username       string `json:"username"`
	Name           string `json:"name"`
	Email          string `json:"email,omitempty"`
	AvatarURL      string `json:"avatar_url"`
	SetupCompleted bool   `json:"setup_completed"`
	// Role is the asking user's own role.
	Role           string `json:"role"`
	MembersMayEdit bool   `json:"members_may_edit"`
	// Environment is nil for a team that stands alone.
	Environment *Environment `json:"environment,omitempty"`
}

// Environment says which of a group of teams a team is, such as staging.
type Environment struct {
	Name      string `json:"name"`
	GroupID   string `json:"group_id"`
	GroupName string `json:"group_name"`
}

// TeamDuplicate is the body of POST /teams/{id}/duplicate. What is empty is
// made from the environment.
type TeamDuplicate struct {
	// As is the new team's environment; This is that of the team that is
	// duplicated, if it has none yet ("production" if empty).
	As       string `json:"as"`
	This     string `json:"this,omitempty"`
	Username string `json:"username,omitempty"`
	Name     string `json:"name,omitempty"`
	// Members takes the people along, with their roles.
	Members bool `json:"members,omitempty"`
}

// TeamDuplicated is the answer to it: the new team, and how many keys wait in
// it for their values.
type TeamDuplicated struct {
	Team
	ExpectedKeys int `json:"expected_keys"`
}

// ExpectedKey is a key that a team means to have and has not set.
type ExpectedKey struct {
	Key         string `json:"key"`
	Description string `json:"description"`
}

// TeamCreate is the body of POST /teams.
type TeamCreate struct {
	Username string `json:"username"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
}

// TeamChange is the body of POST /teams/{id}; nil keeps what there is. The
// email is accepted, since the SDK sends it, and not kept.
type TeamChange struct {
	Username *string `json:"username,omitempty"`
	Name     *string `json:"name,omitempty"`
	Email    *string `json:"email,omitempty"`
}

// UsernameAvailability answers GET /teams/check-username.
type UsernameAvailability struct {
	// Value is the name that was asked about, empty if no team can have it;
	// nothing is folded or trimmed.
	Value     string `json:"value"`
	Available bool   `json:"available"`
	// Reason is "taken" or "reserved" (no team can have the name), and Detail
	// says it in words.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Member is a person in a team.
type Member struct {
	Owned
	Role string     `json:"role"`
	User MemberUser `json:"user"`
}

// MemberUser is what a team knows of a person. There are no names and pictures.
type MemberUser struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	FullName  string `json:"full_name"`
	AvatarURL string `json:"avatar_url"`
}

// MemberAdd is the body of POST /teams/{id}/members and of POST
// /teams/{id}/invites.
type MemberAdd struct {
	Email string `json:"email"`
	Role  string `json:"role"`
}

// MemberRole is the body of POST /teams/{id}/members/{user}/role.
type MemberRole struct {
	Role string `json:"role"`
}

// TeamTransfer is the body of POST /teams/{id}/transfer.
type TeamTransfer struct {
	UserID string `json:"user_id"`
}

// Invite is an offer to an address to join a team. It never holds the link. Its
// user is who made it.
type Invite struct {
	Owned
	Email string `json:"email"`
	Role  string `json:"role"`
	// Status is "pending", "expired", or "revoked" where the inviter may not
	// invite any more.
	Status    string     `json:"status"`
	ExpiresAt time.Time  `json:"expires_at"`
	InvitedBy MemberUser `json:"invited_by"`
}

// InviteCreated is the answer to POST /teams/{id}/invites, the only one that
// holds the link. The server encodes it with MarshalRevealed.
type InviteCreated struct {
	Invite
	Link *Plaintext `json:"link"`
}

// TeamDiffRequest is the body of POST /teams/{id}/diff: the id of the team to
// compare with.
type TeamDiffRequest struct {
	With string `json:"with"`
}

// How a key of two teams compares.
const (
	DiffOnlyFirst   = "only_first"
	DiffOnlySecond  = "only_second"
	DiffEqual       = "equal"
	DiffDifferent   = "different"
	DiffNotCompared = "not_compared"
)

// TeamDiff tells two teams' secrets apart, without a value.
type TeamDiff struct {
	First  string `json:"first"`
	Second string `json:"second"`
	// Same is true if both are known to have the same keys with the same values.
	Same bool `json:"same"`
	// Compared is false if the caller may not read the values of both.
	Compared bool      `json:"compared"`
	Keys     []KeyDiff `json:"keys"`
}

// KeyDiff is one key of either team.
type KeyDiff struct {
	Key   string `json:"key"`
	State string `json:"state"`
}

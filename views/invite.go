package views

// InviteState is what the holder of an invite's link can do.
type InviteState string

// The states of the page.
const (
	InviteJoin         InviteState = "join"          // signed in with the invited account
	InviteSignIn       InviteState = "sign-in"       // signed out, and the address has an account
	InviteNewAccount   InviteState = "new-account"   // signed out, and it has none
	InviteOtherAccount InviteState = "other-account" // signed in with another account
	InviteUsed         InviteState = "used"
	InviteExpired      InviteState = "expired"
	InviteInvalid      InviteState = "invalid" // revoked, or replaced
	InviteNone         InviteState = "none"    // no link was opened in this browser, or long ago
)

// Invite is the page on which a person joins a team.
type Invite struct {
	State      InviteState
	Team       string // the team's name
	Email      string // the invited address
	Role       string
	InvitedBy  string
	Expires    Stamp
	SignedInAs string
	Throttled  string      // a sentence that says how long to wait, or empty
	Errors     FieldErrors // password
	SignOn     string      // what people call the provider that may sign in; empty if there is none
	// SignOnOnly says that accounts have no passwords.
	SignOnOnly bool
}

func (v Invite) heading() string { return "Join " + v.Team }

func (v Invite) lead() string {
	return v.InvitedBy + " invited " + v.Email + " as " + v.Role + "."
}

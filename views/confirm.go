package views

import "strconv"

// Confirm asks a signed-in person to prove again who they are, and carries what
// they were about to do.
type Confirm struct {
	To      string // what it is for: "change a role"
	Action  string // path to which the form goes, as the one before did
	Target  string // id of the element into which the answer goes
	Fields  []HiddenField
	Back    string // path of the page on which it was begun
	Minutes int    // how long a proof counts
	App     bool   // whether there is an authenticator app, or recovery codes
	Passkey bool
	Errors  FieldErrors // password, code, credential
}

// HiddenField is a field of the form that was sent. It holds no value of a
// secret and no password.
type HiddenField struct{ Name, Value string }

func (c Confirm) lead() string {
	return "To " + c.To + ", " + c.how() + ". It counts for " + strconv.Itoa(c.Minutes) + " minutes."
}

func (c Confirm) how() string {
	if c.App || c.Passkey {
		return "prove once more who you are, in one of these ways"
	}
	return "enter your password again"
}

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
	// SignOn is what people call the provider that can prove it; empty if there is
	// none, or the person is not connected with it.
	SignOn     string
	NoPassword bool
	Errors     FieldErrors // password, code, credential
}

// HiddenField is a field of the form that was sent. It holds no value of a
// secret and no password.
type HiddenField struct{ Name, Value string }

func (c Confirm) lead() string {
	return "To " + c.To + ", " + c.how() + ". It counts for " + strconv.Itoa(c.Minutes) + " minutes."
}

func (c Confirm) codeLabel() string {
	if c.NoPassword {
		return "Code"
	}
	return "Or a code"
}

func (c Confirm) codeHint() string {
	if c.NoPassword {
		return "Of your authenticator app."
	}
	return "Of your authenticator app, in place of the password."
}

// asksHere reports whether there is something to prove it with on the page.
func (c Confirm) asksHere() bool { return !c.NoPassword || c.App || c.Passkey || c.SignOn == "" }

func (c Confirm) how() string {
	switch {
	case c.SignOn != "" && c.NoPassword && !c.App && !c.Passkey:
		return "sign in again with " + c.SignOn
	case c.App || c.Passkey || c.SignOn != "":
		return "prove once more who you are, in one of these ways"
	}
	return "enter your password again"
}

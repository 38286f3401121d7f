package views

// Factors are what a person has beside the password.
type Factors struct {
	On       bool
	HasApp   bool
	App      Stamp // when it was added
	Passkeys []PasskeyRow
	// Offers says whether this site can have passkeys; otherwise Why says why not.
	Offers        bool
	RecoveryCodes int
	Errors        FieldErrors // name, credential: of the form that adds a passkey
	PasskeyName   string
	NoPassword    bool
}

// PasskeyRow is a passkey in the list.
type PasskeyRow struct {
	ID, Name string
	Added    Stamp
	Used     Stamp
	Synced   bool // it is on more than the device it was made on
}

// AppSetup shows the seed of a new authenticator app: as a picture that a phone
// reads, and in writing.
type AppSetup struct {
	Secret string // shown here alone
	QR     QR
	Errors FieldErrors // code
}

// QR is a picture of squares: the path of the dark ones, in a square of that
// many, with its white margin.
type QR struct {
	Path string
	Size int
}

// RecoveryCodes are shown this once.
type RecoveryCodes struct {
	Codes []string
	// What says what they belong to: "The authenticator app is on."
	What string
}

// SecondStep is the page after the password.
type SecondStep struct {
	Email         string
	Next          string // where to go afterwards; a path that the server has checked
	App, Passkey  bool
	RecoveryCodes int
	Throttled     string
	Errors        FieldErrors // code, credential
}

func (s SecondStep) label() string {
	if s.App {
		return "Code"
	}
	return "Recovery code"
}

func (s SecondStep) hint() string {
	if s.App {
		return "Six digits from your authenticator app, or one of your recovery codes."
	}
	return "One of the codes that you kept when you added the passkey."
}

func (f Factors) lead() string {
	switch {
	case f.NoPassword && f.On:
		return "Asked for besides what your provider asks for, unless this server leaves both steps to it."
	case f.NoPassword:
		return "Off: your provider alone signs in."
	case f.On:
		return "A password alone does not sign in to your account."
	}
	return "Off: your password alone signs in. Add an app or a passkey, and a password that got out is not enough."
}

// allCodes is what the copy button copies.
func (r RecoveryCodes) allCodes() string {
	out := ""
	for _, c := range r.Codes {
		out += c + "\n"
	}
	return out
}

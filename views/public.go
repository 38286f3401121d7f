package views

// Public is what a page without a session needs.
type Public struct {
	CSRF  string // a token bound to a cookie, also before login
	Theme Theme
}

// SetupForm is the page that makes the very first account.
type SetupForm struct {
	Code   string // the one-time code that the server printed, carried on
	Email  string
	Team   string
	Errors FieldErrors // code, email, password, team
}

// LoginForm asks for email and password.
type LoginForm struct {
	Email     string
	Next      string // where to go afterwards; a path that the server has checked
	Throttled string // a sentence that says how long to wait, or empty
	Errors    FieldErrors
	Passkeys  bool   // whether a passkey may sign in
	SignOn    string // what people call the provider that may sign in; empty if there is none
	// SignOnOnly says that nothing else signs in.
	SignOnOnly bool
}

// ErrorPageModel says what went wrong and what to do, never why in terms of
// the program's insides.
type ErrorPageModel struct {
	Status    int
	Title     string
	Detail    string
	RequestID string
	BackURL   string // defaults to /settings/secrets
	Back      string // defaults to "Go to secrets"
}

// DeviceForm compares and approves the login of a command line elsewhere.
// With an empty Code the page asks for it.
type DeviceForm struct {
	Code    string // as the terminal shows it: ABCD-EFGH
	Client  string // what the client calls itself; not to be trusted
	Address string // where the request came from, as the server saw it
	Started Stamp
	Expires string // "in 9 minutes"
	TeamID  string // the chosen team; the page's own team if empty
	Errors  FieldErrors
}

// DeviceResult is the page after the decision.
type DeviceResult struct {
	Approved bool
	Client   string
	Team     string
}

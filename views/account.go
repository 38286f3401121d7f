package views

// Account is the user's own page.
type Account struct {
	Email    string
	Sessions int // signed-in browsers, this one among them
	Logins   int // command line logins
	SignIns  []SignInRow
	Errors   FieldErrors // current, new
	Factors  Factors
	SignOn   SignOn
	// NoPassword says that only the provider signs the person in.
	NoPassword bool
}

// SignInRow is a browser or a command line on which the person is signed in.
type SignInRow struct {
	ID          string
	Name        string // "Firefox on Linux", or what a command line calls itself
	CommandLine bool
	From        string // address of the sign-in; empty for a command line
	Since, Used Stamp
	This        bool // the one that looks at the page
}

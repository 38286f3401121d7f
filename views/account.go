package views

// Account is the user's own page.
type Account struct {
	Email    string
	Sessions int         // signed-in browsers, this one among them
	Logins   int         // command line logins
	Errors   FieldErrors // current, new
	Factors  Factors
}

// Integrations is the page that explains what is coming.
type Integrations struct {
	Declared []IntegrationNeed // what the team's apps already declare
}

// IntegrationNeed is an integration that an app declares.
type IntegrationNeed struct {
	Key  string
	Apps []AppRef
}

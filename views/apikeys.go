package views

// APIKeys lists the team's API keys.
type APIKeys struct {
	Rows      []APIKeyRow
	CanCreate bool
	Add       *APIKeyForm // the dialog is open
	Revoke    *APIKeyRow  // the confirmation is open
	TakeOver  *APIKeyRow  // and so is that of making it the team's own
	Created   *NewAPIKey  // the key that was just made
}

// APIKeyRow is one API key, never the key itself.
type APIKeyRow struct {
	ID        string
	Name      string
	Masked    string // infsh_…last4
	Kind      string // "API key", "Runner key", "Command line login"
	Scopes    []string
	Words     string // the scopes in words, such as "Runs apps, nothing else"
	CreatedBy string
	Created   Stamp
	LastUsed  Stamp
	Expires   Stamp
	App       string // the only app that it runs
	Service   string // the role of a service key
	CanRevoke bool
	// CanTakeOver lets the key be made the team's own, with the role Proposed.
	CanTakeOver bool
	Proposed    string
}

// APIKeyForm makes an API key.
type APIKeyForm struct {
	Name   string
	Preset string   // all, runner, read or custom
	Scopes []string // ticked ones, for custom
	Choice []ScopeChoice
	// Expires is in days, empty for never; Apps are those that a runner key may
	// be bound to, and App the chosen one.
	Expires string
	Apps    []string
	App     string
	// CanService offers Service, the role of a service key; empty for one's own.
	CanService bool
	Service    string
	Errors     FieldErrors // name, preset, scopes, expires_at, app, service_role
}

// ScopeChoice is a scope that the actor may give away.
type ScopeChoice struct {
	Scope string
	Words string
}

// NewAPIKey shows a new key, the only time that it is shown.
type NewAPIKey struct {
	Name   string
	Token  string
	Runner bool // may only run apps
}

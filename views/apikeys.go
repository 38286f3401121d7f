package views

// APIKeys lists the team's API keys.
type APIKeys struct {
	Rows      []APIKeyRow
	CanCreate bool
	Add       *APIKeyForm // the dialog is open
	Revoke    *APIKeyRow  // the confirmation is open
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
	CanRevoke bool
}

// APIKeyForm makes an API key.
type APIKeyForm struct {
	Name   string
	Preset string   // all, runner, read or custom
	Scopes []string // ticked ones, for custom
	Choice []ScopeChoice
	Errors FieldErrors // name, preset, scopes
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

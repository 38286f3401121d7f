package views

// ProviderSetup is what is to be set at a provider that trusts this server.
type ProviderSetup struct {
	Issuer, Subject, Audience string
	Steps                     []SetupStep
	// Insecure says that the issuer is not reached by https, which is wanted.
	Insecure bool
	// Keys are the public keys where there are some, good until KeysUntil, and
	// Upload is the command that hands them over.
	Keys      string
	KeysUntil Stamp
	Upload    string
	OpenKeys  bool
}

// SetupStep is a command with what it is for.
type SetupStep struct{ Label, Text string }

package api

// Integration is a team's connection to a provider. This release has none.
type Integration struct {
	Owned
	Provider    string   `json:"provider"`
	Type        string   `json:"type"`
	Status      string   `json:"status"`
	DisplayName string   `json:"display_name"`
	Scopes      []string `json:"scopes"`
}

// IntegrationConnect is the body of POST /integrations. A key of the provider's
// in it is not kept.
type IntegrationConnect struct {
	Provider        string  `json:"provider"`
	Type            string  `json:"type"`
	Scopes          Ignored `json:"scopes"`
	APIKey          Ignored `json:"api_key"`
	Metadata        Ignored `json:"metadata"`
	ConnectionScope Ignored `json:"connection_scope"`
}

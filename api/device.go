package api

// DeviceCodeRequest is the body of POST /device/code, which starts a login of
// the CLI after RFC 8628, section 3.1. ClientName is shown to the person who
// approves it.
type DeviceCodeRequest struct {
	ClientName string `json:"client_name"`
}

// DeviceCodeResponse is its answer (RFC 8628, section 3.2). Its DeviceCode is
// a credential until the login is done: the server encodes it with
// MarshalRevealed.
type DeviceCodeResponse struct {
	DeviceCode              *Plaintext `json:"device_code"`
	UserCode                string     `json:"user_code"`
	VerificationURI         string     `json:"verification_uri"`
	VerificationURIComplete string     `json:"verification_uri_complete"`
	// ExpiresIn and Interval are in seconds.
	ExpiresIn int `json:"expires_in"`
	Interval  int `json:"interval"`
}

// DeviceTokenRequest is the body of POST /device/token.
type DeviceTokenRequest struct {
	DeviceCode *Plaintext `json:"device_code"`
}

// DeviceTokenResponse is its answer once a person has approved. The server
// encodes it with MarshalRevealed.
type DeviceTokenResponse struct {
	APIKey *Plaintext    `json:"api_key"`
	User   DeviceUser    `json:"user"`
	Team   DeviceTeamRef `json:"team"`
}

// DeviceUser is who approved a login.
type DeviceUser struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// DeviceTeamRef is the team that a login starts in.
type DeviceTeamRef struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

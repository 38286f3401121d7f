// Package integration is about a team's connections to outside services: what
// can be connected (the catalogue, which is data), how somebody connects an
// account (OAuth with PKCE, a service account, a key), and how its tokens are
// kept fresh, once across all instances of the server. What apps receive of it
// is decided in package secret.
package integration

import (
	"time"

	"infsh/problem"
)

const (
	// MaxConnections is how many accounts a team connects.
	MaxConnections = 50
	// maxFlows is how many authorizations of a team wait at once.
	maxFlows = 20
	// FlowLifetime is how long an authorization waits for its person.
	FlowLifetime = 10 * time.Minute
	maxClientID  = 512
	maxField     = 32 << 10
	maxScopes    = 64
)

// Status is how a connection is.
type Status string

const (
	Connected Status = "connected"
	// Expired is one that the provider does not renew any more: somebody has to
	// connect it again.
	Expired Status = "expired"
	// Failing is one whose last refresh failed, and is tried again.
	Failing Status = "error"
)

// Connection is an account of a team at a provider.
type Connection struct {
	ID, TeamID string
	Provider   string
	Type       Type
	// AccountID and AccountName are the provider's words for it.
	AccountID, AccountName string
	// Scopes are those that were granted.
	Scopes []string
	Status Status
	// Problem says why it is not connected, in a sentence.
	Problem string
	// Primary is the one of a provider and type that apps receive, unless a grant
	// names another.
	Primary bool
	// Version is that of the sealed tokens.
	Version int64
	// ExpiresAt is when the access token ends, and RefreshAt when it is asked for
	// anew; zero for never.
	ExpiresAt, RefreshAt time.Time
	RefreshedAt          time.Time
	// Failures counts refreshes that failed since the last that did not.
	Failures             int
	CreatedByID          string
	CreatedAt, UpdatedAt time.Time
}

// Name is how a person tells accounts apart.
func (c Connection) Name() string {
	if c.AccountName != "" {
		return c.AccountName
	}
	if c.AccountID != "" {
		return c.AccountID
	}
	return "account of " + c.CreatedAt.UTC().Format("2006-01-02 15:04:05")
}

// target names it in the audit log.
func (c Connection) target() string { return c.Provider + " " + c.Name() }

// Usable reports whether its tokens can be handed out while they last.
func (c Connection) Usable() bool { return c.Status != Expired }

// Held is a connection with its sealed material.
type Held struct {
	Connection
	Sealed []byte
}

// Client is a team's own client of OAuth at a provider.
type Client struct {
	ID, TeamID, Provider string
	Type                 Type
	ClientID             string
	// Version is that of the sealed secret.
	Version     int64
	CreatedByID string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Flow is an authorization that waits for its person at the provider. Of its
// state the table has the SHA-256.
type Flow struct {
	StateHash []byte
	ID        string
	TeamID    string
	UserID    string
	// Holder is the session or API key that began it, and alone can end it.
	Holder   string
	Provider string
	Type     Type
	Scopes   []string
	// ConnectionID is the connection that gets more scopes or is connected again.
	ConnectionID string
	// Verifier is that of PKCE, sealed with what else the form asked for.
	Verifier []byte
	Redirect string
	// Port is where a command line on the same machine waits; 0 for none.
	Port                 int
	CreatedAt, ExpiresAt time.Time
}

// Lacking returns the scopes that a capability, and what else is wanted, needs
// beyond those that were granted.
func (c Connection) Lacking(p *Provider, wanted []string) []string {
	k, ok := p.Kind(c.Type)
	if !ok || c.Type == APIKey {
		return nil // What a key may do is decided at the provider, and not told.
	}
	granted := c.Scopes
	if c.Type == ServiceAccount || c.Type == Federation {
		granted = k.scopes
	}
	return p.Lacking(granted, wanted)
}

// Choose finds the connection that serves a capability: the named one, or the
// primary one of the first kind that has a usable one.
func (c *Capability) Choose(all []Held, id string) (Held, bool) {
	var found Held
	for _, k := range c.Provider.Kinds {
		if !c.ServedBy(k.Type) {
			continue
		}
		for _, one := range all {
			if one.Provider != c.Provider.ID || one.Type != k.Type {
				continue
			}
			if id != "" && one.ID == id {
				return one, true
			}
			if id == "" && one.Primary && (found.ID == "" || !found.Usable() && one.Usable()) {
				found = one
			}
		}
	}
	return found, found.ID != ""
}

func noConnection() error {
	return problem.New(problem.NotFound, "Not found: the team has no such integration. `infsh integrations list` shows those that it has.")
}

func unknownProvider() error {
	return problem.New(problem.NotFound, "Not found: no provider of that name can be connected. Settings → Integrations lists those that can.")
}

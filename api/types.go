// Package api holds the messages of the JSON API, for both of its ends, and a
// Go client.
//
// The messages are compatible with version 2 of the public inference.sh API.
// A message that carries a secret value or a credential holds it as a
// [Plaintext], which decodes from JSON and refuses to be encoded to it:
// wire.go is the one place where a value becomes JSON, and only by name.
package api

import "time"

// BasePath is where the JSON API is mounted, below the server's URL.
const BasePath = "/api"

// ResolvePath is the runners' endpoint. It may be served by another listener
// than the rest of the API.
const ResolvePath = "/internal/v1/resolve"

// FindingsPath is where runners report what an app printed, on the same listener.
const FindingsPath = "/internal/v1/findings"

// WatchPath is where runners wait for changes, on the same listener.
const WatchPath = "/internal/v1/watch"

// TeamHeader names the team, by its username, that a request is meant for.
// Without it the credential's own team is meant.
const TeamHeader = "X-Infsh-Team"

// Object is what every stored object has.
type Object struct {
	ID        string    `json:"id"`
	ShortID   string    `json:"short_id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// VisibilityPrivate is the only visibility: an object is seen by its team alone.
const VisibilityPrivate = "private"

// Owned is an object that belongs to a team.
type Owned struct {
	Object
	UserID     string `json:"user_id"`
	TeamID     string `json:"team_id"`
	Visibility string `json:"visibility"`
}

// Me says who a credential is.
type Me struct {
	User User `json:"user"`
	Team Team `json:"team"`
	// Key describes the presented API key. It is nil for a browser's session.
	Key *Credential `json:"key,omitempty"`
}

// User is a person's account.
type User struct {
	Object
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
}

// Kinds of [Credential].
const (
	// KindKey is an API key: bound to one team.
	KindKey = "key"
	// KindLogin is a CLI login: it may name any team of its user.
	KindLogin = "login"
)

// Credential describes an API key or a CLI login without its secret part.
type Credential struct {
	ID     string   `json:"id"`
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// Service says that the key is the team's own, and no person's.
	Service bool `json:"service,omitempty"`
}

// APIKey describes an API key. Key is masked: "infsh_…last4". Scopes are those
// that the role of its owner backs now.
type APIKey struct {
	Owned
	Name   string   `json:"name"`
	Key    string   `json:"key"`
	Scopes []string `json:"scopes"`
	// Kind is KindKey or KindLogin.
	Kind string `json:"kind"`
	// App is the only app that the key runs, namespace/name; empty for any.
	App string `json:"app,omitempty"`
	// Service says that the key is the team's own, with ServiceRole.
	Service     bool       `json:"service"`
	ServiceRole string     `json:"service_role,omitempty"`
	LastUsedAt  *time.Time `json:"last_used_at"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
}

// APIKeyCreate is the body of POST /apikeys. Nil Scopes means everything that
// the user may do, or apps:execute where App is set; an empty list means
// nothing.
type APIKeyCreate struct {
	Name   string    `json:"name"`
	Scopes *[]string `json:"scopes,omitempty"`
	// ExpiresAt is a time as in RFC 3339; empty for a key without an end.
	ExpiresAt string `json:"expires_at,omitempty"`
	// App binds the key to an app of the team: namespace/name or the name.
	App string `json:"app,omitempty"`
	// ServiceRole makes a service key: RoleMember or RoleAdmin.
	ServiceRole string `json:"service_role,omitempty"`
}

// APIKeyTakeOver is the body of POST /apikeys/{id}/service, which makes a key
// the team's own. An empty role is that of its maker, as far as a service key
// can have it.
type APIKeyTakeOver struct {
	ServiceRole string `json:"service_role,omitempty"`
}

// APIKeyCreated is the answer to POST /apikeys, the only one that holds the
// whole key. The server encodes it with MarshalRevealed.
type APIKeyCreated struct {
	APIKey
	Key *Plaintext `json:"key"`
}

// Package secret is the domain: a team's secrets, their versions, and which of
// them an app receives. Every function takes the actor, asks audit.Guard, and
// writes its audit entry in the transaction of its effect.
package secret

import (
	"strings"
	"time"

	"infsh/envvar"
)

// KeptVersions is how many versions of a secret are kept, the current one
// included. Older ciphertexts are removed when a new version is made.
const KeptVersions = 10

// Secret is what may be known of a secret without opening its value.
type Secret struct {
	ID          string
	TeamID      string
	Key         envvar.Key
	Masked      string
	Description string
	Version     int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// CreatedByID is the user who made the secret; UpdatedBy is the email
	// address of the one who made the current version.
	CreatedByID string
	UpdatedBy   string
}

// Matches reports whether the key or the description contains the term, in any
// case. An empty term matches all.
func (s Secret) Matches(term string) bool {
	term = strings.ToLower(term)
	return strings.Contains(strings.ToLower(string(s.Key)), term) || strings.Contains(strings.ToLower(s.Description), term)
}

// Version is one kept version of a secret.
type Version struct {
	Number    int64
	CreatedAt time.Time
	CreatedBy string
	Current   bool
}

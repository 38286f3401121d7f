// Package secret is the domain: a team's secrets, their versions, and which of
// them an app receives. Every function takes the actor, asks audit.Guard, and
// writes its audit entry in the transaction of its effect.
package secret

import (
	"strings"
	"time"

	"infsh/envvar"
)

// KeptVersions is how many versions of a secret are kept: the one in use, and
// the newest of the others, staged ones among them. Older ciphertexts are
// removed when a new version is made.
const KeptVersions = 10

// Secret is what may be known of a secret without opening its value.
type Secret struct {
	ID     string
	TeamID string
	Key    envvar.Key
	// Masked is of the version in use, and of StagedVersion while none is.
	Masked      string
	Description string
	// Version is the one in use. It is 0 while all are staged: then no app
	// receives the secret.
	Version int64
	// StagedVersion is the newest version that was never in use, 0 if there is
	// none.
	StagedVersion int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
	// CreatedByID is the user who made the secret; UpdatedBy is the email
	// address of the one who made the current version.
	CreatedByID string
	UpdatedBy   string
	Life
}

// Matches reports whether the key or the description contains the term, in any
// case. An empty term matches all.
func (s Secret) Matches(term string) bool {
	term = strings.ToLower(term)
	return strings.Contains(strings.ToLower(string(s.Key)), term) || strings.Contains(strings.ToLower(s.Description), term)
}

// VersionState is what a version is for now.
type VersionState string

const (
	// Active is the version in use: the one that apps receive.
	Active VersionState = "active"
	// Staged waits to be used for the first time.
	Staged VersionState = "staged"
	// Superseded was in use once.
	Superseded VersionState = "superseded"
)

// Version is one kept version of a secret.
type Version struct {
	Number    int64
	Masked    string
	CreatedAt time.Time
	CreatedBy string
	State     VersionState
	// ExpiresAt is when the value ends at its provider, if that is known.
	ExpiresAt time.Time
}

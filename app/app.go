// Package app registers a team's apps. An app has versions; a version never
// changes, and says which secrets and integrations the app declares. What it
// may have of them is in its grants: see Service.Deploy and Service.Approve.
package app

import (
	"time"

	"infsh/envvar"
	"infsh/secret"
)

// App is a registered app with its current version.
type App struct {
	ID          string
	TeamID      string
	Namespace   string
	Name        string
	Description string
	Current     Version
	// PendingID is the version that becomes current as soon as the keys that
	// it requires are granted; empty if there is none.
	PendingID   string
	CreatedByID string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// FullName is namespace/name.
func (a App) FullName() string { return a.Namespace + "/" + a.Name }

// Version is one registered version of an app.
type Version struct {
	ID string
	// Number counts an app's versions from 1.
	Number int64
	// Digest is the SHA-256 of what the version declares, in hex.
	Digest       string
	Requirements []secret.Requirement
	CreatedBy    string
	CreatedAt    time.Time
}

// Asks returns the names under which the team decides about what is declared.
func (v Version) Asks() []envvar.Key {
	var keys []envvar.Key
	for _, r := range v.Requirements {
		keys = append(keys, r.GrantKey())
	}
	return keys
}

// integration returns the declared integration that a name of a grant, or of the
// manifest, stands for.
func (v Version) integration(name string) (secret.Requirement, bool) {
	for _, r := range v.Requirements {
		if r.Kind == secret.KindIntegration && (r.Key == name || string(r.GrantKey()) == name) {
			return r, true
		}
	}
	return secret.Requirement{}, false
}

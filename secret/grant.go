package secret

import (
	"strings"
	"time"

	"infsh/envvar"
)

// GrantState is what the team has decided about a key that an app declares.
type GrantState string

const (
	Granted      GrantState = "granted"
	GrantWaiting GrantState = "waiting"
	GrantRevoked GrantState = "revoked"
	// NotAsked is a key for which there is no grant: the app was not deployed
	// with it, or by a release that knew no grants.
	NotAsked GrantState = ""
	// GrantOnDeploy is a key that nobody has asked for, where the caller would
	// grant it by deploying. It is never stored.
	GrantOnDeploy GrantState = "on_deploy"
	// notGoverned is a key that is checked for no app. It is never stored.
	notGoverned GrantState = "none"
)

// gives reports whether the app may have the key.
func (s GrantState) gives() bool {
	return s == Granted || s == GrantOnDeploy || s == notGoverned
}

// Grant says whether an app may have a key that it declares, and which of the
// team's keys gives the value.
type Grant struct {
	AppID string
	// Key is the declared one; SourceKey is the team's, which differs from it
	// only where it is bound.
	Key, SourceKey envvar.Key
	State          GrantState
	// Who deployed the version that asked for the key, and when.
	RequestedByID, RequestedBy string
	RequestedVersionID         string
	RequestedVersion           int64
	RequestedAt                time.Time
	// Who granted or revoked it, and when; empty while it waits.
	DecidedByID, DecidedBy string
	DecidedAt              time.Time
}

// Bound reports whether the value is that of a key with another name.
func (g Grant) Bound() bool { return g.SourceKey != "" && g.SourceKey != g.Key }

// Integration is the name of the declared integration that it is about; a
// secret's name has no dot.
func (g Grant) Integration() (key string, ok bool) {
	key = strings.TrimSuffix(string(g.Key), ".*")
	return key, strings.Contains(string(g.Key), ".")
}

// source is the team's key whose value is given for a declared one.
func (g Grant) source(declared envvar.Key) envvar.Key {
	if g.SourceKey == "" {
		return declared
	}
	return g.SourceKey
}

// Grants are an app's grants by declared key.
type Grants map[envvar.Key]Grant

// Stops reports whether the grants keep a version with these requirements from
// running, and by which keys. Optional ones never do.
func (g Grants) Stops(reqs []Requirement) []envvar.Key {
	var out []envvar.Key
	for _, r := range reqs {
		if key := r.GrantKey(); !r.Optional && g[key].State != Granted {
			out = append(out, key)
		}
	}
	return out
}

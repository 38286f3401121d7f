package team

import (
	"fmt"
	"slices"
	"strings"
)

// Scope limits what an API key may do; it never adds to what its user may do.
type Scope string

const (
	ScopeAll               Scope = "*"
	ScopeSecrets           Scope = "secrets"
	ScopeSecretsRead       Scope = "secrets:read"
	ScopeSecretsWrite      Scope = "secrets:write"
	ScopeApps              Scope = "apps"
	ScopeAppsRead          Scope = "apps:read"
	ScopeAppsWrite         Scope = "apps:write"
	ScopeAppsExecute       Scope = "apps:execute"
	ScopeIntegrationsRead  Scope = "integrations:read"
	ScopeIntegrationsWrite Scope = "integrations:write"
	ScopeTeamsRead         Scope = "teams:read"
	ScopeTeamsWrite        Scope = "teams:write"
	ScopeAPIKeysRead       Scope = "apikeys:read"
	ScopeAPIKeysWrite      Scope = "apikeys:write"
	ScopeUserRead          Scope = "user:read"
)

// actionScopes are the scopes that stand for one action on one resource.
var actionScopes = []Scope{
	ScopeSecretsRead, ScopeSecretsWrite,
	ScopeAppsRead, ScopeAppsWrite, ScopeAppsExecute,
	ScopeIntegrationsRead, ScopeIntegrationsWrite,
	ScopeTeamsRead, ScopeTeamsWrite,
	ScopeAPIKeysRead, ScopeAPIKeysWrite,
	ScopeUserRead,
}

// Scopes is the set of scopes of a credential. The zero value allows nothing.
type Scopes []Scope

// EveryScope returns each action scope by name, as a key made without a list
// of scopes gets them: what is added in a later release is not in old keys.
func EveryScope() Scopes { return slices.Clone(actionScopes) }

// ParseScopes checks names against the known ones, drops doubles, and sorts
// them, so that equal sets look equal.
func ParseScopes(names []string) (Scopes, error) {
	out := make(Scopes, 0, len(names))
	for i, n := range names {
		s := Scope(n)
		if s != ScopeAll && s != ScopeSecrets && s != ScopeApps && !slices.Contains(actionScopes, s) {
			// What was sent may be anything, so it is not repeated.
			return nil, fmt.Errorf("number %d of them is not a scope; known are %s", i+1, strings.Join(KnownScopes(), ", "))
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out, nil
}

// ofService reports whether a service key can use the scope. Whoever changes
// people, teams and keys is a person: otherwise somebody who has left could go
// on doing it with what they left behind.
func (s Scope) ofService() bool {
	switch s {
	case ScopeTeamsWrite, ScopeAPIKeysWrite, sessionOnly:
		return false
	}
	return true
}

// KnownScopes returns the names that ParseScopes accepts.
func KnownScopes() []string {
	names := []string{string(ScopeAll), string(ScopeSecrets), string(ScopeApps)}
	for _, s := range actionScopes {
		names = append(names, string(s))
	}
	return names
}

// Allow reports whether the set covers want: by name, by its resource, or by
// the scope of everything.
func (s Scopes) Allow(want Scope) bool {
	resource, _, _ := strings.Cut(string(want), ":")
	for _, have := range s {
		if have == ScopeAll || have == want || string(have) == resource {
			return true
		}
	}
	return false
}

// Cover reports whether everything that other allows, s allows too. A
// credential may make only credentials that it covers.
func (s Scopes) Cover(other Scopes) bool {
	for _, a := range actionScopes {
		if other.Allow(a) && !s.Allow(a) {
			return false
		}
	}
	return !slices.Contains(other, ScopeAll) || slices.Contains(s, ScopeAll)
}

// Strings returns the names.
func (s Scopes) Strings() []string {
	out := make([]string, len(s))
	for i := range s {
		out[i] = string(s[i])
	}
	return out
}

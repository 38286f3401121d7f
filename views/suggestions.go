package views

import "net/url"

// Suggestions are keys that a team may want to set, or to do without.
type Suggestions struct {
	Missing []MissingKey
	Unused  []UnusedKey
	// MoreUnused is how many others there are.
	MoreUnused int
	CanEdit    bool
}

// MissingKey is a key that apps declare and that is not set.
type MissingKey struct {
	Key, Description string
	Apps             []AppRef
	MoreApps         int
	Required         bool
}

// URL opens the form that sets it, filled in.
func (k MissingKey) URL() string {
	return "/settings/secrets?" + url.Values{"add": {k.Key}, "description": {k.Description}}.Encode()
}

// UnusedKey is a secret that nothing seems to need.
type UnusedKey struct {
	Key     string
	Created Stamp
	Why     string
}

package integration

import "strings"

// Command is the command line that connects what serves a declared integration:
// by the type of the account that was there, and without one by the first that
// serves it. Empty for what the catalogue does not have.
func (c *Catalogue) Command(key string, by Type) string {
	capability, ok := c.Find(key)
	if !ok {
		return ""
	}
	p := capability.Provider
	for _, k := range p.Kinds {
		if k.Type == by || by == "" && capability.ServedBy(k.Type) {
			need := ""
			if key != p.ID { // The provider's mere name asks for nothing in particular.
				need = key
			}
			return p.Command(k, need)
		}
	}
	return ""
}

// Command is the command line that connects the provider in a way, for a
// capability if one is named.
func (p *Provider) Command(k *Kind, need string) string {
	out := "infsh integrations connect " + p.ID
	switch {
	case k.Type != OAuth:
		out += " --type " + string(k.Type)
	case need != "":
		out += " --need " + need
	}
	typedFirst := k.Type == APIKey || k.Type == ServiceAccount
	for i, f := range k.Fields {
		if !f.Optional && f.Default == "" && (i > 0 || !typedFirst) {
			out += " --field " + f.Key + "=" + strings.ToUpper(f.Key)
		}
	}
	if typedFirst && k.Fields[0].Long {
		out += " < key.json"
	}
	return out
}

// Gives reports whether a connection that serves a declared integration gives a
// name to the app's environment.
func (c *Catalogue) Gives(key, name string) bool {
	capability, ok := c.Find(key)
	if !ok {
		return false
	}
	for _, k := range capability.Provider.Kinds {
		if _, gives := k.env[name]; gives && capability.ServedBy(k.Type) {
			return true
		}
	}
	return false
}

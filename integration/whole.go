package integration

import (
	"fmt"
	"slices"
	"strings"
)

// InWords says scopes to a person, and lists those for which there are no words.
// Those that only keep the connection are not said.
func (p *Provider) InWords(k *Kind, scopes []string) (can, other []string) {
	for _, scope := range scopes {
		words := p.Words(scope)
		switch {
		case words != scope:
			can = append(can, words)
		case !k.Keeps(scope):
			other = append(other, scope)
		}
	}
	return can, other
}

// Whole says to whoever lets an app have an integration what that comes to: it
// receives the account's token whole, whatever it declares. Key is what it
// declares, all are the team's connections, and chosen is the one that the grant
// names, if it does. It is empty for what the catalogue does not have.
func (c *Catalogue) Whole(key string, all []Held, chosen string) string {
	capability, ok := c.Find(key)
	if !ok {
		return ""
	}
	p := capability.Provider
	held, there := capability.Choose(all, chosen)
	k, known := p.Kind(held.Type)
	if !there || !known {
		return fmt.Sprintf("It gives the app the whole token of the account at %s that is connected for it: the app can do all that the account is allowed, not only what it declares.", p.Name)
	}
	switch {
	case k.Type == OAuth:
		can, other := p.InWords(k, held.Scopes)
		if can = append(can, other...); len(can) == 0 {
			can = []string{"what " + p.Name + " lets each token do"}
		}
		return fmt.Sprintf("It gives the app the whole token of %s at %s: the app can do all that this account was allowed, not only what it declares: %s.", held.Name(), p.Name, strings.Join(can, "; "))
	case k.Type == ServiceAccount && k.refreshes():
		return fmt.Sprintf("It gives the app a token of %s at %s, made anew from its key: the app can do all that the roles of this service account allow, not only what it declares.", held.Name(), p.Name)
	case k.Type == Federation:
		return fmt.Sprintf("It gives the app a token of %s at %s, made anew as it ends: the app can do all that the roles there allow, not only what it declares.", held.Name(), p.Name)
	}
	return fmt.Sprintf("It gives the app the whole key of %s at %s: the app can do all that the key may do there, not only what it declares, for as long as the key is good.", held.Name(), p.Name)
}

// Unsealed are connections without their material.
func Unsealed(all []Connection) []Held {
	out := slices.Grow([]Held(nil), len(all))
	for _, c := range all {
		out = append(out, Held{Connection: c})
	}
	return out
}

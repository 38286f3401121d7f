package integration

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Type is how a provider lets programs in.
type Type string

// The types, by the names that the SDK knows.
const (
	// OAuth is an account that somebody lets the team use (RFC 6749).
	OAuth Type = "oauth"
	// APIKey is a bot's token or a key, typed into a form.
	APIKey Type = "api_key"
	// ServiceAccount is Google's JSON key, with which short-lived tokens are
	// asked for (RFC 7523).
	ServiceAccount Type = "service_account"
)

// Catalogue is what can be connected. It is data: nothing in the program knows a
// provider by name.
type Catalogue struct {
	providers  []*Provider
	byID       map[string]*Provider
	capability map[string]*Capability
}

// Provider is an outside service.
type Provider struct {
	ID, Name, About string
	// Docs is where a person goes at the provider.
	Docs  string
	Kinds []*Kind
	// Capabilities are what apps declare, such as google.sheets.
	Capabilities []*Capability
	implies      map[string][]string
	network      network
}

// Kind is one of the ways to connect a provider.
type Kind struct {
	Type Type
	Name string
	// Docs is where that begins; that of the provider if it is empty.
	Docs string
	// Steps are what a person does at the provider.
	Steps []string
	// Fields are what a form asks for, besides the client of OAuth.
	Fields []Field

	// named is a kind that serves only the capabilities that name it.
	named                    bool
	authorize, token, revoke string
	issuer                   string
	issuerRequired           bool
	clientAuth               string
	params                   map[string]string
	// always are scopes that each authorization asks for, and scopes those of a
	// service account's tokens.
	always, scopes []string
	separator      string
	lifetime       time.Duration
	account        account
	env            map[string]source

	// audience is whom a federation speaks to, impersonate where a service
	// account's token is asked for, and setup, upload and refusals are what a person
	// is told; all have places for the form's fields.
	audience, impersonate, upload string
	setup                         []Step
	refusals                      map[string]string
}

// Tried reports whether the provider is asked about what is typed before it is kept.
func (k *Kind) Tried() bool { return k.Type != APIKey || k.account.url != "" }

// Field is one input of a form.
type Field struct {
	Key, Label, Placeholder string
	// Default is what the form has to begin with.
	Default string
	// Sensitive ones are secrets, and Long ones have several lines.
	Sensitive, Long, Optional bool
	pattern                   *pattern
}

// Capability is something that an app may be let do.
type Capability struct {
	Provider *Provider
	Key      string
	// Words say it to a person.
	Words  string
	Scopes []string
	types  []Type
}

// account says where a connected account's id and name are found: in the answer
// of a URL, or without one in that of the token endpoint.
type account struct {
	url, scheme, id, name string
}

//go:embed catalogue.yaml
var embedded []byte

// BuiltIn returns the catalogue that comes with the program.
var BuiltIn = sync.OnceValue(func() *Catalogue {
	c, err := parse("catalogue.yaml", embedded)
	if err != nil {
		panic(err) // a test parses it
	}
	return c
})

// Providers returns all providers, sorted by name.
func (c *Catalogue) Providers() []*Provider { return slices.Clone(c.providers) }

// Provider finds one by its id.
func (c *Catalogue) Provider(id string) (*Provider, bool) {
	p, ok := c.byID[id]
	return p, ok
}

// Find says what a declared integration is: a capability, or a provider by its
// mere name, which asks for no scope.
func (c *Catalogue) Find(key string) (*Capability, bool) {
	if found, ok := c.capability[key]; ok {
		return found, true
	}
	if p, ok := c.byID[key]; ok {
		return &Capability{Provider: p, Key: key, Words: "Use " + p.Name}, true
	}
	return nil, false
}

// Kind finds a way to connect the provider.
func (p *Provider) Kind(t Type) (*Kind, bool) {
	for _, k := range p.Kinds {
		if k.Type == t {
			return k, true
		}
	}
	return nil, false
}

// ServedBy reports whether a connection of that type can do it.
func (c *Capability) ServedBy(t Type) bool {
	k, ok := c.Provider.Kind(t)
	if len(c.types) > 0 {
		return ok && slices.Contains(c.types, t)
	}
	return ok && !k.named
}

// Lacking returns those of the wanted scopes that the granted ones do not cover.
func (p *Provider) Lacking(granted, wanted []string) []string {
	have := map[string]bool{}
	var add func(string)
	add = func(scope string) {
		if have[scope] {
			return
		}
		have[scope] = true
		for _, implied := range p.implies[scope] {
			add(implied)
		}
	}
	for _, s := range granted {
		add(s)
	}
	var out []string
	for _, s := range wanted {
		if !have[s] && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Words says a scope to a person, by the first capability that needs it; the
// scope itself where none does.
func (p *Provider) Words(scope string) string {
	for _, c := range p.Capabilities {
		if len(c.Scopes) == 1 && c.Scopes[0] == scope {
			return c.Words
		}
	}
	return scope
}

// Names returns the environment names that a connection of the kind gives,
// sorted.
func (k *Kind) Names() []string { return slices.Sorted(maps.Keys(k.env)) }

// Gives says what an app receives, as the SDK calls it: a token that ends and is
// renewed, or credentials that stay.
func (k *Kind) Gives() string {
	if k.refreshes() {
		return "token"
	}
	return "credentials"
}

// Scoped reports whether what it may do is bounded by scopes that a person
// grants.
func (k *Kind) Scoped() bool { return k.Type == OAuth }

// refreshes reports whether it has tokens that end and are asked for anew.
func (k *Kind) refreshes() bool {
	return k.Type == OAuth || slices.ContainsFunc(slices.Collect(maps.Values(k.env)), func(s source) bool { return s == sourceToken || s == sourceCredentials })
}

// Keeps reports whether a scope only keeps the connection and names its account.
func (k *Kind) Keeps(scope string) bool { return slices.Contains(k.always, scope) }

// Host names the provider's host to which a person is led.
func (k *Kind) Host() string { return hostOf(k.authorize) }

func hostOf(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

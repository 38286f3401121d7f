package views

import "net/url"

// Integrations is what is connected, and what can be.
type Integrations struct {
	Accounts  []LinkedAccount
	Needs     []IntegrationNeed // declared by apps, and lacking
	Providers []ProviderCard
}

// LinkedAccount is a connected account.
type LinkedAccount struct {
	ID, Provider, ProviderName string
	Name, Kind                 string
	Status                     string // connected, expired or error
	Problem                    string
	Primary, Several           bool
	// Can are what apps may do with it, in words, and Other the scopes for which
	// there are none.
	Can, Other []string
	// Env are the names that apps receive.
	Env                          []string
	Connected, Refreshed, Expire Stamp
	Renews, OAuth                bool
	// Uses are the apps whose next run receives it; Stops those of them that would
	// not start without.
	Uses, Stops []AppRef
	// Adds are what it may be let do besides.
	Adds []CapabilityChoice
}

// IntegrationNeed is an integration that an app declares and lacks.
type IntegrationNeed struct {
	Key, Message, URL string
	Apps              []AppRef
}

// ProviderCard is a provider that can be connected.
type ProviderCard struct {
	ID, Name, About string
	Accounts        int
}

// IntegrationDetail is one provider: its accounts, and how one is connected.
type IntegrationDetail struct {
	ID, Name, About string
	CanEdit         bool
	// RedirectURL is what is registered at the provider.
	RedirectURL string
	// Need is what an app asked for that led here.
	Need     string
	Accounts []LinkedAccount
	Kinds    []KindForm
}

// KindForm is a way to connect an account.
type KindForm struct {
	Type, Name string
	// Docs is where the steps begin.
	Docs  string
	Steps []string
	OAuth bool
	// ClientID is that of the team's client, empty while there is none.
	ClientID string
	// Host is where a person is led.
	Host    string
	Fields  []KindField
	Choices []CapabilityChoice
	// Scopes are asked for besides, since an app declares them.
	Scopes []string
	// Open shows the form, and Errors what the last attempt came to.
	Open   bool
	Errors FieldErrors
	// Setup is what is to be set at the provider, where it trusts this server; nil
	// elsewhere.
	Setup *ProviderSetup
	// ClientErrors are of the client's form.
	ClientErrors FieldErrors
}

// KindField is one input. A sensitive one is never filled.
type KindField struct {
	Key, Label, Placeholder, Value string
	Sensitive, Long, Optional      bool
}

// CapabilityChoice is something that an app may be let do.
type CapabilityChoice struct {
	Key, Words string
	Ticked     bool
}

// Authorize leads a person to a provider.
type Authorize struct {
	Provider, ProviderID, Host, URL string
	Can, Other                      []string
}

// PastedCode is what a person carries to a command line.
type PastedCode struct{ Provider, Code string }

func integrationURL(provider string) string {
	return "/settings/integrations/" + url.PathEscape(provider)
}

func (a LinkedAccount) kind() string {
	switch a.Status {
	case "connected":
		return "ok"
	case "expired":
		return "error"
	}
	return "warning"
}

func (a LinkedAccount) words() string {
	switch a.Status {
	case "connected":
		return "connected"
	case "expired":
		return "connect again"
	}
	return "not renewed"
}

// ticked reports whether one of the choices is made.
func ticked(choices []CapabilityChoice) bool {
	for _, c := range choices {
		if c.Ticked {
			return true
		}
	}
	return false
}

// focus is the first field that was refused.
func (k KindForm) focus() string {
	for _, f := range k.Fields {
		if k.Errors.Has(f.Key) {
			return f.Key
		}
	}
	return ""
}

func (k KindForm) id(field string) string { return "kind-" + k.Type + "-" + field }

package views

import (
	"maps"
	"slices"
)

// Trusts lists the issuers whose tokens runners may exchange for credentials.
type Trusts struct {
	Rows    []TrustRow
	CanEdit bool
	Form    TrustForm
}

// TrustRow is one of them.
type TrustRow struct {
	ID, Name         string
	Issuer, Audience string
	GivenKeys        bool // the issuer is not asked for its keys
	Reuse            bool
	Conditions       []string
	Apps             []string
	LastUsed         Stamp
	LastSubject      string
	Created          Stamp
	By               string // who made it; empty for one who is no member any more
	// Snippet is what the pipeline or workload needs.
	Snippet string
}

// TrustForm adds one.
type TrustForm struct {
	Preset                          string
	Name, Issuer, Audience, JWKS    string
	Repository, Branch, Environment string
	Project, Ref                    string
	Protected                       bool
	Namespace, ServiceAccount       string
	Conditions                      string
	Apps                            []AppChoice
	Reuse                           bool
	// Site is the audience if none is named.
	Site   string
	Errors FieldErrors
}

// AppChoice is an app that may be ticked.
type AppChoice struct {
	Name   string
	Ticked bool
}

// TrustPresets are the platforms in the order in which they are offered.
var TrustPresets = []struct{ Name, Label string }{
	{"github", "GitHub Actions"}, {"gitlab", "GitLab"}, {"kubernetes", "Kubernetes"}, {"other", "Another issuer"},
}

// trustOrder is the order of the form's fields.
var trustOrder = []struct{ name, label string }{
	{"name", "Name"}, {"repository", "Repository"}, {"branch", "Branch"}, {"environment", "Environment"}, {"issuer", "Issuer"}, {"project", "Project"}, {"ref", "Branch or tag"},
	{"namespace", "Namespace"}, {"service_account", "Service account"}, {"conditions", "Conditions"}, {"jwks", "Keys of the issuer"}, {"audience", "Audience"}, {"apps", "Apps that may be run"},
}

// shows reports whether the platform's form has a field.
func (f TrustForm) shows(name string) bool {
	switch name {
	case "name", "audience", "apps":
		return true
	case "conditions":
		return f.Preset == "other" || f.Conditions != "" || f.Errors.Has(name)
	case "jwks":
		return f.Preset == "kubernetes" || f.Preset == "other"
	}
	var own []string
	switch f.Preset {
	case "github":
		own = []string{"repository", "branch", "environment"}
	case "gitlab":
		own = []string{"issuer", "project", "ref"}
	case "kubernetes":
		own = []string{"issuer", "namespace", "service_account"}
	default:
		own = []string{"issuer"}
	}
	return slices.Contains(own, name)
}

// refusedField is an error, and the id of what it is about if the form shows that.
type refusedField struct{ ID, Label, Message string }

// refused lists the errors in the form's order, and after them what is at none of
// its fields.
func (f TrustForm) refused() (out []refusedField) {
	at := map[string]bool{}
	for _, field := range trustOrder {
		if f.Errors.Has(field.name) && f.shows(field.name) {
			at[field.name] = true
			out = append(out, refusedField{ID: "trust-" + field.name, Label: field.label})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Errors)) {
		if !at[name] {
			out = append(out, refusedField{Message: f.Errors[name]})
		}
	}
	return out
}

// focus is the first field that was refused, or empty.
func (f TrustForm) focus() string {
	for _, field := range trustOrder {
		if f.Errors.Has(field.name) && f.shows(field.name) {
			return field.name
		}
	}
	return ""
}

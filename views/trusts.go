package views

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
var trustOrder = []string{"name", "repository", "branch", "environment", "issuer", "project", "ref", "namespace", "service_account", "conditions", "jwks", "audience"}

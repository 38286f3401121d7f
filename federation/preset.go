package federation

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"infsh/problem"
)

// Preset is a platform whose tokens are known.
type Preset string

const (
	GitHub     Preset = "github"
	GitLab     Preset = "gitlab"
	Kubernetes Preset = "kubernetes"
	Other      Preset = "other"
)

// Presets are all of them, in the order in which they are offered.
var Presets = []Preset{GitHub, GitLab, Kubernetes, Other}

// The issuers that many share.
const (
	githubIssuer = "https://token.actions.githubusercontent.com"
	gitlabIssuer = "https://gitlab.com"
)

// Fields are what a person says of their pipeline or workload, by name; which of
// them make sense depends on the preset.
type Fields struct {
	// Repository is owner/name or its number, of GitHub; Branch and Environment
	// narrow it.
	Repository, Branch, Environment string
	// Project is group/name or its number, of GitLab; Ref is a branch, or with
	// refs/tags/ before it a tag.
	Project, Ref string
	// Protected admits only protected branches and tags.
	Protected bool
	// Namespace and ServiceAccount are of Kubernetes.
	Namespace, ServiceAccount string
}

// How the platforms name what they host, in their addresses and tokens alike.
var (
	repositoryPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$`) })
	projectPattern    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\p{L}\p{N}_.-]+(?:/[\p{L}\p{N}_.-]+)+$`) })
)

var numberPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,18}$`) })

// conditions makes conditions of the fields. The numbers of a repository or
// project are never given to another one, its name may be.
func (p Preset) conditions(f Fields) ([]Condition, error) {
	var out []Condition
	add := func(claim, value string) {
		if value = strings.TrimSpace(value); value != "" {
			out = append(out, Condition{Claim: claim, Type: String, Values: []string{value}})
		}
	}
	switch p {
	case GitHub:
		claim := "repository"
		if numberPattern().MatchString(strings.TrimSpace(f.Repository)) {
			claim = "repository_id"
		}
		if strings.TrimSpace(f.Repository) == "" {
			return nil, problem.Invalid("repository", "which repository? Write owner/name, or its number")
		}
		if claim == "repository" && !repositoryPattern().MatchString(strings.TrimSpace(f.Repository)) {
			return nil, problem.Invalid("repository", "write owner/name, as in acme/app, or the repository's number")
		}
		add(claim, f.Repository)
		if f.Branch != "" {
			add("ref", "refs/heads/"+strings.TrimPrefix(strings.TrimSpace(f.Branch), "refs/heads/"))
		}
		add("environment", f.Environment)
	case GitLab:
		claim := "project_path"
		if numberPattern().MatchString(strings.TrimSpace(f.Project)) {
			claim = "project_id"
		}
		if strings.TrimSpace(f.Project) == "" {
			return nil, problem.Invalid("project", "which project? Write group/name, or its number")
		}
		if claim == "project_path" && !projectPattern().MatchString(strings.TrimSpace(f.Project)) {
			return nil, problem.Invalid("project", "write group/name or group/subgroup/name, as in acme/app, or the project's number")
		}
		add(claim, f.Project)
		// ref alone would also fit a tag of the branch's name, which others may push.
		if ref := strings.TrimSpace(f.Ref); strings.HasPrefix(ref, "refs/") {
			add("ref_path", ref)
		} else if ref != "" {
			add("ref_path", "refs/heads/"+ref)
		}
		if f.Protected {
			// GitLab writes it as a text.
			add("ref_protected", "true")
		}
	case Kubernetes:
		if strings.TrimSpace(f.Namespace) == "" || strings.TrimSpace(f.ServiceAccount) == "" {
			return nil, problem.Invalid("namespace", "which service account? Name its namespace and itself")
		}
		add("/kubernetes.io/namespace", f.Namespace)
		add("/kubernetes.io/serviceaccount/name", f.ServiceAccount)
	}
	return out, nil
}

// Issuer is the preset's, where it is always or usually the same.
func (p Preset) Issuer() string {
	switch p {
	case GitHub:
		return githubIssuer
	case GitLab:
		return gitlabIssuer
	}
	return ""
}

// shared are issuers that give tokens to everybody, with the claims that name the
// owner of a workload there and how a value does so. Without a condition on one
// of them a trust would admit strangers.
var shared = map[string]map[string]string{
	"token.actions.githubusercontent.com": {
		"repository": ownerFirst, "repository_id": whole, "repository_owner": whole, "repository_owner_id": whole, "sub": `^repo:[^/*:]+/`,
	},
	"gitlab.com": {
		"project_path": ownerFirst, "project_id": whole, "namespace_path": ownerOnly, "namespace_id": whole, "sub": `^project_path:[^/*:]+/`,
	},
	"agent.buildkite.com":   {"organization_slug": whole, "organization_id": whole, "sub": `^organization:[^:*]+:`},
	"app.terraform.io":      {"terraform_organization_id": whole, "terraform_organization_name": whole, "sub": `^organization:[^:*]+:`},
	"accounts.google.com":   {"sub": whole, "email": whole},
	"vstoken.dev.azure.com": {"sub": `^sc://[^/*]+/`},
	"api.bitbucket.org":     {"workspaceUuid": whole, "repositoryUuid": whole, "sub": whole},
	"oidc.circleci.com":     {"sub": `^org/[^/*]+/`, "oidc.circleci.com/project-id": whole},
	"oidc.vercel.com":       {"owner_id": whole, "owner": whole, "sub": `^owner:[^:*]+:`},
	"oidc.fly.io":           {"org_id": whole, "org_name": whole, "sub": `^[^:*]+:`},
	"oauth2.sigstore.dev":   {"sub": whole, "email": whole},
}

// How a value names an owner: as a whole, before the first slash, or by itself
// with all that belongs to it.
const (
	whole      = `^[^*]+$`
	ownerFirst = `^[^/*]+/`
	ownerOnly  = `^[^/*]+(?:/|$)`
)

// namesOwner reports whether tokens of others than one owner are kept out: always
// where the issuer is not a shared one.
func namesOwner(issuer string, conditions []Condition) (claims []string, ok bool) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, false
	}
	owners, isShared := shared[strings.ToLower(u.Hostname())]
	if !isShared {
		return nil, true
	}
	for claim := range owners {
		claims = append(claims, claim)
	}
	slices.Sort(claims)
	return claims, slices.ContainsFunc(conditions, func(c Condition) bool {
		pattern, known := owners[c.Claim]
		if !known || c.Type != String && c.Type != Number {
			return false
		}
		re := regexp.MustCompile(pattern)
		return !slices.ContainsFunc(c.Values, func(v string) bool { return !re.MatchString(v) })
	})
}

package secret

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"infsh/envvar"
	"infsh/problem"
)

// RequirementKind says what a declared key stands for.
type RequirementKind string

const (
	KindSecret      RequirementKind = "secret"
	KindIntegration RequirementKind = "integration"
)

// Requirement is one thing that an app declares. For an integration, Key is
// its name (google.sheets).
type Requirement struct {
	Kind        RequirementKind
	Key         string
	Description string
	Optional    bool
	// Secrets and Scopes belong to integrations.
	Secrets, Scopes []string
}

// GrantKey is the name under which the team decides about it. An integration by
// the mere name of its provider has one that no secret can have.
func (r Requirement) GrantKey() envvar.Key {
	if r.Kind == KindIntegration && !strings.Contains(r.Key, ".") {
		return envvar.Key(r.Key + ".*")
	}
	return envvar.Key(r.Key)
}

// Unmet is the error of a run that may not start: what is missing. No value
// goes with it.
type Unmet struct {
	// App is namespace/name.
	App, TeamName string
	Items         []Item
}

func (u *Unmet) Error() string {
	lines := make([]string, len(u.Items))
	for i, item := range u.Items {
		lines[i] = item.Message(u.TeamName)
	}
	return strings.Join(lines, " ")
}

// Is makes errors.Is(err, problem.RequirementsNotMet) true.
func (u *Unmet) Is(target error) bool { return target == problem.RequirementsNotMet }

// secretKeys returns the declared secrets' keys, each once.
func secretKeys(reqs []Requirement) []envvar.Key {
	var keys []envvar.Key
	for _, r := range reqs {
		if r.Kind == KindSecret && !slices.Contains(keys, envvar.Key(r.Key)) {
			keys = append(keys, envvar.Key(r.Key))
		}
	}
	return keys
}

// ParseRequirements checks what a client declares: names, doubles, lengths.
// Field names are those of the wire (secrets[0].key).
func ParseRequirements(reqs []Requirement) error {
	var fields []problem.Field
	seen := map[string]bool{}
	count := map[RequirementKind]int{}
	for _, r := range reqs {
		list := "secrets"
		if r.Kind == KindIntegration {
			list = "integrations"
		}
		at := fmt.Sprintf("%s[%d].", list, count[r.Kind])
		count[r.Kind]++
		if err := checkRequirementKey(r); err != nil {
			fields = append(fields, problem.Field{Name: at + "key", Message: err.Error()})
		} else if seen[list+r.Key] {
			fields = append(fields, problem.Field{Name: at + "key", Message: r.Key + " is declared twice"})
		}
		seen[list+r.Key] = true
		if _, err := parseDescription(r.Description); err != nil {
			fields = append(fields, problem.Field{Name: at + "description", Message: err.Error()})
		}
		fields = append(fields, checkNeeds(at, r)...)
	}
	if len(reqs) > MaxRequirements {
		fields = append(fields, problem.Field{Name: "secrets", Message: fmt.Sprintf("an app declares at most %d secrets and integrations", MaxRequirements)})
	}
	if len(fields) > 0 {
		return &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return nil
}

// MaxRequirements is how many secrets and integrations one app may declare.
const MaxRequirements = 256

func checkRequirementKey(r Requirement) error {
	if r.Kind == KindIntegration {
		return checkIntegrationName(r.Key)
	}
	key, err := envvar.ParseKey(r.Key)
	if err != nil {
		return err
	}
	// A risky name was acknowledged when it was set; a refused one never was.
	return key.Permit(true)
}

// MaxNeeds is how many secrets, and as many scopes, one integration may name.
const MaxNeeds = 64

// checkNeeds checks what an integration names: secrets, and scopes as RFC 6749,
// section 3.3, writes them.
func checkNeeds(at string, r Requirement) (fields []problem.Field) {
	fail := func(name, message string) { fields = append(fields, problem.Field{Name: at + name, Message: message}) }
	if len(r.Secrets) > MaxNeeds {
		fail("secrets", fmt.Sprintf("an integration names at most %d secrets", MaxNeeds))
	}
	for i, s := range r.Secrets {
		if key, err := envvar.ParseKey(s); err != nil {
			fail(fmt.Sprintf("secrets[%d]", i), err.Error())
		} else if err := key.Permit(true); err != nil {
			fail(fmt.Sprintf("secrets[%d]", i), err.Error())
		}
	}
	if len(r.Scopes) > MaxNeeds {
		fail("scopes", fmt.Sprintf("an integration names at most %d scopes", MaxNeeds))
	}
	for i, s := range r.Scopes {
		if !scopePattern().MatchString(s) {
			fail(fmt.Sprintf("scopes[%d]", i), "a scope has 1 to 256 printing ASCII characters, without spaces, quotes and backslashes")
		}
	}
	return fields
}

var scopePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,256}$`) })

func checkIntegrationName(s string) error {
	if len(s) == 0 || len(s) > 128 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}) {
		return fmt.Errorf("an integration's name has lower-case letters, digits, dots, dashes and underscores, like google.sheets")
	}
	return nil
}

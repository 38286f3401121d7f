package secret

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

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

// State is how a requirement stands in a team.
type State string

const (
	Set             State = "set"
	Missing         State = "missing"
	MissingOptional State = "missing_optional"
	// Unavailable is an integration, which this release can't connect yet.
	Unavailable State = "unavailable"
)

// NearMiss is a key that is set and may be the one that was meant. Team is the
// other team of the caller in which the very key is set, else empty.
type NearMiss struct {
	Key    envvar.Key
	Reason string
	Team   string
}

// Item is one requirement held against a team's secrets.
type Item struct {
	Requirement
	State   State
	Version int64
	// StagedVersion is set where the only versions of a missing secret are
	// staged ones: the newest of them.
	StagedVersion int64
	NearMisses    []NearMiss
}

// Required reports whether the item keeps the app from running.
func (i Item) Blocks() bool {
	return !i.Optional && i.State != Set
}

// Message says what is wrong and why, in sentences.
func (i Item) Message(teamName string) string {
	var b strings.Builder
	if i.StagedVersion > 0 {
		return fmt.Sprintf("%s is not in use in team %s yet: its version %d is staged. Activate it.", i.Key, teamName, i.StagedVersion)
	}
	switch i.State {
	case Set:
		return fmt.Sprintf("%s is set.", i.Key)
	case Unavailable:
		return fmt.Sprintf("%s is an integration; this release can't connect integrations yet.", i.Key)
	case MissingOptional:
		fmt.Fprintf(&b, "%s is optional and not set in team %s.", i.Key, teamName)
	default:
		fmt.Fprintf(&b, "%s is required and not set in team %s.", i.Key, teamName)
	}
	for _, near := range i.NearMisses {
		if near.Team != "" {
			fmt.Fprintf(&b, " It is set in your team %s, and this run uses %s.", near.Team, teamName)
			continue
		}
		fmt.Fprintf(&b, " %s is set (%s).", near.Key, near.Reason)
	}
	return b.String()
}

// ActionURL is where a person fixes the item, relative to the public URL: the
// page's Add dialog, filled in, or the history of a secret that is staged.
func (i Item) ActionURL() string {
	if i.Kind == KindIntegration {
		return "/settings/integrations"
	}
	if i.StagedVersion > 0 {
		return "/settings/secrets/" + url.PathEscape(i.Key)
	}
	q := "/settings/secrets?add=" + url.QueryEscape(i.Key)
	if i.Description != "" {
		q += "&description=" + url.QueryEscape(i.Description)
	}
	return q
}

// evaluate is the resolver's decision: it holds what is declared against what
// is set. The check and the resolution both use it, so they can't differ.
func evaluate(declared []Requirement, held map[envvar.Key]Held) []Item {
	items := make([]Item, 0, len(declared))
	for _, req := range declared {
		item := Item{Requirement: req}
		switch h, ok := held[envvar.Key(req.Key)]; {
		case req.Kind != KindSecret:
			item.State = Unavailable
		case ok:
			item.State, item.Version = Set, h.Version
		case req.Optional:
			item.State = MissingOptional
		default:
			item.State = Missing
		}
		items = append(items, item)
	}
	return items
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
		if !scopePattern.MatchString(s) {
			fail(fmt.Sprintf("scopes[%d]", i), "a scope has 1 to 256 printing ASCII characters, without spaces, quotes and backslashes")
		}
	}
	return fields
}

var scopePattern = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,256}$`)

func checkIntegrationName(s string) error {
	if len(s) == 0 || len(s) > 128 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}) {
		return fmt.Errorf("an integration's name has lower-case letters, digits, dots, dashes and underscores, like google.sheets")
	}
	return nil
}

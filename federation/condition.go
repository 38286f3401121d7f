package federation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a trust's conditions.
const (
	maxConditions = 16
	maxValues     = 32
	maxClaim      = 256
	maxValue      = 512
)

// Type is what a claim must be in the token's JSON: a number or a boolean never
// equals a text that looks like it.
type Type string

const (
	String  Type = "string"
	Boolean Type = "boolean"
	Number  Type = "number"
)

// Condition is fulfilled by a token whose claim is one of the values.
type Condition struct {
	// Claim is the name of a claim, or a JSON pointer (RFC 6901) to a member of one:
	// /kubernetes.io/namespace.
	Claim string `json:"claim"`
	Type  Type   `json:"type"`
	// Values are compared exactly. A string may end with * after a colon or a slash,
	// and then stands for all that goes on there.
	Values []string `json:"values"`
}

var integerPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,14})$`) })

// check says what makes no sense in a condition.
func (c Condition) check() error {
	if _, err := c.path(); err != nil {
		return err
	}
	if len(c.Values) == 0 || len(c.Values) > maxValues {
		return fmt.Errorf("the condition on %s needs between 1 and %d values", c.Claim, maxValues)
	}
	for _, v := range c.Values {
		if err := c.Type.check(v); err != nil {
			return fmt.Errorf("the condition on %s: %w", c.Claim, err)
		}
	}
	return nil
}

func (t Type) check(v string) error {
	switch t {
	case Boolean:
		if v != "true" && v != "false" {
			return fmt.Errorf("a boolean is true or false")
		}
	case Number:
		if !integerPattern().MatchString(v) {
			return fmt.Errorf("a number is a whole one of at most 15 digits")
		}
	case String:
		if !plain(v, maxValue) {
			return fmt.Errorf("a value is one line of 1 to %d bytes without spaces at its ends", maxValue)
		}
		star := strings.Index(v, "*")
		if star < 0 {
			return nil
		}
		// Without a separator before it, repo:acme* would fit acme-evil too.
		if star != len(v)-1 || star < 2 || v[star-1] != ':' && v[star-1] != '/' {
			return fmt.Errorf("a * stands only at the end of a value, after a colon or a slash, as in repo:acme/*")
		}
	default:
		return fmt.Errorf("the type is string, boolean or number")
	}
	return nil
}

// plain reports whether a text can be compared and shown: one line, valid, and
// with nothing at its ends that nobody sees.
func plain(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) })
}

// path returns the names that lead to the claim.
func (c Condition) path() ([]string, error) {
	if !plain(c.Claim, maxClaim) {
		return nil, fmt.Errorf("a claim is named by 1 to %d bytes on one line", maxClaim)
	}
	if !strings.HasPrefix(c.Claim, "/") {
		return []string{c.Claim}, nil
	}
	steps := strings.Split(c.Claim[1:], "/")
	for i, s := range steps {
		// RFC 6901, section 4: a tilde is written ~0, a slash ~1.
		rest := strings.ReplaceAll(strings.ReplaceAll(s, "~0", ""), "~1", "")
		if s == "" || strings.Contains(rest, "~") {
			return nil, fmt.Errorf("%s is no JSON pointer to a claim", c.Claim)
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	return steps, nil
}

// fits reports whether the claims fulfil the condition. A claim that is missing,
// null, a list or an object fulfils none.
func (c Condition) fits(claims Claims) bool {
	path, err := c.path()
	if err != nil {
		return false
	}
	raw, ok := claims.at(path)
	if !ok {
		return false
	}
	switch kind := raw.Kind(); {
	case c.Type == String && kind == '"':
		text, ok := textOf(raw)
		return ok && slices.ContainsFunc(c.Values, func(v string) bool { return fitsText(v, text) })
	case c.Type == Boolean && (kind == 't' || kind == 'f'), c.Type == Number && kind == '0':
		return slices.Contains(c.Values, string(raw))
	}
	return false
}

func fitsText(value, text string) bool {
	if prefix, ok := strings.CutSuffix(value, "*"); ok {
		return len(text) > len(prefix) && strings.HasPrefix(text, prefix)
	}
	return value == text
}

func textOf(raw jsontext.Value) (string, bool) {
	b, err := jsontext.AppendUnquote(nil, raw)
	return string(b), err == nil
}

// words say what was expected, for the team's activity.
func (c Condition) words() string {
	values := strings.Join(c.Values, " or ")
	if len(values) > maxTold {
		values = values[:maxTold] + "…"
	}
	return fmt.Sprintf("the claim %s is not %s", c.Claim, strings.ToValidUTF8(values, ""))
}

// ParseConditions reads conditions that a person has typed, one a line: claim =
// value for a text, claim := true for a boolean or a number. A claim that stands
// there again has a further allowed value.
func ParseConditions(text string) ([]Condition, error) {
	var out []Condition
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		claim, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("write a condition on each line, as claim = value")
		}
		value, t := strings.TrimSpace(value), String
		if typed, ok := strings.CutSuffix(claim, ":"); ok {
			if claim, t = typed, Number; value == "true" || value == "false" {
				t = Boolean
			}
		}
		out = addCondition(out, strings.TrimSpace(claim), t, value)
	}
	return out, nil
}

func addCondition(all []Condition, claim string, t Type, value string) []Condition {
	for i := range all {
		if all[i].Claim == claim && all[i].Type == t {
			all[i].Values = append(all[i].Values, value)
			return all
		}
	}
	return append(all, Condition{Claim: claim, Type: t, Values: []string{value}})
}

package manifest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maybeBoolean are the words that YAML 1.1 reads as true or false and YAML 1.2
// as text. Which of the two a reader gets depends on its library, so here such
// a word needs quotes.
var maybeBoolean = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true}

// text reads a value that YAML of every version takes for text.
func (r reader) text(field string, n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", r.errorf(n.Line, "%s is %s; it must be text", field, kindOf(n))
	}
	switch n.ShortTag() {
	case "!!str":
		const marked = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle | yaml.TaggedStyle
		if n.Style&marked == 0 && maybeBoolean[strings.ToLower(n.Value)] {
			return "", r.errorf(n.Line, "%s: %s can mean true or false in YAML; if text is meant, put it in quotes: %s: %q", field, n.Value, field, n.Value)
		}
	case "!!null":
		if n.Value != "" {
			return "", r.errorf(n.Line, "%s: %s means no value in YAML; if text is meant, put it in quotes", field, quote(n.Value))
		}
		return "", r.errorf(n.Line, "%s has no value", field)
	case "!!bool", "!!int", "!!float", "!!timestamp":
		return "", r.errorf(n.Line, "%s: %s is %s in YAML; if text is meant, put it in quotes", field, quote(n.Value), kindOf(n))
	default:
		return "", r.errorf(n.Line, "%s is %s; it must be text", field, kindOf(n))
	}
	// Only an escape in double quotes brings one past checkText.
	for _, c := range n.Value {
		if isControl(c) {
			return "", r.errorf(n.Line, "%s contains the control character %U; delete it", field, c)
		}
	}
	return n.Value, nil
}

// requiredText reads a field that item must have.
func (r reader) requiredText(item *yaml.Node, field string, n *yaml.Node) (string, error) {
	if n == nil {
		return "", r.errorf(item.Line, "the entry has no %q", field)
	}
	return r.text(field, n)
}

// description reads text for people, "" where there is none.
func (r reader) description(n *yaml.Node, most int) (string, error) {
	if n == nil || isNull(n) {
		return "", nil
	}
	s, err := r.text("description", n)
	if err != nil {
		return "", err
	}
	if utf8.RuneCountInString(s) > most {
		return "", r.errorf(n.Line, "the description is longer than %d characters; shorten it", most)
	}
	return s, nil
}

// optional reads true or false, false where the field is absent. Text such as
// "false" is refused: somewhere it would be taken for true.
func (r reader) optional(n *yaml.Node) (bool, error) {
	if n == nil {
		return false, nil
	}
	var value bool
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&value) != nil {
		shown := kindOf(n)
		// A longer text may be a value that stands in the wrong place.
		const longest = len("false")
		if n.Kind == yaml.ScalarNode && n.Value != "" && len(n.Value) <= longest {
			shown = quote(n.Value)
		}
		return false, r.errorf(n.Line, "optional is %s; write true or false, without quotes", shown)
	}
	return value, nil
}

// items gives the entries of a list, none where there is no list.
func (r reader) items(field string, n *yaml.Node) ([]*yaml.Node, error) {
	if n == nil || isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, r.errorf(n.Line, "%s is %s; it must be a list, with a line that starts with a hyphen for each entry", field, kindOf(n))
	}
	return n.Content, nil
}

// secretNames reads the names of variables that belong to an integration.
func (r reader) secretNames(n *yaml.Node) ([]string, error) {
	return r.texts("secrets", n, func(item *yaml.Node, s string) error {
		_, err := r.envKey(item.Line, s)
		return err
	})
}

// scopes reads the permissions that an integration asks for. RFC 6749, section
// 3.3, makes them visible ASCII without quotes and backslashes.
func (r reader) scopes(n *yaml.Node) ([]string, error) {
	return r.texts("scopes", n, func(item *yaml.Node, s string) error {
		const longest = 256
		bad := func(c rune) bool { return c <= ' ' || c >= unicode.MaxASCII || c == '"' || c == '\\' }
		if s == "" || len(s) > longest || strings.ContainsFunc(s, bad) {
			return r.errorf(item.Line, "%s is not a scope; use 1 to %d letters, digits and signs, without spaces", quote(s), longest)
		}
		return nil
	})
}

// texts reads a list of texts, each of which check accepts and none twice.
func (r reader) texts(field string, n *yaml.Node, check func(*yaml.Node, string) error) ([]string, error) {
	items, err := r.items(field, n)
	if err != nil {
		return nil, err
	}
	if len(items) > MaxScopes {
		return nil, r.errorf(n.Line, "%s has more than %d entries", field, MaxScopes)
	}
	var texts []string
	seen := map[string]bool{}
	for _, item := range items {
		s, err := r.text("the entry of "+field, item)
		if err != nil {
			return nil, err
		}
		if err := check(item, s); err != nil {
			return nil, err
		}
		if seen[s] {
			return nil, r.errorf(item.Line, "%s stands twice in %s; delete one of the two", quote(s), field)
		}
		seen[s] = true
		texts = append(texts, s)
	}
	return texts, nil
}

package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// syntaxTree reads a file as one YAML document whose root is a mapping. It
// works on nodes, not on values, because only nodes know their lines, whether
// a word stood in quotes, and that a key occurs twice.
func (r reader) syntaxTree(data []byte) (*yaml.Node, error) {
	if err := r.checkText(data); err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))

	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, r.errorf(1, "the file is empty; it needs at least a line such as \"name: my-app\"")
	} else if err != nil {
		return nil, r.syntaxError(err, data)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, r.errorf(second.Line, "a second document starts here; a manifest is one document, so delete the line \"---\" and what doesn't belong to this app")
	} else if !errors.Is(err, io.EOF) {
		return nil, r.syntaxError(err, data)
	}

	root := document.Content[0]
	if isNull(root) {
		return nil, r.errorf(1, "the file is empty; it needs at least a line such as \"name: my-app\"")
	}
	if err := r.checkTree(root); err != nil {
		return nil, err
	}
	if root.Kind != yaml.MappingNode {
		return nil, r.errorf(root.Line, "the file is %s; it must consist of fields such as \"name: my-app\"", kindOf(root))
	}
	return root, nil
}

// checkText refuses what no text file has, before YAML makes something of it.
func (r reader) checkText(data []byte) error {
	if len(data) > MaxBytes {
		return r.errorf(1, "the file is larger than %d KiB", MaxBytes>>10)
	}
	line := 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		switch {
		case c == '\n':
			line++
		case c == utf8.RuneError && size == 1:
			return r.errorf(line, "the line is not valid UTF-8 text; save the file as UTF-8")
		case isControl(c):
			return r.errorf(line, "the line contains the control character %U; delete it", c)
		}
		i += size
	}
	return nil
}

func isControl(c rune) bool {
	return unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t'
}

// checkTree looks through the whole file, also at fields of others, for what
// makes two readers of one file see different things.
//
// Aliases (*name) and merge keys (<<) are refused altogether, not bounded: a
// manifest is short, none of the published ones uses them, and without them
// every secret that an app gets stands in the file, on a line of its own. That
// also does away with files that expand to gigabytes.
func (r reader) checkTree(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return r.errorf(n.Line, "*%s refers to another place in the file; write out what is meant", n.Value)
	}
	if n.Kind == yaml.MappingNode {
		if err := r.checkFields(n); err != nil {
			return err
		}
	}
	for _, child := range n.Content {
		if err := r.checkTree(child); err != nil {
			return err
		}
	}
	return nil
}

func (r reader) checkFields(mapping *yaml.Node) error {
	lineOf := map[string]int{}
	for i := 0; i < len(mapping.Content); i += 2 {
		field := mapping.Content[i]
		if field.Kind != yaml.ScalarNode {
			continue
		}
		if field.ShortTag() == "!!merge" {
			return r.errorf(field.Line, "\"<<\" merges another place of the file; write out what is meant")
		}
		if first, twice := lineOf[field.Value]; twice {
			return r.errorf(field.Line, "%s stands here for the second time, after line %d; delete one of the two", quote(field.Value), first)
		}
		lineOf[field.Value] = field.Line
	}
	return nil
}

var yamlMessage = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)\Ayaml: (?:line ([0-9]+): )?(.*)\z`) })

// syntaxMessages explains the usual messages of the YAML library. Those of its
// parser, in contrast to its scanner, count lines from 0.
var syntaxMessages = map[string]struct {
	fromParser bool
	plain      string
}{
	"did not find expected key":                      {true, "this line does not continue what stands above; check its indentation, and that it has a colon"},
	"did not find expected '-' indicator":            {true, "this line does not continue the list above; check its indentation"},
	"did not find expected ',' or ']'":               {true, "a list in [brackets] is not closed, or lacks a comma"},
	"did not find expected ',' or '}'":               {true, "fields in {braces} are not closed, or lack a comma"},
	"did not find expected node content":             {true, "something is missing here; check brackets, braces and commas"},
	"did not find expected <document start>":         {true, "this line belongs to nothing; a manifest consists of fields such as \"name: my-app\""},
	"mapping values are not allowed in this context": {false, "a colon is out of place; check the indentation, and put text with a colon in quotes"},
	"could not find expected ':'":                    {false, "a colon is missing after the name of a field"},
	"found character that cannot start any token":    {false, "text that starts with @, % or a backtick needs quotes"},
	"found unexpected end of stream":                 {false, "a quote is never closed"},
}

// syntaxError turns an error of the YAML library into one with a line of its
// own and, for the usual causes, what to look for.
func (r reader) syntaxError(err error, data []byte) error {
	line, msg := 1, err.Error()
	if m := yamlMessage().FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = m[2]
	}
	explained, known := syntaxMessages[msg]
	if explained.fromParser {
		line++
	}
	line = min(max(line, 1), countLines(data))

	if tab := lineIndentedByTab(data); tab > 0 && tab <= line+1 {
		return r.errorf(tab, "the line is indented with a tab; YAML wants spaces")
	}
	if known {
		return r.errorf(line, "this is not YAML: %s", explained.plain)
	}
	return r.errorf(line, "this is not YAML: %s", quoteUnprintable(msg))
}

// countLines counts lines as editors do: a final line break starts none.
func countLines(data []byte) int {
	return bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) + 1
}

// lineIndentedByTab gives the first line whose indentation has a tab, or 0.
func lineIndentedByTab(data []byte) int {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		indentation := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if bytes.IndexByte(indentation, '\t') >= 0 && len(bytes.TrimSpace(text)) > 0 {
			return line
		}
	}
	return 0
}

// quoteUnprintable leaves a message of the YAML library as it is, unless it
// repeats something unprintable from the file.
func quoteUnprintable(msg string) string {
	if strings.ContainsFunc(msg, func(c rune) bool { return c < ' ' || c > '~' }) || len(msg) > 200 {
		return quote(msg)
	}
	return msg
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindOf names what stands in the place of something else.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of fields"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!str":
		return "text"
	}
	return fmt.Sprintf("a value with the tag %s", quote(n.ShortTag()))
}

package envvar

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"infsh/redact"
)

// MaxDotenvBytes is the size of the largest .env file that is read.
const MaxDotenvBytes = 4 << 20

// Pair is one assignment of a .env file.
type Pair struct {
	Line  int // of the name, from 1
	Key   Key
	Value redact.Value
	// Heading is the line [name] that it stands under, and Left tells that it has no
	// value; both in a sheet alone.
	Heading string
	Left    bool
}

// DotenvError says what is wrong with a .env file. It names the line, from 1,
// and never shows a value, nor text that could be part of one.
type DotenvError struct {
	Line int
	Msg  string
}

func (e *DotenvError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// ParseDotenv reads assignments in the order of the file. It is literal:
// nothing is expanded, neither $NAME nor $(command), so that what is stored is
// what stands in the file. The dialects of .env differ; this one takes
//
//   - KEY=value, with white space around the equals sign and "export" before it;
//   - empty lines, and comments: a # that starts a line, or that follows white
//     space after an unquoted or quoted value;
//   - unquoted values, up to the end of the line, without white space at the
//     ends; quotes and backslashes within are ordinary characters;
//   - 'single quotes', which may span lines and know no escapes;
//   - "double quotes", which may span lines and in which \n, \r, \t, \", \\, \$
//     and \` are escapes; any other backslash is kept.
//
// Line breaks may be LF or CRLF, and are LF in values that span lines. A byte
// order mark is skipped. A value must pass ParseValue; a key that occurs twice
// is an error. Whether a key is permitted is for the caller to ask.
//
// A failure to parse is a *DotenvError; other errors come from r.
func ParseDotenv(r io.Reader) ([]Pair, error) {
	d, err := readDotenv(r)
	if err != nil {
		return nil, err
	}
	pairs, wrong := d.pairs(1)
	if len(wrong) > 0 {
		return nil, wrong[0]
	}
	return pairs, nil
}

// maxWrong bounds what is told of a file that is none.
const maxWrong = 100

// LookAtDotenv reads as ParseDotenv does, and goes on after a line that is
// wrong, so that all of them can be told at once, up to a hundred. Nothing of
// such a file is to be stored: what follows a wrong line may be a part of a value.
func LookAtDotenv(r io.Reader) ([]Pair, []*DotenvError, error) {
	d, err := readDotenv(r)
	if err != nil {
		return nil, nil, err
	}
	pairs, wrong := d.pairs(maxWrong)
	return pairs, wrong, nil
}

// LookAtSheet reads what is typed to change secrets of several places: as
// LookAtDotenv does, with two things more. A line [name] heads the assignments of
// one place, each with keys of its own. An assignment without a value leaves what is
// there.
func LookAtSheet(r io.Reader) ([]Pair, []*DotenvError, error) {
	d, err := readDotenv(r)
	if err != nil {
		return nil, nil, err
	}
	d.sheet = true
	pairs, wrong := d.pairs(maxWrong)
	return pairs, wrong, nil
}

func readDotenv(r io.Reader) (*dotenv, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxDotenvBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the .env file: %w", err)
	}
	if len(data) > MaxDotenvBytes {
		return nil, &DotenvError{1, fmt.Sprintf("the file is larger than %d MiB", MaxDotenvBytes>>20)}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if err := checkText(text); err != nil {
		return nil, err
	}
	return &dotenv{rest: strings.ReplaceAll(text, "\r\n", "\n"), line: 1}, nil
}

func checkText(text string) error {
	line := 1
	for i, r := range text {
		switch r {
		case '\n':
			line++
		case 0:
			return &DotenvError{line, "the line contains a NUL byte; is this a text file?"}
		case utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return &DotenvError{line, "the line is not valid UTF-8 text; save the file as UTF-8"}
			}
		}
	}
	return nil
}

// dotenv is the state of the parser: the text still to be read, and the line
// on which it starts.
type dotenv struct {
	rest string
	line int
	// done says that the statement was read up to the end of its last line.
	done bool
	// open is a quote that is never closed: no line after it can be told.
	open bool
	// doubt says that a line before may have been a part of a value, and so may
	// the next ones.
	doubt bool
	// sheet allows headings, of which heading is the last one, and empty values.
	sheet   bool
	heading string
}

// pairs reads to the end, or until so many lines are wrong.
func (d *dotenv) pairs(most int) (pairs []Pair, wrong []*DotenvError) {
	type place struct {
		heading string
		key     Key
	}
	lineOf := map[place]int{}
	for d.rest != "" && len(wrong) < most && !d.open {
		d.done = false
		p, err := d.statement()
		first, twice := lineOf[place{p.Heading, p.Key}]
		switch {
		case err != nil:
			wrong = append(wrong, err)
			if !d.done {
				d.skipLine()
			}
		case p.Key == "":
		case twice:
			wrong = append(wrong, &DotenvError{p.Line, fmt.Sprintf("%s is set already on line %d; delete one of the two lines", p.Key, first)})
		default:
			lineOf[place{p.Heading, p.Key}] = p.Line
			pairs = append(pairs, p)
		}
	}
	return pairs, wrong
}

// statement reads one assignment, or an empty or comment line, for which it
// returns the zero Pair.
func (d *dotenv) statement() (Pair, *DotenvError) {
	line := d.line
	text, _, _ := strings.Cut(d.rest, "\n")
	if lead := strings.TrimLeft(text, blanks); lead == "" || lead[0] == '#' {
		d.skipLine()
		return Pair{}, nil
	}
	if name, ok := heading(text); d.sheet && ok {
		d.heading = name
		d.skipLine()
		return Pair{}, nil
	}
	name, _, ok := strings.Cut(text, "=")
	if !ok {
		d.doubt = true
		return Pair{}, &DotenvError{line, "the line has no \"=\"; write KEY=value, and put a value of several lines in quotes"}
	}
	d.rest = d.rest[len(name)+1:]

	name = strings.Trim(name, blanks)
	if after, ok := strings.CutPrefix(name, "export"); ok && after != "" && strings.ContainsRune(blanks, rune(after[0])) {
		name = strings.TrimLeft(after, blanks)
	}
	key, err := ParseKey(name)
	if err != nil || d.doubt && !usual(name) {
		d.doubt = true
		// ParseKey would quote the name, but here it may be a line of a value.
		return Pair{}, &DotenvError{line, "what stands before \"=\" is not a name (letters A-Z and a-z, digits and underscores, no digit first); write KEY=value, and put a value of several lines in quotes"}
	}

	raw, wrong := d.value(key)
	if wrong != nil {
		return Pair{}, wrong
	}
	if d.sheet && raw == "" {
		return Pair{Line: line, Key: key, Heading: d.heading, Left: true}, nil
	}
	value, err := ParseValue(raw, false)
	var invalid *ValueError
	if errors.As(err, &invalid) {
		msg := fmt.Sprintf("%s: %s; %s", key, invalid.Problem, invalid.Remedy)
		if invalid.Verbatim {
			msg += fmt.Sprintf(", or set it on its own with infsh secrets set %s --verbatim", key)
		}
		return Pair{}, &DotenvError{line, msg}
	}
	return Pair{Line: line, Key: key, Value: value, Heading: d.heading}, nil
}

// heading reads a line [name].
func heading(line string) (name string, ok bool) {
	name, ok = strings.CutPrefix(strings.Trim(cutComment(line), blanks), "[")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "]")
	return strings.Trim(name, blanks), ok
}

// blanks are the characters that may surround names and values on a line. A
// CR that is not part of a CRLF is none of them: it belongs to the value, which
// is then refused if it stands at its end.
const blanks = " \t"

// value reads the value after the equals sign, and the rest of its last line.
func (d *dotenv) value(key Key) (string, *DotenvError) {
	afterEquals := d.rest
	d.rest = strings.TrimLeft(d.rest, blanks)
	if d.rest == "" {
		return "", nil
	}
	switch quote := d.rest[0]; quote {
	case '\'', '"':
		return d.quoted(key, quote)
	case '`':
		d.doubt = true
		return "", &DotenvError{d.line, fmt.Sprintf("%s: the value starts with a backtick; put it in 'single' or \"double\" quotes", key)}
	}
	text, _, _ := strings.Cut(afterEquals, "\n")
	d.skipLine()
	return strings.Trim(cutComment(text), blanks), nil
}

// cutComment removes a comment: from a # that follows white space.
func cutComment(text string) string {
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && strings.IndexByte(blanks, text[i-1]) >= 0 {
			return text[:i]
		}
	}
	return text
}

// quoted reads a value in quotes, of which the opening one comes next.
func (d *dotenv) quoted(key Key, quote byte) (string, *DotenvError) {
	opened := d.line
	var value strings.Builder
	for i := 1; i < len(d.rest); i++ {
		switch c := d.rest[i]; {
		case c == quote:
			d.rest = d.rest[i+1:]
			return value.String(), d.endOfLine(key)
		case c == '\\' && quote == '"' && i+1 < len(d.rest) && unescape(d.rest[i+1]) != 0:
			i++
			value.WriteByte(unescape(d.rest[i]))
		default:
			if c == '\n' {
				d.line++
			}
			value.WriteByte(c)
		}
	}
	d.open = true
	return "", &DotenvError{opened, fmt.Sprintf("%s: the quote that opens here is never closed", key)}
}

// unescape gives what a backslash and c stand for in double quotes, or 0.
func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '"', '\\', '$', '`':
		return c
	}
	return 0
}

// endOfLine skips what may follow a closing quote: white space and a comment.
func (d *dotenv) endOfLine(key Key) *DotenvError {
	text, _, _ := strings.Cut(d.rest, "\n")
	after := strings.TrimLeft(text, blanks)
	if after != "" && (after[0] != '#' || after == text) {
		return &DotenvError{d.line, fmt.Sprintf("%s: text follows the closing quote; put the whole value in quotes, and escape quotes within", key)}
	}
	d.skipLine()
	return nil
}

// skipLine moves to the start of the next line.
func (d *dotenv) skipLine() {
	_, d.rest, _ = strings.Cut(d.rest, "\n")
	d.line++
	d.done = true
}

// usual reports whether a name is spelled as those of environment variables are,
// which no line of a key in base64 is.
func usual(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') })
}

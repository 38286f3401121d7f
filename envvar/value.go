package envvar

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"infsh/redact"
)

// MaxValueBytes is the size of the largest value. Linux allows 131,071 bytes
// for NAME=VALUE (MAX_ARG_STRLEN); half of that leaves room for encodings.
const MaxValueBytes = 65536

// ValueError says why a value can't be stored, and never shows any of it.
type ValueError struct {
	// Problem is what is wrong, as a clause without the remedy.
	Problem string
	// Remedy is what to do about it, as a clause.
	Remedy string
	// Verbatim reports that the value would be accepted as it is with
	// verbatim, because only white space at its ends is in the way.
	Verbatim bool
}

func (e *ValueError) Error() string {
	if e.Verbatim {
		return e.Problem + "; " + e.Remedy + ", or keep it as it is with --verbatim (in the page: Keep exactly as typed)"
	}
	return e.Problem + "; " + e.Remedy
}

// ParseValue accepts 1 to MaxValueBytes bytes of UTF-8 text without NUL, and
// keeps them byte for byte. Unless verbatim, it refuses white space, invisible
// characters and control characters at either end, which are nearly always an
// accident of copying; a value of several lines may end with one line break,
// as a PEM file does. A failure is a *ValueError.
func ParseValue(s string, verbatim bool) (redact.Value, error) {
	if err := checkValue(s, verbatim); err != nil {
		return redact.Value{}, err
	}
	return redact.NewValue(s), nil
}

func checkValue(s string, verbatim bool) error {
	switch {
	case s == "":
		return &ValueError{Problem: "the value is empty", Remedy: "give one of at least one character"}
	case len(s) > MaxValueBytes:
		return &ValueError{Problem: fmt.Sprintf("the value is larger than %d bytes", MaxValueBytes), Remedy: "store a smaller one, such as the address of a file"}
	case strings.ContainsRune(s, 0):
		return &ValueError{Problem: "the value contains a NUL byte, which no environment variable can hold", Remedy: "encode it first, for example as base64"}
	case !utf8.ValidString(s):
		return &ValueError{Problem: "the value is not valid UTF-8 text", Remedy: "encode it first, for example as base64"}
	case verbatim:
		return nil
	}
	return checkEnds(s)
}

func checkEnds(s string) error {
	body := s
	if several, rest := trimFinalBreak(s); several {
		body = rest
	}
	if strings.TrimFunc(body, isBlank) == "" {
		return &ValueError{Problem: "the value consists only of white space or invisible characters", Remedy: "give the value itself", Verbatim: true}
	}
	if first, _ := utf8.DecodeRuneInString(body); isBlank(first) {
		return &ValueError{Problem: "the value starts with " + nameOf(first), Remedy: "remove it", Verbatim: true}
	}
	if last, _ := utf8.DecodeLastRuneInString(body); isBlank(last) {
		what := nameOf(last)
		if body != s {
			what = "an empty line or white space on its last line"
		}
		return &ValueError{Problem: "the value ends with " + what, Remedy: "remove it", Verbatim: true}
	}
	return nil
}

// trimFinalBreak removes one final line break, LF or CRLF, and reports whether
// what is left still has several lines.
func trimFinalBreak(s string) (several bool, rest string) {
	rest, found := strings.CutSuffix(s, "\n")
	if !found {
		return false, s
	}
	rest = strings.TrimSuffix(rest, "\r")
	return strings.Contains(rest, "\n"), rest
}

// isBlank reports whether r at the end of a value would be overlooked: Unicode
// white space, control characters, format characters (category Cf: zero-width
// spaces and joiners, direction marks, the byte order mark) and the letters
// that fonts draw as nothing.
func isBlank(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

func nameOf(r rune) string {
	switch r {
	case ' ':
		return "a space"
	case '\t':
		return "a tab"
	case '\n', '\r', '\u0085', '\u2028', '\u2029':
		return "a line break"
	case '\u00a0':
		return "a no-break space (U+00A0)"
	case '\u200b':
		return "a zero-width space (U+200B)"
	case '\ufeff':
		return "a byte order mark (U+FEFF)"
	}
	if unicode.IsControl(r) {
		return fmt.Sprintf("a control character (%U)", r)
	}
	return fmt.Sprintf("an invisible character (%U)", r)
}

// FromStdin takes what was read from standard input to the value that was
// meant: one line break, LF or CRLF, at the end of a single line is the
// terminal's or echo's and is removed; several lines are kept as they are.
func FromStdin(s string) string {
	if several, rest := trimFinalBreak(s); !several {
		return rest
	}
	return s
}

// FromForm takes a field of a web form to the value that was meant. Browsers
// send CRLF for the line breaks of a textarea (HTML Standard, form control
// infrastructure) and scripts send LF, so all line breaks become LF first.
func FromForm(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return FromStdin(s)
}

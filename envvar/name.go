// Package envvar says what may become an environment variable of a child
// process: which names, which values, and how a .env file is read.
//
// It also helps people who got a name wrong: Key.Advice proposes a better one,
// and NearMisses finds what they probably meant.
package envvar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxKeyLength is the length of the longest name, in bytes (which are
// characters, since a name is ASCII).
const MaxKeyLength = 128

// Key is the name of an environment variable that ParseKey accepted. It holds
// only ASCII letters, digits and underscores, so it can be printed anywhere.
// Keys that differ in case are different keys, as on every Unix.
type Key string

// NameError says why a name can't be used. Its text is one or two clauses for
// a person and is inert: printable ASCII, whatever the name was.
type NameError struct {
	// Key is the name, if it is well-formed; else it is empty.
	Key Key
	// Risk is Refused or Risky where a well-formed name was turned down by
	// Permit, and Ordinary where the name is malformed.
	Risk Risk
	// Reason is the text of the error.
	Reason string
}

func (e *NameError) Error() string { return e.Reason }

// ParseKey accepts a name that matches ^[A-Za-z_][A-Za-z0-9_]{0,127}$ and is no
// API key of this program. That is
// the form of POSIX.1-2017, section 8.1, with lower case, and the only one that
// every shell hands on: dash drops other names from the environment.
//
// A failure is a *NameError. People paste a value where the name belongs, so
// its text never repeats the name: it shows what stands before the first
// character that can't be in a name, at most 16 characters of it.
func ParseKey(s string) (Key, error) {
	if s == "" {
		return "", malformed("the name is missing; give one such as OPENAI_API_KEY")
	}
	if credential().MatchString(s) {
		return "", malformed("this is an API key of infsh and not a name; give a name such as OPENAI_API_KEY, and if the key was shown to others, revoke it")
	}
	for i, r := range s {
		if isLetter(r) || (i > 0 && isDigit(r)) {
			continue
		}
		if i > MaxKeyLength {
			break
		}
		return "", malformed("%s", describeBadRune(s, i, r))
	}
	if len(s) > MaxKeyLength {
		return "", malformed("the name that starts with %q is longer than %d characters; shorten it", excerpt(s), MaxKeyLength)
	}
	return Key(s), nil
}

// credential is the form of this program's own API keys. One has the form of a
// name too; it would be shown, and recorded in the audit log, as a name is.
// Permit would refuse it in any case, as it does all of INFSH_*.
var credential = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^infsh_[0-9A-Za-z]{49}$`) })

func malformed(format string, args ...any) error {
	return &NameError{Risk: Ordinary, Reason: fmt.Sprintf(format, args...)}
}

// describeBadRune explains the character r at byte i of s, where everything
// before it is well-formed.
func describeBadRune(s string, i int, r rune) string {
	where := "starts with"
	if i > 0 {
		where = fmt.Sprintf("has, after %q,", excerpt(s[:i]))
	}
	const allowed = "use only the letters A-Z and a-z, digits and underscores"
	last := i+utf8.RuneLen(r) == len(s)
	switch {
	case r == '=':
		return fmt.Sprintf("the name %s an equals sign; give the name alone, and the value separately", where)
	case isDigit(r):
		return "the name starts with a digit; start it with a letter or an underscore"
	case (r == '\n' || r == '\r') && last && i > 0:
		return fmt.Sprintf("the name ends with a line break, after %q; remove it", excerpt(s[:i]))
	case r == ' ':
		return fmt.Sprintf("the name %s a space; %s", where, allowed)
	case r == '-' || r == '.':
		return fmt.Sprintf("the name %s %q; write an underscore instead", where, r)
	case r == utf8.RuneError:
		return fmt.Sprintf("the name %s a byte that is not UTF-8 text; %s", where, allowed)
	case r >= utf8.RuneSelf:
		return fmt.Sprintf("the name %s the character %U, which is not one of the letters A-Z and a-z even if it looks like one; %s", where, r, allowed)
	default:
		return fmt.Sprintf("the name %s %s; %s", where, strconv.QuoteRuneToASCII(r), allowed)
	}
}

// excerpt shortens the well-formed beginning of a name for a message.
func excerpt(s string) string {
	const most = 16
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

func isLetter(r rune) bool {
	return r == '_' || (r >= 'A' && r <= 'Z') || (r >= 'a' && r <= 'z')
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// words are the parts of the name between underscores, in capitals.
func (k Key) words() []string {
	return strings.FieldsFunc(strings.ToUpper(string(k)), func(r rune) bool { return r == '_' })
}

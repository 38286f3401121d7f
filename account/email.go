package account

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// MaxEmailLength is in bytes; RFC 5321, section 4.5.3.1.3, leaves 254 for an
// address in a path.
const MaxEmailLength = 254

// ParseEmail checks an address and returns it as it is shown, without outer
// spaces, and folded as it is compared.
//
// An address that Unicode's compatibility normalization (NFKC) would change is
// refused: it would look like another person's, as ｅve@example.com looks like
// eve@example.com.
func ParseEmail(s string) (email, folded string, err error) {
	email = strings.TrimSpace(s)
	switch {
	case email == "":
		return "", "", fmt.Errorf("an email address is needed")
	case len(email) > MaxEmailLength:
		return "", "", fmt.Errorf("an email address has at most %d bytes", MaxEmailLength)
	case !utf8.ValidString(email) || !norm.NFKC.IsNormalString(email) || strings.ContainsFunc(email, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }):
		return "", "", fmt.Errorf("this email address has characters that only look like others; type it with plain letters")
	case !isAddress(email):
		return "", "", fmt.Errorf("this is not an email address; it looks like name@example.com")
	}
	return email, FoldEmail(email), nil
}

// isAddress reports that s is an address and nothing else, at a host with a full
// name: RFC 5322 also has names, comments and quotation around one.
func isAddress(s string) bool {
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s {
		return false
	}
	host, err := idna.Lookup.ToASCII(s[strings.LastIndexByte(s, '@')+1:])
	if err != nil || strings.HasSuffix(host, ".") {
		return false
	}
	// The last label of an IP address has digits alone, that of a name has not.
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != host && strings.Trim(last, "0123456789") != ""
}

// FoldEmail returns what two spellings of one address have in common: case and
// outer spaces are gone. It takes any text, so that a login with a bad address
// is counted like one with a good address.
func FoldEmail(s string) string {
	return norm.NFKC.String(strings.ToLower(strings.TrimSpace(s)))
}

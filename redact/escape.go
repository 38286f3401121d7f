package redact

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
)

// An encoder writes a text as some program would print it. What surrounds the
// text there (quotes, base64 padding of neighbours) is left out. Letters and
// digits stay as they are.
type encoder struct {
	form Form
	// keeps are other characters that stay, so that a text of nothing else need
	// not be encoded: most keys are such texts.
	keeps  string
	encode func(string) string
}

// quoting are encoders of text as quotings and escapes in general are.
func quoting(form Form, encode func(string) string) encoder {
	return encoder{form: form, keeps: "-_.", encode: encode}
}

// common are the forms that most programs print; hex and base64, which change
// letters too, are in hexForms and base64Cores.
var common = []encoder{
	jsonEncoder(jsonStyle{}),
	jsonEncoder(jsonStyle{escape: "<>&\u2028\u2029"}),
	jsonEncoder(jsonStyle{ascii: true}),
	quoting(FormGo, func(s string) string { return unquoted(strconv.Quote(s)) }),
	quoting(FormPython, func(s string) string { return pythonRepr(s, pythonText) }),
	quoting(FormShell, func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }),
	quoting(FormShell, func(s string) string { return ansiC(s, false) }),
	percentEncoder("-_.~", true, upperDigits),
	percentEncoder("-_.~", false, upperDigits),
	percentEncoder("-_.~", false, lowerDigits),
	percentEncoder("-_.!~*'()", false, upperDigits),
	replacing("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;"),
	replacing("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;"),
}

const (
	upperDigits = "0123456789ABCDEF"
	lowerDigits = "0123456789abcdef"
)

// allEncoders are all forms, each one that some well-known tool really prints.
// They are made when they are first needed, for a program's start is no place
// for it.
var allEncoders = sync.OnceValue(func() []encoder {
	return slices.Concat(common, otherEncoders, urlEncoders(), markupEncoders())
})

var otherEncoders = []encoder{

	// JSON: Go without HTML escapes; Python in pages; PHP; Jackson and .NET, whose
	// escapes have upper-case digits.
	jsonEncoder(jsonStyle{escape: "\u2028\u2029"}),
	jsonEncoder(jsonStyle{escape: "<>&\u2028\u2029", ascii: true}),
	jsonEncoder(jsonStyle{escape: "<>&'", ascii: true}),
	jsonEncoder(jsonStyle{slash: true}),
	jsonEncoder(jsonStyle{ascii: true, slash: true}),
	jsonEncoder(jsonStyle{ascii: true, upper: true}),
	jsonEncoder(jsonStyle{escape: "<>&", upper: true}),
	jsonEncoder(jsonStyle{escape: "<>&'+`\"", ascii: true, upper: true}),

	quoting(FormGo, func(s string) string { return unquoted(strconv.QuoteToASCII(s)) }),
	quoting(FormPython, func(s string) string { return pythonRepr(s, pythonASCII) }),
	quoting(FormPython, func(s string) string { return pythonRepr(s, pythonBytes) }),

	// Shells: in single quotes (POSIX, and Python's shlex.quote), in $'…' (bash,
	// with and without octal bytes), in double quotes, and bash's printf %q.
	quoting(FormShell, func(s string) string { return strings.ReplaceAll(s, "'", `'"'"'`) }),
	quoting(FormShell, func(s string) string { return ansiC(s, true) }),
	quoting(FormShell, func(s string) string { return backslashed(s, "\"$`\\") }),
	quoting(FormShell, func(s string) string { return backslashed(s, " \t\"$`\\'!&();<>|*?[]{}#~^,") }),
	quoting(FormShell, func(s string) string { return backslashed(s, "'\\") }),

	// Doubled characters: Compose files, CSV, SQL.
	quoting(FormDoubled, func(s string) string { return strings.ReplaceAll(s, "$", "$$") }),
	quoting(FormDoubled, func(s string) string { return strings.ReplaceAll(s, `"`, `""`) }),
	quoting(FormDoubled, func(s string) string { return strings.ReplaceAll(s, "'", "''") }),
}

func urlEncoders() (encoders []encoder) {
	// What each leaves as it is, letters and digits aside.
	for _, safe := range []string{
		"-_.~",               // RFC 3986 unreserved; Go's query escaping
		"-_.~/",              // Python's quote
		"-_.~$&+=:@",         // Go's path segments
		"-_.~$&+,;=",         // Go's user information
		"-_.~$&+,/:;=@",      // Go's whole paths
		"-_.~!$&'()*+,;=:@",  // RFC 3986 path segments
		"-_.~!$&'()*+,;=:@/", // RFC 3986 paths
		"-_.~!$&'()*+,;=",    // RFC 3986 user information
		"-_.!~*'()",          // JavaScript's encodeURIComponent
		";,/?:@&=+$-_.!~*'()#",
		"-_.*", // HTML forms
		"-_.",  // PHP's urlencode
		"",     // everything
	} {
		for _, plus := range []bool{false, true} {
			encoders = append(encoders,
				percentEncoder(safe, plus, upperDigits), percentEncoder(safe, plus, lowerDigits))
		}
	}
	return encoders
}

func markupEncoders() (encoders []encoder) {
	// HTML and XML: what is written for the characters after & < >.
	for _, named := range [][]string{
		{}, // text nodes
		{`"`, "&quot;"},
		{`"`, "&quot;", "'", "&apos;"}, // XML
		{`"`, "&quot;", "'", "&apos;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;"},           // XML attributes
		{`"`, "&quot;", "'", "&apos;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;"},          // XML attributes
		{`"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;"},                          // libxml2
		{`"`, "&quot;", "'", "&#39;"},                                                        // Jinja, lodash
		{`"`, "&quot;", "'", "&#039;"},                                                       // PHP
		{`"`, "&quot;", "'", "&#x27;"},                                                       // Python
		{`"`, "&quot;", "'", "&#x27;", "/", "&#x2F;"},                                        // OWASP's set
		{`"`, "&quot;", "'", "&#x27;", "/", "&#x2F;", "`", "&#x60;", "=", "&#x3D;"},          // Mustache
		{`"`, "&quot;", "'", "&#39;", "/", "&#x2F;", "`", "&#x60;", "=", "&#x3D;"},           // Mustache
		{`"`, "&#34;", "'", "&#39;"},                                                         // Go
		{`"`, "&#34;", "'", "&#39;", "+", "&#43;"},                                           // Go's templates
		{`"`, "&#34;", "'", "&#39;", "+", "&#43;", "`", "&#96;", "=", "&#61;", " ", "&#32;"}, // Go's templates, unquoted attributes
		{`"`, "&#34;", "'", "&#39;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;"},            // Go's XML
	} {
		encoders = append(encoders, replacing(append([]string{"&", "&amp;", "<", "&lt;", ">", "&gt;"}, named...)...))
	}
	for _, format := range []string{"&#%d;", "&#%03d;", "&#x%x;", "&#x%X;"} {
		for _, special := range []string{"&<>\"'", "&<>\"'/", "&<>\"'/\r\n\t", "&<>\"'`=/\r\n\t"} {
			encoders = append(encoders, escaping(FormMarkup, special, format))
		}
	}
	// Scripts in pages, on top of what JSON escapes.
	for _, format := range []string{`\x%02x`, `\x%02X`, `\u%04x`, `\u%04X`} {
		encoders = append(encoders, escaping(FormScript, "\\'\"<>&=-;`/\u2028\u2029\r\n\t", format), escaping(FormScript, "\\'\"<>&", format))
	}
	return encoders
}

func replacing(oldNew ...string) encoder {
	return quoting(FormMarkup, strings.NewReplacer(oldNew...).Replace)
}

// escaping writes the special characters by their numbers.
func escaping(form Form, special, format string) encoder {
	var oldNew []string
	for _, r := range special {
		oldNew = append(oldNew, string(r), fmt.Sprintf(format, r))
	}
	kept := strings.Map(func(r rune) rune {
		if strings.ContainsRune(special, r) {
			return -1
		}
		return r
	}, "-_.")
	return encoder{form: form, keeps: kept, encode: strings.NewReplacer(oldNew...).Replace}
}

func hexForms(s string) []string {
	lower := hex.EncodeToString([]byte(s))
	return []string{lower, strings.ToUpper(lower)}
}

// base64Cores returns what base64 of any text that contains s must contain: for
// each of the three positions that s can have in a group of three bytes, the
// characters that s alone determines. At position 0 also the whole encoding
// with its padding, as s alone is often encoded.
func base64Cores(s string) []string {
	var cores []string
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for offset := range 3 {
			coded := enc.EncodeToString([]byte("\x00\x00"[:offset] + s))
			first, last := (8*offset+5)/6, 8*(offset+len(s))/6
			cores = append(cores, coded[first:last])
			if offset == 0 {
				cores = append(cores, coded, strings.TrimRight(coded, "="))
			}
		}
	}
	return cores
}

type jsonStyle struct {
	escape string // characters to write as \uXXXX that need it not
	ascii  bool   // the same for everything beyond ASCII
	slash  bool   // "/" as "\/"
	upper  bool   // upper-case hex digits
}

func jsonEncoder(style jsonStyle) encoder {
	format := `\u%04x`
	if style.upper {
		format = `\u%04X`
	}
	return quoting(FormJSON, func(s string) string {
		var b strings.Builder
		for _, r := range s {
			switch {
			case strings.ContainsRune(style.escape, r):
				fmt.Fprintf(&b, format, r)
			case r == '"' || r == '\\' || r == '/' && style.slash:
				b.WriteByte('\\')
				b.WriteRune(r)
			case strings.ContainsRune("\b\f\n\r\t", r):
				b.WriteString(shortEscape(r))
			case r < 0x20, r == 0x7f && style.ascii, style.ascii && r > 0x7f && r < 0x10000:
				fmt.Fprintf(&b, format, r)
			case style.ascii && r >= 0x10000:
				high, low := utf16.EncodeRune(r)
				fmt.Fprintf(&b, format+format, high, low)
			default:
				b.WriteRune(r)
			}
		}
		return b.String()
	})
}

func shortEscape(r rune) string {
	return `\` + string("abtnvfr"[r-'\a'])
}

func unquoted(s string) string { return s[1 : len(s)-1] }

type pythonKind int

const (
	pythonText  pythonKind = iota // repr of str
	pythonASCII                   // ascii of str
	pythonBytes                   // repr of bytes
)

func pythonRepr(s string, kind pythonKind) string {
	escapeQuote := !strings.Contains(s, "'") || strings.Contains(s, `"`)
	var b strings.Builder
	one := func(r rune) {
		switch {
		case r == '\\', r == '\'' && escapeQuote:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteString(shortEscape(r))
		case r >= 0x20 && r < 0x7f, kind == pythonText && r > 0x7f && unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	if kind == pythonBytes {
		for i := range len(s) {
			one(rune(s[i]))
		}
	} else {
		for _, r := range s {
			one(r)
		}
	}
	return b.String()
}

// ansiC writes the inside of $'…' as bash does.
func ansiC(s string, octal bool) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= '\a' && c <= '\r':
			b.WriteString(shortEscape(rune(c)))
		case c == 0x1b:
			b.WriteString(`\E`)
		case c < 0x20 || c == 0x7f || c > 0x7f && octal:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func backslashed(s, special string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func percentEncoder(safe string, plus bool, digits string) encoder {
	return encoder{form: FormURL, keeps: safe, encode: func(s string) string { return percent(s, safe, plus, digits) }}
}

func percent(s, safe string, plus bool, digits string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' && plus:
			b.WriteByte('+')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(safe, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

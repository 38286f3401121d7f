package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"html"
	"html/template"
	"math/rand/v2"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// form is a way in which a program prints a value. Those here are made by the
// tools themselves where Go has them, not by the code under test.
type form struct {
	name  string
	print func(r *rand.Rand, value string) string
	// partial: neighbours share the first and last characters, so fragments of
	// the encoding that do not determine a byte of the value may stay.
	partial bool
}

func plainForm(name string, f func(string) string) form {
	return form{name: name, print: func(_ *rand.Rand, v string) string { return f(v) }}
}

var forms = []form{
	plainForm("raw", func(v string) string { return v }),
	plainForm("CR LF", func(v string) string { return strings.ReplaceAll(v, "\n", "\r\n") }),
	plainForm("line breaks as backslash n", func(v string) string { return strings.ReplaceAll(v, "\n", `\n`) }),
	plainForm("line breaks as spaces", func(v string) string { return strings.ReplaceAll(v, "\n", " ") }),
	plainForm("indented lines", func(v string) string { return strings.ReplaceAll(v, "\n", "\n    ") }),
	plainForm("JSON", func(v string) string { b, _ := json.Marshal(v); return string(b) }),
	plainForm("JSON without HTML escapes", func(v string) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(v)
		return b.String()
	}),
	plainForm("JSON, ASCII only", func(v string) string {
		b, _ := json.Marshal(v)
		return regexp.MustCompile(`[^\x00-\x7f]`).ReplaceAllStringFunc(string(b), func(s string) string {
			var escaped strings.Builder
			for _, unit := range utf16.Encode([]rune(s)) {
				fmt.Fprintf(&escaped, `\u%04x`, unit)
			}
			return escaped.String()
		})
	}),
	plainForm("Go %q", func(v string) string { return fmt.Sprintf("%q", v) }),
	plainForm("Go %+q", func(v string) string { return fmt.Sprintf("%+q", v) }),
	plainForm("Python repr", func(v string) string {
		quote := "'"
		if strings.Contains(v, "'") && !strings.Contains(v, `"`) {
			quote = `"`
		}
		return quote + strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`, "\t", `\t`).Replace(v) + quote
	}),
	plainForm("shell, single quotes", func(v string) string { return "'" + strings.Join(strings.Split(v, "'"), `'\''`) + "'" }),
	plainForm("shell, shlex.quote", func(v string) string { return "'" + strings.ReplaceAll(v, "'", `'"'"'`) + "'" }),
	plainForm("shell, $'…'", func(v string) string {
		return "$'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`).Replace(v) + "'"
	}),
	plainForm("Compose", func(v string) string { return strings.ReplaceAll(v, "$", "$$") }),
	plainForm("URL query", url.QueryEscape),
	plainForm("URL query, lower case", func(v string) string { return lowerEscapes(url.QueryEscape(v)) }),
	plainForm("URL path", url.PathEscape),
	plainForm("URL path, lower case", func(v string) string { return lowerEscapes(url.PathEscape(v)) }),
	plainForm("URL user information", func(v string) string { return url.UserPassword("user", v).String() }),
	plainForm("URL with a password", func(v string) string {
		return (&url.URL{Scheme: "postgres", User: url.UserPassword("u", v), Host: "h", Path: "d"}).String()
	}),
	plainForm("encodeURIComponent", func(v string) string {
		return strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*", "+", "%20").Replace(url.QueryEscape(v))
	}),
	plainForm("HTML", html.EscapeString),
	plainForm("HTML, named", func(v string) string {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(v)
	}),
	plainForm("HTML, decimal", func(v string) string { return numbered(v, "&#%d;") }),
	plainForm("HTML, hex", func(v string) string { return numbered(v, "&#x%x;") }),
	plainForm("HTML, upper-case hex", func(v string) string { return numbered(v, "&#x%X;") }),
	plainForm("html/template", template.HTMLEscapeString),
	plainForm("XML", func(v string) string { var b bytes.Buffer; _ = xml.EscapeText(&b, []byte(v)); return b.String() }),
	plainForm("hex", func(v string) string { return hex.EncodeToString([]byte(v)) }),
	plainForm("upper-case hex", func(v string) string { return fmt.Sprintf("%X", v) }),
	plainForm("hex, wrapped", func(v string) string { return wrap(hex.EncodeToString([]byte(v)), 64, "\n") }),
	plainForm("base64", func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }),
	plainForm("base64 without padding", func(v string) string { return base64.RawStdEncoding.EncodeToString([]byte(v)) }),
	plainForm("base64, URL-safe", func(v string) string { return base64.URLEncoding.EncodeToString([]byte(v)) }),
	plainForm("base64, URL-safe, without padding", func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }),
	{"base64 of more", func(r *rand.Rand, v string) string {
		return base64.StdEncoding.EncodeToString([]byte(randomText(r, r.IntN(5), alphanumeric) + v + randomText(r, r.IntN(5), alphanumeric)))
	}, true},
	{"base64 of more, URL-safe", func(r *rand.Rand, v string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(randomText(r, r.IntN(200), alphanumeric) + v + randomText(r, r.IntN(5), alphanumeric)))
	}, true},
	{"base64 of more, in 64 columns", func(r *rand.Rand, v string) string {
		text := randomText(r, r.IntN(200), alphanumeric) + v + randomText(r, r.IntN(200), alphanumeric)
		return "\n" + wrap(base64.StdEncoding.EncodeToString([]byte(text)), 64, "\n")
	}, true},
	{"base64 of more, in 76 columns, CR LF", func(r *rand.Rand, v string) string {
		text := randomText(r, r.IntN(200), alphanumeric) + v + randomText(r, r.IntN(200), alphanumeric)
		return "\r\n" + wrap(base64.StdEncoding.EncodeToString([]byte(text)), 76, "\r\n")
	}, true},
	{"base64 of more, in 76 columns, breaks as backslash n", func(r *rand.Rand, v string) string {
		text := randomText(r, r.IntN(200), alphanumeric) + v + randomText(r, r.IntN(200), alphanumeric)
		return `{"cert":"` + wrap(base64.StdEncoding.EncodeToString([]byte(text)), 76, []string{`\n`, `\r\n`}[r.IntN(2)]) + `"}`
	}, true},
	{"base64 of more, in 64 columns, breaks as spaces", func(r *rand.Rand, v string) string {
		text := randomText(r, r.IntN(200), alphanumeric) + v + randomText(r, r.IntN(200), alphanumeric)
		return "cert=" + wrap(base64.StdEncoding.EncodeToString([]byte(text)), 64, " ")
	}, true},
	{"base64 of more, indented", func(r *rand.Rand, v string) string {
		text := randomText(r, r.IntN(200), alphanumeric) + v + randomText(r, r.IntN(200), alphanumeric)
		return "data: |\n    " + wrap(base64.StdEncoding.EncodeToString([]byte(text)), 64, "\n    ")
	}, true},
	{"PEM", func(r *rand.Rand, v string) string {
		text := randomText(r, r.IntN(200), alphanumeric) + v + randomText(r, r.IntN(200), alphanumeric)
		return string(pem.EncodeToMemory(&pem.Block{Type: "DATA", Bytes: []byte(text)}))
	}, true},
}

var escapes = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerEscapes(s string) string { return escapes.ReplaceAllStringFunc(s, strings.ToLower) }

func numbered(s, format string) string {
	return regexp.MustCompile(`[&<>"']`).ReplaceAllStringFunc(s, func(c string) string { return fmt.Sprintf(format, c[0]) })
}

func wrap(s string, columns int, lineBreak string) string {
	var lines []string
	for len(s) > columns {
		lines, s = append(lines, s[:columns]), s[columns:]
	}
	return strings.Join(append(lines, s), lineBreak)
}

// randomValue returns a secret as users have them: keys, pass phrases with
// special characters, connection strings, files of several lines.
func randomValue(r *rand.Rand) string {
	const special = "abcABC019 '\"\\<>&$%+/=?#@:;,.-_!()*[]{}|`~^\tßé€😀"
	n := MinLength + r.IntN(50)
	switch r.IntN(6) {
	case 0, 1:
		return randomText(r, n, alphanumeric)
	case 2, 3:
		// A letter at either end: `secrets set` refuses blanks there.
		return "k" + randomText(r, n, special) + "z"
	case 4:
		lines := make([]string, 2+r.IntN(4))
		for i := range lines {
			lines[i] = "l" + randomText(r, 10+r.IntN(60), special) + "x"
		}
		return strings.Join(lines, "\n")
	default:
		key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte(randomText(r, 100+r.IntN(100), special))})
		return string(key)
	}
}

// controls are sequences that programs colour, erase and link with.
var controls = []string{
	"\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[K", "\x1b[01;31m\x1b[K", "\x1b[38;2;10;20;30m", "\x1b(B",
	"\x1b]8;;https://example.com/docs\x1b\\", "\x1b]8;;\a",
}

// coloured puts control sequences into a text, between any two bytes but in
// another sequence, and in what an encoder breaks its lines with.
func coloured(r *rand.Rand, text string) string {
	var places []int
	for i := 0; i <= len(text); i++ {
		if i == 0 || text[i-1] != '\\' && text[i-1] != '\r' && !strings.HasSuffix(text[:i], `\r`) {
			places = append(places, i)
		}
	}
	var b strings.Builder
	for i := range len(text) + 1 {
		if r.IntN(len(places)) < 3 && slices.Contains(places, i) {
			b.WriteString(controls[r.IntN(len(controls))])
		}
		if i < len(text) {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

func withoutControls(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		if n := len(controlSequence.FindString(text)); n > 0 {
			text = text[n:]
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// samples is how many samples a property is held against. INFSH_TORTURE asks for
// as many as `make torture` promises.
func samples() int {
	switch {
	case os.Getenv("INFSH_TORTURE") != "":
		return 1_000_000
	case raceEnabled || testing.Short():
		return 2_000
	}
	return 20_000
}

// Value × form × colours × cut × surroundings: no form of a value comes through,
// and nothing else is touched.
func TestNoFormOfAValueComesThrough(t *testing.T) {
	const perValue = 50
	for group := range samples() / perValue {
		r := rand.New(rand.NewPCG(20, uint64(group)))
		value, other := randomValue(r), randomValue(r)
		set := Compile([]Needle{{"VALUE", NewValue(value)}, {"OTHER", NewValue(other)}})
		for range perValue {
			f := forms[r.IntN(len(forms))]
			before, after := randomText(r, r.IntN(90), " \n\t.;-!|"), "\n"+randomText(r, r.IntN(40), " \n\t.;-!|")
			secret := f.print(r, trimBreaks(value))
			printed := secret
			if r.IntN(3) == 0 {
				printed = coloured(r, secret)
			}
			text := before + printed + after
			lengths := []int{1 + r.IntN(3), 1 + r.IntN(80)}
			got := masked(set, text, lengths)

			where := fmt.Sprintf("value %d (%q) as %s, cut by %v: %q became %q", group, value, f.name, lengths, text, got)
			seen := withoutControls(got)
			checkNoFragment(t, f, value, secret, seen, before+after, where)
			if !f.partial && !strings.Contains(trimBreaks(value), "\n") {
				quoted := regexp.QuoteMeta(before) + `.{0,20}` + regexp.QuoteMeta(Mask) + `.{0,4}` + regexp.QuoteMeta(after)
				if !regexp.MustCompile(`(?s)^` + quoted + `$`).MatchString(seen) {
					t.Errorf("the surroundings changed: %s", where)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

// checkNoFragment fails where got has a part of the secret long enough to be of
// use: of a line that is masked, 5 characters in a row.
func checkNoFragment(t *testing.T, f form, value, secret, got, around, where string) {
	t.Helper()
	if !strings.Contains(got, Mask) {
		t.Errorf("no mask: %s", where)
	}
	// What is left is what the form puts around the value, and lines of the value
	// that are not masked by themselves.
	if strings.Contains(got, secret) || strings.Contains(got, trimBreaks(value)) {
		t.Errorf("the value is there: %s", where)
	}
	if f.partial || strings.HasPrefix(f.name, "URL with") || strings.HasPrefix(f.name, "URL user") {
		flat := regexp.MustCompile(`\s|(\\r)?\\n`).ReplaceAllString(got, "")
		for _, core := range base64Cores(trimBreaks(value)) {
			for i := 0; i+8 <= len(core); i += 4 {
				if strings.Contains(flat, core[i:i+8]) {
					t.Errorf("%q is left: %s", core[i:i+8], where)
					return
				}
			}
		}
		return
	}
	for line := range strings.Lines(trimBreaks(secret)) {
		line = strings.Trim(line, "\r\n\t \"'$")
		if strings.HasPrefix(line, "-----") {
			continue
		}
		for i := 0; i+5 <= len(line); i++ {
			if strings.Contains(got, line[i:i+5]) && !strings.Contains(Mask+around, line[i:i+5]) {
				t.Errorf("%q is left: %s", line[i:i+5], where)
				return
			}
		}
	}
}

// Each published line of a value of several is masked wherever it stands alone.
func TestLinesAreMaskedByThemselves(t *testing.T) {
	key := "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nshort\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n"
	set := Compile([]Needle{{"KEY", NewValue(key)}})
	for text, want := range map[string]string{
		"x MIIEvQIBADANBgkqhkiG9w0BAQEFAASC y": "x [redacted] y",
		"-----BEGIN PRIVATE KEY-----\nother":   "-----BEGIN PRIVATE KEY-----\nother",
		"a short line":                         "a short line",
		key:                                    "[redacted]\n",
		"{\"k\":\"" + strings.ReplaceAll(key, "\n", `\n`): "{\"k\":\"[redacted]\\n",
	} {
		for _, lengths := range [][]int{nil, {1}, {7}} {
			if got := masked(set, text, lengths); got != want {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
}

func TestThePasswordOfAConnectionStringIsMaskedByItself(t *testing.T) {
	for value, password := range map[string]string{
		"postgres://app:p%40ssw0rd-1@db.example:5432/app?sslmode=require": "p@ssw0rd-1",
		"redis://:only-a-password@cache:6379/0":                           "only-a-password",
		"amqp://guest:un/esc@ped#pass@mq/vhost":                           "un/esc@ped#pass",
	} {
		set := Compile([]Needle{{"URL", NewValue(value)}})
		for _, text := range []string{password, url.QueryEscape(password), hex.EncodeToString([]byte(password))} {
			if got := masked(set, "password="+text+".", nil); got != "password=[redacted]." {
				t.Errorf("the password of %s as %s: %s", value, text, got)
			}
		}
		if got := masked(set, "app guest db.example", nil); got != "app guest db.example" {
			t.Errorf("more than the password is masked: %s", got)
		}
	}
}

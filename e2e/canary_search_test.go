package e2e

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// canary is a text that was planted where a secret goes in, and that must come
// out nowhere else.
type canary struct {
	name, text string
	// guessable text must not come out as a fast hash either.
	guessable bool
	needles   []needle
}

// needle is one form of a canary.
type needle struct {
	form string
	text []byte
}

// minNeedle keeps pieces out of the search that occur by chance.
const minNeedle = 8

func newCanary(name, text string, guessable bool) canary {
	c := canary{name: name, text: text, guessable: guessable}
	for _, part := range linesOf(text) {
		for _, n := range formsOf(part) {
			c.add(n.form, n.text)
		}
	}
	if guessable {
		for _, n := range hashesOf(text) {
			c.add(n.form, n.text)
		}
	}
	return c
}

func (c *canary) add(form string, text []byte) {
	if len(text) < minNeedle || slices.ContainsFunc(c.needles, func(n needle) bool { return bytes.Equal(n.text, text) }) {
		return
	}
	c.needles = append(c.needles, needle{form, text})
}

// in returns the first form in which the canary stands in the data, or "".
func (c *canary) in(data []byte) string {
	for _, n := range c.needles {
		if bytes.Contains(data, n.text) {
			return n.form
		}
	}
	return ""
}

// linesOf returns the text, and of several lines each one by itself: a log
// cuts a text at its line breaks. Lines too short to be looked for are left
// out; the random bytes of a key may hold even empty ones.
func linesOf(text string) []string {
	parts := []string{text}
	if strings.Contains(text, "\n") {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); len(line) >= minNeedle && !strings.HasPrefix(line, "-----") {
				parts = append(parts, line)
			}
		}
	}
	return parts
}

// formsOf writes a text as it would be found in a log, a page, an address, a
// JSON document or a file. It shares no code with package redact, whose masks
// it judges.
func formsOf(text string) []needle {
	var out []needle
	add := func(form, s string) { out = append(out, needle{form, []byte(s)}) }
	add("raw", text)
	for offset := range 3 {
		add(fmt.Sprintf("base64 at offset %d", offset), base64Core(base64.RawStdEncoding, text, offset))
		add(fmt.Sprintf("base64url at offset %d", offset), base64Core(base64.RawURLEncoding, text, offset))
	}
	add("hex", hex.EncodeToString([]byte(text)))
	add("HEX", strings.ToUpper(hex.EncodeToString([]byte(text))))
	for _, escaped := range []string{
		url.QueryEscape(text), url.PathEscape(text), strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), (&url.URL{Path: text}).EscapedPath(),
	} {
		add("URL-encoded", escaped)
		add("url-encoded", percent.ReplaceAllStringFunc(escaped, strings.ToLower))
	}
	add("JSON", jsonText(text, false))
	add("JSON for HTML", jsonText(text, true))
	add("JSON in ASCII", jsonASCII(text))
	add("HTML", html.EscapeString(text))
	add("HTML with a name", strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#x27;").Replace(html.EscapeString(text)))
	add("quoted", unquoted(strconv.Quote(text)))
	add("quoted in ASCII", unquoted(strconv.QuoteToASCII(text)))
	return out
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func unquoted(s string) string { return s[1 : len(s)-1] }

// base64Core is what of the text's encoding is the same whatever stands before
// it, at that offset in a group of three bytes, and after it.
func base64Core(enc *base64.Encoding, text string, offset int) string {
	encoded := enc.EncodeToString(append(make([]byte, offset), text...))
	firstWhole := (offset*8 + 5) / 6
	lastWhole := (offset + len(text)) * 8 / 6
	return encoded[firstWhole:lastWhole]
}

func jsonText(s string, escapeHTML bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	_ = enc.Encode(s) // A string can't fail.
	return unquoted(strings.TrimSuffix(b.String(), "\n"))
}

func jsonASCII(s string) string {
	var b strings.Builder
	for _, r := range jsonText(s, false) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

// hashesOf are hashes so fast that who finds one can guess the text.
func hashesOf(text string) []needle {
	var out []needle
	s1, s2, s5, m := sha1.Sum([]byte(text)), sha256.Sum256([]byte(text)), sha512.Sum512([]byte(text)), md5.Sum([]byte(text))
	for _, h := range []struct {
		name string
		sum  []byte
	}{{"SHA-1", s1[:]}, {"SHA-256", s2[:]}, {"SHA-512", s5[:]}, {"MD5", m[:]}} {
		out = append(out,
			needle{h.name, h.sum},
			needle{h.name + " in hex", []byte(hex.EncodeToString(h.sum))},
			needle{h.name + " in HEX", []byte(strings.ToUpper(hex.EncodeToString(h.sum)))},
			needle{h.name + " in base64", []byte(base64.RawStdEncoding.EncodeToString(h.sum))},
			needle{h.name + " in base64url", []byte(base64.RawURLEncoding.EncodeToString(h.sum))},
		)
	}
	return out
}

// A search that finds nothing proves something only if it would have found it.
// The right column was written by other programs: base64, xxd, Python's
// urllib, json and html, sha256sum.
func TestCanarySearchFindsEveryForm(t *testing.T) {
	c := newCanary("value", `ca"n'a&r=y+1 é/?🔑`, true)
	for form, text := range map[string]string{
		"raw":                   `log: ca"n'a&r=y+1 é/?🔑.`,
		"base64 at offset 0":    "Y2EibidhJnI9eSsxIMOpLz/wn5SR",
		"base64 at offset 1":    "eGNhIm4nYSZyPXkrMSDDqS8/8J+UkQ==",
		"base64 at offset 2":    "eHhjYSJuJ2Emcj15KzEgw6kvP/CflJF4",
		"base64url at offset 1": "eGNhIm4nYSZyPXkrMSDDqS8_8J-UkQ",
		"hex":                   "6361226e276126723d792b3120c3a92f3ff09f9491",
		"HEX":                   "6361226E276126723D792B3120C3A92F3FF09F9491",
		"query":                 "q=ca%22n%27a%26r%3Dy%2B1+%C3%A9%2F%3F%F0%9F%94%91",
		"query, lower":          "q=ca%22n%27a%26r%3dy%2b1+%c3%a9%2f%3f%f0%9f%94%91",
		"encodeURIComponent":    "q=ca%22n%27a%26r%3Dy%2B1%20%C3%A9%2F%3F%F0%9F%94%91",
		"JSON":                  `{"v":"ca\"n'a&r=y+1 é/?🔑"}`,
		"JSON for HTML":         `{"v":"ca\"n'a\u0026r=y+1 é/?🔑"}`,
		"JSON in ASCII":         `{"v":"ca\"n'a&r=y+1 \u00e9/?\ud83d\udd11"}`,
		"HTML":                  `<input value="ca&#34;n&#39;a&amp;r=y+1 é/?🔑">`,
		"HTML of Python":        `<input value="ca&quot;n&#x27;a&amp;r=y+1 é/?🔑">`,
		"slog":                  `msg="ca\"n'a&r=y+1 é/?🔑"`,
		"SHA-256":               "4242a5cf3416df4a15a04e0dd92fe260ae1ed5862e85e016243dc551a64cc126",
	} {
		if c.in([]byte(text)) == "" {
			t.Errorf("%s: the search misses the value in %s", form, text)
		}
	}
	if form := c.in([]byte(`ca"n'a&r=y+1 è/?🔑`)); form != "" {
		t.Errorf("the search takes another text for the value, as %s", form)
	}

	pem := newCanary("key", "-----BEGIN KEY-----\nfirst-line-of-it\nsecond-line-of-it\n-----END KEY-----\n", false)
	if pem.in([]byte("2026/01/02 second-line-of-it")) == "" {
		t.Error("the search misses a line of a value")
	}
	if pem.in([]byte("-----BEGIN KEY-----")) != "" {
		t.Error("the search takes a line that every key has for the value")
	}
	// The random bytes of a key may hold empty lines, and lines of a byte.
	newCanary("a key", "\n\n\nx\n", false)
}

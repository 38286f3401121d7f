package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// inert makes a text harmless for a terminal and for whoever reads it: what is
// not a printing character stands there escaped. That covers control
// characters and with them escape sequences, line breaks, and the invisible
// characters that turn the direction of writing or hide text.
func inert(s string) string {
	if isInert(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

func isInert(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// quote shows something that a person typed or a server sent, within a sentence.
func quote(s string) string { return strconv.Quote(s) }

// printf writes to standard output. Strings from a server are the caller's to
// make inert.
// A failure to write ends the program with one: half a secret in a file is
// none.
func (p *program) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(p.Out, format, args...); err != nil && p.writeErr == nil {
		p.writeErr = fmt.Errorf("writing the output: %w", err)
	}
}

// notef writes one line to standard error, made inert as a whole.
func (p *program) notef(format string, args ...any) {
	_, _ = fmt.Fprintln(p.Err, inert(fmt.Sprintf(format, args...)))
}

// table writes rows in aligned columns; the first row is the heading. All
// cells are made inert.
func (p *program) table(rows [][]string) {
	var buf bytes.Buffer
	w := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				_, _ = w.Write([]byte{'\t'})
			}
			_, _ = w.Write([]byte(inert(cell)))
		}
		_, _ = w.Write([]byte{'\n'})
	}
	_ = w.Flush()
	for line := range strings.Lines(buf.String()) {
		p.printf("%s\n", strings.TrimRight(line, " \n"))
	}
}

// json writes a message. What a terminal might act on stands in it as \u
// escapes, which mean the same to a program.
func (p *program) json(v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	p.printf("%s", inertJSON(buf.String()))
	return nil
}

// inertJSON escapes what inert would escape. Outside of strings, JSON has no
// such characters but line breaks.
func inertJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// isWebURL reports whether a URL from a server may be shown as a link to open.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && isInert(s)
}

// stamp shows a time to the minute, in UTC as its column's heading says.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

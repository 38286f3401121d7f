package redact

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
)

// The published list, one by one: what a program prints, and what is left of it.
// Each is told by the form of its finding.
func TestEachPublishedFormIsMaskedHoweverItIsCut(t *testing.T) {
	const (
		token  = "tok-_5f.K9"
		phrase = "p'a\"s<s>&w\\o r$d/+?é=k"
		file   = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nline <two> & more\n-----END KEY-----\n"
		dsn    = "postgres://app:p%40ss%2Fw0rd@db:5432/app?sslmode=on"
		// As the credential files of services are, in one line.
		jsonKeys = `{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n","access_token":"ya29.a0AfB_byC-1","token_uri":"https://oauth2.example.com/token","more":[{"clientSecret":"deep-inside-it-9"}]}`
	)
	// 100 bytes before it, so that the value is in the middle of wrapped base64.
	before, after := strings.Repeat("b", 100), strings.Repeat("e", 100)
	inMore := func(offset int) string {
		return base64.StdEncoding.EncodeToString([]byte(before[offset:] + phrase + after))
	}
	wrapped := func(columns int, lineBreak string) (printed, want string) {
		// What is left: the characters before and after the value's own.
		coded := base64.StdEncoding.EncodeToString([]byte(before + phrase + after))
		first, last := (100*8+5)/6, (100+len(phrase))*8/6
		printed = wrap(coded, columns, lineBreak)
		at := func(n int) int { return n + n/columns*len(lineBreak) }
		return printed, printed[:at(first)] + Mask + printed[at(last-1)+1:]
	}
	type sample struct {
		name          string
		value         string
		printed, want string
		form          Form
	}
	list := []sample{
		{"raw", token, token, Mask, FormRaw},
		{"raw, specials", phrase, phrase, Mask, FormRaw},
		{"several lines", file, file, Mask + "\n", FormRaw},
		{"a line of several", file, "MIIEvQIBADANBgkq", Mask, FormLine},
		{"a line, indented", file, "    line <two> & more", "    " + Mask, FormLine},
		{"a line, as JSON", file, `line \u003ctwo\u003e \u0026 more`, Mask, FormJSON},
		{"line breaks as CR LF", file, strings.ReplaceAll(file, "\n", "\r\n"), Mask + "\r\n", FormLineBreaks},
		{"line breaks as spaces", file, strings.ReplaceAll(file, "\n", " "), Mask + " ", FormLineBreaks},
		{`line breaks as \n`, file, strings.ReplaceAll(file, "\n", `\n`), Mask + `\n`, FormLineBreaks},
		{`line breaks as \r\n`, file, strings.ReplaceAll(file, "\n", `\r\n`), Mask + `\r\n`, FormLineBreaks},
		{"JSON", phrase, `p'a\"s\u003cs\u003e\u0026w\\o r$d/+?é=k`, Mask, FormJSON},
		{"JSON without HTML escapes", phrase, `p'a\"s<s>&w\\o r$d/+?é=k`, Mask, FormJSON},
		{"JSON in ASCII", phrase, `p'a\"s<s>&w\\o r$d/+?\u00e9=k`, Mask, FormJSON},
		{"Go %+q", phrase + "\a", `p'a\"s<s>&w\\o r$d/+?\u00e9=k\a`, Mask, FormGo},
		{"Go %q", phrase + "\a", `p'a\"s<s>&w\\o r$d/+?é=k\a`, Mask, FormGo},
		{"Python repr", phrase, `p\'a"s<s>&w\\o r$d/+?é=k`, Mask, FormPython},
		{"Python bytes", phrase, `p\'a"s<s>&w\\o r$d/+?\xc3\xa9=k`, Mask, FormPython},
		{"shell, single quotes", phrase, `p'\''a"s<s>&w\o r$d/+?é=k`, Mask, FormShell},
		{"shell, shlex", phrase, `p'"'"'a"s<s>&w\o r$d/+?é=k`, Mask, FormShell},
		{"shell, double quotes", phrase, `p'a\"s<s>&w\\o r\$d/+?é=k`, Mask, FormShell},
		{"shell, $'…'", "a'b\\c\td\x01e\x1bf", `a\'b\\c\td\001e\Ef`, Mask, FormShell},
		{"shell, printf %q", "a b'c\"d$e", `a\ b\'c\"d\$e`, Mask, FormShell},
		{"dollars doubled", "pa$sword$", "pa$$sword$$", Mask, FormDoubled},
		{"quotes doubled", "pa'ss'word", "pa''ss''word", Mask, FormDoubled},
		{"URL query", phrase, "p%27a%22s%3Cs%3E%26w%5Co+r%24d%2F%2B%3F%C3%A9%3Dk", Mask, FormURL},
		{"URL query, lower case", phrase, "p%27a%22s%3cs%3e%26w%5co+r%24d%2f%2b%3f%c3%a9%3dk", Mask, FormURL},
		{"URL, %20", phrase, "p%27a%22s%3Cs%3E%26w%5Co%20r%24d%2F%2B%3F%C3%A9%3Dk", Mask, FormURL},
		{"URL, %20, lower case", phrase, "p%27a%22s%3cs%3e%26w%5co%20r%24d%2f%2b%3f%c3%a9%3dk", Mask, FormURL},
		{"in a connection string", phrase, "postgres://u:p%27a%22s%3Cs%3E&w%5Co%20r$d%2F+%3F%C3%A9=k@db/app", "postgres://u:" + Mask + "@db/app", FormURL},
		{"in a connection string, escaped fully", phrase, "mysql://u:p%27a%22s%3Cs%3E%26w%5Co%20r%24d%2F%2B%3F%C3%A9%3Dk@db/app", "mysql://u:" + Mask + "@db/app", FormURL},
		{"the password of a connection string", dsn, "pwd=p%40ss%2Fw0rd", "pwd=" + Mask, FormPassword},
		{"the password, unescaped", dsn, "pwd=p@ss/w0rd", "pwd=" + Mask, FormPassword},
		{"the password of a connection string of pairs", "host=db user=u password=p@ss/w0rd", "pwd=p@ss/w0rd", "pwd=" + Mask, FormPassword},
		{"the password of such a string, unescaped", `host=db user=u password='p\'ss w0rd'`, "pwd=p'ss w0rd", "pwd=" + Mask, FormPassword},
		{"a secret member of a JSON object", jsonKeys, "Authorization: Bearer ya29.a0AfB_byC-1", "Authorization: Bearer " + Mask, FormPassword},
		{"a key in it, decoded", jsonKeys, "AASCBKcwggSjAgEAAoIBAQC7", Mask, FormLine},
		{"a member of a member", jsonKeys, "s=deep-inside-it-9", "s=" + Mask, FormPassword},
		{"the password, in hex", dsn, "pwd=704073732f77307264", "pwd=" + Mask, FormHex},
		{"HTML, named", phrase, "p&apos;a&quot;s&lt;s&gt;&amp;w\\o r$d/+?é=k", Mask, FormMarkup},
		{"HTML, decimal", phrase, "p&#39;a&#34;s&lt;s&gt;&amp;w\\o r$d/+?é=k", Mask, FormMarkup},
		{"HTML, all decimal", phrase, "p&#39;a&#34;s&#60;s&#62;&#38;w\\o r$d/+?é=k", Mask, FormMarkup},
		{"HTML, hex", phrase, "p&#x27;a&#x22;s&#x3c;s&#x3e;&#x26;w\\o r$d/+?é=k", Mask, FormMarkup},
		{"scripts in pages", "a'b<c>&d\"e", `a\x27b\x3cc\x3e\x26d\x22e`, Mask, FormScript},
		{"hex", token, fmt.Sprintf("%x", token), Mask, FormHex},
		{"hex, upper case", token, fmt.Sprintf("%X", token), Mask, FormHex},
		{"base64", token, base64.StdEncoding.EncodeToString([]byte(token)), Mask, FormBase64},
		{"base64 without padding", token, base64.RawStdEncoding.EncodeToString([]byte(token)), Mask, FormBase64},
		{"base64, URL-safe", phrase, base64.URLEncoding.EncodeToString([]byte(phrase)), Mask, FormBase64},
		{"base64, URL-safe, without padding", phrase, base64.RawURLEncoding.EncodeToString([]byte(phrase)), Mask, FormBase64},
		{"colours in it", token, "\x1b[1mtok\x1b[0;31m-_5\x1b[Kf.K\x1b[0m9", "\x1b[1m" + Mask + "\x1b[0;31m\x1b[K\x1b[0m", FormRaw},
		{"a match of grep in it", token, "to\x1b[01;31m\x1b[Kk-\x1b[m\x1b[K_5f.K9", Mask + "\x1b[01;31m\x1b[K\x1b[m\x1b[K", FormRaw},
		{"a link in it", token, "tok-\x1b]8;;https://example.com/a/long/path/of/it\x1b\\_5f\x1b]8;;\x1b\\.K9", Mask + "\x1b]8;;\x1b\\", FormRaw},
		{"the address of a link", token, "\x1b]8;;https://h/?t=tok-_5f.K9\ahere\x1b]8;;\a", "\x1b]8;;https://h/?t=" + Mask + "\ahere\x1b]8;;\a", FormRaw},
		{"JSON in colours", phrase, `"p'a\"` + "\x1b[32m" + `s\u003cs\u003e\u0026w\\o r$` + "\x1b[0m" + `d/+?é=k"`, `"` + Mask + "\x1b[32m\x1b[0m" + `"`, FormJSON},
	}
	for _, columns := range []int{64, 76} {
		for name, lineBreak := range map[string]string{"LF": "\n", "CR LF": "\r\n", `\n`: `\n`, "spaces": " ", "LF, indented": "\n  "} {
			printed, want := wrapped(columns, lineBreak)
			list = append(list, sample{fmt.Sprintf("base64 in %d columns, %s", columns, name), phrase, printed, want, FormBase64})
		}
	}
	for offset := range 3 {
		printed := inMore(offset)
		first, last := ((100-offset)*8+5)/6, (100-offset+len(phrase))*8/6
		list = append(list, sample{fmt.Sprintf("base64 at offset %d", offset), phrase, printed, printed[:first] + Mask + printed[last:], FormBase64})
		printed = strings.NewReplacer("+", "-", "/", "_").Replace(printed)
		list = append(list, sample{fmt.Sprintf("base64, URL-safe, at offset %d", offset), phrase, printed, printed[:first] + Mask + printed[last:], FormBase64})
	}

	for _, s := range list {
		t.Run(s.name, func(t *testing.T) {
			set := Compile([]Needle{{"KEY", NewValue(s.value)}})
			for _, around := range []string{"", " ", ":", "\n"} {
				text, want := around+s.printed+around, around+s.want+around
				check := func(pieces ...string) {
					t.Helper()
					var out bytes.Buffer
					w := set.NewWriter(&out)
					for _, piece := range pieces {
						if _, err := io.WriteString(w, piece); err != nil {
							t.Fatal(err)
						}
					}
					if err := w.Close(); err != nil {
						t.Fatal(err)
					}
					if out.String() != want {
						t.Fatalf("%q, cut in %d, became\n%q, not\n%q", text, len(pieces), out.String(), want)
					}
					if f := w.Findings(); len(f) != 1 || f[0] != (Finding{"KEY", s.form, 1}) {
						t.Fatalf("%q, cut in %d, is found as %v, not %v", text, len(pieces), f, s.form)
					}
				}
				for at := range len(text) {
					check(text[:at], text[at:])
				}
				check(strings.Split(text, "")...)
				check(text, "")
			}
		})
	}
}

// A prompt that stays without a line break is passed at once, with colours and
// though a value has blanks at its beginning.
func TestAPromptIsPassedAtOnce(t *testing.T) {
	values := append(testKeys(1000), "  indented value", "- a:\n    key: value-1\n    other: value-2\n", "\tafter a tab")
	set := Compile(needles(values...))
	for _, prompt := range []string{
		"Password: ", "Continue? [y/N] ", "sudo: ", ">>> ", "$ ", "mysql> ", "Enter a name > ", "\x1b[1mPassword:\x1b[0m ",
		"\x1b[32m?\x1b[39m \x1b[1mWhich?\x1b[22m › ", "\x1b]0;title\aroot@host:~# ", "50% [====>    ]\r",
	} {
		var out bytes.Buffer
		w := set.NewWriter(&out)
		if _, err := io.WriteString(w, prompt); err != nil || out.String() != prompt {
			t.Errorf("of %q, %q was passed: %v", prompt, out.String(), err)
		}
	}
}

// Of a JSON object only what its names say to be a secret is one by itself: not
// the addresses and accounts beside it, which an app prints all the time.
func TestMembersThatAreNoSecrets(t *testing.T) {
	const value = `{"type":"service_account","project_id":"acme-project-1","client_email":"runs@acme.example.com","token_uri":"https://oauth2.example.com/token","access_token":"short"}`
	set := Compile([]Needle{{"KEY", NewValue(value)}})
	var out strings.Builder
	w := set.NewWriter(&out)
	const text = "service_account acme-project-1 runs@acme.example.com https://oauth2.example.com/token short\n"
	if _, err := io.WriteString(w, text+value); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := text + Mask; out.String() != want {
		t.Errorf("it became %q, want %q", out.String(), want)
	}
}

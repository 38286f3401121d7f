package redact

import (
	"net/url"
	"strings"
)

// MinLength is the length in bytes from which on a value, or a line of it, is
// masked. Shorter ones occur in ordinary output by chance.
const MinLength = 8

// longValue is the length from which on only the common forms are looked for: all
// of them, of 64 KiB of special characters, would take half a gigabyte.
const longValue = 4 << 10

// plain are values of MinLength bytes or more that configure an app and hide
// nothing; masking them would only spoil its output.
var plain = map[string]bool{
	"production": true, "development": true, "localhost": true, "127.0.0.1": true,
	"disabled": true, "undefined": true, "changeme": true, "password": true,
	"us-east-1": true, "us-east-2": true, "us-west-1": true, "us-west-2": true,
	"eu-west-1": true, "eu-central-1": true,
}

// Weak reports that a value is not masked, because it is shorter than
// [MinLength] or plainly no secret (production, localhost, …). Tell its owner
// by the key.
func Weak(v Value) bool { return weak(trimBreaks(v.Reveal())) }

func weak(s string) bool {
	return len(s) < MinLength || plain[strings.ToLower(s)] || strings.TrimSpace(s) == ""
}

func trimBreaks(s string) string { return strings.TrimRight(s, "\r\n") }

// trim takes the blanks around a value away, unless too little is left. Where
// the rest is masked they tell nothing, and a prompt's last blank would be held
// back if a value might begin with it.
func trim(s string) string {
	if bare := strings.TrimSpace(s); !weak(bare) {
		return bare
	}
	return s
}

// written is a text by which a value is given away, and which form of it that is.
type written struct {
	text string
	form Form
}

// patterns returns the byte strings whose occurrence gives the value away. A
// final line break is no part of them: it may end an output line as well.
func patterns(value string) []written {
	value = trim(trimBreaks(value))
	if weak(value) {
		return nil
	}
	seen := make(map[string]bool)
	var found []written
	one := func(form Form, s string) {
		if len(s) >= MinLength && !seen[s] {
			seen[s] = true
			found = append(found, written{s, form})
		}
	}
	add := func(form Form, s string) {
		one(form, s)
		one(form, unwrapped(s))
	}
	list := common
	if len(value) <= longValue {
		list = allEncoders()
	}
	all := parts(value)
	for _, part := range all {
		add(part.form, part.text)
	}
	for _, part := range all {
		addForms(part.text, list, add)
	}
	return found
}

// parts returns the value and what in it is a secret by itself.
func parts(value string) []written {
	all := append([]written{{value, FormRaw}}, lines(value)...)
	for _, member := range members(value) {
		all = append(append(all, written{trim(member), FormPassword}), lines(member)...)
	}
	if password := urlPassword(value); !weak(password) {
		all = append(all, written{password, FormPassword})
		if plaintext, err := url.PathUnescape(password); err == nil && !weak(plaintext) {
			all = append(all, written{plaintext, FormPassword})
		}
	}
	if from, to := PairedPassword(value); !weak(value[from:to]) {
		all = append(all, written{value[from:to], FormPassword})
		if plaintext := unescapePair(value[from:to]); plaintext != value[from:to] && !weak(plaintext) {
			all = append(all, written{plaintext, FormPassword})
		}
	}
	return all
}

// lines returns those of several that are long enough, without what each key has.
func lines(value string) (all []written) {
	if !strings.Contains(value, "\n") {
		return nil
	}
	for line := range strings.Lines(value) {
		line = trimBreaks(line)
		if weak(line) || strings.HasPrefix(line, "-----BEGIN ") || strings.HasPrefix(line, "-----END ") {
			continue
		}
		all = append(all, written{trim(line), FormLine})
	}
	return all
}

// urlPassword returns the password of scheme://user:password@host, as written.
// It is lenient where url.Parse is not, since people paste passwords unescaped.
func urlPassword(value string) string {
	_, rest, found := strings.Cut(value, "://")
	if !found {
		return ""
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		if at = strings.LastIndexByte(rest, '@'); at < 0 {
			return ""
		}
	}
	_, password, _ := strings.Cut(rest[:at], ":")
	return password
}

func addForms(s string, list []encoder, add func(Form, string)) {
	lf := strings.ReplaceAll(s, "\r\n", "\n")
	texts := []string{s, lf}
	if strings.Contains(lf, "\n") {
		texts = append(texts, strings.ReplaceAll(lf, "\n", "\r\n"))
		for _, lineBreak := range []string{" ", "", `\n`, `\r\n`, "\r"} {
			add(FormLineBreaks, strings.ReplaceAll(lf, "\n", lineBreak))
		}
	}
	for _, text := range texts {
		add(FormLineBreaks, text)
		special := specials(text)
		for _, e := range list {
			if strings.Trim(special, e.keeps) != "" {
				add(e.form, e.encode(text))
			}
		}
		for _, form := range hexForms(text) {
			add(FormHex, form)
		}
		for _, core := range base64Cores(text) {
			add(FormBase64, core)
		}
	}
}

// specials returns the bytes of s, each once, that are no ASCII letters or
// digits.
func specials(s string) string {
	var seen [256]bool
	var found []byte
	for i := range len(s) {
		c := s[i]
		if !seen[c] && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			seen[c] = true
			found = append(found, c)
		}
	}
	return string(found)
}

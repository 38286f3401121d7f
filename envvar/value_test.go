package envvar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"

func TestParseValueKeepsEveryByte(t *testing.T) {
	for _, s := range []string{
		"x", "sk-1234", "two words", "a\tb", `q"u'o$t\e`, "$(rm -rf) `x` -e X=", "=", "-n", "é 😀", "a\x1b[31mb", "a\r\nb",
		pem, strings.ReplaceAll(pem, "\n", "\r\n"), "a\nb", "a\nb\n",
		strings.Repeat("x", MaxValueBytes),
	} {
		v, err := ParseValue(s, false)
		if err != nil || v.Reveal() != s {
			t.Errorf("ParseValue(%.40q) = %.40q, %v; want it as given", s, v.Reveal(), err)
		}
	}
}

func TestParseValueRefusesAlways(t *testing.T) {
	tests := []struct{ value, says string }{
		{"", "the value is empty"},
		{strings.Repeat("x", MaxValueBytes+1), "larger than 65536 bytes"},
		{"canary\x00", "NUL byte"},
		{"canary\xff", "not valid UTF-8"},
		{"canary\xed\xa0\x80", "not valid UTF-8"}, // a surrogate half
	}
	for _, tt := range tests {
		for _, verbatim := range []bool{false, true} {
			v, err := ParseValue(tt.value, verbatim)
			requireValueError(t, tt.value, err, tt.says, false)
			if !v.IsZero() {
				t.Errorf("ParseValue(%.20q) gives a value with its error", tt.value)
			}
		}
	}
}

func TestParseValueRefusesBlankEndsUnlessVerbatim(t *testing.T) {
	tests := []struct{ value, says string }{
		{" canary", "the value starts with a space; remove it, or keep it as it is with --verbatim (in the page: Keep exactly as typed)"},
		{"canary ", "ends with a space"},
		{"\tcanary", "starts with a tab"},
		{"canary\n", "ends with a line break"},
		{"canary\r\n", "ends with a line break"},
		{"canary\r", "ends with a line break"},
		{"\ncanary\nb", "starts with a line break"},
		{"canary\u2028", "ends with a line break"},
		{"\ufeffcanary", "starts with a byte order mark (U+FEFF)"},
		{"canary\u00a0", "ends with a no-break space (U+00A0)"},
		{"canary\u200b", "ends with a zero-width space (U+200B)"},
		{"\u202ecanary", "starts with an invisible character (U+202E)"},
		{"canary\u3164", "ends with an invisible character (U+3164)"},
		{"\x1bcanary", "starts with a control character (U+001B)"},
		{"canary\nb\n\n", "ends with an empty line or white space on its last line"},
		{"canary\nb \n", "ends with an empty line or white space on its last line"},
		{" \u200b\t", "consists only of white space"},
		{"\n", "consists only of white space"},
		{"\n\n", "consists only of white space"},
	}
	for _, tt := range tests {
		_, err := ParseValue(tt.value, false)
		requireValueError(t, tt.value, err, tt.says, true)
		if v, err := ParseValue(tt.value, true); err != nil || v.Reveal() != tt.value {
			t.Errorf("ParseValue(%q, verbatim) = %q, %v; want it as given", tt.value, v.Reveal(), err)
		}
	}
}

func requireValueError(t *testing.T, value string, err error, says string, verbatim bool) {
	t.Helper()
	var invalid *ValueError
	if !errors.As(err, &invalid) || invalid.Verbatim != verbatim || !strings.Contains(err.Error(), says) {
		t.Errorf("ParseValue(%.40q) says %v; want %q, acceptable verbatim: %v", value, err, says, verbatim)
		return
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, *invalid, *invalid), "canary") {
		t.Errorf("the error for %.40q shows the value", value)
	}
	requireInert(t, err)
}

func TestFromStdinRemovesTheLineBreakOfASingleLine(t *testing.T) {
	tests := []struct{ in, want string }{
		{"sk-1\n", "sk-1"},
		{"sk-1\r\n", "sk-1"},
		{"sk-1", "sk-1"},
		{"sk-1 \n", "sk-1 "},
		{"sk-1\n\n", "sk-1\n\n"},
		{"\n", ""},
		{"", ""},
		{pem, pem},
		{"a\r\nb\r\n", "a\r\nb\r\n"},
		{"a\r", "a\r"},
	}
	for _, tt := range tests {
		if got := FromStdin(tt.in); got != tt.want {
			t.Errorf("FromStdin(%q) = %q; want %q", tt.in, got, tt.want)
		}
	}
}

func TestFromFormMakesLineBreaksLF(t *testing.T) {
	tests := []struct{ in, want string }{
		{"sk-1\r\n", "sk-1"},
		{"sk-1\r", "sk-1"},
		{"sk-1", "sk-1"},
		{strings.ReplaceAll(pem, "\n", "\r\n"), pem},
		{strings.ReplaceAll(pem, "\n", "\r"), pem},
		{pem, pem},
		{" sk-1", " sk-1"},
	}
	for _, tt := range tests {
		if got := FromForm(tt.in); got != tt.want {
			t.Errorf("FromForm(%q) = %q; want %q", tt.in, got, tt.want)
		}
	}
}

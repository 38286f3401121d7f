package envvar

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestParseKeyAcceptsEveryNameThatShellsHandOn(t *testing.T) {
	for _, s := range []string{
		"OPENAI_API_KEY", "openai_api_key", "_", "_x", "A", "a1", "HF_TOKEN", "X__Y",
		strings.Repeat("A", MaxKeyLength),
	} {
		if key, err := ParseKey(s); err != nil || string(key) != s {
			t.Errorf("ParseKey(%q) = %q, %v; want the name as given", s, key, err)
		}
	}
}

func TestParseKeyRefusesAndSaysWhy(t *testing.T) {
	tests := []struct{ name, says string }{
		{"", "is missing"},
		{"1X", "starts with a digit"},
		{"-X", `starts with '-'; write an underscore`},
		{"OPENAI-API-KEY", `has, after "OPENAI", '-'; write an underscore`},
		{"google.sheets", `has, after "google", '.'`},
		{" KEY", "starts with a space"},
		{"MY KEY", `has, after "MY", a space`},
		{"KEY=sk-live-1234", `has, after "KEY", an equals sign; give the name alone`},
		{"KEY\n", `ends with a line break, after "KEY"`},
		{"KEY\r\n", `has, after "KEY", '\r'`},
		{"A\nB", `has, after "A", '\n'`},
		{"A\x00B", `'\x00'`},
		{"BASH_FUNC_x%%", `has, after "BASH_FUNC_x", '%'`},
		{"CLÉ", `has, after "CL", the character U+00C9`},
		{"\u0410PI_KEY", "starts with the character U+0410"}, // Cyrillic А
		{"\uff21PI_KEY", "starts with the character U+FF21"}, // full-width Ａ
		{"KEY\u202eX", "the character U+202E"},               // right-to-left override
		{"KEY\u200b", "the character U+200B"},
		{"KEY\xff", "a byte that is not UTF-8"},
		{"\x1b]52;c;aGk=\a", `starts with '\x1b'`},
		{strings.Repeat("A", MaxKeyLength+1), "longer than 128 characters"},
		{strings.Repeat("A", 1<<20), "longer than 128 characters"},
		{strings.Repeat("A", 200) + "-", "longer than 128 characters"},
	}
	for _, tt := range tests {
		key, err := ParseKey(tt.name)
		var nameErr *NameError
		if !errors.As(err, &nameErr) || key != "" {
			t.Errorf("ParseKey(%q) = %q, %v; want a *NameError", tt.name, key, err)
			continue
		}
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("ParseKey(%q) says %q; want it to say %q", tt.name, err, tt.says)
		}
		if nameErr.Key != "" || nameErr.Risk != Ordinary {
			t.Errorf("ParseKey(%q) gives %+v; want no key in the error of a malformed name", tt.name, *nameErr)
		}
	}
}

func TestParseKeyDoesNotRepeatAValueTypedAsAName(t *testing.T) {
	for _, typed := range []string{
		"OPENAI_API_KEY=sk-proj-9f8e7d6c5b4a",
		"sk-proj-9f8e7d6c5b4a",
		"9f8e7d6c5b4a",
		"infsh_9f8e" + strings.Repeat("A1b", 15),
		strings.Repeat("x", 16) + strings.Repeat("9f8e7d6c5b4a", 12),
	} {
		if _, err := ParseKey(typed); err == nil || strings.Contains(err.Error(), "9f8e") {
			t.Errorf("ParseKey(%q) says %v; want an error without the value", typed, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{
		"", "A", "OPENAI_API_KEY", "1X", "a-b", "A.B", "é", "\u0410", "\u202e", "BASH_FUNC_x%%", "X\n", "X\x00",
		"INFSH_TOKEN", "\xff", "\x1b[31m", strings.Repeat("A", 128), strings.Repeat("A", 129), "HTTPS_PROXY",
	} {
		f.Add(s)
	}
	want := regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]{0,127}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		key, err := ParseKey(s)
		if (err == nil) != (want.MatchString(s) && !credential().MatchString(s)) {
			t.Fatalf("ParseKey(%q) = %v; the pattern says otherwise", s, err)
		}
		if err != nil {
			requireInert(t, err)
			if len(err.Error()) > 300 {
				t.Fatalf("the message for a name of %d bytes has %d", len(s), len(err.Error()))
			}
			return
		}
		if string(key) != s {
			t.Fatalf("ParseKey(%q) = %q", s, key)
		}
		allowed, strict := key.Permit(true), key.Permit(false)
		if (strict == nil) != (key.Risk() == Ordinary) || (allowed == nil) != (key.Risk() != Refused) {
			t.Fatalf("%s is %v, but Permit says %v and %v", key, key.Risk(), strict, allowed)
		}
		key.Advice()
	})
}

// requireInert checks that a message can go to any terminal, page or log.
func requireInert(t *testing.T, err error) {
	t.Helper()
	for _, r := range err.Error() {
		if r < ' ' || r > '~' {
			t.Fatalf("the message %q contains %U", err, r)
		}
	}
}

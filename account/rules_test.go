package account_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"infsh/account"
	"infsh/problem"
	"infsh/redact"
)

func TestPasswordRules(t *testing.T) {
	for _, good := range []string{
		goodPassword, "tenletters", strings.Repeat("ab", 512), "with\x00nul byte", "  outer spaces  ", "пароль123", "not utf-8 \xff\xfe", "🐎🔋📎",
		strings.Repeat("long", 25) + "A", strings.Repeat("long", 25) + "B",
	} {
		if err := account.CheckPassword(redact.NewValue(good), "ada@example.com"); err != nil {
			t.Errorf("A6 %q is refused: %v", good, err)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "nine bytes": "123abc!?x", "1025 bytes": strings.Repeat("ab", 512) + "c", "the address": " ADA@example.com ",
		"a common one": "Password123", "digits in order": "1234567890", "one letter": "aaaaaaaaaaaa",
	} {
		err := account.CheckPassword(redact.NewValue(bad), "ada@example.com")
		e := wantCode(t, err, problem.InvalidField)
		if e.Fields[0].Name != "password" || bad != "" && strings.Contains(e.Fields[0].Message, bad) {
			t.Errorf("%s: %+v", name, e.Fields)
		}
	}
}

func TestParseEmail(t *testing.T) {
	for in, folded := range map[string]string{
		"ada@example.com":           "ada@example.com",
		" Ada@Example.COM\t":        "ada@example.com",
		"ada+tag@example.com":       "ada+tag@example.com",
		"müller@bücher.example":     "müller@bücher.example",
		"o'hara.x_y@a-b.c1.example": "o'hara.x_y@a-b.c1.example",
	} {
		if email, got, err := account.ParseEmail(in); err != nil || got != folded || email != strings.TrimSpace(in) {
			t.Errorf("%q is %q, %q, %v", in, email, got, err)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "no at": "ada", "no domain": "ada@", "two": "ada@example.com,eve@example.com", "inner space": "a da@example.com",
		"line break": "ada@example.com\nBcc: eve@example.com", "NUL": "ada@example.com\x00", "full width": "ａda@example.com", "Kelvin sign": "\u212Aate@example.com",
		"ligature": "oﬃce@example.com", "zero width": "ada\u200b@example.com", "bidi": "ada\u202e@example.com", "not UTF-8": "ada\xff@example.com",
		"display name": "Ada <ada@example.com>", "angle brackets": "<ada@example.com>", "comment": "ada@example.com(Ada)", "quoted": `"a,b"@example.com`,
		"short host": "ada@localhost", "IP address": "ada@192.0.2.1", "domain literal": "ada@[192.0.2.1]", "final dot": "ada@example.com.", "two dots": "ada@example..com",
		"host with a dash first": "ada@-example.com", "host with _": "ada@ex_ample.com", "dots": "ada..b@example.com", "two at": "ada@b@example.com",
		"255 bytes": strings.Repeat("a", 243) + "@example.com",
	} {
		if _, folded, err := account.ParseEmail(bad); err == nil {
			t.Errorf("%s is taken as %q", name, folded)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{"ada@example.com", " ADA@example.com", "İ@example.com", "ǰ@example.com", "\u212A@example.com", "ſ@example.com", "\xff@example.com", "a@b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, folded, err := account.ParseEmail(s)
		if err != nil {
			return
		}
		if !utf8.ValidString(email) || strings.ContainsAny(email, "\x00\r\n\t ") || len(email) > account.MaxEmailLength || !norm.NFKC.IsNormalString(email) {
			t.Errorf("accepted %q", email)
		}
		if folded != account.FoldEmail(s) || folded != account.FoldEmail(email) {
			t.Errorf("%q folds to %q and %q", s, folded, account.FoldEmail(s))
		}
		if account.FoldEmail(folded) != folded {
			t.Errorf("folding %q again gives %q", folded, account.FoldEmail(folded))
		}
	})
}

func FuzzParseUsername(f *testing.F) {
	for _, seed := range []string{"acme", "ROOT ", "a-b", "-", "..", "aсme", "admin", strings.Repeat("a", 33), "a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if account.ParseUsername(s) != nil {
			return
		}
		if len(s) == 0 || len(s) > 32 || s[0] == '-' || s[len(s)-1] == '-' || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("accepted %q", s)
		}
	})
}

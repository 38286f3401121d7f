package secret_test

import (
	"strings"
	"testing"

	"infsh/redact"
	"infsh/secret"
)

// Eight bullets, and the last four characters only of a value that has 16 or
// more: the mask never tells the length (K8).
func TestMask(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"one character", "x", "••••••••"},
		{"fifteen characters", "123456789012345", "••••••••"},
		{"sixteen characters", "1234567890123456", "••••••••3456"},
		{"characters are counted, not bytes", "äöüäöüäöüäöüäöü", "••••••••"},
		{"sixteen characters beyond ASCII", "äöüäöüäöüäöüäöüß", "••••••••äöüß"},
		{"forty characters", strings.Repeat("a", 36) + "wxyz", "••••••••wxyz"},
		{"a line break at the end is not shown", strings.Repeat("a", 30) + "END\n", "••••••••"},
		{"nor an escape sequence", strings.Repeat("a", 30) + "\x1b[2J", "••••••••"},
		{"nor a character that reverses the text", strings.Repeat("a", 30) + "\u202eabc", "••••••••"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := secret.Mask(redact.NewValue(c.value)); got != c.want {
				t.Errorf("Mask = %q, want %q", got, c.want)
			}
		})
	}
}

package secret

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"infsh/redact"
)

const (
	bullets = "••••••••"
	// A value of fewer characters than this shows none of them.
	minLengthForHint = 16
	hintLength       = 4
)

// Mask returns the form in which a value is shown: eight bullets, and the last
// four characters of a value of 16 or more. It never tells the length. A
// hint that would not print as one line of text is left out.
func Mask(v redact.Value) string {
	s := v.Reveal()
	if utf8.RuneCountInString(s) < minLengthForHint {
		return bullets
	}
	r := []rune(s)
	hint := r[len(r)-hintLength:]
	for _, c := range hint {
		if !unicode.IsGraphic(c) || unicode.IsSpace(c) || unicode.Is(unicode.Mn, c) {
			return bullets
		}
	}
	return strings.Join([]string{bullets, string(hint)}, "")
}

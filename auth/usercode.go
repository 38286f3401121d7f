package auth

import (
	"crypto/rand"
	"errors"
	"strings"
)

const (
	// userCodeLetters are the 20 that RFC 8628, section 6.1, proposes: no
	// vowels, so that no code is a word, and nothing that looks like another.
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

var errUserCode = errors.New("not a user code")

// UserCode is the code that a person compares and confirms: 8 of 20 letters,
// in its one canonical spelling.
type UserCode string

// String returns the code as it is shown, BCDF-GHJK.
func (c UserCode) String() string {
	if len(c) != userCodeLength {
		return ""
	}
	return string(c[:userCodeLength/2]) + "-" + string(c[userCodeLength/2:])
}

// ParseUserCode reads a code as a person may type it, in any case, with dashes
// and spaces. All spellings of a code are the same code, so that using one up
// uses up all.
func ParseUserCode(s string) (UserCode, error) {
	if len(s) > 4*userCodeLength {
		return "", errUserCode
	}
	code := make([]byte, 0, userCodeLength)
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '-' || c == ' ':
			continue
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		if strings.IndexByte(userCodeLetters, c) < 0 || len(code) == userCodeLength {
			return "", errUserCode
		}
		code = append(code, c)
	}
	if len(code) != userCodeLength {
		return "", errUserCode
	}
	return UserCode(code), nil
}

func newUserCode() UserCode {
	code := make([]byte, 0, userCodeLength)
	var b [1]byte
	for len(code) < userCodeLength {
		_, _ = rand.Read(b[:]) // never fails; see crypto/rand
		// 240 = 12 × 20: each letter is as likely as another.
		if b[0] < 240 {
			code = append(code, userCodeLetters[int(b[0])%len(userCodeLetters)])
		}
	}
	return UserCode(code)
}

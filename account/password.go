package account

import (
	_ "embed"
	"strings"
	"sync"

	"infsh/problem"
	"infsh/redact"
)

// Bounds of a password, in bytes. NIST SP 800-63B, section 5.1.1.2, wants at
// least 64 characters allowed, and no rule on what kinds of them.
const (
	MinPasswordLength = 10
	MaxPasswordLength = 1024
)

//go:embed common_passwords.txt
var commonPasswords string

var common = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for line := range strings.Lines(commonPasswords) {
		m[strings.TrimSuffix(line, "\n")] = true
	}
	return m
})

// CheckPassword applies the rules for a new password. The password is taken as
// it is: nothing is trimmed, cut or normalized, and any byte is allowed. The
// error stands at the field password and never holds it.
func CheckPassword(password redact.Value, email string) error {
	p := password.Reveal()
	switch {
	case len(p) < MinPasswordLength:
		return problem.Invalid("password", "a password has at least %d characters", MinPasswordLength)
	case len(p) > MaxPasswordLength:
		return problem.Invalid("password", "a password has at most %d bytes", MaxPasswordLength)
	case FoldEmail(p) == FoldEmail(email):
		return problem.Invalid("password", "the password is the email address; choose another")
	case common()[strings.ToLower(p)] || monotonous(p):
		return problem.Invalid("password", "this password is among the commonest, which are tried first; choose another")
	}
	return nil
}

// monotonous reports a password of one repeated byte.
func monotonous(p string) bool { return strings.Count(p, p[:1]) == len(p) }

package envvar

import (
	"fmt"
	"strings"
	"sync"
)

// sayNothing are the words that don't tell one secret from another.
var sayNothing = sync.OnceValue(func() map[string]bool {
	return wordSet(`
	KEY KEYS APIKEY API TOKEN TOKENS SECRET SECRETS PASSWORD PASSWORDS PASSWD PASS PWD PASSPHRASE
	CREDENTIAL CREDENTIALS CRED CREDS AUTH ACCESS BEARER PRIVATE PUBLIC CLIENT USER USERNAME LOGIN
	ID VALUE VAL VAR VARIABLE ENV DATA STRING TEXT NAME APP APPLICATION SERVICE URL URI
	MY NEW OLD TEST TESTING TMP TEMP DEMO EXAMPLE SAMPLE FOO BAR BAZ`)
})

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// Advice returns one sentence that proposes a better name, or "" where the
// name is good enough. It is advice only: every such name is accepted.
func (k Key) Advice() string {
	if len(k) <= 2 || k.saysNothing() {
		return fmt.Sprintf("%s does not say what it is for; name the service too, as in %s", k, k.example())
	}
	// Apps look for the exact name, so another case of a usual one is a trap.
	if capitals := Key(strings.ToUpper(string(k))); capitals != k && isUsual(capitals) {
		return fmt.Sprintf("apps usually read %s, and case matters; use that name unless yours reads %s", capitals, k)
	}
	return ""
}

// saysNothing reports whether no word of the name tells what it is for.
func (k Key) saysNothing() bool {
	for _, w := range k.words() {
		// KEY1 and TOKEN_2 say as little as KEY and TOKEN.
		w = strings.TrimRight(w, "0123456789")
		if w != "" && !sayNothing()[w] {
			return false
		}
	}
	return true
}

// example is a good name for the kind of secret that k seems to be.
func (k Key) example() string {
	upper := strings.ToUpper(string(k))
	for _, e := range []struct{ part, example string }{
		{"PASS", "DATABASE_PASSWORD"},
		{"PWD", "DATABASE_PASSWORD"},
		{"URL", "DATABASE_URL"},
		{"URI", "DATABASE_URL"},
		{"API", "OPENAI_API_KEY"},
		{"SECRET", "STRIPE_SECRET_KEY"},
		{"TOKEN", "REPLICATE_API_TOKEN"},
		{"KEY", "OPENAI_API_KEY"},
	} {
		if strings.Contains(upper, e.part) {
			return e.example
		}
	}
	return "OPENAI_API_KEY or DATABASE_PASSWORD"
}

// isUsual reports whether k is a name that well-known services document.
func isUsual(k Key) bool {
	_, ok := credentialOf()[k]
	return ok
}

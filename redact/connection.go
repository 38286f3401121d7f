package redact

import (
	"regexp"
	"strings"
	"sync"
)

// A connection string of pairs: those of PostgreSQL are separated by blanks, those
// of ODBC, .NET and Azure by semicolons. Values may be quoted. Few values are one, so
// the expressions are compiled when one is met.
var (
	semicolons = expression(`^[^=]*=\s*(?:\{[^}]*\}|'[^']*'|"[^"]*"|[^\s;]*)\s*;`)
	pairOf     = map[bool]func() *regexp.Regexp{false: pair(`[^\s]+`), true: pair(`[^;]+`)}
)

func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func pair(unquoted string) func() *regexp.Regexp {
	return expression(`(?i)(?:^|[\s;])(?:password|passwd|pwd|accountkey|sharedaccesskey)\s*=\s*(?:'((?:[^'\\]|\\.)+)'|"([^"]+)"|(` + unquoted + `))`)
}

var otherPair = expression(`(?i)(?:^|[\s;])(?:host|hostaddr|server|data source|addr|address|user|user id|uid|username|dbname|database|initial catalog|driver|endpoint|accountname)\s*=`)

// PairedPassword says where the password stands in a value such as "host=db
// password=…" or "Server=db;Password=…": value[from:to], as it is written there
// but without quotes. Of any other value it is the empty value[0:0].
func PairedPassword(value string) (from, to int) {
	if !strings.Contains(value, "=") || !otherPair().MatchString(value) {
		return 0, 0
	}
	found := pairOf[semicolons().MatchString(value)]().FindStringSubmatchIndex(value)
	for i := 2; i < len(found); i += 2 {
		if found[i] >= 0 {
			return found[i], found[i] + len(strings.TrimRight(value[found[i]:found[i+1]], " \t\r\n"))
		}
	}
	return 0, 0
}

var escaped = expression(`\\(.)`)

// unescapePair is a quoted password without the backslashes of PostgreSQL.
func unescapePair(s string) string { return escaped().ReplaceAllString(s, "$1") }

package redact

import (
	"regexp"
	"strings"
)

// A connection string of pairs: those of PostgreSQL are separated by blanks, those
// of ODBC, .NET and Azure by semicolons. Values may be quoted.
var (
	semicolons = regexp.MustCompile(`^[^=]*=\s*(?:\{[^}]*\}|'[^']*'|"[^"]*"|[^\s;]*)\s*;`)
	pairOf     = map[bool]*regexp.Regexp{false: pair(`[^\s]+`), true: pair(`[^;]+`)}
)

func pair(unquoted string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:^|[\s;])(?:password|passwd|pwd|accountkey|sharedaccesskey)\s*=\s*(?:'((?:[^'\\]|\\.)+)'|"([^"]+)"|(` + unquoted + `))`)
}

var otherPair = regexp.MustCompile(`(?i)(?:^|[\s;])(?:host|hostaddr|server|data source|addr|address|user|user id|uid|username|dbname|database|initial catalog|driver|endpoint|accountname)\s*=`)

// PairedPassword says where the password stands in a value such as "host=db
// password=…" or "Server=db;Password=…": value[from:to], as it is written there
// but without quotes. Of any other value it is the empty value[0:0].
func PairedPassword(value string) (from, to int) {
	if !otherPair.MatchString(value) {
		return 0, 0
	}
	found := pairOf[semicolons.MatchString(value)].FindStringSubmatchIndex(value)
	for i := 2; i < len(found); i += 2 {
		if found[i] >= 0 {
			return found[i], found[i] + len(strings.TrimRight(value[found[i]:found[i+1]], " \t\r\n"))
		}
	}
	return 0, 0
}

var escaped = regexp.MustCompile(`\\(.)`)

// unescapePair is a quoted password without the backslashes of PostgreSQL.
func unescapePair(s string) string { return escaped.ReplaceAllString(s, "$1") }

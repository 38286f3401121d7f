package account

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// MaxTeamNameLength is in characters.
const MaxTeamNameLength = 64

var usernamePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$`) })

// reserved are names that are, or may become, part of a URL, a role, or the
// name of the system itself.
var reserved = []string{
	"about", "account", "accounts", "activity", "admin", "administrator", "all", "anonymous", "any", "api", "apikeys", "app", "apps", "assets",
	"audit", "auth", "billing", "blog", "dashboard", "default", "device", "docs", "edit", "everyone", "favicon", "global", "guest", "health",
	"healthz", "help", "home", "infsh", "integrations", "internal", "invite", "invites", "local", "localhost", "login", "logout", "me", "member",
	"members", "metrics", "new", "nobody", "none", "null", "oauth", "operator", "org", "owner", "owners", "password", "private", "public",
	"readyz", "register", "root", "secret", "secrets", "security", "self", "service", "settings", "setup", "shared", "signin", "signup", "static",
	"status", "support", "system", "team", "teams", "theme", "true", "false", "undefined", "user", "users", "v1", "v2", "well-known", "www",
}

// ParseUsername checks a team's username: 1 to 32 lower-case letters, digits
// and inner dashes. Nothing is folded or trimmed, so there is one spelling of
// each name.
func ParseUsername(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("a team name is needed")
	case !usernamePattern().MatchString(s):
		return fmt.Errorf("a team name has 1 to 32 lower-case letters, digits and dashes, with no dash at either end")
	case slices.Contains(reserved, s):
		return fmt.Errorf("%s is reserved; choose another name", s)
	}
	return nil
}

// parseTeamName checks the name that people read; empty stands for the
// username.
func parseTeamName(name, username string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return username, nil
	case utf8.RuneCountInString(name) > MaxTeamNameLength:
		return "", fmt.Errorf("a name has at most %d characters", MaxTeamNameLength)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return "", fmt.Errorf("a name is one line of plain text")
	}
	return name, nil
}

package handlers

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// auditedElsewhere are routes that have an effect only in another world than
// this one, with the test that shows their entry.
var auditedElsewhere = map[string]string{
	"POST /setup":            "account.TestSetup",
	"POST /invite":           "TestInviteOfANewPerson",
	"POST /api/device/token": "auth.TestDeviceLogin",

	"POST /settings/account/sso/disconnect":       "auth.TestConnecting",
	"POST /login/verify":                          "auth.TestAuthenticatorApp",
	"POST /login/passkey":                         "auth.TestPasskeys",
	"POST /settings/account/app/confirm":          "auth.TestAuthenticatorApp",
	"POST /settings/account/app/remove":           "auth.TestRecoveryCodes",
	"POST /settings/account/passkeys":             "auth.TestPasskeys",
	"POST /settings/account/passkeys/{id}/remove": "auth.TestPasskeys",
	"POST /settings/account/sessions/{id}/end":    "auth.TestSignIns",
	"POST /settings/account/recovery":             "auth.TestRecoveryCodes",
}

var documentedRoute = regexp.MustCompile("^\\| `([A-Z]+ /[^`]*)` \\|")

// The routes that leave no entry in the audit log are those that
// docs/architecture.md names: the ones in its table, and each GET but the one
// that reveals (U7).
func TestRoutesWithoutEntriesAreTheDocumentedOnes(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(b)) {
		if m := documentedRoute.FindStringSubmatch(line); m != nil {
			documented = append(documented, m[1])
		}
	}
	w := newWorld(t)
	_, rows := parseMatrix(t)
	var silent []string
	for _, row := range rows {
		actor := "owner"
		if !row.isPage() {
			actor = "login" // Which POST /api/logout ends.
		}
		before := w.entries()
		got := w.try(row, actor)
		switch entry := w.entries() > before; {
		case row.method == http.MethodGet:
			if revealing := row.route() == "GET /api/secrets/reveal/{key}"; entry != revealing {
				t.Errorf("%s (%d): an entry: %v", row.route(), got.Code, entry)
			}
		case !entry && auditedElsewhere[row.route()] == "":
			silent = append(silent, row.route())
			if !slices.Contains(documented, row.route()) {
				t.Errorf("%s (%d) leaves no entry; if that is right, list it in docs/architecture.md with the reason", row.route(), got.Code)
			}
		}
		if w.committed() {
			w.restore()
		}
	}
	for _, route := range documented {
		if !slices.Contains(silent, route) {
			t.Errorf("docs/architecture.md lists %s, which leaves an entry or is no route", route)
		}
	}
}

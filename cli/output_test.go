package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostile are texts that would do something to a terminal or to its reader.
var hostile = []string{
	"\x1b[2J", "\x1b]52;c;ZXZpbA==\x07", "\x1b]0;title\x07", "\u009b31m", "\r", "\n", "\t", "\b", "\x00", "\x7f", "\v\f",
	"\u202eevil\u202c", "\u2066x\u2069", "\u200b", "\u200e", "\u00ad", "\ufeff", "\u2028", "\u2029", "\u00a0",
	"\U000e0041", "\xff\xfe", "a\xc3", "\ue000",
}

func checkInert(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("%q is not UTF-8", s)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			t.Errorf("%q has %U", s, r)
		}
	}
}

func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"For GPT-4 API calls":     "For GPT-4 API calls",
		"••••••••here":            "••••••••here",
		"naïve 日本語 😀 \\n":         "naïve 日本語 😀 \\n",
		"\x1b[31mred":             `\x1b[31mred`,
		"two\nlines\r":            `two\nlines\r`,
		"\u202eevil":              `\u202eevil`,
		"a\xffb":                  `a\xffb`,
		"\u009b":                  `\u009b`,
		"\U000e0041":              `\U000e0041`,
		"the \ufffd character":    "the \ufffd character",
		"zero\u200bwidth\u00a0nb": `zero\u200bwidth\u00a0nb`,
	} {
		if got := inert(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	for _, s := range hostile {
		checkInert(t, inert(s))
	}
}

func FuzzInert(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Add("plain")
	f.Fuzz(func(t *testing.T, s string) {
		got := inert(s)
		checkInert(t, got)
		if isInert(s) && got != s {
			t.Errorf("%q was changed to %q", s, got)
		}
		if again := inert(got); again != got {
			t.Errorf("%q is %q at first and %q later", s, got, again)
		}
	})
}

func FuzzInertJSON(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Add("plain < & >")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got := inertJSON(string(data))
		checkInert(t, got)
		var back string
		if err := json.Unmarshal([]byte(got), &back); err != nil || back != s {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
	})
}

func TestOnlyWebAddressesAreShownAsLinks(t *testing.T) {
	for url, want := range map[string]bool{
		"http://127.0.0.1:8080/settings/secrets?add=K&description=For%20x": true,
		"https://infsh.example.com/device":                                 true,
		"":                                                                 false,
		"javascript:alert(1)":                                              false,
		"file:///etc/passwd":                                               false,
		"-oProxyCommand=x":                                                 false,
		"/settings/secrets":                                                false,
		"https://real.example.com@evil.example.com/":                       false,
		"https://example.com/\u202e":                                       false,
		"https://example.com/\x1b[2J":                                      false,
		"https:///path":                                                    false,
	} {
		if isWebURL(url) != want {
			t.Errorf("%q: %v", url, !want)
		}
	}
}

func TestALinkWithoutAHostIsTheServers(t *testing.T) {
	p := &program{Options: Options{LookupEnv: func(string) (string, bool) { return "https://infsh.example.com/", true }}}
	for address, want := range map[string]string{
		"/settings/secrets?add=K":     "https://infsh.example.com/settings/secrets?add=K",
		"https://other.example.com/x": "https://other.example.com/x",
		"//evil.example.com/x":        "",
		"javascript:alert(1)":         "",
		"/settings/\x1b[2J":           "",
		"settings":                    "",
		"":                            "",
	} {
		if got := p.link(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

// Whatever a server sends as a name or description, the terminal gets text.
func TestNoTableCarriesControlCharacters(t *testing.T) {
	for _, text := range hostile {
		if !utf8.ValidString(text) {
			continue // JSON carries none.
		}
		quoted, err := json.Marshal(text + "x")
		if err != nil {
			t.Fatal(err)
		}
		q := string(quoted)
		secret := `{"key":` + q + `,"team_id":"t1","masked_value":` + q + `,"description":` + q + `,"updated_by":` + q + `,"version":1,"warnings":[` + q + `]}`
		w := newWorld(t, serve(t, routes{
			"GET /api/me": `{"user":{"email":` + q + `},"team":{"username":` + q + `,"role":` + q + `},` +
				`"key":{"kind":` + q + `,"name":` + q + `,"scopes":[` + q + `]}}`,
			"GET /api/teams":                  `[{"username":` + q + `,"name":` + q + `,"role":` + q + `}]`,
			"POST /api/teams":                 `{"username":` + q + `}`,
			"POST /api/secrets/list":          `{"items":[` + secret + `]}`,
			"GET /api/teams/t1/expected-keys": `[{"key":` + q + `,"description":` + q + `}]`,
			"GET /api/webhooks/w1/deliveries": `{"items":[{"id":` + q + `,"type":` + q + `,"state":` + q + `,"last_error":` + q + `}]}`,
			"GET /api/secrets/K":              secret,
			"PUT /api/secrets/K":              secret,
			"GET /api/secrets/versions/K":     `{"items":[{"version":1,"created_by":` + q + `,"masked_value":` + q + `,"state":` + q + `}]}`,
			"POST /api/secrets/rollback/K":    secret,
			"POST /api/secrets/activate/K":    secret,
			"POST /api/secrets/import":        `{"items":[{"key":` + q + `,"status":` + q + `,"detail":` + q + `}],"written":true}`,
			"POST /api/apps/list":             `{"items":[{"namespace":` + q + `,"name":` + q + `,"description":` + q + `}]}`,
			"POST /api/apps":                  `{"namespace":` + q + `,"name":` + q + `}`,
			"GET /api/secrets/MISSING":        `404 {"title":"secret_not_found","detail":` + q + `}`,
			"GET /api/secrets/reveal/DENIED":  `403 {"title":"permission_denied","detail":` + q + `}`,
			"POST /api/apps/check": `{"errors":[],"items":[{"key":` + q + `,"kind":"secret","state":"missing","message":` + q +
				`,"near_misses":[{"key":` + q + `,"reason":` + q + `,"team":` + q + `}],"url":` + q + `}],"unused":[` + q + `]}`,
			"POST /internal/v1/resolve": `412 {"title":"requirements_not_met","detail":` + q + `,"errors":[{"type":"secret","key":` + q +
				`,"message":` + q + `,"action":{"url":` + q + `}}]}`,
		}))
		w.stdin = "K=value\n"
		folder := writeManifest(t, "secrets:\n  - key: K\n")
		for _, args := range [][]string{
			{"me"}, {"teams", "list"}, {"teams", "create", "x"}, {"secrets", "list"}, {"secrets", "list", "--json"},
			{"secrets", "get", "K"}, {"secrets", "get", "K", "--json"}, {"secrets", "set", "K", "v"}, {"secrets", "history", "K"},
			{"secrets", "rollback", "K", "--to", "1"}, {"secrets", "activate", "K", "--version", "1"}, {"secrets", "set", "K", "v", "--stage"}, {"secrets", "import", "-"}, {"secrets", "get", "MISSING"},
			{"secrets", "get", "DENIED", "--reveal"},
			{"app", "list"}, {"app", "check", folder}, {"app", "check", folder, "--json"}, {"app", "deploy", folder},
			{"webhooks", "deliveries", "w1"}, {"run", "-f", folder, "--", "true"},
		} {
			r := w.run(args...)
			for line := range strings.Lines(r.out + r.err) {
				checkInert(t, strings.TrimSuffix(line, "\n"))
			}
			if r.out+r.err == "" {
				t.Errorf("%q printed nothing", args)
			}
		}
	}
}

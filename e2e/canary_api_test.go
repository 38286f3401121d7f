package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var tokenPattern = regexp.MustCompile(`infsh_[0-9A-Za-z]{49}`)

// quote writes a JSON string.
func quote(s string) string {
	b, _ := json.Marshal(s) // A string can't fail.
	return string(b)
}

// driveAPI uses the JSON API as it is meant.
func (h *hunt) driveAPI(owner string) {
	changed := h.plantGuessable("value by the API", `canary "api" & välue=1+1 7wE5`)
	imported := h.plantGuessable("value that was imported", "canary imported\tvälue 3gU9")
	create := func(key, value string) string { return `{"key":` + quote(key) + `,"value":` + quote(value) + `}` }
	items := func(options string) string {
		return `{"items":[` + create("IMPORTED_KEY", imported) + `]` + options + `}`
	}

	h.want(http.StatusCreated, h.api(owner, "POST", "/api/secrets", create("API_MADE_KEY", changed)))
	h.want(http.StatusConflict, h.api(owner, "POST", "/api/secrets", create("API_MADE_KEY", changed)))
	h.want(http.StatusOK, h.api(owner, "PUT", "/api/secrets/API_MADE_KEY", `{"value":`+quote(plainValue)+`}`))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/rollback/API_MADE_KEY", `{"version":1}`))
	h.want(http.StatusOK, h.api(owner, "PUT", "/api/secrets/API_MADE_KEY", `{"stage":true,"value":`+quote(plainValue)+`}`))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/activate/API_MADE_KEY", `{"version":4}`))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/activate/API_MADE_KEY", `{"version":3}`))
	h.want(http.StatusOK, h.api(owner, "GET", "/api/secrets/API_MADE_KEY", ""))
	h.want(http.StatusOK, h.api(owner, "GET", "/api/secrets/versions/API_MADE_KEY", ""))
	h.want(http.StatusOK, h.api(owner, "GET", "/api/secrets/uses/API_MADE_KEY", ""))
	h.want(http.StatusOK, h.api(owner, "GET", "/api/activity", ""))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/activity/export", `{"format":"csv"}`))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/list", "{}"))
	h.want(http.StatusOK, h.api(owner, "GET", "/api/secrets/reveal/API_MADE_KEY", ""))
	h.meant("value by the API")
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/import", items(`,"dry_run":true,"overwrite":false`)))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/import", items(`,"dry_run":false,"overwrite":false`)))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/import", `{"items":[`+create("IMPORTED_KEY", changed)+`],"dry_run":false,"overwrite":false}`))
	h.want(http.StatusOK, h.api(owner, "POST", "/api/secrets/import", `{"items":[`+create(imported, "IMPORTED_KEY")+`],"dry_run":false,"overwrite":false}`))
	h.want(http.StatusNoContent, h.api(owner, "DELETE", "/api/secrets/IMPORTED_KEY", ""))

	// Who may not.
	member, other := h.text("API key of the member"), h.text("API key of another team")
	h.want(http.StatusForbidden, h.api(member, "POST", "/api/secrets", create("NEW_KEY", changed)))
	h.want(http.StatusForbidden, h.api(member, "PUT", "/api/secrets/API_MADE_KEY", `{"value":`+quote(changed)+`}`))
	h.want(http.StatusForbidden, h.api(member, "GET", "/api/secrets/reveal/API_MADE_KEY", ""))
	h.want(http.StatusForbidden, h.api(member, "POST", "/api/secrets/import", items(`,"dry_run":false,"overwrite":false`)))
	h.want(http.StatusNotFound, h.api(other, "GET", "/api/secrets/reveal/API_MADE_KEY", ""))
	h.want(http.StatusForbidden, h.api(other, "POST", "/api/secrets", create("NEW_KEY", changed), "X-Infsh-Team", "acme"))

	// Runs.
	declare := func(name string, keys ...string) {
		var declared []string
		for _, key := range keys {
			declared = append(declared, `{"key":`+quote(key)+`,"description":"","optional":false}`)
		}
		h.want(http.StatusCreated, h.api(owner, "POST", "/api/apps", `{"name":`+quote(name)+`,"version":{"required_secrets":[`+strings.Join(declared, ",")+`],"required_integrations":[]}}`))
	}
	declare("whole", "OPENAI_API_KEY", "TLS_KEY", "GREETING_PHRASE", "DATABASE_PASSWORD")
	declare("partial", "OPENAI_API_KEY", "NOBODY_SET_THIS")
	runner := h.text("runner's key from the dialog")
	h.want(http.StatusOK, h.api(runner, "POST", "/internal/v1/resolve", `{"app":"acme/whole","run_id":"run-1"}`))
	h.meant("plain value", "key of several lines", "phrase in unicode", "quoted value")
	h.want(http.StatusPreconditionFailed, h.api(runner, "POST", "/internal/v1/resolve", `{"app":"acme/partial"}`))
	h.want(http.StatusForbidden, h.api(h.text("API key from the API"), "POST", "/internal/v1/resolve", `{"app":"acme/whole"}`))
	h.want(http.StatusNotFound, h.api(runner, "POST", "/internal/v1/resolve", `{"app":"acme/no-such-app"}`))
	h.want(http.StatusNotFound, h.api(other, "POST", "/internal/v1/resolve", `{"app":"acme/whole"}`))
	h.want(http.StatusUnauthorized, h.api("", "POST", "/internal/v1/resolve", `{"app":"acme/whole"}`))
}

// driveMistakes sends secrets and credentials where none belongs: in the wrong
// type, under the wrong name, as a name, in the address, in a header.
func (h *hunt) driveMistakes(owner string) {
	h.plant("API key that nobody made", "infsh_"+strings.Repeat("canaryX", 7))
	for _, secret := range []string{plainValue, quotedValue, keyValue, h.text("API key from the page"), h.text("API key that nobody made")} {
		h.mistakesInBodies(owner, secret)
		h.mistakesInAddresses(owner, secret)
	}
}

func (h *hunt) mistakesInBodies(owner, secret string) {
	s := quote(secret)
	for path, bodies := range map[string][]string{
		"POST /api/secrets": {
			`{"key":"NEW_KEY","value":{"x":` + s + `}}`, `{"key":"NEW_KEY","value":[` + s + `]}`, `{"key":[` + s + `],"value":"x"}`,
			`{"key":{` + s + `:1},"value":"x"}`, `{"key":"NEW_KEY","value":` + s + `,"value":` + s + `}`, `{` + s + `:1,` + s + `:2}`,
			`{"key":"NEW_KEY","value":` + s + `,"verbatim":` + s + `}`, `{"key":"NEW_KEY","value":` + s + `,"description":{"x":` + s + `}}`,
			`{"key":"NEW_KEY","value":` + s, `{"key":"NEW_KEY","value":` + s + `}` + s, s, `[` + s + `]`, secret, `{"key":"NEW_KEY",value:` + s + `}`,
			`{"key":"NEW_KEY","value":"\ud800` + s[1:] + `}`, `{"key":"NEW_KEY","value":"` + "\xff" + s[1:] + `}`,
			`{"key":` + s + `,"value":"OPENAI_API_KEY"}`, `{"key":"NEW_KEY","value":" ` + s[1:] + `}`, `{"key":"LD_PRELOAD","value":` + s + `}`,
			`{"value":` + s + `}`,
		},
		"PUT /api/secrets/OPENAI_API_KEY": {`{"value":{"x":` + s + `}}`, `{"key":` + s + `,"value":` + s + `}`},
		"POST /api/secrets/import": {
			`{"items":[],"surprise":` + s + `}`, `{"items":[],` + s + `:1}`, `{"items":[{"key":"NEW_KEY","value":"x",` + s + `:1}]}`,
			`{"items":[{"key":"NEW_KEY","value":"x","surprise":` + s + `}]}`, `{"items":` + s + `}`, `{"items":[` + s + `]}`, `{"items":{` + s + `:"x"}}`,
			`{"items":[{"key":"NEW_KEY","value":[` + s + `]}]}`, `{"items":[{"key":"NEW_KEY","value":` + s + `,"value":"x"}]}`, `{"items":[],"overwrite":` + s + `}`,
			`{"items":[{"key":` + s + `}]}`,
		},
		"POST /api/secrets/rollback/OPENAI_API_KEY": {`{"version":` + s + `}`, `{"version":1,` + s + `:1}`, `{"version":1e400,"x":` + s + `}`},
		"POST /api/secrets/activate/OPENAI_API_KEY": {`{"version":` + s + `}`, `{"version":1,` + s + `:1}`},
		"POST /api/secrets/list": {
			`{"limit":` + s + `}`, `{"cursor":` + s + `}`, `{"search":{"fields":[` + s + `],"term":"x"}}`, `{"sort":[{"field":` + s + `}]}`,
			`{"sort":[{"field":"key","dir":` + s + `}]}`, `{"filters":[{"field":` + s + `,"value":"x"}]}`, `{"filters":[{"field":"key","operator":` + s + `,"value":"x"}]}`,
			`{"filters":[{"field":"key","value":{` + s + `:1}}]}`,
		},
		"POST /api/apikeys": {`{"name":"x","scopes":[` + s + `]}`, `{"name":"x","scopes":` + s + `}`, `{"name":{` + s + `:1}}`},
		"POST /api/apps": {
			`{"name":` + s + `,"version":{"required_secrets":[]}}`, `{"name":"x","namespace":` + s + `,"version":{"required_secrets":[]}}`,
			`{"name":"x","version":{"required_secrets":[{"key":` + s + `}]}}`, `{"name":"x","version":{"required_secrets":[` + s + `]}}`,
		},
		"POST /api/apps/check":       {`{"secrets":[{"key":` + s + `}]}`, `{"secrets":[{"key":"OPENAI_API_KEY","value":` + s + `}]}`, `{` + s + `:[]}`},
		"POST /internal/v1/resolve":  {`{"app":` + s + `}`, `{"app":"acme/whole","run_id":[` + s + `]}`, `{"app":"acme/whole",` + s + `:1}`, `{"app":"acme/whole","value":` + s + `}`},
		"POST /internal/v1/findings": {`{"app":"acme/whole","findings":[{"key":` + s + `,"form":"raw","count":1}]}`, `{"app":"acme/whole","findings":[{"key":"OPENAI_API_KEY","form":` + s + `,"count":1}]}`},
		"POST /api/device/token":     {`{"device_code":` + s + `}`, `{"device_code":[` + s + `]}`, `{"device_code":"x",` + s + `:1}`},
		"POST /api/device/code":      {`{"client_name":[` + s + `]}`, `{"client_name":"x",` + s + `:1}`},
		"POST /api/teams":            {`{"username":` + s + `}`, `{"username":[` + s + `]}`},
		"POST /api/no-such-endpoint": {`{"value":` + s + `}`},
	} {
		method, path, _ := strings.Cut(path, " ")
		for _, body := range bodies {
			a := h.api(owner, method, path, body)
			if a.StatusCode < 400 || a.StatusCode >= 500 {
				refusedLater := strings.HasSuffix(path, "/import") && a.StatusCode == http.StatusOK && strings.Contains(a.Body, `"refused"`)
				if !refusedLater {
					h.t.Errorf("%s %s answered %d to %.60s, want an error of the client's: %.200s", method, path, a.StatusCode, body, a.Body)
				}
			}
		}
	}
	h.want(http.StatusUnsupportedMediaType, h.api(owner, "POST", "/api/secrets", `{"key":"NEW_KEY","value":`+s+`}`, "Content-Type", "text/plain"))
	h.want(http.StatusRequestEntityTooLarge, h.api(owner, "POST", "/api/secrets", `{"key":"NEW_KEY","value":`+s+strings.Repeat(" ", 600<<10)+`}`))
	h.want(http.StatusUnauthorized, h.api("", "POST", "/api/secrets", `{"key":"NEW_KEY","value":`+s+`}`))
}

func (h *hunt) mistakesInAddresses(owner, secret string) {
	path, query := url.PathEscape(secret), url.QueryEscape(secret)
	for _, request := range []string{
		"GET /api/secrets/" + path, "PUT /api/secrets/" + path, "DELETE /api/secrets/" + path, "GET /api/secrets/reveal/" + path,
		"GET /api/secrets/versions/" + path, "GET /api/secrets/uses/" + path, "POST /api/secrets/rollback/" + path, "POST /api/secrets/activate/" + path, "GET /api/apps/" + path, "GET /api/apps/acme/" + path,
		"GET /api/teams/" + path, "DELETE /api/apikeys/" + path, "GET /api/" + path, "PATCH /api/secrets/" + path, "GET /api/secrets/NO_SUCH_KEY?value=" + query,
		"GET /" + path + "?value=" + query,
	} {
		method, target, _ := strings.Cut(request, " ")
		body := ""
		if method == "PUT" || method == "POST" {
			body = `{"value":"x"}`
		}
		if a := h.api(owner, method, target, body); a.StatusCode < 400 || a.StatusCode >= 500 {
			h.t.Errorf("%s answered %d, want an error of the client's", request, a.StatusCode)
		}
	}
	h.want(http.StatusOK, h.api(owner, "GET", "/api/teams/check-username?username="+query, ""))

	// A header is one line.
	line := strings.ReplaceAll(secret, "\n", " ")
	if strings.ContainsAny(line, "ž🔑") {
		return
	}
	for _, header := range [][]string{
		{"Authorization", "Bearer " + line}, {"Authorization", line}, {"Authorization", "Basic " + line}, {"X-Infsh-Team", line},
		{"Content-Type", line}, {"Cookie", "infsh_session=" + query}, {"X-Api-Key", line},
	} {
		withKey := owner
		if header[0] != "X-Infsh-Team" && header[0] != "Content-Type" {
			withKey = ""
		}
		if line == h.text("API key from the page") && header[0] == "Authorization" && strings.HasPrefix(header[1], "Bearer ") {
			continue // That is where it belongs.
		}
		a := h.api(withKey, "POST", "/api/secrets", `{"key":"NEW_KEY","value":"x"}`, header...)
		if a.StatusCode < 400 || a.StatusCode >= 500 {
			h.t.Errorf("a request with %s answered %d, want an error of the client's", header[0], a.StatusCode)
		}
	}
	for _, header := range []string{"X-Request-Id", "X-Forwarded-For", "Referer", "User-Agent", "Accept", "HX-Current-URL", "HX-Target", "HX-Prompt"} {
		h.api(owner, "GET", "/api/me", "", header, line)
		h.raw(h.browser(), "GET", "/settings/secrets", "", "", header, line, "HX-Request", "true")
	}
	h.api(owner, "GET", "/api/me", "", "Origin", line)
	h.want(http.StatusForbidden, h.api(owner, "POST", "/api/secrets", `{}`, "Origin", "https://"+query+".example.com"))
}

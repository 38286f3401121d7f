package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// W1: what another site makes a browser send is refused, and so is what does
// not say where it comes from and does not have the session's token. That each
// route is protected is in handlers/access_test.go.
func TestCrossSiteRequests(t *testing.T) {
	w := newTown(t)
	v := w.signIn(w.ada)
	page, err := goquery.NewDocumentFromReader(strings.NewReader(v.get("/settings/account").Body))
	if err != nil {
		t.Fatal(err)
	}
	token := page.Find("input[name=csrf]").First().AttrOr("value", "")
	if len(token) < 32 {
		t.Fatalf("the page has no token: %q", token)
	}
	const yes, no = http.StatusSeeOther, http.StatusForbidden
	for i, c := range []struct {
		name   string
		token  string
		header []string // on top of what a page of ours has: our Origin
		want   int
	}{
		{"our own page", "", nil, yes},
		{"our own page, by Sec-Fetch-Site", "", []string{"Origin", "", "Sec-Fetch-Site", "same-origin"}, yes},
		{"our own page, with the token too", token, nil, yes},
		{"our own page, with another session's token", "another" + token, nil, no},
		{"a client that says nothing, with the token", token, []string{"Origin", ""}, yes},
		{"a client that says nothing, without the token", "", []string{"Origin", ""}, no},
		{"a client that says nothing, with a wrong token", token[1:], []string{"Origin", ""}, no},
		{"HTMX's header does not stand for the token", "", []string{"Origin", "", "HX-Request", "true"}, no},
		{"another site", "", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, no},
		{"another site that knows the token", token, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, no},
		{"another site, in an older browser", "", []string{"Origin", "https://evil.example"}, no},
		{"another site that hides its origin", "", []string{"Origin", "null"}, no},
		{"another site that hides its origin, and knows the token", token, []string{"Origin", "null"}, no},
		{"another host of our site", "", []string{"Origin", "https://blog.infsh.example", "Sec-Fetch-Site", "same-site"}, no},
		{"another port of our host", "", []string{"Origin", "http://127.0.0.1:1"}, no},
		{"a host whose name begins as ours", "", []string{"Origin", w.URL + ".evil.example"}, no},
		{"a page that was opened by hand claims", "", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "same-site", "Referer", w.URL + "/settings/secrets"}, no},
	} {
		key := fmt.Sprintf("CSRF_%d", i)
		fields := form("key", key, "value", "a-value-of-the-form")
		if c.token != "" {
			fields.Set("csrf", c.token)
		}
		if a := v.post("/settings/secrets", fields, c.header...); a.StatusCode != c.want && (c.want == no || a.Header.Get("HX-Redirect") == "") {
			t.Errorf("W1 %s: %d, want %d", c.name, a.StatusCode, c.want)
		}
		if exists := w.call(w.ada.APIKey, "GET", "/api/secrets/"+key, nil).StatusCode == http.StatusOK; exists != (c.want == yes) {
			t.Errorf("W1 %s: was stored: %v", c.name, exists)
		}
		// The same from the login form, where a foreign site would sign the
		// victim in to an account of its own.
		if c.want == no && c.token == "" && !slices.Contains(c.header, "HX-Request") && len(c.header) > 2 || slices.Contains(c.header, "null") {
			a := w.visitor().post("/login", form("email", w.eve.Email, "password", w.eve.Password), c.header...)
			if a.StatusCode != http.StatusForbidden || len(a.Cookies()) > 0 {
				t.Errorf("W1 login, %s: %d, cookies %v", c.name, a.StatusCode, a.Cookies())
			}
		}
	}
	// With a session's cookie and no word on the origin, the login form needs
	// the token too.
	if a := v.post("/login", form("email", w.eve.Email, "password", w.eve.Password), "Origin", ""); a.StatusCode != no {
		t.Errorf("W1 login over a session: %d", a.StatusCode)
	}
	for _, media := range []string{"text/plain", "application/json", "multipart/form-data; boundary=x"} {
		body := `{"key":"CSRF_TEXT","value":"some-value","csrf":"` + token + `"}`
		req, err := http.NewRequest("POST", w.URL+"/settings/secrets", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		setHeaders(req, []string{"Content-Type", media, "Cookie", v.cookie()})
		if a := send(t, w.visitor().client, req); a.StatusCode != http.StatusUnsupportedMediaType && a.StatusCode != no {
			t.Errorf("W1 JSON as %s: %d", media, a.StatusCode)
		}
		req, _ = http.NewRequest("POST", w.URL+"/api/secrets", strings.NewReader(body))
		setHeaders(req, []string{"Content-Type", media, "Cookie", v.cookie(), "Origin", w.URL})
		if a := send(t, w.visitor().client, req); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("W1 the API with a cookie, as %s: %d", media, a.StatusCode)
		}
	}
}

// W1: behind https, our host over http is another site.
func TestOriginOverPlainHTTP(t *testing.T) {
	const host = "infsh.example"
	s := start(t, filepath.Join(t.TempDir(), "data"), "--public-url", "https://"+host)
	ada := s.createUser("ada@example.com", "acme")
	for origin, want := range map[string]int{"https://" + host: http.StatusSeeOther, "http://" + host: http.StatusForbidden, "http://" + host + ":80": http.StatusForbidden, "HTTP://" + host: http.StatusForbidden} {
		req, err := http.NewRequest("POST", s.URL+"/login", strings.NewReader(form("email", ada.Email, "password", ada.Password).Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		setHeaders(req, []string{"Content-Type", formType, "Origin", origin})
		if a := send(t, s.visitor().client, req); a.StatusCode != want {
			t.Errorf("W1 from %s: %d, want %d", origin, a.StatusCode, want)
		}
	}
}

// W3: a fragment is only ever the answer to HTMX asking for it, and no cache
// takes it for the page.
func TestFragments(t *testing.T) {
	w := newTown(t)
	w.set(w.ada.APIKey, "OPENAI_API_KEY", "sk-openai-value")
	v := w.signIn(w.ada)
	for _, c := range []struct {
		path   string
		header []string
		whole  bool
	}{
		{"/settings/secrets", nil, true},
		{"/settings/secrets", []string{"HX-Target", "secrets-table"}, true},
		{"/settings/secrets", []string{"HX-Request", "1", "HX-Target", "secrets-table"}, true},
		{"/settings/secrets", []string{"HX-Boosted", "true", "HX-Target", "secrets-table"}, true},
		{"/settings/secrets", []string{"HX-Request", "true", "HX-Target", "secrets-table", "HX-History-Restore-Request", "true"}, true},
		{"/settings/secrets", []string{"HX-Request", "true", "HX-Target", "secrets-table"}, false},
		{"/settings/secrets?add=FAL_KEY", []string{"HX-Request", "true", "HX-Target", "dialog"}, false},
		{"/settings/secrets?add=FAL_KEY", nil, true},
		{"/settings/secrets/OPENAI_API_KEY?edit=1", []string{"HX-Request", "true", "HX-Target", "dialog"}, false},
		{"/settings/secrets/OPENAI_API_KEY?edit=1", nil, true},
	} {
		a := v.get(c.path, c.header...)
		if whole := strings.HasPrefix(strings.ToLower(a.Body), "<!doctype html>"); a.StatusCode != http.StatusOK || whole != c.whole {
			t.Errorf("W3 %s %v: %d, whole %v: %.100s", c.path, c.header, a.StatusCode, whole, a.Body)
		}
		if vary := a.Header.Get("Vary"); !strings.Contains(vary, "HX-Request") || !strings.Contains(vary, "HX-Target") || !strings.Contains(vary, "Cookie") || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("W3 %s: Vary %q, Cache-Control %q", c.path, vary, a.Header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/settings/secrets/NO_SUCH_KEY", "/no-such-page"} {
		whole, part := v.get(path), v.get(path, "HX-Request", "true")
		if whole.StatusCode != 404 || part.StatusCode != 404 || !strings.Contains(whole.Body, "<html") || strings.Contains(part.Body, "<html") {
			t.Errorf("W3 the error at %s: %d %d", path, whole.StatusCode, part.StatusCode)
		}
		if !strings.Contains(whole.Header.Get("Vary"), "HX-Request") {
			t.Errorf("W3 the error at %s: Vary %q", path, whole.Header.Get("Vary"))
		}
	}
	if a := w.visitor().get("/settings/secrets"); !strings.Contains(a.Header.Get("Vary"), "Cookie") || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("W3 the way to the login page may be kept: %v", a.Header)
	}
	page, err := goquery.NewDocumentFromReader(strings.NewReader(v.get("/settings/secrets").Body))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(page.Find("meta[name=htmx-config]").AttrOr("content", "")), &config); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"allowEval": false, "allowScriptTags": false, "includeIndicatorStyles": false, "selfRequestsOnly": true, "historyCacheSize": float64(0), "historyRestoreAsHxRequest": false,
	} {
		if config[name] != want {
			t.Errorf("W3/W5 htmx %s is %v, want %v", name, config[name], want)
		}
	}
}

// W5 and W9: each answer has the headers that keep it from being framed, kept,
// guessed at or made to run a script, also those that say no.
func TestSecurityHeaders(t *testing.T) {
	for _, public := range []string{"", "https://infsh.example"} {
		args := []string{}
		if public != "" {
			args = append(args, "--public-url", public)
		}
		w := newTown(t, args...)
		session := "x=y"
		if public == "" {
			session = w.signIn(w.ada).cookie()
		}
		for _, c := range []struct {
			status       int
			method, path string
			header       []string
		}{
			{303, "GET", "/", nil}, {200, "GET", "/login", nil}, {303, "GET", "/setup", nil}, {303, "GET", "/settings/secrets", nil},
			{200, "GET", "/static/app.css", nil}, {404, "GET", "/static/no-such.css", nil}, {404, "GET", "/no-such-page", nil}, {404, "GET", "/settings/no-such-page", nil},
			{405, "DELETE", "/login", nil}, {405, "POST", "/settings/members", nil}, {405, "PATCH", "/api/me", nil}, {405, "OPTIONS", "/login", nil}, {405, "TRACE", "/login", nil},
			{404, "GET", "/api", nil}, {404, "GET", "/api/", nil}, {404, "GET", "/api/no-such", nil}, {401, "GET", "/api/me", nil}, {401, "POST", "/internal/v1/resolve", nil},
			{404, "GET", "/internal/no-such", nil}, {200, "GET", "/healthz", nil}, {200, "GET", "/readyz", nil},
			{415, "POST", "/login", []string{"Content-Type", "text/plain"}}, {403, "POST", "/login", []string{"Origin", "https://evil.example"}},
			{401, "POST", "/login", nil}, {413, "POST", "/login?large", nil}, {413, "POST", "/api/device/code?large", nil}, {400, "POST", "/api/device/code", []string{"Content-Type", "application/json"}},
			{400, "POST", "/login?bad", nil}, {307, "POST", "//login", nil}, {307, "GET", "/settings/../login", nil},
		} {
			body := "email=x&password=y"
			if strings.HasSuffix(c.path, "?large") {
				body = strings.Repeat("x", 1<<20)
			}
			if strings.HasSuffix(c.path, "?bad") {
				body = "%zz"
			}
			if c.method == "GET" {
				body = ""
			}
			req, err := http.NewRequest(c.method, w.URL, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Path, req.URL.RawQuery, _ = strings.Cut(c.path, "?")
			setHeaders(req, append([]string{"Content-Type", formType}, c.header...))
			a := send(t, w.visitor().client, req)
			if a.StatusCode != c.status && (c.status != 307 || a.StatusCode != 301) {
				t.Errorf("%s %s: %d, want %d", c.method, c.path, a.StatusCode, c.status)
			}
			checkHeaders(t, a, public != "")
		}
		if public != "" {
			continue
		}
		v := w.visitor()
		for path, status := range map[string]int{
			"/settings/secrets": 200, "/settings/activity": 200, "/settings/secrets/NO_SUCH_KEY": 404, "/settings/activity?before=x": 400, "/device?code=BCDF-GHJK": 404,
		} {
			for _, htmx := range []string{"", "true"} {
				a := v.get(path, "Cookie", session, "HX-Request", htmx)
				if a.StatusCode != status {
					t.Errorf("%s: %d, want %d", path, a.StatusCode, status)
				}
				checkHeaders(t, a, false)
			}
		}
		for _, key := range []string{w.ada.APIKey, w.mia.APIKey} {
			for _, path := range []string{"/api/me", "/api/secrets/reveal/NO_SUCH_KEY", "/api/teams"} {
				checkHeaders(t, w.call(key, "GET", path, nil), false)
			}
		}
	}
}

func checkHeaders(t *testing.T, a answer, https bool) {
	t.Helper()
	at := fmt.Sprintf("%s %s (%d)", a.Request.Method, a.Request.URL.Path, a.StatusCode)
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := a.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("W9 %s: %s is %q, want %q", at, name, got, want)
		}
	}
	if got := a.Header.Get("Strict-Transport-Security"); (got != "") != https {
		t.Errorf("W9 %s: Strict-Transport-Security %q", at, got)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" && !strings.HasPrefix(a.Request.URL.Path, "/static/") {
		t.Errorf("W9 %s: Cache-Control %q", at, got)
	}
	for _, name := range []string{"Access-Control-Allow-Origin", "Server", "X-Powered-By"} {
		if got := a.Header.Get(name); got != "" {
			t.Errorf("W9 %s: %s: %s", at, name, got)
		}
	}
	policy := map[string]string{}
	for _, part := range strings.Split(a.Header.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		policy[name] = value
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'self'", "script-src": "'self'", "style-src": "'self'",
	} {
		if policy[name] != want {
			t.Errorf("W5 %s: %s is %q, want %q", at, name, policy[name], want)
		}
	}
	for name, value := range policy {
		if strings.Contains(value, "unsafe") || strings.Contains(value, "*") || strings.Contains(value, "http") || strings.Contains(value, "data:") {
			t.Errorf("W5 %s: %s %s", at, name, value)
		}
	}
}

// W8: nothing that a client says leads away from the server, and one whose
// session has ended gets the login page as a whole.
func TestRedirectsStayHere(t *testing.T) {
	w := newTown(t)
	local := func(t *testing.T, what string, a answer) {
		t.Helper()
		for _, name := range []string{"Location", "HX-Redirect", "HX-Location", "HX-Push-Url", "HX-Replace-Url", "Refresh"} {
			to := a.Header.Get(name)
			u, err := url.Parse(to)
			if to != "" && (err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t")) {
				t.Errorf("W8 %s: %s: %q", what, name, to)
			}
		}
	}
	for _, next := range []string{
		"//evil.example", `/\evil.example`, `\\evil.example`, "https://evil.example/", "http:evil.example", "javascript:alert(1)", "/\t/evil.example", "/\r\nX-Injected: yes", "///evil.example",
		"/%5cevil.example", "/%2f%2fevil.example", "/..//evil.example", "evil.example", "@evil.example", "/@evil.example", "?next=//evil.example", "", "//", "/\x00/evil.example", "data:text/html,x",
	} {
		v := w.visitor()
		a := v.get("/login?" + url.Values{"next": {next}}.Encode())
		if strings.Contains(a.Body, `value="//`) || strings.Contains(a.Body, `value="http`) || a.Header.Get("X-Injected") != "" {
			t.Errorf("W8 the login form takes %q along", next)
		}
		for _, htmx := range []string{"", "true"} {
			v := w.visitor()
			local(t, "login with next "+next, v.post("/login", form("email", w.ada.Email, "password", w.ada.Password, "next", next), "HX-Request", htmx))
			local(t, "theme with return "+next, v.post("/theme", form("theme", "dark", "return", next), "HX-Request", htmx))
			local(t, "login over a session with next "+next, v.get("/login?"+url.Values{"next": {next}}.Encode(), "HX-Request", htmx))
			local(t, "set with return "+next, v.post("/settings/secrets", form("key", "A_KEY", "value", "v", "return", next), "HX-Request", htmx))
			if !strings.ContainsAny(next, "\r\n\x00") {
				local(t, "an ended session on "+next, w.visitor().get("/settings/secrets", "HX-Request", htmx, "HX-Current-URL", next))
				local(t, "an ended session on a foreign page", w.visitor().get("/settings/secrets", "HX-Request", htmx, "HX-Current-URL", "https://evil.example"+next))
			}
		}
	}
	for _, path := range []string{"//evil.example/", "//evil.example/%2e%2e", "/settings//evil.example/..", `/\evil.example`, "/%5c%5cevil.example"} {
		req, err := http.NewRequest("GET", w.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = path
		req.Host = "127.0.0.1"
		req.URL.Opaque = "//" + strings.TrimPrefix(w.URL, "http://") + path
		local(t, path, send(t, w.visitor().client, req))
	}

	v := w.signIn(w.ada)
	cookie := v.cookie()
	v.post("/logout", nil)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		req, err := http.NewRequest(method, w.URL+"/settings/secrets/OPENAI_API_KEY", strings.NewReader("value=some-value"))
		if err != nil {
			t.Fatal(err)
		}
		setHeaders(req, []string{"Content-Type", formType, "Origin", w.URL, "Cookie", cookie, "HX-Request", "true", "HX-Target", "dialog", "HX-Current-URL", w.URL + "/settings/secrets?q=x"})
		a := send(t, w.visitor().client, req)
		if a.StatusCode != http.StatusOK || a.Header.Get("HX-Redirect") != "/login?next=%2Fsettings%2Fsecrets" || a.Body != "" {
			t.Errorf("W8 %s with HTMX after the end of the session: %d to %q: %.200s", method, a.StatusCode, a.Header.Get("HX-Redirect"), a.Body)
		}
	}
	if a := w.signIn(w.ada).post("/logout", nil); !strings.Contains(a.Header.Get("Clear-Site-Data"), `"cache"`) || !strings.Contains(a.Header.Get("Clear-Site-Data"), `"storage"`) {
		t.Errorf("W4 logout leaves what the browser keeps: %q", a.Header.Get("Clear-Site-Data"))
	}
}

// mark is in each line of the corpus: where it stands in a parsed page other
// than as text, the page has been injected into.
const mark = "xssmark"

var corpus = []string{
	`<script>xssmark()</script>`, `"><script>xssmark()</script>`, `'><img src=x onerror=xssmark()>`, `<svg/onload=xssmark()>`, `" autofocus onfocus=xssmark() x="`,
	`' onmouseover='xssmark()`, `<div hx-get=/xssmark hx-trigger=load>`, `<div hx-on:htmx:load="xssmark()">`, `<div hx-on--load="xssmark()">`, `<a data-hx-get="/xssmark" data-hx-trigger="load">`,
	`" hx-get="/xssmark" hx-trigger="load`, `" data-hx-post="/xssmark`, `javascript:xssmark()`, `</title><script>xssmark()</script>`, `</textarea><script>xssmark()</script>`,
	`</option></select></datalist><script>xssmark()</script>`, `<!--xssmark-->`, `--><script>xssmark()</script>`, `<base href=//xssmark.example/>`, `<meta http-equiv=refresh content="0;url=//xssmark.example">`,
	`<form action=//xssmark.example><button>`, `<iframe srcdoc="<script>xssmark()</script>">`, `<style>@import'//xssmark.example'</style>`, `<template id=xssmark>`, `<xssmark>`,
	`&lt;script&gt;xssmark()&lt;/script&gt;`, `&#60;script&#62;xssmark()`, `\u003cscript\u003exssmark()`, `%3Cscript%3Exssmark()`, `{{xssmark}}`, `${xssmark}`, `=cmd|' /C xssmark'!A0`,
	"\u202exssmark\u2066", `<a href="java` + "\t" + `script:xssmark()">`, `` + "`" + `xssmark` + "`", `<math><mtext></form><form><mglyph><style></math><img src onerror=xssmark()>`,
}

// W6 and V9: what people type into names and descriptions, and what stands in
// a link, is text on every page, and nothing else.
func TestTypedTextIsText(t *testing.T) {
	w := newTown(t)
	for i, text := range corpus {
		w.want(http.StatusCreated, w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": fmt.Sprintf("XSS_%d", i), "value": "sk-some-value", "description": text})
		a := w.call(w.ada.APIKey, "POST", "/api/apps", map[string]any{
			"name": fmt.Sprintf("app-%d", i), "description": text,
			"version": map[string]any{
				"required_secrets":      []any{map[string]any{"key": "MISSING_KEY", "description": text}},
				"required_integrations": []any{map[string]any{"key": "google.sheets", "description": text}},
			},
		})
		if a.StatusCode != http.StatusCreated {
			t.Fatalf("app with %q: %d %s", text, a.StatusCode, a.Body)
		}
		// A name is one line of printing characters, and may be refused.
		for _, a := range []answer{
			w.call(w.ada.APIKey, "POST", "/api/teams", map[string]any{"username": fmt.Sprintf("team-%d", i), "name": text}),
			w.call(w.ada.APIKey, "POST", "/api/apikeys", map[string]any{"name": text, "scopes": []string{}}),
		} {
			if a.StatusCode != http.StatusCreated && a.StatusCode != http.StatusBadRequest {
				t.Errorf("a name %q: %d", text, a.StatusCode)
			}
		}
	}
	v := w.signIn(w.ada)
	device := w.startDevice(corpus[0])
	pages := []string{
		"/settings/secrets", "/settings/apps", "/settings/integrations", "/settings/apikeys", "/settings/apikeys?add=1", "/settings/members", "/settings/activity", "/settings/account", "/teams/new",
		"/device?code=" + device.UserCode,
	}
	for i, text := range corpus {
		q := url.QueryEscape(text)
		pages = append(pages,
			fmt.Sprintf("/settings/secrets/XSS_%d", i), fmt.Sprintf("/settings/secrets/XSS_%d?delete=1&q=%s", i, q), fmt.Sprintf("/settings/apps/acme/app-%d", i),
			"/settings/secrets?q="+q, "/settings/secrets?error="+q+"&flash="+q, "/settings/secrets?add="+q+"&description="+q+"&return="+q+"&q="+q,
			"/settings/advice?key="+q, "/device?code="+q, "/settings/secrets/"+url.PathEscape(text), "/settings/apps/"+url.PathEscape(text)+"/x", "/settings/apikeys?revoke="+q, "/settings/members?role="+q,
			"/"+url.PathEscape(text), "/settings/activity?before="+q,
		)
	}
	for _, path := range pages {
		inert(t, path, v.get(path))
		if strings.Contains(path, "?") {
			inert(t, path+" into a dialog", v.get(path, "HX-Request", "true", "HX-Target", "dialog"))
		}
	}
	anybody := w.visitor()
	for _, text := range corpus {
		q := url.QueryEscape(text)
		inert(t, "/login?next="+q, anybody.get("/login?next="+q+"&error="+q+"&email="+q))
		inert(t, "/no-such/"+q, anybody.get("/no-such/"+url.PathEscape(text)+"?error="+q, "HX-Request", "true"))
		for _, header := range [][]string{nil, {"HX-Request", "true", "HX-Target", "dialog"}} {
			for path, fields := range map[string]url.Values{
				"/settings/secrets":                           form("key", text, "value", "v", "description", text, "q", text, "return", text),
				"/settings/secrets/XSS_0":                     form("_method", "PUT", "value", " v", "description", text, "q", text),
				"/settings/secrets/XSS_0/rollback":            form("version", text),
				"/settings/apikeys":                           form("name", text+text+text+text, "preset", "custom", "scopes", text),
				"/teams/new":                                  form("username", text, "name", text),
				"/teams/switch":                               form("team_id", text),
				"/settings/members/" + w.mia.UserID + "/role": form("role", text),
			} {
				inert(t, "POST "+path, v.post(path, fields, header...))
			}
		}
	}
	inert(t, "POST /login", anybody.post("/login", form("email", corpus[1], "password", corpus[1], "next", corpus[1])))

	// It is shown as it was typed.
	list, err := goquery.NewDocumentFromReader(strings.NewReader(v.get("/settings/secrets").Body))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range corpus {
		shown := list.Find(fmt.Sprintf("[data-testid=secret-row][data-key=XSS_%d] [data-testid=description]", i)).Text()
		if strings.TrimSpace(shown) != text {
			t.Errorf("W6 %q is shown as %q", text, shown)
		}
	}
}

// inert fails if the mark stands in the parsed page other than as a text or as
// the value of an attribute that no browser acts on.
func inert(t *testing.T, at string, a answer) {
	t.Helper()
	if a.StatusCode >= 500 {
		t.Errorf("%s: %d", at, a.StatusCode)
	}
	for name, values := range a.Header {
		if name != "Set-Cookie" && name != "Location" && name != "Hx-Redirect" && strings.Contains(strings.Join(values, ""), mark) {
			t.Errorf("W6 %s: header %s: %q", at, name, values)
		}
	}
	root, err := html.Parse(strings.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		switch n.Type {
		case html.CommentNode:
			if strings.Contains(n.Data, mark) {
				t.Errorf("W6 %s: in a comment: %q", at, n.Data)
			}
		case html.TextNode:
			if p := n.Parent.Data; (p == "script" || p == "style") && strings.TrimSpace(n.Data) != "" {
				t.Errorf("W6 %s: an inline %s: %.100q", at, p, n.Data)
			}
		case html.ElementNode:
			inertElement(t, at, n)
		}
	}
}

func inertElement(t *testing.T, at string, n *html.Node) {
	t.Helper()
	if slices.Contains([]string{"base", "iframe", "object", "embed", "template", "math", "frame", mark}, n.Data) {
		t.Errorf("W6 %s: <%s>", at, n.Data)
	}
	for _, attr := range n.Attr {
		name := strings.TrimPrefix(attr.Key, "data-")
		switch {
		case strings.HasPrefix(name, "on"), strings.HasPrefix(name, "hx-on"), name == "srcdoc", name == "style", name == "http-equiv":
			t.Errorf("W6 %s: <%s %s=%q>", at, n.Data, attr.Key, attr.Val)
		case strings.Contains(attr.Key, mark):
			t.Errorf("W6 %s: <%s %s>", at, n.Data, attr.Key)
		case !strings.Contains(attr.Val, mark):
		case slices.Contains([]string{"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-put", "hx-delete", "hx-push-url"}, name):
			// A link may carry the text on in its query, and nowhere else.
			u, err := url.Parse(attr.Val)
			if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(attr.Val, "/") || strings.HasPrefix(attr.Val, "//") || strings.Contains(u.Path, mark) {
				t.Errorf("W6 %s: <%s %s=%q>", at, n.Data, attr.Key, attr.Val)
			}
		case !slices.Contains([]string{"value", "aria-label", "title", "label", "data-announce"}, attr.Key):
			t.Errorf("W6 %s: <%s %s=%q>", at, n.Data, attr.Key, attr.Val)
		}
	}
}

// V9: what others typed does nothing to the terminal that shows it, nor to the
// log: escape sequences, line breaks and turned text arrive escaped, if at all.
func TestTypedTextInTerminalAndLog(t *testing.T) {
	w := newTown(t)
	for _, text := range []string{"\x1b]52;c;ZXZpbA==\a", "\x1b[2Jgone", "a\x00b", "bell\a"} {
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "A_KEY", "value": "v", "description": text})
	}
	hostile := "turned \u202e\u2066 sequence \u009b31m next \u0085 line \u2028 hidden \u200b\ufeff =cmd()"
	w.want(http.StatusCreated, w.ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "HOSTILE_KEY", "value": "v", "description": hostile})
	w.want(http.StatusCreated, w.ada.APIKey, "POST", "/api/apps", map[string]any{
		"name": "hostile", "description": hostile, "version": map[string]any{"required_secrets": []any{map[string]any{"key": "MISSING_KEY", "description": hostile}}},
	})
	for _, args := range [][]string{
		{"secrets", "list"}, {"secrets", "list", "--json"}, {"secrets", "get", "HOSTILE_KEY"}, {"secrets", "get", "HOSTILE_KEY", "--json"}, {"secrets", "history", "HOSTILE_KEY"},
		{"app", "list"}, {"run", "--app", "acme/hostile", "--", "true"}, {"secrets", "get", "NO\u202eSUCH"}, {"me"},
	} {
		out, _ := runInfsh(t, args, "INFSH_URL="+w.URL, "INFSH_API_KEY="+w.ada.APIKey, "INFSH_CONFIG_DIR="+t.TempDir())
		if i := strings.IndexFunc(out, func(r rune) bool {
			return r != '\n' && (r < ' ' || r == 0x7f || strings.ContainsRune("\u202e\u2066\u009b\u0085\u2028\u200b\ufeff", r))
		}); i >= 0 {
			t.Errorf("V9 infsh %v prints %q", args, out[i:min(len(out), i+20)])
		}
		if out == "" {
			t.Errorf("V9 infsh %v prints nothing, so nothing was tried", args)
		}
	}
	for _, name := range []string{hostile, "two\r\nlines", "\x1b[31mred"} {
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/apikeys", map[string]any{"name": name})
		w.want(http.StatusBadRequest, w.ada.APIKey, "POST", "/api/teams", map[string]any{"username": "gamma", "name": name})
		w.want(http.StatusBadRequest, "", "POST", "/api/device/code", map[string]any{"client_name": name})
	}
	if log := w.stderr.String(); strings.ContainsAny(log, "\x1b\x00\a\r\u202e\u2066\u009b\u2028") || strings.Contains(log, "turned") || strings.Contains(log, "hidden") {
		t.Error("V9 the log has what people typed")
	}
}

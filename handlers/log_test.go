package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"infsh/redact"
)

// sent is what clients send where it is not to be repeated.
const sent = "sent-canary-5kQ2"

// logged is a log at the most verbose level.
type logged struct {
	t   *testing.T
	out bytes.Buffer
}

// server makes the handlers of the world with this log.
func (l *logged) server(w *world, ready func(context.Context) error) http.Handler {
	log := slog.New(slog.NewJSONHandler(&l.out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return New(Config{PublicURL: w.publicURL, Ready: ready, Log: log}, w.services).Main
}

// records decodes the log. A line that is no record fails the test.
func (l *logged) records(msg string) (of []map[string]any) {
	l.t.Helper()
	for line := range strings.Lines(l.out.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			l.t.Fatalf("the log has a line that is no record: %q", line)
		}
		if record["msg"] == msg {
			of = append(of, record)
		}
	}
	return of
}

// one returns the only record of a request's line.
func (l *logged) one() map[string]any {
	l.t.Helper()
	of := l.records("request")
	if len(of) != 1 {
		l.t.Fatalf("a request made %d lines, want one:\n%s", len(of), &l.out)
	}
	return of[0]
}

func ready(context.Context) error { return nil }

// Each request makes one line at info, however it ends. The line has the
// route's pattern and nothing of the path, the query, the headers or the body.
func TestEachRequestIsLoggedOnceWithoutWhatWasSent(t *testing.T) {
	w := newWorld(t)
	owner := w.actors["owner"]
	for _, c := range []struct {
		name               string
		as                 credentials
		method, path, body string
		route              string
		status             int
	}{
		{"a page", owner, "GET", "/settings/secrets?q=" + sent, "", "GET /settings/secrets", 200},
		{"a page of one object", owner, "GET", "/settings/secrets/" + sent, "", "GET /settings/secrets/{key}", 404},
		{"a form", owner, "POST", "/settings/secrets", "key=NEW_KEY&value=" + sent, "POST /settings/secrets", 303},
		{"a form with an error", owner, "POST", "/settings/secrets", "key=no+name&value=" + sent, "POST /settings/secrets", 422},
		{"a form that can't be read", owner, "POST", "/settings/secrets", "key=%zz" + sent, "POST /settings/secrets", 400},
		{"nobody at a page", credentials{}, "GET", "/settings/members?x=" + sent, "", "GET /settings/members", 303},
		{"the link of an invite", credentials{}, "GET", "/invite?code=" + sent, "", "GET /invite", 303},
		{"a wrong password", credentials{}, "POST", "/login", "email=" + sent + "&password=" + sent, "POST /login", 401},
		{"the API", owner, "GET", "/api/secrets/reveal/OPENAI_API_KEY?x=" + sent, "", "GET /api/secrets/reveal/{key}", 200},
		{"a mistake at the API", owner, "POST", "/api/secrets/import", `{"` + sent + `":1}`, "POST /api/secrets/import", 400},
		{"a bad credential", credentials{bearer: sent}, "GET", "/api/me", "", "GET /api/me", 401},
		{"no permission", w.actors["member"], "GET", "/api/secrets/reveal/OPENAI_API_KEY", "", "GET /api/secrets/reveal/{key}", 403},
		{"too large", owner, "POST", "/api/secrets", `{"key":"` + sent + strings.Repeat("x", maxBody) + `"}`, "POST /api/secrets", 413},
		{"no such address", owner, "GET", "/" + sent + "?" + sent, "", "/", 404},
		{"no such method", owner, "PATCH", "/api/secrets/" + sent, "{}", "/", 405},
		{"health", credentials{}, "GET", "/healthz?" + sent, "", "GET /healthz", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &logged{t: t}
			r := request(c.method, c.path, c.body, "X-Request-Id", sent, "User-Agent", sent, "Referer", origin+"/"+sent, "X-Note", sent)
			w.present(r, c.as)
			res := httptest.NewRecorder()
			l.server(w, ready).ServeHTTP(res, r)
			if strings.Contains(l.out.String(), sent) {
				t.Errorf("the log has what was sent:\n%s", &l.out)
			}
			got := l.one()
			for name, want := range map[string]any{
				"level": "INFO", "method": c.method, "route": c.route, "status": float64(c.status), "remote": peer, "request_id": res.Header().Get("X-Request-Id"),
			} {
				if got[name] != want || want == "" {
					t.Errorf("%s is %v, want %v", name, got[name], want)
				}
			}
			names := slices.Sorted(maps.Keys(got))
			if known := []string{"level", "method", "msg", "remote", "request_id", "route", "status", "time", "took"}; !slices.Equal(names, known) {
				t.Errorf("the line has %v, want %v", names, known)
			}
		})
	}
}

// Line breaks and terminal sequences that a client sends make no line of the
// log, and reach no terminal that shows it (U6). net/http refuses most of them
// before a handler sees them; this does not rely on that.
func TestLogLinesCantBeForged(t *testing.T) {
	w := newWorld(t)
	const forged = "\r\nlevel=ERROR msg=request status=200 forged=yes\x1b[2J\x1b]0;forged\a\u2028forged"
	for name, change := range map[string]func(*http.Request){
		"method": func(r *http.Request) { r.Method = "GET" + forged },
		"path":   func(r *http.Request) { r.URL.Path += forged },
		"query":  func(r *http.Request) { r.URL.RawQuery = forged },
		"host":   func(r *http.Request) { r.Host = forged },
		"headers": func(r *http.Request) {
			for _, name := range []string{"X-Request-Id", "X-Forwarded-For", "Forwarded", "User-Agent", "Authorization", "Cookie", "X-Infsh-Team", "Origin", "Hx-Current-Url"} {
				r.Header[name] = []string{forged}
			}
			r.Header["X"+forged] = []string{forged}
		},
	} {
		for _, path := range []string{"/api/secrets/KEY", "/settings/secrets", "/no-such-page"} {
			t.Run(name+" at "+path, func(t *testing.T) {
				var out bytes.Buffer
				log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
				r := request("GET", path, "")
				w.present(r, w.actors["owner"])
				change(r)
				New(Config{PublicURL: w.publicURL, Ready: ready, Log: log}, w.services).Main.ServeHTTP(httptest.NewRecorder(), r)
				lines := slices.Collect(strings.Lines(out.String()))
				requests := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, "msg=request ") })
				if len(requests) != 1 || !strings.Contains(requests[0], "remote="+peer) {
					t.Errorf("there are %d lines of the request, want one with its peer:\n%s", len(requests), &out)
				}
				for _, line := range lines {
					if !strings.HasPrefix(line, "time=") {
						t.Errorf("the log has a line of the client's: %q", line)
					}
				}
				if strings.Contains(out.String(), "forged") || strings.ContainsAny(out.String(), "\r\x1b\a\u2028") {
					t.Errorf("the log has the client's text: %q", &out)
				}
			})
		}
	}
}

// A panic's message may hold anything, as may an error that nobody expected to
// be shown. The log says where it happened; the client gets the request's id.
func TestPanicIsLoggedWithoutItsMessage(t *testing.T) {
	w := newWorld(t)
	for name, value := range map[string]any{
		"text": "panic with " + sent, "an error": errors.New("panic with " + sent), "a value": redact.NewValue(sent), "bytes": []byte(sent),
	} {
		t.Run(name, func(t *testing.T) {
			l := &logged{t: t}
			res := httptest.NewRecorder()
			l.server(w, func(context.Context) error { panic(value) }).ServeHTTP(res, request("GET", "/readyz?"+sent, "", "X-Note", sent))
			if res.Code != http.StatusInternalServerError || !strings.Contains(res.Body.String(), res.Header().Get("X-Request-Id")) {
				t.Errorf("a panic answered %d, want 500 with the request's id: %s", res.Code, res.Body)
			}
			if strings.Contains(l.out.String(), sent) || strings.Contains(res.Body.String(), sent) {
				t.Errorf("the panic's message came out:\n%s\n%s", &l.out, res.Body)
			}
			if got := l.one(); got["status"] != float64(500) || got["route"] != "GET /readyz" {
				t.Errorf("the request's line is %v, want status 500 at GET /readyz", got)
			}
			panics := l.records("panic")
			if len(panics) != 1 {
				t.Fatalf("there are %d lines of a panic, want one:\n%s", len(panics), &l.out)
			}
			if stack := panics[0]["stack"]; !strings.Contains(asText(stack), "handlers/health.go:") {
				t.Errorf("the line does not say where it happened: %v", stack)
			}
		})
	}
}

// An answer that breaks off after its beginning is cut, so that nobody takes
// it for a whole one, and is logged like any other.
func TestPanicInTheMiddleOfAnAnswerIsLoggedToo(t *testing.T) {
	w := newWorld(t)
	l := &logged{t: t}
	res := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("the panic went on as %v, want http.ErrAbortHandler", v)
			}
		}()
		l.server(w, ready).ServeHTTP(breaking{res}, request("GET", "/healthz", ""))
	}()
	if strings.Contains(l.out.String(), sent) {
		t.Errorf("the panic's message came out:\n%s", &l.out)
	}
	if got := l.one(); got["route"] != "GET /healthz" {
		t.Errorf("the request's line is %v", got)
	}
	if n := len(l.records("panic")); n != 1 {
		t.Errorf("there are %d lines of a panic, want one", n)
	}
}

// breaking is an answer whose body can't be written.
type breaking struct{ *httptest.ResponseRecorder }

func (breaking) Write([]byte) (int, error) { panic("panic with " + sent) }

func asText(v any) string {
	b, _ := json.Marshal(v) // It was decoded from JSON.
	return string(b)
}

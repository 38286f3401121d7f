package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"infsh/redact"
)

const testKey = "infsh_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi"

// newClient makes a client for a handler. It doesn't wait between attempts; the
// pauses that it was asked for are kept.
func newClient(t *testing.T, handler http.HandlerFunc) (*Client, *[]time.Duration) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return clientFor(t, server.URL)
}

func clientFor(t *testing.T, url string) (*Client, *[]time.Duration) {
	t.Helper()
	var pauses []time.Duration
	client, err := New(url, redact.NewValue(testKey), Options{
		Team:      "acme",
		UserAgent: "infsh/test",
		wait: func(_ context.Context, d time.Duration) error {
			pauses = append(pauses, d)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, &pauses
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 {
		w.Header().Set("Content-Type", ProblemMediaType)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestARequestCarriesCredentialTeamAndUserAgent(t *testing.T) {
	var got *http.Request
	client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		answer(w, 200, `{"user":{"email":"ada@example.com"},"team":{"username":"acme","role":"owner"},"key":{"kind":"login"}}`)
	})
	me, err := client.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if me.User.Email != "ada@example.com" || me.Team.Role != RoleOwner || me.Key.Kind != KindLogin {
		t.Errorf("got %+v", me)
	}
	for header, want := range map[string]string{
		"Authorization": "Bearer " + testKey, TeamHeader: "acme", "User-Agent": "infsh/test", "Accept": "application/json",
	} {
		if got.Header.Get(header) != want {
			t.Errorf("%s is %q, want %q", header, got.Header.Get(header), want)
		}
	}
	if got.URL.Path != "/api/me" || got.Method != http.MethodGet {
		t.Errorf("sent %s %s", got.Method, got.URL.Path)
	}
}

func TestAKeyStaysOneSegmentOfThePath(t *testing.T) {
	var path string
	client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		answer(w, 200, `{"key":"K"}`)
	})
	for key, want := range map[string]string{
		"OPENAI_API_KEY": "/api/secrets/OPENAI_API_KEY",
		"a/b":            "/api/secrets/a%2Fb",
		"../me":          "/api/secrets/..%2Fme",
		"a?b#c":          "/api/secrets/a%3Fb%23c",
		"%2f é":          "/api/secrets/%252f%20%C3%A9",
	} {
		if _, err := client.Secret(t.Context(), key); err != nil {
			t.Errorf("%q: %v", key, err)
		} else if path != want {
			t.Errorf("%q went to %s, want %s", key, path, want)
		}
	}
	for _, key := range []string{"", ".", ".."} {
		path = ""
		if _, err := client.Secret(t.Context(), key); !errors.Is(err, ErrNotFound) || path != "" {
			t.Errorf("%q: err %v, sent to %q", key, err, path)
		}
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	sentinels := []error{ErrNotFound, ErrDenied, ErrConflict, ErrRequirements, ErrUnavailable}
	for status, want := range map[int]error{
		400: nil, 401: ErrDenied, 403: ErrDenied, 404: ErrNotFound, 409: ErrConflict, 412: ErrRequirements,
		413: nil, 422: nil, 429: ErrUnavailable, 500: nil, 502: ErrUnavailable, 503: ErrUnavailable, 504: ErrUnavailable,
	} {
		client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, status, fmt.Sprintf(`{"title":"some_code","status":%d,"detail":"what is wrong"}`, status))
		})
		err := client.DeleteSecret(t.Context(), "K")
		var answered *Error
		if !errors.As(err, &answered) {
			t.Fatalf("%d: %v", status, err)
		}
		if answered.Status != status || answered.Title != "some_code" || answered.Error() != "what is wrong" {
			t.Errorf("%d: got %+v", status, answered)
		}
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) != (sentinel == want) {
				t.Errorf("%d: errors.Is(err, %v) is %v", status, sentinel, errors.Is(err, sentinel))
			}
		}
	}
}

func TestAMissingRequirementSaysWhatToDo(t *testing.T) {
	client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 412, `{"title":"requirements_not_met","status":412,"detail":"d","errors":[
			{"type":"secret","key":"HF_TOKEN","message":"is not set","action":{"type":"add_secret","url":"http://x/settings/secrets?add=HF_TOKEN"}}]}`)
	})
	_, err := client.Resolve(t.Context(), ResolveRequest{App: "acme/demo"})
	var answered *Error
	if !errors.As(err, &answered) || !errors.Is(err, ErrRequirements) || len(answered.Requirements) != 1 {
		t.Fatalf("got %v", err)
	}
	if got := answered.Requirements[0]; got.Key != "HF_TOKEN" || got.Action.Type != ActionAddSecret || got.Action.URL == "" {
		t.Errorf("got %+v", got)
	}
}

// A redirect is not followed anywhere, so that neither the key nor a value
// reaches an address that nobody has configured.
func TestNoRedirectIsFollowed(t *testing.T) {
	var reached atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		answer(w, 200, `{}`)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/api/secrets/K", status)
		})
		_, err := client.UpdateSecret(t.Context(), SecretWrite{Key: "K", Value: plaintext(canary)})
		var protocol *ProtocolError
		if !errors.As(err, &protocol) || !strings.Contains(err.Error(), elsewhere.URL) {
			t.Errorf("%d: %v", status, err)
		}
		if _, err := client.Me(t.Context()); !errors.As(err, &protocol) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("the other server got %d requests", reached.Load())
	}
}

func TestPlainHTTPGoesToThisMachineAlone(t *testing.T) {
	for url, want := range map[string]bool{
		"http://127.0.0.1:8080":     true,
		"http://127.9.9.9":          true,
		"http://[::1]:8080":         true,
		"http://localhost:8080":     true,
		"http://LOCALHOST":          true,
		"http://infsh.localhost":    true,
		"https://infsh.example.com": true,
		"http://infsh.example.com":  false,
		"http://192.168.1.10:8080":  false,
		"http://0.0.0.0:8080":       false,
		"http://127.0.0.1.evil.com": false,
		"http://localhost.evil.com": false,
		"http://2130706433":         false,
	} {
		_, err := New(url, redact.Value{}, Options{})
		if (err == nil) != want {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := New(url, redact.Value{}, Options{AllowInsecure: true}); err != nil {
			t.Errorf("%s with leave: %v", url, err)
		}
		if _, err := New("https://example.com", redact.Value{}, Options{InternalURL: url}); (err == nil) != want {
			t.Errorf("%s as the internal address: %v", url, err)
		}
	}
}

func TestWhatIsNoServersURLIsRefused(t *testing.T) {
	for _, url := range []string{
		"", "infsh.example.com", "/api", "https://", "https://:443", "ftp://example.com", "file:///etc/passwd",
		"https://ada:" + canary + "@example.com", "https://example.com/?key=" + canary, "https://example.com/#" + canary,
		"://" + canary, "https://example.com:x" + canary,
	} {
		_, err := New(url, redact.Value{}, Options{AllowInsecure: true})
		if err == nil {
			t.Errorf("%q was accepted", url)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the error quotes what may be a secret: %v", url, err)
		}
	}
}

func TestOneServerHasOneURL(t *testing.T) {
	for _, url := range []string{"https://Infsh.Example.com", "HTTPS://infsh.example.com/", " https://infsh.example.com// "} {
		if got, err := NormalizeURL(url); err != nil || got != "https://infsh.example.com" {
			t.Errorf("%q: %q, %v", url, got, err)
		}
	}
}

func TestAMalformedCredentialIsNamedAndNotQuoted(t *testing.T) {
	for _, key := range []string{
		"", " " + canary, canary + "\n", canary + "\r\nX-Evil: 1", "a b" + canary, canary + "\x00", canary + "é", canary + "\u200b",
		strings.Repeat(canary, 100),
	} {
		_, err := New("http://127.0.0.1", redact.NewValue(key), Options{})
		if err == nil {
			t.Errorf("%q was accepted", key)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
	if _, err := New("http://127.0.0.1", redact.NewValue(testKey), Options{Team: "acme\r\nX: 1"}); err == nil {
		t.Error("a team's name with a line break was accepted")
	}
}

func TestOnlyWhatChangesNothingIsRepeated(t *testing.T) {
	calls := map[string]struct {
		repeated bool
		do       func(context.Context, *Client) error
	}{
		"me":      {true, func(ctx context.Context, c *Client) error { _, err := c.Me(ctx); return err }},
		"list":    {true, func(ctx context.Context, c *Client) error { _, err := c.Secrets(ctx); return err }},
		"check":   {true, func(ctx context.Context, c *Client) error { _, err := c.CheckApp(ctx, CheckRequest{}); return err }},
		"resolve": {true, func(ctx context.Context, c *Client) error { _, err := c.Resolve(ctx, ResolveRequest{}); return err }},
		"update": {false, func(ctx context.Context, c *Client) error {
			_, err := c.UpdateSecret(ctx, SecretWrite{Key: "K"})
			return err
		}},
		"create":   {false, func(ctx context.Context, c *Client) error { _, err := c.CreateSecret(ctx, SecretWrite{}); return err }},
		"delete":   {false, func(ctx context.Context, c *Client) error { return c.DeleteSecret(ctx, "K") }},
		"rollback": {false, func(ctx context.Context, c *Client) error { _, err := c.RollbackSecret(ctx, "K", 1); return err }},
		"activate": {false, func(ctx context.Context, c *Client) error { _, err := c.ActivateSecret(ctx, "K", 1); return err }},
		"import": {false, func(ctx context.Context, c *Client) error {
			_, err := c.ImportSecrets(ctx, ImportRequest{})
			return err
		}},
		"deploy": {false, func(ctx context.Context, c *Client) error { _, _, err := c.DeployApp(ctx, AppWrite{}); return err }},
		"logout": {false, func(ctx context.Context, c *Client) error { return c.Logout(ctx) }},
		"poll": {false, func(ctx context.Context, c *Client) error {
			_, err := c.PollDeviceLogin(ctx, redact.NewValue(canary))
			return err
		}},
	}
	for _, status := range []int{429, 502, 503} {
		for name, call := range calls {
			attempts := 0
			client, pauses := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				attempts++
				answer(w, status, `{"title":"unavailable","detail":"later"}`)
			})
			if err := call.do(t.Context(), client); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%d %s: %v", status, name, err)
			}
			want := 1
			if call.repeated {
				want = maxAttempts
			}
			if attempts != want || len(*pauses) != want-1 {
				t.Errorf("%d %s: %d attempts and %d pauses, want %d attempts", status, name, attempts, len(*pauses), want)
			}
		}
	}
	for _, status := range []int{400, 401, 403, 404, 409, 412, 500} {
		attempts := 0
		client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			attempts++
			answer(w, status, `{}`)
		})
		if _, err := client.Me(t.Context()); err == nil || attempts != 1 {
			t.Errorf("%d: %d attempts, %v", status, attempts, err)
		}
	}
}

func TestAServerThatRecoversIsNotReported(t *testing.T) {
	attempts := 0
	client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts < 3 {
			answer(w, 503, `{"title":"unavailable"}`)
			return
		}
		answer(w, 200, `{"app":"acme/demo","env":{"K":"v"}}`)
	})
	resolved, err := client.Resolve(t.Context(), ResolveRequest{App: "acme/demo"})
	if err != nil || resolved.Env["K"].Reveal() != "v" {
		t.Errorf("got %+v, %v", resolved, err)
	}
}

func TestRetryAfterIsRespected(t *testing.T) {
	for header, want := range map[string]int{"7": 4, "3600": 1} {
		attempts := 0
		client, pauses := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			attempts++
			w.Header().Set("Retry-After", header)
			answer(w, 429, `{"title":"rate_limited","detail":"too many requests"}`)
		})
		_, err := client.Me(t.Context())
		var answered *Error
		if !errors.As(err, &answered) || answered.RetryAfter == 0 {
			t.Fatalf("%s: %v", header, err)
		}
		if attempts != want {
			t.Errorf("Retry-After %s: %d attempts, want %d", header, attempts, want)
		}
		for _, pause := range *pauses {
			if pause < 7*time.Second {
				t.Errorf("waited %v, the server asked for %s s", pause, header)
			}
		}
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "3": 3 * time.Second,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"999999999999": (1 << 20) * time.Second,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", header, got, want)
		}
	}
}

func TestARefusedConnectionIsTriedAgainByEveryCall(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	listener.Close()
	client, pauses := clientFor(t, url)
	_, err = client.UpdateSecret(t.Context(), SecretWrite{Key: "K", Value: plaintext(canary)})
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || !errors.Is(err, ErrUnavailable) || unreachable.URL != url {
		t.Fatalf("got %v", err)
	}
	if len(*pauses) != maxRefused-1 {
		t.Errorf("%d pauses, want %d", len(*pauses), maxRefused-1)
	}
	if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), testKey) {
		t.Errorf("the error says too much: %v", err)
	}
}

// A connection that breaks after the request went out may have done its work.
func TestABrokenConnectionIsNotTriedAgain(t *testing.T) {
	var attempts atomic.Int32
	client, _ := newClient(t, func(http.ResponseWriter, *http.Request) {
		attempts.Add(1)
		panic(http.ErrAbortHandler)
	})
	_, err := client.CreateSecret(t.Context(), SecretWrite{Key: "K", Value: plaintext(canary)})
	if !errors.Is(err, ErrUnavailable) || attempts.Load() != 1 {
		t.Errorf("%d attempts, %v", attempts.Load(), err)
	}
}

func TestACallEnds(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	client, err := New(server.URL, redact.Value{}, Options{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Me(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Me(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestAnAnswerOfAnotherKindIsNotTaken(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>"+canary)
		},
		"no media type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, `{}`)
		},
		"half":         func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"env":{"K":"`+canary) },
		"nothing":      func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, ``) },
		"two":          func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{}{}`) },
		"a list":       func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `["`+canary+`"]`) },
		"a number":     func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"env":{"K":12345678}}`) },
		"no value":     func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"env":{"K":null}}`) },
		"not Unicode":  func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "{\"env\":{\"K\":\""+canary+"\xff\"}}") },
		"wrong number": func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"secrets":[{"version":"`+canary+`"}]}`) },
	} {
		client, _ := newClient(t, handler)
		resolved, err := client.Resolve(t.Context(), ResolveRequest{App: "acme/demo"})
		var protocol *ProtocolError
		if !errors.As(err, &protocol) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "12345678") {
			t.Errorf("%s: the error quotes the answer: %v", name, err)
		}
		if len(resolved.Env) != 0 {
			t.Errorf("%s: part of the answer was taken", name)
		}
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := []byte(`"` + strings.Repeat("x", 1<<20))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	_, err := client.Me(t.Context())
	var protocol *ProtocolError
	if !errors.As(err, &protocol) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatEchoesASecretDoesNotGetItShown(t *testing.T) {
	client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), canary) {
			t.Errorf("the value did not arrive: %s", body)
		}
		answer(w, 422, `{"title":"invalid_field","status":422,"detail":"bad: `+canary+`, `+testKey+`",
			"errors":[{"field":"value","message":"`+canary+` is not good"}]}`)
	})
	value := plaintext(canary)
	_, set := client.SetSecret(t.Context(), SecretWrite{Key: "K", Value: value})
	_, imported := client.ImportSecrets(t.Context(), ImportRequest{Items: []ImportItem{{Key: "K", Value: value}}})
	for _, err := range []error{set, imported} {
		text := fmt.Sprintf("%v %+v %#v", err, err, err)
		var answered *Error
		if errors.As(err, &answered) {
			text += fmt.Sprintf("%+v", *answered)
		}
		if answered == nil || strings.Contains(text, canary) || strings.Contains(text, testKey) {
			t.Errorf("got %s", text)
		}
	}
}

func TestTheLogSaysWhatWasCalledAndNoMore(t *testing.T) {
	var log strings.Builder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, `{"key":"K","value":"`+canary+`"}`)
	}))
	defer server.Close()
	client, err := New(server.URL, redact.NewValue(testKey), Options{
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateSecret(t.Context(), SecretWrite{Key: "K", Value: plaintext(canary)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"method=PUT", "path=/api/secrets/K", "status=200", "duration="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), canary) || strings.Contains(log.String(), testKey) {
		t.Errorf("the log says too much: %s", log.String())
	}
}

func TestSetAddsWhatIsNotThere(t *testing.T) {
	for name, test := range map[string]struct {
		put  []int
		post int
		want string
		ok   bool
	}{
		"there":              {[]int{200}, 0, "PUT", true},
		"not there":          {[]int{404}, 201, "PUT POST", true},
		"added by another":   {[]int{404, 200}, 409, "PUT POST PUT", true},
		"may not":            {[]int{403}, 0, "PUT", false},
		"may not add either": {[]int{404}, 403, "PUT POST", false},
	} {
		var methods []string
		puts := 0
		client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			methods = append(methods, r.Method)
			status := test.post
			body, _ := io.ReadAll(r.Body)
			want := `{"key":"K","value":"v"}`
			if r.Method == http.MethodPut {
				status = test.put[puts]
				puts++
				want = `{"value":"v"}`
			}
			if string(body) != want {
				t.Errorf("%s: %s sent %s, want %s", name, r.Method, body, want)
			}
			answer(w, status, `{"title":"t","key":"K","version":2}`)
		})
		secret, err := client.SetSecret(t.Context(), SecretWrite{Key: "K", Value: plaintext("v")})
		if strings.Join(methods, " ") != test.want || (err == nil) != test.ok {
			t.Errorf("%s: %v, %v", name, methods, err)
		}
		if test.ok && secret.Version != 2 {
			t.Errorf("%s: got %+v", name, secret)
		}
	}
}

func TestAListIsReadToItsEnd(t *testing.T) {
	client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), `"cursor":"c2"`):
			answer(w, 200, `{"items":[{"key":"C"}],"has_next":false}`)
		case strings.Contains(string(body), `"cursor"`):
			t.Errorf("unexpected %s", body)
		default:
			answer(w, 200, `{"items":[{"key":"A"},{"key":"B"}],"next_cursor":"c2","has_next":true}`)
		}
	})
	secrets, err := client.Secrets(t.Context())
	if err != nil || len(secrets) != 3 || secrets[2].Key != "C" {
		t.Errorf("got %+v, %v", secrets, err)
	}

	endless, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, `{"items":[],"next_cursor":"again","has_next":true}`)
	})
	var protocol *ProtocolError
	if _, err := endless.Secrets(t.Context()); !errors.As(err, &protocol) {
		t.Errorf("an endless list: %v", err)
	}
}

func TestResolveGoesToTheInternalAddress(t *testing.T) {
	var path string
	internal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		answer(w, 200, `{"env":{}}`)
	}))
	defer internal.Close()
	client, err := New("https://infsh.invalid", redact.NewValue(testKey), Options{InternalURL: internal.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Resolve(t.Context(), ResolveRequest{App: "acme/demo"}); err != nil || path != "/internal/v1/resolve" {
		t.Errorf("went to %q, %v", path, err)
	}
}

func TestADeploymentSaysWhetherItMadeAVersion(t *testing.T) {
	for status, want := range map[int]bool{200: false, 201: true} {
		client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, status, `{"namespace":"acme","name":"demo","version":{"number":3}}`)
		})
		app, made, err := client.DeployApp(t.Context(), AppWrite{Name: "demo"})
		if err != nil || made != want || app.Version.Number != 3 {
			t.Errorf("%d: %+v, %v, %v", status, app, made, err)
		}
	}
}

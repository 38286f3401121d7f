package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A request that was accepted is finished, however slowly it arrives, before
// the server ends with 0. The supervisor is promised 10 s.
func TestShutdownFinishesAcceptedRequests(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	ada := s.createUser("ada@example.com", "acme")
	conn := s.dial(t)
	body := `{"key":"OPENAI_API_KEY","value":"sk-sent-slowly"}`
	fmt.Fprintf(conn, "POST /api/secrets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", ada.APIKey, len(body))
	answers := bufio.NewReader(conn)
	// The server asks for the body, so it has accepted the request.
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, body[:10])
	begun := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(s.stderr.String(), "stopping") {
		if time.Since(begun) > patience {
			t.Fatalf("the server does not stop: %s", s.stderr)
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprint(conn, body[10:])
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the accepted request was dropped: %v", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		b, _ := io.ReadAll(res.Body)
		t.Errorf("the accepted request: %d %s", res.StatusCode, b)
	}
	select {
	case err := <-s.exited:
		if err != nil {
			t.Errorf("the server stopped with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not stop within 10 s")
	}
	s = start(t, s.Data)
	if a := s.call(ada.APIKey, "GET", "/api/secrets/reveal/OPENAI_API_KEY", nil); !strings.Contains(a.Body, "sk-sent-slowly") {
		t.Errorf("what was acknowledged is lost: %s", a.Body)
	}
}

// D5: what is too large, too deep or too slow is refused soon, and the server
// goes on.
func TestHostileRequests(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "data"))
	ada := s.createUser("ada@example.com", "acme")
	v := s.signIn(ada)
	huge := strings.Repeat("x", 5<<20)
	nested := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	var names strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&names, `"%x":0,`, i)
	}
	manyNames := "{" + strings.TrimSuffix(names.String(), ",") + "}"
	manyFields := strings.Repeat("a=&", 100_000) + "key=NEW_KEY&value=some-value"

	t.Run("D5 a body over the limit is 413, also one that tells no length", func(t *testing.T) {
		for _, path := range []string{
			"/api/secrets", "/api/secrets/import", "/api/secrets/list", "/api/apps", "/api/apikeys", "/api/teams", "/api/integrations/check",
			"/api/device/code", "/api/device/token", "/internal/v1/resolve",
		} {
			a := s.call(ada.APIKey, "POST", path, `{"key":"`+huge+`"}`)
			if a.StatusCode != http.StatusRequestEntityTooLarge || a.title(t) != "too_large" {
				t.Errorf("%s: %d %.200s", path, a.StatusCode, a.Body)
			}
			if len(a.Body) > 1000 {
				t.Errorf("%s: an answer of %d bytes", path, len(a.Body))
			}
		}
		req, err := http.NewRequest("POST", s.URL+"/api/secrets", io.MultiReader(strings.NewReader(huge), strings.NewReader(huge)))
		if err != nil {
			t.Fatal(err)
		}
		setHeaders(req, []string{"Authorization", "Bearer " + ada.APIKey, "Content-Type", "application/json"})
		if a := send(t, http.DefaultClient, req); a.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("in chunks: %d", a.StatusCode)
		}
		for _, path := range []string{"/settings/secrets", "/login"} {
			if a := v.post(path, form("key", "NEW_KEY", "value", huge)); a.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	})

	t.Run("D5 a body of somebody unknown is not read", func(t *testing.T) {
		// The body never comes, and the answer does not wait for as long as a body of
		// somebody known may take, which is 20 s.
		conn := s.dial(t)
		if err := conn.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /api/secrets HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 400000\r\n\r\n{")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v, %v", res, err)
		}
	})

	t.Run("D5 JSON of depth 100,000 and JSON of 100,000 names are 400, in few words", func(t *testing.T) {
		for _, path := range []string{"/api/secrets", "/api/secrets/list", "/api/secrets/import", "/api/apps", "/api/integrations/check", "/internal/v1/resolve"} {
			for name, body := range map[string]string{"deep": nested, "lists": `{"filters":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}"} {
				a := s.call(ada.APIKey, "POST", path, body)
				if (a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusRequestEntityTooLarge) || len(a.Body) > 2000 {
					t.Errorf("%s, %s: %d in %d bytes: %.300s", path, name, a.StatusCode, len(a.Body), a.Body)
				}
			}
			a := s.call(ada.APIKey, "POST", path, manyNames)
			if path == "/api/secrets/list" {
				continue // There, names that mean nothing are ignored.
			}
			if (a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusRequestEntityTooLarge) || len(a.Body) > 2000 {
				t.Errorf("%s, names: %d in %d bytes: %.300s", path, a.StatusCode, len(a.Body), a.Body)
			}
		}
		if a := s.call("", "POST", "/api/device/code", nested); a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("/api/device/code: %d", a.StatusCode)
		}
		req, err := http.NewRequest("POST", s.URL+"/settings/secrets", strings.NewReader(manyFields))
		if err != nil {
			t.Fatal(err)
		}
		setHeaders(req, []string{"Content-Type", formType, "Origin", s.URL})
		if a := send(t, v.client, req); a.StatusCode != http.StatusBadRequest {
			t.Errorf("a form of 100,000 fields: %d", a.StatusCode)
		}
	})

	t.Run("D5 a compressed body is not unpacked", func(t *testing.T) {
		var bomb bytes.Buffer
		z := gzip.NewWriter(&bomb)
		if _, err := io.Copy(z, io.LimitReader(zeros{}, 8<<20)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		var good bytes.Buffer
		z = gzip.NewWriter(&good)
		_, _ = io.WriteString(z, `{"key":"GZIP_KEY","value":"some-value"}`)
		_ = z.Close()
		for name, body := range map[string][]byte{"a bomb": bomb.Bytes(), "a good one": good.Bytes()} {
			for _, path := range []string{"/api/secrets", "/api/device/code", "/settings/secrets"} {
				req, err := http.NewRequest("POST", s.URL+path, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				setHeaders(req, []string{"Content-Type", "application/json", "Content-Encoding", "gzip", "Authorization", "Bearer " + ada.APIKey, "Origin", s.URL})
				if a := send(t, v.client, req); a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusUnsupportedMediaType {
					t.Errorf("%s to %s: %d %.200s", name, path, a.StatusCode, a.Body)
				}
			}
		}
	})

	t.Run("D5 headers over the limit are 431, and end the connection", func(t *testing.T) {
		conn := s.dial(t)
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 64<<10))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%v, %v", res, err)
		}
	})

	t.Run("D5 a long password is refused, not hashed at length", func(t *testing.T) {
		if a := v.post("/settings/account/password", form("current", ada.Password, "new", strings.Repeat("pass word ", 10_000))); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%d", a.StatusCode)
		}
	})

	t.Run("D5 a header that never ends is cut off", func(t *testing.T) {
		conn := s.dial(t)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			fmt.Fprint(conn, "GET /login HTTP/1.1\r\nHost: x\r\n")
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
				}
				if _, err := fmt.Fprintf(conn, "X-%d: slow\r\n", i); err != nil {
					return
				}
			}
		}()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(conn)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatal("the connection is still open")
		}
		if strings.Contains(string(b), "200 OK") {
			t.Errorf("it was answered: %s", b)
		}
	})

	if a := s.call("", "GET", "/readyz", nil); a.StatusCode != http.StatusOK {
		t.Errorf("the server is not ready afterwards: %d", a.StatusCode)
	}
	if a := s.call(ada.APIKey, "POST", "/api/secrets/list", nil); strings.Contains(a.Body, "_KEY") {
		t.Errorf("something was stored: %s", a.Body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func (s *server) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

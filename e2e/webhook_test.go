package e2e

import (
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// What was committed is delivered, also when the server is killed while it
// delivers: under the same id, to a receiver that checks the signature with the
// specification's own library.
func TestWebhookOutlivesACrash(t *testing.T) {
	type got struct {
		header http.Header
		body   []byte
	}
	received, hang := make(chan got, 10), make(chan struct{})
	var first sync.Once
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		hanging := false
		first.Do(func() { hanging = true })
		received <- got{r.Header.Clone(), body}
		if hanging {
			<-hang
		}
	}))
	defer to.Close()
	defer close(hang)

	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "--webhook-allow-private")
	ada := s.createUser("ada@example.com", "acme")
	var hook struct{ ID, Secret string }
	s.call(ada.APIKey, "POST", "/api/webhooks", map[string]any{"url": to.URL, "events": []string{"secret.updated"}}).json(t, &hook)
	if !strings.HasPrefix(hook.Secret, "whsec_") {
		t.Fatalf("the signing secret is %d characters", len(hook.Secret))
	}
	s.set(ada.APIKey, "OPENAI_API_KEY", "sk-value-0123456789")
	wait := func() got {
		t.Helper()
		select {
		case g := <-received:
			return g
		case <-time.After(time.Minute):
			t.Fatalf("nothing arrived\n%s", s.stderr)
			return got{}
		}
	}
	before := wait()
	s.kill()

	// The minute of the dead sender's lease passes.
	db, err := sql.Open("sqlite", filepath.Join(data, "infsh.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE webhook_messages SET leased_until = 1"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	s = start(t, data, "--webhook-allow-private")
	after := wait()
	if a, b := before.header.Get("webhook-id"), after.header.Get("webhook-id"); a != b || a == "" {
		t.Errorf("the ids are %q and %q", a, b)
	}
	if strings.Contains(string(after.body), "sk-value") || !strings.Contains(string(after.body), `"OPENAI_API_KEY"`) {
		t.Errorf("the message is %s", after.body)
	}
	lib, err := standardwebhooks.NewWebhook(hook.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := lib.Verify(after.body, after.header); err != nil {
		t.Errorf("the reference library refuses it: %v", err)
	}
	for begun := time.Now(); ; {
		a := s.call(ada.APIKey, "GET", "/api/webhooks/"+hook.ID+"/deliveries", nil)
		if strings.Contains(a.Body, `"state":"delivered","attempts":2`) {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("the delivery is %s", a.Body)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if log := s.stderr.String(); strings.Contains(log, hook.Secret) || strings.Contains(log, to.URL) {
		t.Errorf("the log has what it must not have:\n%s", log)
	}

	// Without the operator's leave the same address is refused.
	s.stop()
	s = start(t, data)
	if a := s.call(ada.APIKey, "POST", "/api/webhooks", map[string]any{"url": to.URL}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a private address: %d %s", a.StatusCode, a.Body)
	}
}

// The team hears of it when an app waits for a key, from the deploy of a member
// on, once for each key, by name and without a value; an owner's deploy, which
// grants what it declares, and one that declares nothing new are no such event.
func TestWebhookTellsOfWaitingGrants(t *testing.T) {
	type message struct {
		Type string `json:"type"`
		Data struct {
			TeamID string `json:"team_id"`
			Actor  string `json:"actor"`
			Target string `json:"target"`
		} `json:"data"`
	}
	received := make(chan message, 20)
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		received <- m
	}))
	defer to.Close()
	s := start(t, filepath.Join(t.TempDir(), "data"), "--webhook-allow-private")
	ada, bo := s.createUser("ada@example.com", "acme"), s.createUser("bo@example.com", "acme")
	s.set(ada.APIKey, "OPENAI_API_KEY", "sk-value-0123456789")
	var hook struct{ ID string }
	s.call(ada.APIKey, "POST", "/api/webhooks", map[string]any{"url": to.URL, "events": []string{"grant.pending"}}).json(t, &hook)
	s.deployApp(ada, "digest", "", requirement{"OPENAI_API_KEY", "", false})
	s.deployApp(bo, "digest", "", requirement{"OPENAI_API_KEY", "", false}, requirement{"HF_TOKEN", "", false}, requirement{"SENTRY_DSN", "", true})
	s.deployApp(bo, "digest", "", requirement{"OPENAI_API_KEY", "", false}, requirement{"HF_TOKEN", "", false})
	// The test comes after all that went before it.
	s.call(ada.APIKey, "POST", "/api/webhooks/"+hook.ID+"/test", nil)
	var got []string
	for {
		select {
		case m := <-received:
			if m.Type == "webhook.test" {
				slices.Sort(got)
				if want := []string{"acme/digest HF_TOKEN", "acme/digest SENTRY_DSN"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				return
			}
			if m.Type != "grant.pending" || m.Data.Actor != "bo@example.com" || m.Data.TeamID != ada.TeamID {
				t.Errorf("got %+v", m)
			}
			got = append(got, m.Data.Target)
		case <-time.After(time.Minute):
			t.Fatalf("got %q and no more\n%s", got, s.stderr)
		}
	}
}

package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"infsh/account"
	"infsh/audit"
	"infsh/auth"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/rotation"
	"infsh/secret"
	"infsh/team"
	"infsh/webhook"
)

// receiver is a real endpoint that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu         sync.Mutex
	got        []delivery
	status     int
	retryAfter string
}

type delivery struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, delivery{req.Header.Clone(), body})
		if r.status == http.StatusFound {
			w.Header().Set("Location", r.URL+"/elsewhere")
		}
		if r.retryAfter != "" {
			w.Header().Set("Retry-After", r.retryAfter)
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int, retryAfter string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.retryAfter = status, retryAfter
}

func (r *receiver) all() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

type world struct {
	*dbtest.Database
	kek             *envelope.KEK
	hooks           *webhook.Service
	secrets         *secret.Service
	owner, stranger team.Actor
	to              *receiver
	mu              sync.Mutex
	clock           time.Time
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
		if err != nil {
			t.Fatal(err)
		}
		acme, beta := dbtest.Team(t, d, kek, "acme"), dbtest.Team(t, d, kek, "beta")
		test(t, &world{
			Database: d, kek: kek, secrets: secret.NewService(d.Secrets(), kek), hooks: webhook.NewService(d.Webhooks(), kek, webhook.Guard{AllowPrivate: true}),
			owner:    dbtest.Actor(t, d, acme, "owner@acme.example", team.Owner),
			stranger: dbtest.Actor(t, d, beta, "owner@beta.example", team.Owner),
			to:       newReceiver(t), clock: time.Now().UTC().Add(time.Minute),
		})
	})
}

// deliver runs a sender until the outbox has nothing that is due.
func (w *world) deliver(t *testing.T, guard webhook.Guard) {
	t.Helper()
	s := webhook.NewSender(w.Outbox(), w.kek, guard, slog.New(slog.DiscardHandler))
	s.At(w.now)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(ended)
	}()
	s.Wake()
	for {
		due := dbtest.Count(t, w.Database, "SELECT count(*) FROM webhook_messages m JOIN webhooks w ON w.id = m.webhook_id WHERE m.state = 'pending' AND w.enabled = 1 AND m.next_at <= ?", w.now().UnixMicro())
		if due == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	<-ended
}

// sendDue sends what is due now and no more.
func (w *world) sendDue(t *testing.T) {
	t.Helper()
	s := webhook.NewSender(w.Outbox(), w.kek, webhook.Guard{AllowPrivate: true}, slog.New(slog.DiscardHandler))
	s.At(w.now)
	if err := s.SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) add(t *testing.T, events ...string) (webhook.Webhook, string) {
	t.Helper()
	hook, signing, err := w.hooks.Create(t.Context(), w.owner, webhook.New{URL: w.to.URL, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return hook, signing.Reveal()
}

func (w *world) set(t *testing.T, actor team.Actor, mode secret.Mode, value string) {
	t.Helper()
	v := redact.NewValue(value)
	if _, err := w.secrets.Set(t.Context(), actor, mode, secret.Write{Key: "OPENAI_API_KEY", Value: &v}); err != nil {
		t.Fatal(err)
	}
}

// verify checks a message with the reference library of the specification.
func verify(t *testing.T, signing string, d delivery) error {
	t.Helper()
	lib, err := standardwebhooks.NewWebhook(signing)
	if err != nil {
		t.Fatal(err)
	}
	return lib.Verify(d.body, d.header)
}

const canary = "sk-CANARY-0123456789abcdef"

// A change is told to those who asked for it, signed so that the reference
// library accepts it, with names and never a value; another team's is not.
func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, signing := w.add(t)
		w.set(t, w.stranger, secret.Create, canary)
		w.set(t, w.owner, secret.Create, canary)
		w.set(t, w.owner, secret.Change, canary) // Unchanged: no event.
		if _, err := w.secrets.Delete(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := auth.NewKeys(w.Auth()).Create(t.Context(), w.owner, auth.NewKey{Name: "build machine"}); err != nil {
			t.Fatal(err)
		}
		w.deliver(t, webhook.Guard{AllowPrivate: true})
		got := w.to.all()
		var types []string
		for _, d := range got {
			var message struct {
				Type      string    `json:"type"`
				Timestamp time.Time `json:"timestamp"`
				Data      struct {
					TeamID, Key, Target, Actor string
					Version                    int64
				} `json:"data"`
			}
			if err := json.Unmarshal(d.body, &message); err != nil {
				t.Fatal(err)
			}
			types = append(types, message.Type)
			if err := verify(t, signing, d); err != nil {
				t.Errorf("the reference library refuses %s: %v", message.Type, err)
			}
			if strings.Contains(string(d.body), "CANARY") || strings.Contains(string(d.body), "infsh_") {
				t.Errorf("a value is in %s", d.body)
			}
			if message.Type == "secret.updated" && (message.Data.Key != "OPENAI_API_KEY" || message.Data.Version != 1) {
				t.Errorf("the message is %s", d.body)
			}
		}
		slices.Sort(types)
		if want := []string{"apikey.created", "secret.deleted", "secret.updated"}; !slices.Equal(types, want) {
			t.Errorf("got %v, want %v", types, want)
		}
	})
}

// An event is in the outbox exactly if its change is in the database.
func TestNoEventWithoutItsChange(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(t)
		undone := errors.New("undone")
		err := w.Secrets().Update(t.Context(), func(tx secret.Tx) error {
			if err := tx.AppendAudit(t.Context(), audit.By(w.owner, team.SetSecret, "OPENAI_API_KEY", audit.Allowed)); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.Database, "SELECT count(*) FROM webhook_messages"); n != 0 {
			t.Errorf("%d messages of what was undone", n)
		}
	})
}

// What does not arrive is tried again under the same id, ever later; when days
// have passed it is given up and the endpoint is switched off, which stands in
// the activity. Switched on again, it gets what comes then.
func TestRetries(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook, signing := w.add(t, "secret.updated")
		w.to.answer(http.StatusFound, "") // A redirect is not followed, and is no success.
		w.set(t, w.owner, secret.Create, canary)
		for range webhook.Tries() {
			w.deliver(t, webhook.Guard{AllowPrivate: true})
			w.later(30 * time.Hour)
		}
		got := w.to.all()
		if len(got) != webhook.Tries() {
			t.Fatalf("%d tries, want %d", len(got), webhook.Tries())
		}
		for _, d := range got {
			if d.header.Get("webhook-id") != got[0].header.Get("webhook-id") {
				t.Error("another try has another id")
			}
		}
		found, messages, err := w.hooks.Get(t.Context(), w.owner, hook.ID)
		if err != nil || found.Enabled || found.DisabledReason == "" || len(messages) != 1 || messages[0].State != webhook.GivenUp || messages[0].LastStatus != http.StatusFound {
			t.Errorf("afterwards: %+v, %+v, %v", found, messages, err)
		}
		log, err := audit.NewService(w.DB).Search(t.Context(), w.owner, audit.Filter{}, 0)
		entries := log.Entries
		if err != nil || entries[0].Action != "webhook.disable" || entries[0].ActorKind != "system" {
			t.Errorf("the activity begins with %+v, %v", entries[0], err)
		}
		w.set(t, w.owner, secret.Change, canary+"2") // While it is off: nobody is told.
		on := true
		if _, err := w.hooks.Update(t.Context(), w.owner, hook.ID, webhook.Change{Enabled: &on}); err != nil {
			t.Fatal(err)
		}
		w.to.answer(http.StatusOK, "")
		w.clock = time.Now().UTC().Add(time.Minute)
		if _, err := w.hooks.Test(t.Context(), w.owner, hook.ID); err != nil {
			t.Fatal(err)
		}
		w.deliver(t, webhook.Guard{AllowPrivate: true})
		got = w.to.all()[len(got):]
		if len(got) != 1 || !strings.Contains(string(got[0].body), `"webhook.test"`) || verify(t, signing, got[0]) != nil {
			t.Errorf("after switching on: %d messages", len(got))
		}
	})
}

// An endpoint that asks to be left alone is, by that message and by all others,
// also those that come meanwhile; but for no longer than a day.
func TestRetryAfter(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook, _ := w.add(t)
		w.clock = time.Now().UTC().Add(time.Minute).Truncate(time.Second)
		test := func() {
			t.Helper()
			if _, err := w.hooks.Test(t.Context(), w.owner, hook.ID); err != nil {
				t.Fatal(err)
			}
		}
		for _, asked := range []struct {
			header func(now time.Time) string
			wait   time.Duration
		}{
			{func(time.Time) string { return "7200" }, 2 * time.Hour},
			{func(now time.Time) string { return now.Add(12 * time.Hour).Format(http.TimeFormat) }, 12 * time.Hour},
			{func(time.Time) string { return "99999999" }, 24 * time.Hour},
		} {
			began, sent := w.now(), len(w.to.all())
			header := asked.header(began)
			w.to.answer(http.StatusTooManyRequests, header)
			test()
			w.sendDue(t)
			for _, after := range []time.Duration{time.Second, asked.wait / 2, asked.wait - time.Second} {
				test()
				w.later(began.Add(after).Sub(w.now()))
				w.sendDue(t)
				if n := len(w.to.all()) - sent; n != 1 {
					t.Fatalf("Retry-After: %s: %d messages within %s", header, n, after)
				}
			}
			w.to.answer(http.StatusOK, "")
			w.later(began.Add(asked.wait).Sub(w.now()))
			w.sendDue(t)
			if n := len(w.to.all()) - sent; n != 5 {
				t.Errorf("Retry-After: %s: %d messages after it, want 5", header, n)
			}
		}
		// Anything else is passed over.
		for _, header := range []string{"soon", "-1", "0", "1.5", time.Unix(0, 0).Format(http.TimeFormat)} {
			sent := len(w.to.all())
			w.to.answer(http.StatusServiceUnavailable, header)
			test()
			w.sendDue(t)
			w.later(10 * time.Second)
			w.to.answer(http.StatusOK, "")
			w.sendDue(t)
			if n := len(w.to.all()) - sent; n != 2 {
				t.Errorf("Retry-After: %s: %d messages within 10 s, want 2", header, n)
			}
		}
	})
}

// A sender that died in the middle leaves its message to others, once its lease
// has ended; two senders at once send it once.
func TestLeases(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook, _ := w.add(t)
		m, err := w.hooks.Test(t.Context(), w.owner, hook.ID)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().UTC().Add(time.Second)
		w.clock = now
		if _, ok, err := w.Outbox().Lease(t.Context(), m.ID, now, now.Add(time.Minute)); err != nil || !ok {
			t.Fatalf("lease: %v, %v", ok, err)
		}
		if _, ok, _ := w.Outbox().Lease(t.Context(), m.ID, now, now.Add(time.Minute)); ok {
			t.Error("leased twice")
		}
		if due, err := w.Outbox().Due(t.Context(), now, webhook.Room{All: 10, Failing: 10, Team: 10, TeamFailing: 10}); err != nil || len(due) != 0 {
			t.Errorf("due while leased: %v, %v", due, err)
		}
		w.later(2 * time.Minute)
		w.deliver(t, webhook.Guard{AllowPrivate: true})
		if got := w.to.all(); len(got) != 1 || got[0].header.Get("webhook-id") != m.ID {
			t.Errorf("%d messages after the lease", len(got))
		}
	})
}

// silent is an endpoint that takes connections and never answers.
type silent struct {
	*httptest.Server
	release     func()
	open, ended atomic.Int64
}

func newSilent(t *testing.T) *silent {
	released := make(chan struct{})
	r := &silent{release: sync.OnceFunc(func() { close(released) })}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		r.open.Add(1)
		select {
		case <-released:
		case <-req.Context().Done():
		}
		r.ended.Add(1)
	}))
	t.Cleanup(r.Close)
	t.Cleanup(r.release)
	return r
}

// A team whose endpoints hang, and many teams whose endpoints are known to, hold
// up neither another team nor, in the end, the team's own other endpoints: what
// comes after theirs arrives while they still hang.
func TestFairness(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hanging := newSilent(t)
		owners := []team.Actor{w.stranger}
		for i := range 9 {
			name := fmt.Sprintf("slow%d", i)
			owners = append(owners, dbtest.Actor(t, w.Database, dbtest.Team(t, w.Database, w.kek, name), name+"@example.com", team.Owner))
		}
		hang := func(owner team.Actor) string {
			hook, _, err := w.hooks.Create(t.Context(), owner, webhook.New{URL: hanging.URL})
			if err == nil {
				_, err = w.hooks.Test(t.Context(), owner, hook.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
			return hook.ID
		}
		failing := 0
		for _, owner := range owners[1:] {
			for range 3 {
				id := hang(owner)
				dbtest.Exec(t, w.Database, "UPDATE webhooks SET failing_since = 1 WHERE id = ?", id)
				failing++
			}
		}
		for range webhook.MaxWebhooks {
			hang(owners[0])
		}

		s := webhook.NewSender(w.Outbox(), w.kek, webhook.Guard{AllowPrivate: true}, slog.New(slog.DiscardHandler))
		s.At(w.now)
		s.WaitLong()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan struct{})
		go func() {
			s.Run(ctx)
			close(ended)
		}()
		s.Wake()
		// Half of the room for the failing ones, and one team's part.
		const most = 16 + 4
		until(t, "the hanging endpoints are being called", func() bool { return hanging.open.Load() == most })
		healthy, _ := w.add(t)
		for range 3 {
			if _, err := w.hooks.Test(t.Context(), w.owner, healthy.ID); err != nil {
				t.Fatal(err)
			}
		}
		s.Wake()
		until(t, "the other team's messages arrive", func() bool { return len(w.to.all()) == 3 })
		if open, gone := hanging.open.Load(), hanging.ended.Load(); open != most || gone != 0 {
			t.Errorf("they arrived after %d of %d hanging calls had ended", gone, open)
		}
		hanging.release()
		until(t, "all others have their turn", func() bool { return hanging.open.Load() == int64(failing+webhook.MaxWebhooks) })
		stop()
		<-ended
		if leased := dbtest.Count(t, w.Database, "SELECT count(*) FROM webhook_messages WHERE state = 'pending'"); leased != 0 {
			t.Errorf("%d messages are on their way after the sender's end", leased)
		}
	})
}

// until waits for what must become true.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(50 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// A new signing secret signs beside the old one for a day. A rotation of the
// team's DEK seals both anew.
func TestSigningSecrets(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook, old := w.add(t)
		_, rotated, err := w.hooks.RotateSecret(t.Context(), w.owner, hook.ID)
		if err != nil {
			t.Fatal(err)
		}
		before := dbtest.Value(t, w.Database, "SELECT value FROM webhook_secrets WHERE version = 1")
		check, err := w.kek.SealCheck("store")
		if err != nil {
			t.Fatal(err)
		}
		dbtest.Exec(t, w.Database, "INSERT INTO stores (singleton, id, kek_id, kek_check) VALUES (1, 'store', ?, ?)", w.kek.ID(), check)
		report, err := rotation.NewService(w.Rotation(), w.kek).DEK(t.Context(), auth.Operator("root"), "acme", nil)
		if err != nil || report.Versions != 2 {
			t.Fatalf("rotate the DEK: %+v, %v", report, err)
		}
		if after := dbtest.Value(t, w.Database, "SELECT value FROM webhook_secrets WHERE version = 1"); string(before[:5]) == string(after[:5]) {
			t.Error("the signing secret is sealed by the old key still")
		}
		send := func() delivery {
			t.Helper()
			if _, err := w.hooks.Test(t.Context(), w.owner, hook.ID); err != nil {
				t.Fatal(err)
			}
			w.later(time.Second)
			w.deliver(t, webhook.Guard{AllowPrivate: true})
			all := w.to.all()
			return all[len(all)-1]
		}
		w.clock = time.Now().UTC()
		d := send()
		if err := errors.Join(verify(t, old, d), verify(t, rotated.Reveal(), d)); err != nil {
			t.Errorf("in the overlap: %v", err)
		}
		w.later(webhook.Overlap)
		if d = send(); len(strings.Fields(d.header.Get("webhook-signature"))) != 1 {
			t.Errorf("after the overlap: %d signatures", len(strings.Fields(d.header.Get("webhook-signature"))))
		}
	})
}

// Without the operator's leave nothing private is called: an address is refused
// when it is added, and a name that leads to one when it is called.
func TestPrivateAddresses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		strict := webhook.NewService(w.Webhooks(), w.kek, webhook.Guard{})
		for _, u := range []string{
			"https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://x.localhost./", "https://169.254.169.254/latest", "https://10.1.2.3/",
			"http://example.com/", "ftp://example.com/", "https://user:pass@example.com/", "https://", "example.com", "https://example.com/#x", "https://example.com/" + strings.Repeat("x", 3000),
		} {
			if _, _, err := strict.Create(t.Context(), w.owner, webhook.New{URL: u}); !errors.Is(err, problem.InvalidField) {
				t.Errorf("%.40s: %v", u, err)
			}
		}
		hook, _ := w.add(t) // Added while it was allowed: what a name led to then.
		if _, err := w.hooks.Test(t.Context(), w.owner, hook.ID); err != nil {
			t.Fatal(err)
		}
		w.later(time.Second)
		w.deliver(t, webhook.Guard{})
		if n := len(w.to.all()); n != 0 {
			t.Errorf("a private address was called %d times", n)
		}
		_, messages, err := w.hooks.Get(t.Context(), w.owner, hook.ID)
		if err != nil || len(messages) != 1 || !strings.Contains(messages[0].LastError, "private") {
			t.Errorf("the try ended with %+v, %v", messages, err)
		}
	})
}

// A webhook is its team's: others find none, and it goes with the team.
func TestWebhooksAreTheTeams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook, _ := w.add(t)
		if _, _, err := w.hooks.Get(t.Context(), w.stranger, hook.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("another team finds it: %v", err)
		}
		if err := w.hooks.Delete(t.Context(), w.stranger, hook.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("another team deletes it: %v", err)
		}
		w.set(t, w.owner, secret.Create, canary)
		second := dbtest.Team(t, w.Database, w.kek, "second")
		dbtest.Join(t, w.Database, second.ID, w.owner.UserID(), team.Owner)
		accounts := account.NewService(w.Accounts(), w.kek, auth.NewPasswords())
		if err := accounts.DeleteTeam(t.Context(), w.owner); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"webhooks", "webhook_secrets", "webhook_messages", "team_changes"} {
			if n := dbtest.Count(t, w.Database, "SELECT count(*) FROM "+table+" WHERE team_id = ?", w.owner.TeamID()); n != 0 {
				t.Errorf("%d rows of %s outlive the team", n, table)
			}
		}
	})
}

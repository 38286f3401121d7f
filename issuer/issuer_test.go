package issuer_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"infsh/db"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/issuer"
	"infsh/problem"
	"infsh/team"
)

const (
	subject  = "team:1f0c"
	audience = "//cloud.example/providers/infsh"
)

var (
	site     = &url.URL{Scheme: "https", Host: "infsh.example"}
	operator = team.NewActor(team.Identity{Kind: team.Operator, Email: "root"})
)

type world struct {
	t   *testing.T
	db  *dbtest.Database
	kek *envelope.KEK
	at  time.Time
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
		if err != nil {
			t.Fatal(err)
		}
		check, err := kek.SealCheck("store")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetIdentity(t.Context(), db.Identity{StoreID: "store", KEKID: kek.ID(), KEKCheck: check}); err != nil {
			t.Fatal(err)
		}
		test(t, &world{t: t, db: d, kek: kek, at: time.Now().UTC().Truncate(time.Second)})
	})
}

// instance is a server whose clock differs.
func (w *world) instance(ahead time.Duration) *issuer.Service {
	return issuer.NewService(w.db.Issuer(), w.kek, site, slog.New(slog.DiscardHandler)).At(func() time.Time { return w.at.Add(ahead) })
}

// published is what somebody keeps of the public keys.
func (w *world) published(s *issuer.Service) jose.JSONWebKeySet {
	w.t.Helper()
	set, _, err := s.Published(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return set
}

func (w *world) sign(s *issuer.Service) string {
	w.t.Helper()
	token, err := s.Sign(w.t.Context(), subject, audience)
	if err != nil {
		w.t.Fatal(err)
	}
	return token.Reveal()
}

// verify is what a cloud does with keys that it got some time ago, and asks
// nobody for.
func (w *world) verify(token string, kept jose.JSONWebKeySet, at time.Time) error {
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return err
	}
	keys := kept.Key(signed.Signatures[0].Header.KeyID)
	if len(keys) != 1 {
		return fmt.Errorf("the key is not among the %d that are kept", len(kept.Keys))
	}
	set := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{keys[0].Key}}
	verified, err := oidc.NewVerifier(site.String(), set, &oidc.Config{ClientID: audience, Now: func() time.Time { return at }}).Verify(w.t.Context(), token)
	if err == nil && verified.Subject != subject {
		err = fmt.Errorf("it is of %s", verified.Subject)
	}
	return err
}

// Two replacements with two servers whose clocks differ, and with verifiers that keep the
// public keys for two days, or were given them by hand: no token meets a key that
// is not known, and there are never many.
func TestKeysAreReplacedWithoutAGap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		instances := []*issuer.Service{w.instance(-time.Minute), w.instance(time.Minute)}
		if n := len(w.published(instances[0]).Keys); n != 0 {
			t.Fatalf("there are %d keys before any is needed: an answer to anybody has written", n)
		}
		first := w.sign(instances[1]) // So that the other one is behind when a key is replaced.
		type snapshot struct {
			at   time.Time
			keys jose.JSONWebKeySet
		}
		kept := []snapshot{{w.at, w.published(instances[1])}}
		byHand, until, err := instances[0].Published(t.Context())
		if err != nil || until.Sub(w.at) < issuer.Period {
			t.Fatalf("what is given by hand is good until %s: %v", until, err)
		}
		tokens := map[string]time.Time{first: w.at}
		seen := map[string]bool{}
		for step := range 200 { // A day each, in which keys are replaced twice.
			w.at = w.at.Add(24 * time.Hour)
			for i, s := range instances {
				if step%9 == i {
					continue // It stood still.
				}
				token := w.sign(s)
				for _, k := range kept {
					if err := w.verify(token, k.keys, w.at); err != nil {
						t.Fatalf("day %d, by keys of %s before: %v", step, w.at.Sub(k.at), err)
					}
				}
				if w.at.Add(time.Minute).Before(until) {
					if err := w.verify(token, byHand, w.at); err != nil {
						t.Fatalf("day %d, by keys that were given by hand: %v", step, err)
					}
				}
				tokens[token] = w.at
			}
			now := w.published(instances[step%2])
			if len(now.Keys) < 2 || len(now.Keys) > 3 {
				t.Fatalf("day %d: %d keys are published", step, len(now.Keys))
			}
			for _, k := range now.Keys {
				seen[k.KeyID] = true
				if k.Use != "sig" || k.Algorithm != "RS256" || !k.IsPublic() {
					t.Fatalf("published is %+v", k)
				}
			}
			for token, made := range tokens {
				if w.at.Sub(made) > 0 {
					delete(tokens, token)
					continue
				}
				if err := w.verify(token, now, made.Add(issuer.Lifetime-time.Minute-time.Second)); err != nil {
					t.Fatalf("day %d, what was just signed: %v", step, err)
				}
			}
			kept = slices.DeleteFunc(append(kept, snapshot{w.at, now}), func(k snapshot) bool { return w.at.Sub(k.at) > issuer.Lead })
		}
		if len(seen) != 4 {
			t.Errorf("there were %d keys in 200 days", len(seen))
		}
		if err := w.verify(first, byHand, w.at); err == nil {
			t.Error("a token lasts")
		}
	})
}

// An operator replaces the key that signs at once where the next one has been
// published for long enough, and else when it has.
func TestRotatedByHand(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s, other := w.instance(0), w.instance(-time.Minute)
		done, err := s.Rotate(t.Context(), operator, false)
		if err != nil || done.From != "" || done.To == "" {
			t.Fatalf("the first: %+v, %v", done, err)
		}
		before := w.published(s)
		done, err = s.Rotate(t.Context(), operator, false)
		if err != nil || !done.At.Equal(w.at.Add(issuer.Lead)) {
			t.Fatalf("at once: %+v, %v", done, err)
		}
		for range 2 * 50 {
			w.at = w.at.Add(30 * time.Minute)
			for _, one := range []*issuer.Service{s, other} {
				if err := w.verify(w.sign(one), before, w.at); err != nil {
					t.Fatalf("by the keys of before: %v", err)
				}
			}
		}
		// Two days on the next one signs, and a further one is there, for 48 hours.
		if set := w.published(s); len(set.Keys) != 3 || set.Keys[1].KeyID != done.To {
			t.Errorf("published are %d keys", len(set.Keys))
		}
		w.at = w.at.Add(issuer.Lead)
		token := w.sign(other)
		kept := w.published(other)
		if done, err = s.Rotate(t.Context(), operator, false); err != nil || done.At.After(w.at) {
			t.Fatalf("once more: %+v, %v", done, err)
		}
		if err := errors.Join(w.verify(token, w.published(s), w.at), w.verify(w.sign(s), kept, w.at), w.verify(w.sign(other), kept, w.at)); err != nil {
			t.Errorf("around a rotation: %v", err)
		}
		if _, err := s.Rotate(t.Context(), team.NewActor(team.Identity{Kind: team.Session, Role: team.Owner}), true); !errors.Is(err, problem.PermissionDenied) {
			t.Errorf("by an owner of a team: %v", err)
		}

		// Of keys that somebody may know nothing is left, nor what they signed good.
		token = w.sign(s)
		if _, err := s.Rotate(t.Context(), operator, true); err != nil {
			t.Fatal(err)
		}
		after := w.published(other)
		if err := w.verify(token, after, w.at); err == nil || len(after.Keys) != 2 {
			t.Errorf("a compromised key is one of %d that are published", len(after.Keys))
		}
		if err := w.verify(w.sign(other), after, w.at); err != nil {
			t.Error(err)
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'issuer_key.rotate' AND outcome = 'allowed'"); n != 4 {
			t.Errorf("%d rotations are in the log", n)
		}
	})
}

// Of several servers that sign for the first time one makes the keys.
func TestKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		var all sync.WaitGroup
		tokens := make([]string, 4)
		for i := range tokens {
			all.Go(func() {
				token, err := w.instance(time.Duration(i)*time.Second).Sign(t.Context(), subject, audience)
				if err != nil {
					t.Error(err)
				}
				tokens[i] = token.Reveal()
			})
		}
		all.Wait()
		set := w.published(w.instance(0))
		if len(set.Keys) != 2 {
			t.Fatalf("%d keys were made", len(set.Keys))
		}
		for _, token := range tokens {
			if err := w.verify(token, set, w.at.Add(time.Minute)); err != nil {
				t.Error(err)
			}
		}
	})
}

// Who writes in the database has no key published but this server's own, each in
// its place; and in a backup, which restores, there is none to be read.
func TestKeysAreTheServersOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		token := w.sign(w.instance(0))
		set := w.published(w.instance(0))
		var file bytes.Buffer
		if _, err := w.db.Backup(t.Context(), &file, "test", w.kek); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			dbtest.Exec(t, w.db, "INSERT INTO issuer_keys (id, wrapped_dek, kek_id, private_key, created_at, signs_from) SELECT 'forged-' || substr(id, 1, 8), wrapped_dek, kek_id, private_key, 1, 1 FROM issuer_keys WHERE id = ?", k.KeyID)
		}
		if again := w.published(w.instance(0)); len(again.Keys) != 2 {
			t.Errorf("%d keys are published", len(again.Keys))
		}
		dbtest.Exec(t, w.db, "UPDATE issuer_keys SET private_key = (SELECT private_key FROM issuer_keys WHERE id = ?) WHERE id = ?", set.Keys[0].KeyID, set.Keys[1].KeyID)
		if again := w.published(w.instance(0)); len(again.Keys) != 1 || again.Keys[0].KeyID != set.Keys[0].KeyID {
			t.Errorf("with a moved key %d are published", len(again.Keys))
		}

		verified, err := db.VerifyBackup(bytes.NewReader(file.Bytes()), w.kek)
		if err != nil {
			t.Fatal(err)
		}
		restored := &world{t: t, db: dbtest.SQLite(t), kek: w.kek, at: w.at}
		if _, err := restored.db.Restore(t.Context(), bytes.NewReader(file.Bytes()), verified); err != nil {
			t.Fatal(err)
		}
		before, after := mustJSON(t, set), mustJSON(t, restored.published(restored.instance(0)))
		if before != after {
			t.Error("the restored store has other keys")
		}
		if err := errors.Join(w.verify(token, restored.published(restored.instance(0)), w.at), w.verify(restored.sign(restored.instance(0)), set, w.at)); err != nil {
			t.Error(err)
		}
	})
}

// What the issuer says of itself is what libraries look for.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		at, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		s := issuer.NewService(w.db.Issuer(), w.kek, at, slog.New(slog.DiscardHandler))
		mux.HandleFunc("GET "+issuer.DiscoveryPath, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(mustJSON(t, s.Metadata())))
		})
		mux.HandleFunc("GET "+issuer.KeysPath, func(rw http.ResponseWriter, r *http.Request) {
			set, _, err := s.Published(r.Context())
			if err != nil {
				t.Error(err)
			}
			_, _ = rw.Write([]byte(mustJSON(t, set)))
		})
		provider, err := oidc.NewProvider(t.Context(), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		token := w.sign(s)
		verified, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(t.Context(), token)
		if err != nil || verified.Subject != subject {
			t.Fatalf("%+v, %v", verified, err)
		}
		if life := verified.Expiry.Sub(verified.IssuedAt); life > 6*time.Minute {
			t.Errorf("it lasts %s", life)
		}
		if _, err := provider.Verifier(&oidc.Config{ClientID: "//cloud.example/other"}).Verify(t.Context(), token); err == nil {
			t.Error("it is good for another audience")
		}
		if again := w.sign(s); again == token || strings.Contains(again, "=") {
			t.Error("two tokens are the same")
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

//go:build unix

package envelope_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"infsh/envelope"
)

// imitatedVault is no Vault: it is an HTTP server in the test's process that
// answers as the transit engine's documentation says, for the calls that a KEK
// makes. It keeps several keys, each with versions, and checks the token.
type imitatedVault struct {
	*httptest.Server
	mu       sync.Mutex
	keys     map[string][]cipher.AEAD // the versions of each key, from 1
	minimum  int                      // the oldest version that decrypts
	token    string
	requests []string
	// ignoresAssociatedData is how Vault before 1.13 behaves.
	ignoresAssociatedData bool
	// broken answers instead, if it is set.
	broken http.HandlerFunc
}

const vaultToken = "hvs.throwaway-token-of-a-test"

func imitateVault(t testing.TB, withTLS bool) *imitatedVault {
	v := &imitatedVault{keys: map[string][]cipher.AEAD{}, token: vaultToken, minimum: 1}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/transit/{act}/{key}", v.serve)
	if withTLS {
		v.Server = httptest.NewTLSServer(mux)
	} else {
		v.Server = httptest.NewServer(mux)
	}
	t.Cleanup(v.Close)
	v.rotate(t, "infsh")
	return v
}

// rotate gives a key its next version.
func (v *imitatedVault) rotate(t testing.TB, key string) {
	t.Helper()
	block, err := aes.NewCipher(randomKey(t))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	v.set(func() { v.keys[key] = append(v.keys[key], aead) })
}

func (v *imitatedVault) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

func (v *imitatedVault) serve(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests = append(v.requests, r.URL.Path)
	fail := func(status int, text string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{text}})
	}
	var in struct{ Plaintext, Ciphertext, AssociatedData, Context string }
	var raw map[string]string
	if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
		fail(400, "failed to parse JSON input")
		return
	}
	in.Plaintext, in.Ciphertext, in.AssociatedData, in.Context = raw["plaintext"], raw["ciphertext"], raw["associated_data"], raw["context"]
	versions := v.keys[r.PathValue("key")]
	switch {
	case v.broken != nil:
		v.broken(w, r)
		return
	case r.Header.Get("X-Vault-Token") != v.token:
		fail(403, "permission denied")
		return
	case r.Header.Get("X-Vault-Request") != "true" || in.Context != "":
		fail(400, "not what a client sends")
		return
	case len(versions) == 0:
		fail(400, "encryption key not found")
		return
	}
	ad, err := base64.StdEncoding.DecodeString(in.AssociatedData)
	if err != nil {
		fail(400, "failed to base64-decode associated_data")
		return
	}
	if v.ignoresAssociatedData {
		ad = nil
	}
	answer := map[string]any{}
	switch r.PathValue("act") {
	case "encrypt":
		plaintext, err := base64.StdEncoding.DecodeString(in.Plaintext)
		if err != nil {
			fail(400, "failed to base64-decode plaintext")
			return
		}
		nonce := make([]byte, 12)
		_, _ = rand.Read(nonce)
		sealed := versions[len(versions)-1].Seal(nonce, nonce, plaintext, ad)
		answer["ciphertext"] = fmt.Sprintf("vault:v%d:%s", len(versions), base64.StdEncoding.EncodeToString(sealed))
		answer["key_version"] = len(versions)
	case "decrypt":
		number, text, ok := strings.Cut(strings.TrimPrefix(in.Ciphertext, "vault:v"), ":")
		version, err := strconv.Atoi(number)
		sealed, err64 := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || err64 != nil || version < 1 || version > len(versions) || len(sealed) < 12 {
			fail(400, "invalid ciphertext: no prefix")
			return
		}
		if version < v.minimum {
			fail(400, "ciphertext or signature version is disallowed by policy (too old)")
			return
		}
		plaintext, err := versions[version-1].Open(nil, sealed[:12], sealed[12:], ad)
		if err != nil {
			fail(400, "cipher: message authentication failed")
			return
		}
		answer["plaintext"] = base64.StdEncoding.EncodeToString(plaintext)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": answer})
}

func (v *imitatedVault) host() string { return v.Listener.Addr().String() }

func (v *imitatedVault) uri(key string) string {
	return "hcvault+http://" + v.host() + "/transit/keys/" + key
}

func (v *imitatedVault) open(t testing.TB, key string) *envelope.KEK {
	t.Helper()
	kek, err := envelope.OpenKEK(v.uri(key), environment("VAULT_TOKEN", vaultToken))
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

// A key of a Vault does all that a key of a file does.
func TestVaultKEK(t *testing.T) {
	v := imitateVault(t, false)
	v.rotate(t, "other")
	kek := v.open(t, "infsh")
	if want := "hcvault:" + v.host() + "/transit/keys/infsh:v1"; kek.ID() != want {
		t.Errorf("the ID is %s, want %s", kek.ID(), want)
	}
	wrapped, err := kek.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(wrapped), "vault:v1:") || kek.IDOf(wrapped) != kek.ID() {
		t.Errorf("the wrapped keyset begins with %.12q", wrapped)
	}
	dek, err := kek.OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, dek, place, []byte("value"))
	elsewhere, err := v.open(t, "infsh").OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := elsewhere.Open(place, sealed); err != nil || string(got) != "value" {
		t.Errorf("another server opened %q, %v", got, err)
	}
	local, _ := newKEK(t)
	for name, open := range map[string]func() error{
		"another team":        func() error { _, err := kek.OpenDEK("team-b", wrapped); return err },
		"another key":         func() error { _, err := v.open(t, "other").OpenDEK("team-a", wrapped); return err },
		"a key of a file":     func() error { _, err := local.OpenDEK("team-a", wrapped); return err },
		"truncated":           func() error { _, err := kek.OpenDEK("team-a", wrapped[:len(wrapped)-4]); return err },
		"a file's in Vault":   func() error { _, err := kek.OpenDEK("team-a", []byte{1, 2, 3}); return err },
		"a version not there": func() error { _, err := kek.OpenDEK("team-a", []byte("vault:v9:AAAA")); return err },
	} {
		if err := open(); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("%s: %v, want ErrOpen", name, err)
		}
	}
	check, err := kek.SealCheck("store")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.open(t, "infsh").VerifyCheck("store", check); err != nil {
		t.Errorf("the check: %v", err)
	}
	if err := v.open(t, "other").VerifyCheck("store", check); !errors.Is(err, envelope.ErrKEKWrong) {
		t.Errorf("the check with another key: %v", err)
	}

	// A cached keyset costs no request.
	before := len(v.requests)
	for range 10 {
		if _, err := kek.OpenDEK("team-a", wrapped); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(v.requests) - before; n != 0 {
		t.Errorf("%d requests for a cached keyset", n)
	}
}

// What Vault gets is what docs/format.md says, read by hand: the keyset, with
// the associated data of every wrapped DEK.
func TestVaultFormat(t *testing.T) {
	v := imitateVault(t, false)
	kek := v.open(t, "infsh")
	wrapped, err := kek.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(wrapped), "vault:v1:"))
	if err != nil {
		t.Fatal(err)
	}
	ks, err := v.keys["infsh"][0].Open(nil, sealed[:12], sealed[12:], associatedDataByHand("dek", "team-a", "", 0))
	if err != nil {
		t.Fatalf("the associated data is not that of the document: %v", err)
	}
	dek, err := kek.OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	key := dekByHand(t, ks)
	if ids := dek.KeyIDs(); len(ids) != 1 || ids[0] != key.id {
		t.Errorf("by hand the key is %d, else %d", key.id, ids)
	}
	record := parseSealed(t, mustSeal(t, dek, place, []byte("value")))
	if got, err := record.open(key.bytes, associatedDataByHand(string(place.Purpose), place.Team, place.Key, place.Version)); err != nil || string(got) != "value" {
		t.Errorf("by hand a record is %q, %v", got, err)
	}
}

// When Vault has a new version of its key, the older ones still decrypt, and
// the ID tells the versions apart, so that rotate-kek has something to do.
func TestVaultKeyVersions(t *testing.T) {
	v := imitateVault(t, false)
	first := v.open(t, "infsh")
	wrapped, err := first.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	v.rotate(t, "infsh")
	second := v.open(t, "infsh")
	if second.ID() != strings.Replace(first.ID(), ":v1", ":v2", 1) {
		t.Errorf("the ID is %s", second.ID())
	}
	rewrapped, err := second.Rewrap("team-a", wrapped, second)
	if err != nil {
		t.Fatal(err)
	}
	// A server that runs since before tells the truth too.
	if later, err := first.WrapNewDEK("team-b"); err != nil || first.IDOf(later) != second.ID() {
		t.Errorf("a later wrapping is of %s, %v", first.IDOf(later), err)
	}
	v.set(func() { v.minimum = 2 })
	if _, err := second.OpenDEK("team-a", wrapped); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("the version that was given up: %v", err)
	}
	if _, err := second.OpenDEK("team-a", rewrapped); err != nil {
		t.Errorf("the version that is left: %v", err)
	}
}

// A Vault that drops associated data would open one team's key as another's.
func TestVaultThatIgnoresAssociatedDataIsRefused(t *testing.T) {
	v := imitateVault(t, false)
	v.ignoresAssociatedData = true
	_, err := envelope.OpenKEK(v.uri("infsh"), environment("VAULT_TOKEN", vaultToken))
	wantKEKError(t, err, envelope.ErrKEKInvalid, v.host())
	wantReason(t, err, "does not bind associated data")
}

// What is no answer of a Vault says what to look at, and never counts as "this
// key did not encrypt it".
func TestUnreachableVault(t *testing.T) {
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	cases := map[string]struct {
		broken http.HandlerFunc
		reason string
	}{
		"sealed":         {status(503, `{"errors":["Vault is sealed"]}`), "503"},
		"no permission":  {status(403, `{"errors":["permission denied"]}`), "403"},
		"no such mount":  {status(404, `{"errors":["no handler for route"]}`), "404"},
		"throttled":      {status(429, `{"errors":["rate limited"]}`), "429"},
		"another server": {status(200, `<html>welcome</html>`), ""},
		"empty":          {status(200, `{}`), ""},
		"no ciphertext":  {status(200, `{"data":{}}`), ""},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/v1/", http.StatusTemporaryRedirect)
		}, ""},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, "does not answer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := imitateVault(t, false)
			kek := v.open(t, "infsh")
			wrapped, err := kek.WrapNewDEK("team-a")
			if err != nil {
				t.Fatal(err)
			}
			check, err := kek.SealCheck("store")
			if err != nil {
				t.Fatal(err)
			}
			v.set(func() { v.broken = c.broken })
			_, err = envelope.OpenKEK(v.uri("infsh"), environment("VAULT_TOKEN", vaultToken))
			wantKEKError(t, err, envelope.ErrKEKUnavailable, v.host())
			wantReason(t, err, c.reason)
			wantNotQuoted(t, err, vaultToken)
			if _, err := kek.WrapNewDEK("team-b"); err == nil {
				t.Error("a key was wrapped")
			}
			if _, err := kek.OpenDEK("team-a", wrapped); !errors.Is(err, envelope.ErrKEKUnavailable) {
				t.Errorf("opening a keyset: %v", err)
			}
			if err := kek.VerifyCheck("store", check); !errors.Is(err, envelope.ErrKEKUnavailable) {
				t.Errorf("the check: %v", err)
			}
			// With another key at hand there is still no verdict.
			local, _ := newKEK(t)
			if _, err := local.And(kek).OpenDEK("team-a", wrapped); !errors.Is(err, envelope.ErrKEKUnavailable) {
				t.Errorf("opening with another key beside it: %v", err)
			}
		})
	}
}

// A Vault that accepts connections and says nothing is given up.
func TestSilentVault(t *testing.T) {
	v := imitateVault(t, false)
	done := make(chan struct{})
	v.broken = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	}
	t.Cleanup(func() { close(done) })
	ended := make(chan error, 1)
	go func() {
		_, err := envelope.OpenKEK(v.uri("infsh"), environment("VAULT_TOKEN", vaultToken))
		ended <- err
	}()
	select {
	case err := <-ended:
		wantKEKError(t, err, envelope.ErrKEKUnavailable, v.host())
	case <-time.After(time.Minute):
		t.Fatal("it is waited for")
	}
}

// The token comes from the environment or from a private file, which is read
// again when it was renewed.
func TestVaultToken(t *testing.T) {
	v := imitateVault(t, false)
	path := filepath.Join(t.TempDir(), "token")
	write := func(token string, mode os.FileMode) {
		if err := errors.Join(os.WriteFile(path, []byte(token+"\n"), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write(vaultToken, 0o600)
	kek, err := envelope.OpenKEK(v.uri("infsh"), environment("VAULT_TOKEN_FILE", path))
	if err != nil {
		t.Fatal(err)
	}
	v.set(func() { v.token = "hvs.renewed" })
	if _, err := kek.WrapNewDEK("team-a"); err == nil {
		t.Error("the old token works")
	}
	write("hvs.renewed", 0o600)
	if _, err := kek.WrapNewDEK("team-a"); err != nil {
		t.Errorf("the renewed token: %v", err)
	}
	write("hvs.renewed", 0o644)
	_, err = envelope.OpenKEK(v.uri("infsh"), environment("VAULT_TOKEN_FILE", path))
	wantKEKError(t, err, envelope.ErrKEKUnavailable, v.host())
	wantReason(t, err, "0644")
	_, err = envelope.OpenKEK(v.uri("infsh"), noEnvironment)
	wantReason(t, err, "VAULT_TOKEN")
}

// Only https, but for this machine; and no token in a URI, which ps shows.
func TestVaultURIs(t *testing.T) {
	for _, uri := range []string{
		"hcvault://", "hcvault://vault.example.com", "hcvault://vault.example.com/transit", "hcvault://vault.example.com/keys/infsh",
		"hcvault://vault.example.com/transit/infsh", "hcvault://vault.example.com/transit/keys/", "hcvault://vault.example.com/transit/keys/../infsh",
		"hcvault://vault.example.com//keys/infsh", "hcvault://vault.example.com/transit/keys/infsh?token=x", "hcvault://vault.example.com/transit/keys/in%2ffsh",
		"hcvault://hvs.token@vault.example.com/transit/keys/infsh", "hcvault:///transit/keys/infsh",
		"hcvault+http://vault.example.com/transit/keys/infsh", "hcvault+http://10.0.0.1/transit/keys/infsh", "hcvault+http://localhost.example.com/transit/keys/infsh",
	} {
		_, err := envelope.OpenKEK(uri, environment("VAULT_TOKEN", vaultToken))
		wantKEKError(t, err, envelope.ErrKEKInvalid, "Vault")
		wantNotQuoted(t, err, "hvs.")
	}
}

// Over https the certificate is checked, whatever the environment says.
func TestVaultCertificate(t *testing.T) {
	v := imitateVault(t, true)
	uri := "hcvault://" + v.host() + "/transit/keys/infsh"
	_, err := envelope.OpenKEK(uri, environment("VAULT_TOKEN", vaultToken))
	wantKEKError(t, err, envelope.ErrKEKUnavailable, v.host())
	wantReason(t, err, "certificate")
	if len(v.requests) != 0 {
		t.Errorf("requests were sent: %q", v.requests)
	}

	ca := filepath.Join(t.TempDir(), "ca.pem")
	var text bytes.Buffer
	if err := errors.Join(pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: v.Certificate().Raw}), os.WriteFile(ca, text.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VAULT_CACERT", ca)
	if _, err := envelope.OpenKEK(uri, environment("VAULT_TOKEN", vaultToken)); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	t.Setenv("VAULT_SKIP_VERIFY", "true")
	_, err = envelope.OpenKEK(uri, environment("VAULT_TOKEN", vaultToken))
	wantKEKError(t, err, envelope.ErrKEKInvalid, v.host())
	wantReason(t, err, "VAULT_SKIP_VERIFY")
}

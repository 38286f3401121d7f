package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"infsh/redact"
)

// memoryKeyring stands for the system's, which needs a desktop; the real one is
// driven by the tests of the built program.
type memoryKeyring struct {
	entries map[string]redact.Value
	broken  error
}

func (k *memoryKeyring) get(url string) (redact.Value, error) {
	v, ok := k.entries[url]
	if !ok && k.broken == nil {
		return v, errors.New("not found")
	}
	return v, k.broken
}

func (k *memoryKeyring) set(url string, v redact.Value) error {
	if k.broken == nil {
		k.entries[url] = v
	}
	return k.broken
}

func (k *memoryKeyring) remove(url string) error {
	delete(k.entries, url)
	return k.broken
}

// The login goes into the keyring where there is one that works, and the file
// then holds no credential; else it goes into the file, and that is said.
func TestTheLoginGoesIntoTheKeyring(t *testing.T) {
	for name, test := range map[string]struct {
		env    map[string]string
		broken error
		flags  []string
		inRing bool
		says   string
	}{
		"a keyring":               {env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}, inRing: true, says: "Logged in to"},
		"none":                    {says: "Logged in to"},
		"one that does not work":  {env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}, broken: errors.New("locked"), says: "keyring can't be used"},
		"not wanted, by flag":     {env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}, flags: []string{"--no-keyring"}, says: "Logged in to"},
		"not wanted, by variable": {env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x", "INFSH_KEYRING": "off"}, says: "Logged in to"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, deviceServer(t))
			ring := &memoryKeyring{entries: map[string]redact.Value{}, broken: test.broken}
			w.ring = ring
			delete(w.env, "INFSH_API_KEY")
			for k, v := range test.env {
				w.env[k] = v
			}
			w.stdin = testKey
			w.run(append([]string{"login", "--api-key"}, test.flags...)...).want(t, ExitOK, test.says)
			file, err := os.ReadFile(filepath.Join(w.env["INFSH_CONFIG_DIR"], "credentials.json"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(file), testKey) == test.inRing || (len(ring.entries) == 1) != test.inRing {
				t.Errorf("in the file: %v, in the keyring: %d", strings.Contains(string(file), testKey), len(ring.entries))
			}
			w.run("me").want(t, ExitOK)
			if test.inRing {
				ring.broken = errors.New("locked")
				w.run("me").want(t, ExitFailure, "keyring", "infsh login --no-keyring")
				ring.broken = nil
			}
			w.run("logout").want(t, ExitOK)
			if len(ring.entries) != 0 {
				t.Error("the keyring keeps a login that was ended")
			}
			w.run("me").want(t, ExitDenied, "not logged in")
		})
	}
}

// Where no browser can be opened, an API key may be pasted while the login
// waits for its approval elsewhere.
func TestAKeyMayBePastedInTheBrowsersPlace(t *testing.T) {
	w := newWorld(t, deviceServer(t))
	delete(w.env, "INFSH_API_KEY")
	lines := []string{"not a key", testKey}
	w.terminal = terminal{in: true, readHidden: func(ctx context.Context) (string, error) {
		if len(lines) == 0 {
			<-ctx.Done()
			return "", ctx.Err()
		}
		line := lines[0]
		lines = lines[1:]
		return line, nil
	}}
	w.env["SSH_CONNECTION"] = "x"
	w.patient = true // Nobody approves: only the paste ends the wait.
	r := w.run("login")
	r.want(t, ExitOK, "ABCD-EFGH", "paste an API key", "Logged in to")
	if strings.Contains(r.err+r.out, testKey) {
		t.Error("the key was shown")
	}
	w.run("me").want(t, ExitOK)
}

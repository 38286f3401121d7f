package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	gokeyring "github.com/zalando/go-keyring"

	"infsh/redact"
)

// keyring is the system's place for secrets: the Keychain, the Credential
// Manager, or a Secret Service on D-Bus. It holds the credential; where it is
// and whose it is stays in credentials.json, so that no command asks a keyring
// in which nothing is.
type keyring interface {
	get(serverURL string) (redact.Value, error)
	set(serverURL string, credential redact.Value) error
	remove(serverURL string) error
}

// keyringService is the name that the entries have in the keyring.
const keyringService = "infsh"

// keyringPatience bounds a question: a keyring may show a dialog to be
// unlocked, and a broken one never answers.
const keyringPatience = 30 * time.Second

var errNoKeyring = errors.New("this system's keyring does not answer")

// systemKeyring is the real one.
type systemKeyring struct{}

func (systemKeyring) get(serverURL string) (redact.Value, error) {
	text, err := patiently(func() (string, error) { return gokeyring.Get(keyringService, serverURL) })
	return redact.NewValue(text), err
}

func (systemKeyring) set(serverURL string, credential redact.Value) error {
	_, err := patiently(func() (string, error) { return "", gokeyring.Set(keyringService, serverURL, credential.Reveal()) })
	return err
}

func (systemKeyring) remove(serverURL string) error {
	_, err := patiently(func() (string, error) { return "", gokeyring.Delete(keyringService, serverURL) })
	if errors.Is(err, gokeyring.ErrNotFound) {
		return nil
	}
	return err
}

func patiently(ask func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := ask()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-time.After(keyringPatience):
		return "", errNoKeyring
	}
}

// hasKeyring reports whether it is worth asking. Without a session bus the
// library would start one, which nobody could unlock.
func (p *program) hasKeyring() bool {
	switch runtime.GOOS {
	case "darwin", "windows":
		return true
	}
	if p.env("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := p.env("XDG_RUNTIME_DIR")
	if dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return err == nil
}

// wantsKeyring reads INFSH_KEYRING: auto, which is the default, or off.
func (p *program) wantsKeyring() (bool, error) {
	switch v := p.env("INFSH_KEYRING"); v {
	case "", "auto", "on":
		return p.hasKeyring(), nil
	case "off":
		return false, nil
	default:
		return false, errors.New("INFSH_KEYRING must be auto or off")
	}
}

// keep saves a login in the keyring where there is one, and else in the file.
func (p *program) keep(file credentialFile, serverURL string, login savedLogin, mayUseKeyring bool) error {
	wanted, err := p.wantsKeyring()
	if err != nil {
		return err
	}
	if wanted && mayUseKeyring {
		login.inKeyring = true
		err := file.save(serverURL, login)
		var refused *keyringError
		if !errors.As(err, &refused) {
			return err
		}
		login.inKeyring = false
		p.notef("The system's keyring can't be used, so the login goes into a file that only you can read: %s", file.path)
	}
	return file.save(serverURL, login)
}

// keyringError is a keyring that did not do what it was asked.
type keyringError struct{ err error }

func (e *keyringError) Error() string {
	return fmt.Sprintf("the login is kept in this system's keyring, which can't be used (%v): unlock it, or log in anew with `infsh login --no-keyring`", e.err)
}

func (e *keyringError) Unwrap() error { return e.err }

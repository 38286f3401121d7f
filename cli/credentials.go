package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"infsh/redact"
)

// maxCredentialFile bounds what is read into memory.
const maxCredentialFile = 1 << 20

// savedLogin is what is kept for one server.
type savedLogin struct {
	credential redact.Value
	// kind is api.KindLogin or api.KindKey. Only a login is revoked at logout.
	kind  string
	email string
	// team is the chosen team's username; empty is the credential's own.
	team string
	// inKeyring says that the credential itself is in the system's keyring.
	inKeyring bool
}

// credentialFile is credentials.json: a login for each server's URL. It is as
// private as an SSH key: a file that others can read or that is a link to
// somewhere else is refused instead of used.
//
// Where there is a keyring, the credential is in that, and the file says so.
type credentialFile struct {
	path string
	ring keyring
}

// credentialEntry is the one struct that puts a credential onto the disk.
type credentialEntry struct {
	APIKey string `json:"api_key,omitempty"`
	// Keyring says that the credential is in the system's keyring.
	Keyring bool   `json:"keyring,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Email   string `json:"email,omitempty"`
	Team    string `json:"team,omitempty"`
}

type credentialDocument struct {
	Servers map[string]credentialEntry `json:"servers"`
}

// credentialFile finds the file's place without touching it.
func (p *program) credentialFile() (credentialFile, error) {
	dir := p.env("INFSH_CONFIG_DIR")
	if dir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return credentialFile{}, errors.New("there is no place for a saved login, since neither HOME nor XDG_CONFIG_HOME is set: " +
				"set INFSH_API_KEY, or INFSH_CONFIG_DIR to a private folder")
		}
		dir = filepath.Join(base, "infsh")
	}
	return credentialFile{path: filepath.Join(dir, "credentials.json"), ring: p.ring}, nil
}

// load returns the saved login for a server, and false if there is none.
func (f credentialFile) load(serverURL string) (savedLogin, bool, error) {
	doc, err := f.read()
	if err != nil {
		return savedLogin{}, false, err
	}
	entry, ok := doc.Servers[serverURL]
	if !ok || entry.APIKey == "" && !entry.Keyring {
		return savedLogin{}, false, nil
	}
	login := savedLogin{credential: redact.NewValue(entry.APIKey), kind: entry.Kind, email: entry.Email, team: entry.Team, inKeyring: entry.Keyring}
	if entry.Keyring {
		if login.credential, err = f.ring.get(serverURL); err != nil {
			return savedLogin{}, false, &keyringError{err}
		}
	}
	return login, true, nil
}

func (f credentialFile) save(serverURL string, login savedLogin) error {
	if login.inKeyring {
		// The file is looked at first: one that is refused gets no login.
		if _, err := f.read(); err != nil {
			return err
		}
		if err := f.ring.set(serverURL, login.credential); err != nil {
			return &keyringError{err}
		}
	}
	return f.change(func(doc *credentialDocument) {
		entry := credentialEntry{Kind: login.kind, Email: login.email, Team: login.team, Keyring: login.inKeyring}
		if !login.inKeyring {
			entry.APIKey = login.credential.Reveal()
		}
		doc.Servers[serverURL] = entry
	})
}

func (f credentialFile) remove(serverURL string) error {
	doc, err := f.read()
	if err != nil {
		return err
	}
	var left error
	if doc.Servers[serverURL].Keyring {
		if err := f.ring.remove(serverURL); err != nil {
			left = &keyringError{err}
		}
	}
	return errors.Join(f.change(func(doc *credentialDocument) { delete(doc.Servers, serverURL) }), left)
}

func (f credentialFile) change(edit func(*credentialDocument)) error {
	doc, err := f.read()
	if err != nil {
		return err
	}
	edit(&doc)
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", f.path, err)
	}
	return f.write(append(data, '\n'))
}

func (f credentialFile) read() (credentialDocument, error) {
	empty := credentialDocument{Servers: map[string]credentialEntry{}}
	before, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return empty, fmt.Errorf("reading the saved login: %w", err)
	}
	if !before.Mode().IsRegular() {
		return empty, fmt.Errorf("%s is not a regular file but %s: put the file itself there, or remove it and run `infsh login`",
			f.path, kindOf(before.Mode()))
	}
	if err := checkPrivate(filepath.Dir(f.path)); err != nil {
		return empty, err
	}
	file, err := os.Open(f.path)
	if err != nil {
		return empty, fmt.Errorf("reading the saved login: %w", err)
	}
	defer file.Close()
	// What was opened is what was looked at, even if the name moved in between.
	info, err := file.Stat()
	if err != nil || !os.SameFile(before, info) {
		return empty, fmt.Errorf("%s changed while it was read: try again", f.path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return empty, fmt.Errorf("%s can be read or written by others (mode %04o): run `chmod 600 %s`, and if others use this machine, log in anew",
			f.path, info.Mode().Perm(), f.path)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxCredentialFile))
	if err != nil {
		return empty, fmt.Errorf("reading the saved login: %w", err)
	}
	doc := empty
	if json.Unmarshal(data, &doc) != nil {
		// The decoder's message may quote the file.
		return empty, fmt.Errorf("%s is damaged: remove it and run `infsh login`", f.path)
	}
	if doc.Servers == nil {
		doc.Servers = empty.Servers
	}
	return doc, nil
}

func (f credentialFile) write(data []byte) error {
	if err := writePrivate(f.path, data); err != nil {
		return fmt.Errorf("saving the login: %w", err)
	}
	return nil
}

// writePrivate replaces the file as a whole: a crash leaves the old one or the new.
func writePrivate(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := checkPrivate(dir); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if err := temp.Chmod(0o600); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	// The rename itself is durable only once the folder is.
	if folder, err := os.Open(dir); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
	return nil
}

// checkPrivate refuses a folder in which others could put another file in the
// place of this one.
func checkPrivate(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at a folder: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("the folder %s can be written by others (mode %04o): run `chmod 700 %s`", dir, info.Mode().Perm(), dir)
	}
	return nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsDir():
		return "a folder"
	}
	return "something else"
}

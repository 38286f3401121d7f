package cli

import (
	"os"
	"path/filepath"
	"testing"

	"infsh/redact"
)

func newFile(t *testing.T) credentialFile {
	return credentialFile{path: filepath.Join(t.TempDir(), "infsh", "credentials.json")}
}

func login(key string) savedLogin {
	return savedLogin{credential: redact.NewValue(key), kind: "login", email: "ada@example.com", team: "acme"}
}

func TestEachServerHasItsLogin(t *testing.T) {
	f := newFile(t)
	if _, ok, err := f.load("https://a"); ok || err != nil {
		t.Fatalf("without a file: %v, %v", ok, err)
	}
	for url, key := range map[string]string{"https://a": "infsh_a", "https://b": "infsh_b"} {
		if err := f.save(url, login(key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.save("https://a", login("infsh_a2")); err != nil {
		t.Fatal(err)
	}
	for url, key := range map[string]string{"https://a": "infsh_a2", "https://b": "infsh_b"} {
		got, ok, err := f.load(url)
		if err != nil || !ok || got.credential.Reveal() != key || got.team != "acme" || got.email != "ada@example.com" || got.kind != "login" {
			t.Errorf("%s: %+v, %v, %v", url, got, ok, err)
		}
	}
	if err := f.remove("https://a"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := f.load("https://a"); ok {
		t.Error("a removed login is still there")
	}
	if _, ok, _ := f.load("https://b"); !ok {
		t.Error("removing one login removed another")
	}
}

// A save that fails half way leaves the old file whole, and nothing beside it.
func TestAFailedSaveChangesNothing(t *testing.T) {
	f := newFile(t)
	if err := f.save("https://a", login("infsh_a")); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(f.path)
	// A folder with something in it can't be replaced by a file, for root either.
	blocked := credentialFile{path: filepath.Join(dir, "blocked")}
	if err := os.MkdirAll(filepath.Join(blocked.path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := blocked.write([]byte(canary)); err == nil {
		t.Fatal("a folder was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if got, ok, err := f.load("https://a"); err != nil || !ok || got.credential.Reveal() != "infsh_a" {
		t.Errorf("the old login: %v, %v", ok, err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

func TestTheFileIsPrivateWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	f := newFile(t)
	if err := f.save("https://a", login(canary)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{f.path: 0o600, filepath.Dir(f.path): 0o700} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode().Perm(), want, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAFileThatIsNotPrivateIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		says  string
	}{
		"readable by the group": {func(t *testing.T, path string) { chmod(t, path, 0o640) }, "chmod 600"},
		"readable by all":       {func(t *testing.T, path string) { chmod(t, path, 0o604) }, "chmod 600"},
		"writable by all":       {func(t *testing.T, path string) { chmod(t, path, 0o602) }, "chmod 600"},
		"folder writable":       {func(t *testing.T, path string) { chmod(t, filepath.Dir(path), 0o777) }, "chmod 700"},
		"symbolic link": {func(t *testing.T, path string) {
			if err := os.Rename(path, path+".real"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		}, "a symbolic link"},
		"dangling link": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/nowhere", path); err != nil {
				t.Fatal(err)
			}
		}, "a symbolic link"},
		"folder": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "a folder"},
		"pipe": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "something else"},
		"damaged": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(`{"servers":{"https://a":{"api_key":"`+canary), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is damaged"},
		"of a wrong type": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(`{"servers":"`+canary+`"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t)
			if err := f.save("https://a", login(canary)); err != nil {
				t.Fatal(err)
			}
			test.spoil(t, f.path)
			_, _, loadErr := f.load("https://a")
			saveErr := f.save("https://b", login(canary))
			for _, err := range []error{loadErr, saveErr} {
				if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), canary) {
					t.Errorf("got %v, want it to say %q", err, test.says)
				}
			}
		})
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

//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

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

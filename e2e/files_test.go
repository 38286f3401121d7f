package e2e

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// C7: whatever the umask, all files are 0600 and all folders 0700: database,
// WAL, shared memory, key, and the command line's saved login.
func TestFilesArePrivateWhateverTheUmask(t *testing.T) {
	for _, mask := range []int{0o000, 0o022, 0o777} {
		root := t.TempDir()
		tmp := t.TempDir()
		t.Setenv("TMPDIR", tmp)
		var s *server
		var login *cliLogin
		var config string
		func() {
			defer syscall.Umask(syscall.Umask(mask))
			s = start(t, filepath.Join(root, "deep", "data"))
			ada := s.createUser("ada@example.com", "acme")
			if a := s.call(ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": "sk-some-value"}); a.StatusCode != 201 {
				t.Fatalf("set: %d %s", a.StatusCode, a.Body)
			}
			// testing makes folders of its own here, by the umask that is set.
			syscall.Umask(0)
			login = startLogin(t, s)
			config = login.config
			syscall.Umask(mask)
			if a := s.signIn(ada).post("/device", url.Values{"code": {login.code}, "decision": {"approve"}}); a.StatusCode != 200 {
				t.Fatalf("approve: %d %s", a.StatusCode, a.Body)
			}
			if code := login.wait(); code != 0 {
				t.Fatalf("login ended with %d: %s", code, &login.stderr)
			}
		}()
		want := []string{"infsh.db", "infsh.db-shm", "infsh.db-wal", "kek.json"}
		if got := private(t, s.Data); !slices.Equal(got, want) {
			t.Errorf("umask %04o: the data dir holds %v, want %v", mask, got, want)
		}
		if got := private(t, config); !slices.Contains(got, "credentials.json") {
			t.Errorf("umask %04o: the config folder holds %v", mask, got)
		}
		s.stop()
		private(t, s.Data)
		left, err := os.ReadDir(tmp)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range left {
			if !strings.HasPrefix(e.Name(), "Test") {
				t.Errorf("umask %04o: %s is left in the folder of temporary files", mask, e.Name())
			}
		}
	}
}

// private fails for each file and folder that anybody else may open, and lists
// the files.
func private(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		} else {
			files = append(files, d.Name())
		}
		if info.Mode() != want {
			t.Errorf("%s has the mode %s, want %s", path, info.Mode(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

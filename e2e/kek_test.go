package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A store that holds data opens with its own key encryption key and with no
// other (C5). Whatever is there instead is refused with a sentence that says
// what to do; the database file stays as it is, no key is invented, and the key
// is in no message.
func TestStoreOpensWithItsOwnKEKAlone(t *testing.T) {
	original := filepath.Join(t.TempDir(), "data")
	s := start(t, original)
	ada := s.createUser("ada@example.com", "acme")
	if a := s.call(ada.APIKey, "POST", "/api/secrets", map[string]any{"key": "OPENAI_API_KEY", "value": "sk-behind-the-kek"}); a.StatusCode != 201 {
		t.Fatalf("set: %d %s", a.StatusCode, a.Body)
	}
	s.stop()

	other := filepath.Join(t.TempDir(), "other")
	start(t, other).stop()

	random := func(n int) string {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return base64.StdEncoding.EncodeToString(b)
	}
	for _, c := range []struct {
		name string
		// prepare changes the data dir, and returns the --kek to use, empty for
		// the default, and the content of $TEST_KEK.
		prepare func(t *testing.T, data string) (kek, content string)
		says    []string
	}{
		{"C5 no key: the file is gone", func(t *testing.T, data string) (string, string) {
			remove(t, filepath.Join(data, "kek.json"))
			return "", ""
		}, []string{"kek.json", "does not exist", "--kek"}},
		{"C5 no key: the path leads nowhere", func(t *testing.T, data string) (string, string) {
			return "file:" + filepath.Join(data, "no-such.json"), ""
		}, []string{"no-such.json", "does not exist", "--kek"}},
		{"C5 no key: the variable is not set", func(t *testing.T, data string) (string, string) {
			return "env:NO_SUCH_KEK", ""
		}, []string{"NO_SUCH_KEK", "not set"}},
		{"C5 an empty file", func(t *testing.T, data string) (string, string) {
			write(t, filepath.Join(data, "kek.json"), "", 0o600)
			return "", ""
		}, []string{"kek.json", "empty"}},
		{"C5 an empty variable", func(t *testing.T, data string) (string, string) {
			return "env:TEST_KEK", " "
		}, []string{"TEST_KEK", "empty"}},
		{"C5 31 bytes", func(t *testing.T, data string) (string, string) {
			return "env:TEST_KEK", random(31)
		}, []string{"31 bytes", "32"}},
		{"C5 33 bytes", func(t *testing.T, data string) (string, string) {
			return "env:TEST_KEK", random(33)
		}, []string{"33 bytes", "32"}},
		{"C5 32 zeros, as of a placeholder", func(t *testing.T, data string) (string, string) {
			return "env:TEST_KEK", base64.StdEncoding.EncodeToString(make([]byte, 32))
		}, []string{"TEST_KEK"}},
		{"C5 no keyset in the file", func(t *testing.T, data string) (string, string) {
			write(t, filepath.Join(data, "kek.json"), `{"key":"`+random(32)+`"}`, 0o600)
			return "", ""
		}, []string{"kek.json"}},
		{"C5 the key of another store", func(t *testing.T, data string) (string, string) {
			write(t, filepath.Join(data, "kek.json"), read(t, filepath.Join(other, "kek.json")), 0o600)
			return "", ""
		}, []string{"does not belong to this store", "--kek"}},
		{"C5 a new key", func(t *testing.T, data string) (string, string) {
			return "env:TEST_KEK", random(32)
		}, []string{"does not belong to this store", "--kek"}},
		{"C5 the right key, and others may read it", func(t *testing.T, data string) (string, string) {
			if err := os.Chmod(filepath.Join(data, "kek.json"), 0o644); err != nil {
				t.Fatal(err)
			}
			return "", ""
		}, []string{"kek.json", "chmod 600"}},
		{"C5 the right key behind a symbolic link", func(t *testing.T, data string) (string, string) {
			elsewhere := filepath.Join(t.TempDir(), "kek.json")
			write(t, elsewhere, read(t, filepath.Join(data, "kek.json")), 0o600)
			remove(t, filepath.Join(data, "kek.json"))
			if err := os.Symlink(elsewhere, filepath.Join(data, "kek.json")); err != nil {
				t.Fatal(err)
			}
			return "", ""
		}, []string{"kek.json", "symbolic link"}},
		{"C5 a source that is none", func(t *testing.T, data string) (string, string) {
			return random(32), ""
		}, []string{"file:PATH or env:NAME"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(data, os.DirFS(original)); err != nil {
				t.Fatal(err)
			}
			chmodPrivate(t, data)
			kek, content := c.prepare(t, data)
			args := []string{"--data-dir", data}
			if kek != "" {
				args = append(args, "--kek", kek)
			}
			before := digests(t, data)
			for _, command := range [][]string{
				{"serve", "--listen", "127.0.0.1:0"},
				{"admin", "create-user", "--email", "mallory@example.com", "--team", "acme"},
			} {
				out, code := runInfsh(t, append(command, args...), "TEST_KEK="+content)
				if code == 0 {
					t.Fatalf("infsh %s accepts it: %s", command[0], out)
				}
				for _, want := range c.says {
					if !strings.Contains(out, want) {
						t.Errorf("infsh %s does not say %q: %s", command[0], want, out)
					}
				}
				for _, key := range []string{content, strings.TrimSuffix(kek, "=")} {
					if len(key) > 32 && !strings.Contains(key, ":") && strings.Contains(out, key) {
						t.Errorf("infsh %s prints the key: %s", command[0], out)
					}
				}
				if after := digests(t, data); !slices.Equal(before, after) {
					t.Errorf("infsh %s changed the data dir:\n%s\nbefore:\n%s", command[0], strings.Join(after, "\n"), strings.Join(before, "\n"))
				}
			}
		})
	}

	t.Run("C5 the right key opens it, whether in the file or in a variable", func(t *testing.T) {
		for _, args := range [][]string{nil, {"--kek", "file:" + moveAway(t, filepath.Join(original, "kek.json"))}} {
			s := start(t, original, args...)
			a := s.call(ada.APIKey, "GET", "/api/secrets/reveal/OPENAI_API_KEY", nil)
			if a.StatusCode != 200 || !strings.Contains(a.Body, "sk-behind-the-kek") {
				t.Errorf("%v: %d %s", args, a.StatusCode, a.Body)
			}
			s.stop()
		}
	})
}

// A new store is not made with a key that is none, so that nobody starts with
// data that cannot be read again (C5). There is no built-in default.
func TestNewStoreNeedsAGoodKEK(t *testing.T) {
	for name, content := range map[string]string{"C5 31 bytes": base64.StdEncoding.EncodeToString(make([]byte, 31)), "C5 nothing": ""} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			out, code := runInfsh(t, []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--kek", "env:TEST_KEK"}, "TEST_KEK="+content)
			if code == 0 || !strings.Contains(out, "TEST_KEK") {
				t.Errorf("exit %d: %s", code, out)
			}
			if _, err := os.Stat(filepath.Join(data, "kek.json")); err == nil {
				t.Error("a key was invented beside the one that was named")
			}
			// Nothing was set up, so a first start still works.
			start(t, data).stop()
		})
	}
}

// runInfsh runs the program to its end, and returns what it printed.
func runInfsh(t *testing.T, args []string, env ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, infsh, args...)
	cmd.Env = cleanEnv(env...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("infsh %v goes on: %s", args, &both)
	}
	if err == nil {
		return both.String(), 0
	}
	return both.String(), cmd.ProcessState.ExitCode()
}

// digests lists the files of a folder with their modes and contents.
func digests(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(read(t, filepath.Join(dir, e.Name()))))
		list = append(list, e.Name()+" "+info.Mode().String()+" "+hex.EncodeToString(sum[:]))
	}
	return list
}

// chmodPrivate gives a copied data dir the modes of the original.
func chmodPrivate(t *testing.T, data string) {
	t.Helper()
	entries, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Chmod(filepath.Join(data, e.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func moveAway(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "moved.json")
	write(t, to, read(t, path), 0o600)
	return to
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

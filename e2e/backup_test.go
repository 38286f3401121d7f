package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"infsh/db/dbtest"
)

// A value whose forms no backup may show.
const backupCanary = "sk-backup-canary-0c41e6a7b95d4f28"

// C8: a backup that is made while people write restores on an empty host, of
// either database, to the same values, logins, API keys and apps; it has
// neither the KEK nor a value in it.
func TestBackupAndRestore(t *testing.T) {
	none := func(*testing.T) []string { return nil }
	postgres := func(t *testing.T) []string { return []string{"--database-url", dbtest.PostgresURL(t)} }
	for name, tc := range map[string]struct{ from, to func(*testing.T) []string }{
		"sqlite to sqlite":     {none, none},
		"sqlite to postgres":   {none, postgres},
		"postgres to sqlite":   {postgres, none},
		"postgres to postgres": {postgres, postgres},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := newTown(t, tc.from(t)...)
			old.set(old.ada.APIKey, "API_KEY", backupCanary)
			old.set(old.eve.APIKey, "API_KEY", "the other team's value")
			_, version := old.deploy(old.ada.APIKey, "demo", "API_KEY")
			runner := old.apiKey(old.ada, "runner", "apps:execute")
			session := old.signIn(old.ada)

			acknowledged, stop := writers(old, 4)
			for len(acknowledged()) < 20 {
				time.Sleep(10 * time.Millisecond)
			}
			before := acknowledged()
			file := filepath.Join(t.TempDir(), "infsh.backup")
			backUp(t, old.server, file)
			stop()
			old.stop()
			holdsNoSecret(t, file, old.Data)

			data := filepath.Join(t.TempDir(), "data")
			write(t, filepath.Join(mkdir(t, data), "kek.json"), read(t, filepath.Join(old.Data, "kek.json")), 0o600)
			flags := tc.to(t)
			out, code := runInfsh(t, append([]string{"admin", "restore", file, "--data-dir", data}, flags...))
			if code != 0 || !strings.Contains(out, "users 3") || !strings.Contains(out, "teams 2") {
				t.Fatalf("restore ended with %d: %s", code, out)
			}
			private(t, data)

			restored := &town{server: start(t, data, flags...), t: t, ada: old.ada, mia: old.mia, eve: old.eve}
			if restored.Setup != "" {
				t.Error("a restored store asks for its first user")
			}
			if got := restored.reveal(old.ada.APIKey, "API_KEY"); got != backupCanary {
				t.Errorf("acme's value is %q", got)
			}
			if got := restored.reveal(old.eve.APIKey, "API_KEY"); got != "the other team's value" {
				t.Errorf("beta's value is %q", got)
			}
			for key, value := range before {
				if got := restored.reveal(old.ada.APIKey, key); got != value {
					t.Errorf("%s was acknowledged before the backup and is %q", key, got)
				}
			}
			restored.signIn(old.ada)
			restored.signIn(old.eve)
			stale := restored.visitor()
			stale.client.Jar.SetCookies(mustURL(t, restored.URL), session.client.Jar.Cookies(mustURL(t, old.URL)))
			if a := stale.get("/settings/secrets"); a.StatusCode == http.StatusOK {
				t.Error("a session from before the backup is signed in")
			}
			var resolved struct {
				Version string
				Env     map[string]string
			}
			restored.want(http.StatusOK, runner, "POST", "/internal/v1/resolve", map[string]any{"app": "acme/demo"}).json(t, &resolved)
			if resolved.Env["API_KEY"] != backupCanary || resolved.Version != version {
				t.Errorf("resolve gave %v", resolved)
			}
			out, code = runInfsh(t, append([]string{"admin", "audit", "verify", "--data-dir", data}, flags...))
			if code != 0 || !strings.Contains(out, "acme") {
				t.Errorf("the restored audit log does not verify: %d %s", code, out)
			}
			// The store goes on.
			restored.set(old.ada.APIKey, "AFTER_RESTORE", "a new value")
			if out, code := runInfsh(t, append([]string{"admin", "restore", file, "--data-dir", data}, flags...)); code != 1 || !strings.Contains(out, "never overwrites") {
				t.Errorf("a second restore ended with %d: %s", code, out)
			}
			restored.stop()
		})
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// writers set new secrets until they are stopped. acknowledged returns a copy
// of what the server has acknowledged so far.
func writers(w *town, n int) (acknowledged func() map[string]string, stop func()) {
	var mu sync.Mutex
	var done atomic.Bool
	var running sync.WaitGroup
	acked := map[string]string{}
	for i := range n {
		running.Go(func() {
			for j := 0; !done.Load(); j++ {
				key, value := fmt.Sprintf("LOAD_%d_%d", i, j), fmt.Sprintf("value %d of writer %d", j, i)
				body, _ := json.Marshal(map[string]string{"key": key, "value": value})
				req, err := http.NewRequest("POST", w.URL+"/api/secrets", bytes.NewReader(body))
				if err != nil {
					w.t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+w.ada.APIKey)
				req.Header.Set("Content-Type", "application/json")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					w.t.Error(err)
					return
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusCreated {
					w.t.Errorf("a write during the backup: %d", res.StatusCode)
					return
				}
				mu.Lock()
				acked[key] = value
				mu.Unlock()
			}
		})
	}
	acknowledged = func() map[string]string {
		mu.Lock()
		defer mu.Unlock()
		out := map[string]string{}
		for k, v := range acked {
			out[k] = v
		}
		return out
	}
	return acknowledged, func() { done.Store(true); running.Wait() }
}

// backUp makes a backup beside the server with the widest umask.
func backUp(t *testing.T, s *server, file string) {
	t.Helper()
	args := append([]string{"-c", `umask 000; exec "$0" "$@"`, infsh, "admin", "backup", file}, s.flags...)
	cmd := exec.Command("sh", args...)
	cmd.Env = cleanEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("backup: %v\n%s", err, out)
	}
	onlyFile(t, file)
}

// onlyFile fails unless the backup is private, and the only file beside it
// none.
func onlyFile(t *testing.T, file string) {
	t.Helper()
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the backup has the mode %s", info.Mode())
	}
	noPartial(t, filepath.Dir(file), 1)
}

func noPartial(t *testing.T, dir string, files int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != files {
		t.Errorf("the folder of the backup holds %v", entries)
	}
}

// holdsNoSecret searches a backup, packed and unpacked, for a value and for
// the bytes of the KEK.
func holdsNoSecret(t *testing.T, file, data string) {
	t.Helper()
	packed := []byte(read(t, file))
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	key := kekBytes(t, filepath.Join(data, "kek.json"))
	canaries := []canary{newCanary("a value", backupCanary, false), newCanary("the KEK", string(key), false)}
	// The search itself finds what is there.
	for _, c := range canaries {
		if c.in([]byte("x"+base64.StdEncoding.EncodeToString([]byte(c.text)))) == "" || c.in([]byte(hex.EncodeToString([]byte(c.text)))) == "" {
			t.Fatalf("the search for %s finds nothing", c.name)
		}
		for where, content := range map[string][]byte{"file": packed, "content": plain} {
			if form := c.in(content); form != "" {
				t.Errorf("the backup's %s holds %s (%s)", where, c.name, form)
			}
		}
	}
	for _, want := range []string{`"format":"infsh-backup"`, "ada@example.com", "LOAD_0_0"} {
		if !bytes.Contains(plain, []byte(want)) {
			t.Errorf("the backup does not hold %s", want)
		}
	}
	for _, cookie := range []string{`"table":"sessions"`, `"table":"throttles"`, `"table":"setup_codes"`, `"table":"device_logins"`} {
		if bytes.Contains(plain, []byte(cookie)) {
			t.Errorf("the backup holds %s", cookie)
		}
	}
}

// kekBytes reads the 32 bytes of the key from a KEK file.
func kekBytes(t *testing.T, path string) []byte {
	t.Helper()
	var keyset struct {
		Key []struct {
			KeyData struct{ Value []byte } `json:"keyData"`
		}
	}
	if err := json.Unmarshal([]byte(read(t, path)), &keyset); err != nil {
		t.Fatal(err)
	}
	value := keyset.Key[0].KeyData.Value
	if len(value) != 34 {
		t.Fatalf("the key's value has %d bytes", len(value))
	}
	return value[2:]
}

// aBackup makes a store with some megabytes of values, and a backup of it.
func aBackup(t *testing.T) (old *town, file string) {
	t.Helper()
	old = newTown(t)
	for i := range 80 {
		old.set(old.ada.APIKey, fmt.Sprintf("LARGE_%d", i), strings.Repeat(fmt.Sprintf("%d,", i), 15000))
	}
	file = filepath.Join(t.TempDir(), "infsh.backup")
	backUp(t, old.server, file)
	return old, file
}

// C8, C5: the wrong or a missing KEK, a damaged file, and a store that is in
// use are refused. Nothing is made, and nothing has changed.
func TestRestoreRefusals(t *testing.T) {
	old, file := aBackup(t)
	old.stop()
	kek := filepath.Join(old.Data, "kek.json")
	other := start(t, filepath.Join(t.TempDir(), "other"))
	other.createUser("bo@example.com", "other")
	other.stop()
	cut, changed := filepath.Join(t.TempDir(), "cut"), filepath.Join(t.TempDir(), "changed")
	content := read(t, file)
	write(t, cut, content[:len(content)-1], 0o600)
	flipped := []byte(content)
	flipped[len(flipped)/2] ^= 1
	write(t, changed, string(flipped), 0o600)

	for name, tc := range map[string]struct{ file, kek, want string }{
		"another KEK":          {file, "file:" + filepath.Join(other.Data, "kek.json"), "this backup needs the key encryption key"},
		"no KEK":               {file, "file:" + filepath.Join(t.TempDir(), "kek.json"), "key encryption key"},
		"a file cut off":       {cut, "file:" + kek, "damaged"},
		"a changed file":       {changed, "file:" + kek, "damaged"},
		"another file":         {kek, "file:" + kek, "not a backup"},
		"no file":              {file + ".gone", "file:" + kek, "no such file"},
		"standard input":       {"-", "file:" + kek, "standard input"},
		"a folder, not a file": {old.Data, "file:" + kek, "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			out, code := runInfsh(t, []string{"admin", "restore", tc.file, "--data-dir", data, "--kek", tc.kek})
			if code == 0 || !strings.Contains(out, tc.want) {
				t.Errorf("restore ended with %d: %s", code, out)
			}
			if _, err := os.Lstat(data); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a data dir was made: %v", err)
			}
			if _, err := os.Lstat(strings.TrimPrefix(tc.kek, "file:")); name == "no KEK" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a KEK was made: %v", err)
			}
		})
	}
	for name, kek := range map[string]string{"the backup's KEK": kek, "its own KEK": filepath.Join(other.Data, "kek.json")} {
		t.Run("into a store that is in use, with "+name, func(t *testing.T) {
			before := digests(t, other.Data)
			out, code := runInfsh(t, []string{"admin", "restore", file, "--data-dir", other.Data, "--kek", "file:" + kek})
			if code != 1 {
				t.Errorf("restore ended with %d: %s", code, out)
			}
			if after := digests(t, other.Data); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("the data dir was\n%v\nand is\n%v", before, after)
			}
		})
	}
}

// A restore that is killed in the middle leaves an empty store, into which the
// backup can be restored.
func TestKilledRestore(t *testing.T) {
	old, file := aBackup(t)
	value := old.reveal(old.ada.APIKey, "LARGE_79")
	old.stop()
	kek := "file:" + filepath.Join(old.Data, "kek.json")

	t.Run("sqlite", func(t *testing.T) {
		inTheMiddle(t, func() bool {
			data := filepath.Join(t.TempDir(), "data")
			wal := filepath.Join(data, "infsh.db-wal")
			return killedRestore(t, old, value, []string{"--data-dir", data, "--kek", kek}, file, func() bool {
				info, err := os.Stat(wal)
				return err == nil && info.Size() > 1<<20
			})
		})
	})
	t.Run("postgres", func(t *testing.T) {
		inTheMiddle(t, func() bool {
			base := dbtest.PostgresURL(t)
			watch, err := sqlx.Open("postgres", base)
			if err != nil {
				t.Fatal(err)
			}
			defer watch.Close()
			return killedRestore(t, old, value, []string{"--data-dir", t.TempDir(), "--kek", kek, "--database-url", base}, file, func() bool {
				var locks int
				err := watch.GetContext(t.Context(), &locks, "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'secret_versions' AND l.mode = 'AccessExclusiveLock' AND l.granted")
				return err == nil && locks > 0
			})
		})
	})
}

// inTheMiddle kills restores into new stores until one was killed before it was
// done: on a busy machine the kill may come too late.
func inTheMiddle(t *testing.T, kill func() bool) {
	t.Helper()
	for range 10 {
		if kill() {
			return
		}
	}
	t.Fatal("each of 10 restores ended before it could be killed")
}

// killedRestore reports whether the kill came in time.
func killedRestore(t *testing.T, old *town, value string, flags []string, file string, begun func() bool) bool {
	t.Helper()
	args := append([]string{"admin", "restore", file}, flags...)
	cmd := exec.Command(infsh, args...)
	cmd.Env = cleanEnv()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	for !begun() {
		select {
		case err := <-exited:
			if err != nil {
				t.Fatalf("the restore failed by itself: %v", err)
			}
			return false
		default:
		}
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	if err := <-exited; err == nil {
		return false
	}
	// Restoring refuses anything but an empty store.
	if out, code := runInfsh(t, args); code != 0 {
		if strings.Contains(out, "there is a store here already") {
			return false
		}
		t.Fatalf("restoring again ended with %d: %s", code, out)
	}
	restored := &town{server: start(t, flags[1], flags[2:]...), t: t, ada: old.ada}
	if got := restored.reveal(old.ada.APIKey, "LARGE_79"); got != value {
		t.Error("the restored value is another one")
	}
	restored.stop()
	return true
}

// D3: a backup that does not fit leaves no file, whole or in part, and the next
// one works.
func TestBackupOntoAFullDisk(t *testing.T) {
	old, _ := aBackup(t)
	file := filepath.Join(t.TempDir(), "infsh.backup")
	// The shell counts in blocks of 512 bytes or more.
	args := append([]string{"-c", `ulimit -f 200; exec "$0" "$@"`, infsh, "admin", "backup", file}, old.flags...)
	cmd := exec.Command("sh", args...)
	cmd.Env = cleanEnv()
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); err == nil || code != 1 || !strings.Contains(string(out), "file too large") {
		t.Errorf("it ended with %d: %s", code, out)
	}
	noPartial(t, filepath.Dir(file), 0)
	backUp(t, old.server, file)
	old.stop()
}

// A backup never overwrites, goes to standard output alone if it is asked to,
// and makes nothing where there is no store.
func TestBackupCommand(t *testing.T) {
	old := newTown(t)
	old.set(old.ada.APIKey, "API_KEY", backupCanary)
	file := filepath.Join(t.TempDir(), "infsh.backup")
	write(t, file, "an older backup", 0o600)
	out, code := runInfsh(t, append([]string{"admin", "backup", file}, old.flags...))
	if code != 1 || !strings.Contains(out, "never overwrites") || read(t, file) != "an older backup" {
		t.Errorf("over a file: %d %s", code, out)
	}

	cmd := exec.Command(infsh, append([]string{"admin", "backup", "-"}, old.flags...)...)
	cmd.Env = cleanEnv()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil || !strings.Contains(stderr.String(), "secrets 1") {
		t.Fatalf("to standard output: %v\n%s", err, &stderr)
	}
	piped := filepath.Join(t.TempDir(), "piped")
	write(t, piped, string(stdout), 0o600)
	out, code = runInfsh(t, []string{"admin", "restore", piped, "--data-dir", filepath.Join(t.TempDir(), "data"), "--kek", "file:" + filepath.Join(old.Data, "kek.json")})
	if code != 0 {
		t.Errorf("restoring it: %d %s", code, out)
	}
	old.stop()

	empty := filepath.Join(t.TempDir(), "data")
	out, code = runInfsh(t, []string{"admin", "backup", filepath.Join(t.TempDir(), "b"), "--data-dir", empty})
	if code != 1 || !strings.Contains(out, "no store") {
		t.Errorf("without a store: %d %s", code, out)
	}
	if _, err := os.Lstat(empty); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a data dir was made: %v", err)
	}
	if _, code := runInfsh(t, []string{"admin", "backup"}); code != 2 {
		t.Errorf("without a file: %d", code)
	}
}

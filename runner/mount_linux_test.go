package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"infsh/redact"
	"infsh/runner"
)

// inMemory returns a folder on a tmpfs that is the test's own.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "infsh-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Values go into a folder of this user's own, and to no place that a link leads to.
func TestAMountIsNoLinkAndNobodyElses(t *testing.T) {
	dir := inMemory(t)
	for name, target := range map[string]string{"link": dir, "dangling": filepath.Join(dir, "none")} {
		link := filepath.Join(inMemory(t), name)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if m, err := runner.OpenMount(link, false); err == nil || !strings.Contains(err.Error(), "no folder") {
			t.Errorf("%s: %v, %v", name, m, err)
		}
		if _, err := os.Readlink(link); err != nil {
			t.Errorf("the link is gone: %v", err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("something was written through the link: %v, %v", entries, err)
	}

	foreign := "/dev/shm"
	if os.Geteuid() == 0 {
		foreign = filepath.Join(inMemory(t), "foreign")
		if err := os.Mkdir(foreign, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(foreign, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(foreign)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := runner.OpenMount(foreign, false); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("another user's folder: %v, %v", m, err)
	}
	if after, err := os.Stat(foreign); err != nil || after.Mode() != before.Mode() {
		t.Errorf("the folder was changed: %v, %v", after, err)
	}
}

// What a link in the folder names stays as it is: files are replaced, not written to.
func TestAMountDoesNotFollowLinksInIt(t *testing.T) {
	outside := filepath.Join(inMemory(t), "outside")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(inMemory(t), "secrets")
	m, err := runner.OpenMount(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, name := range []string{"API_TOKEN", "other"} {
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	code, err := runner.Run(t.Context(), runner.Command{
		Argv: []string{"sh", "-c", `ls "$1"; stat -c %F "$API_TOKEN_FILE"; wc -c <"$API_TOKEN_FILE"`, "sh", dir}, Env: os.Environ(), Stdout: &out, Mount: m,
		Secrets: []redact.Needle{{Key: "API_TOKEN", Value: redact.NewValue("a-value-of-22-bytes-ab")}},
	})
	if code != 0 || err != nil || out.String() != "API_TOKEN\nregular file\n22\n" {
		t.Errorf("code %d, %v: %q", code, err, out.String())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "mine" {
		t.Errorf("the file outside holds %q, %v", text, err)
	}
}

// A variable that names a file has a name that nobody was asked about, so it is none
// that would change how a command starts, or whom it trusts.
func TestTheNameOfAFilesVariableIsChecked(t *testing.T) {
	for _, key := range []string{"SSL_CERT", "AWS_CONFIG", "AWS_SHARED_CREDENTIALS", "LC_X", "XDG_X"} {
		dir := filepath.Join(inMemory(t), "secrets")
		m, err := runner.OpenMount(dir, false)
		if err != nil {
			t.Fatal(err)
		}
		ran := filepath.Join(inMemory(t), "ran")
		code, err := runner.Run(t.Context(), runner.Command{
			Argv: []string{"touch", ran}, Env: os.Environ(), Mount: m,
			Secrets: []redact.Needle{{Key: key, Value: redact.NewValue("a-value-of-22-bytes-ab")}},
		})
		if code != 1 || err == nil || !strings.Contains(err.Error(), key+" cannot be mounted: "+key+"_FILE") || strings.Contains(err.Error(), "22-bytes") {
			t.Errorf("%s: code %d, %v", key, code, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%s: the folder has %v, %v", key, entries, err)
		}
		if _, err := os.Stat(ran); err == nil {
			t.Errorf("%s: the command was started", key)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

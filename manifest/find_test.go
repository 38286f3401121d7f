package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder makes a folder of the given name with manifests in it.
func folder(t *testing.T, name string, files ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("secrets:\n- key: A\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindTakesTheOnlyManifest(t *testing.T) {
	for _, name := range []string{"app.yaml", "app.yml", "inf.yml", "inf.yaml"} {
		dir := folder(t, "x", name, "other.yaml")
		if got, err := Find(dir); err != nil || got != filepath.Join(dir, name) {
			t.Errorf("Find = %q, %v; want %s", got, err, name)
		}
	}
}

func TestFindRefusesToChoose(t *testing.T) {
	_, err := Find(folder(t, "x", "inf.yml", "app.yaml"))
	if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "app.yaml, inf.yml") {
		t.Errorf("got %v; want an error that names both", err)
	}
}

func TestFindSaysWhatToCreate(t *testing.T) {
	dir := folder(t, "x")
	if err := os.Mkdir(filepath.Join(dir, "app.yaml"), 0o700); err != nil { // a folder is no manifest
		t.Fatal(err)
	}
	for _, look := range []func() error{
		func() error { _, err := Find(dir); return err },
		func() error { _, err := Load(dir); return err },
	} {
		if err := look(); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "create app.yaml") {
			t.Errorf("got %v; want ErrNotFound with the remedy", err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.yml")); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v; want ErrNotFound", err)
	}
}

func TestLoadTakesTheNameOfTheFolder(t *testing.T) {
	tests := map[string]string{ // folder → name, "" for none
		"my-app":                "my-app",
		"My App":                "my-app",
		"app_2.1":               "app_2.1",
		".hidden":               "hidden",
		"a+b(c)":                "a-b-c",
		"Café":                  "",
		"---":                   "",
		"日本":                    "",
		strings.Repeat("a", 65): "",
	}
	for name, want := range tests {
		dir := folder(t, name, "app.yaml")
		m, err := Load(dir)
		if want == "" {
			var mistake *Error
			if !errors.As(err, &mistake) || mistake.Line != 1 || !strings.Contains(mistake.Msg, "name: my-app") {
				t.Errorf("in folder %q: got %v; want an error that asks for a name", name, err)
			}
			continue
		}
		if err != nil || m.Name != want || m.Path != filepath.Join(dir, "app.yaml") {
			t.Errorf("in folder %q: got %+v, %v; want the name %q", name, m, err, want)
		}
	}
}

func TestLoadTakesTheNameOfTheCurrentFolder(t *testing.T) {
	t.Chdir(folder(t, "here", "inf.yml"))
	for _, path := range []string{".", "inf.yml", "./inf.yml"} {
		if m, err := Load(path); err != nil || m.Name != "here" {
			t.Errorf("Load(%q) = %+v, %v; want the name here", path, m, err)
		}
	}
}

func TestLoadReadsNoMoreThanAManifest(t *testing.T) {
	path := filepath.Join(folder(t, "x"), "app.yaml")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<40), f.Close()); err != nil { // sparse
		t.Fatal(err)
	}
	var mistake *Error
	if _, err := Load(path); !errors.As(err, &mistake) || !strings.Contains(mistake.Msg, "larger than 1024 KiB") {
		t.Errorf("got %v; want it to be too large", err)
	}
}

func TestErrorsShowOddPathsInert(t *testing.T) {
	_, err := Parse("\x1b]0;x\a/app.yaml", nil)
	if err == nil {
		t.Fatal("an empty file was accepted")
	}
	requireInert(t, err)
	if _, err := Parse("größe/app.yaml", nil); err == nil || !strings.HasPrefix(err.Error(), "größe/app.yaml:1: ") {
		t.Errorf("got %v; want the path as it is", err)
	}
}

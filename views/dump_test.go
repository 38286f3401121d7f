package views

import (
	"flag"
	"infsh/static"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dump is where the sample pages are written for a look at them:
//
//	go test ./views -run TestDump -dump /tmp/pages
var dump = flag.String("dump", "", "write the sample pages and static files to this folder")

func TestDump(t *testing.T) {
	dir := *dump
	if dir == "" {
		dir = t.TempDir()
	}
	for _, theme := range []Theme{ThemeLight, ThemeDark} {
		for _, s := range samplePages(theme) {
			text, _ := render(t, s)
			text = strings.ReplaceAll(text, `="`+static.Prefix, `="static/`)
			write(t, filepath.Join(dir, s.name+"-"+string(theme)+".html"), []byte(text))
		}
	}
	for _, name := range static.Names() {
		content, _ := static.File(name)
		write(t, filepath.Join(dir, static.URL(name)), content)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

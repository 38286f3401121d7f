package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"infsh/cli"
)

var updateMan = flag.Bool("update-man", false, "write the manual pages")

// The manual pages in the program are those of its commands.
func TestManualPages(t *testing.T) {
	root := cli.New(cli.Options{Commands: []*cobra.Command{serveCommand(), adminCommand()}})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true
	dir, date := t.TempDir(), time.Unix(0, 0).UTC()
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "infsh VERSION", Manual: "infsh"}, dir); err != nil {
		t.Fatal(err)
	}
	const kept = "cli/man"
	if *updateMan {
		if err := os.RemoveAll(kept); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	made, there := manPages(t, dir), manPages(t, kept)
	for name, page := range made {
		if !strings.Contains(page, cli.Undated) {
			t.Errorf("%s has no place for its date", name)
		}
		if there[name] != page {
			t.Errorf("%s is not what the command says of itself: run make generate", name)
		}
	}
	for name := range there {
		if made[name] == "" {
			t.Errorf("%s has no command: run make generate", name)
		}
	}
}

func manPages(t *testing.T, dir string) map[string]string {
	t.Helper()
	pages := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.Base(file)] = string(text)
	}
	return pages
}

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryCommandHasAManualPage(t *testing.T) {
	w := newWorld(t, nil)
	r := w.run("man")
	r.want(t, ExitOK)
	for _, want := range []string{`.TH "INFSH" "1"`, "Exit codes", "infsh-secrets(1)"} {
		if !strings.Contains(strings.ReplaceAll(r.out, `\-`, "-"), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	dir := filepath.Join(t.TempDir(), "man1")
	w.run("man", dir).want(t, ExitOK)
	for _, name := range []string{"infsh", "infsh-login", "infsh-secrets-set", "infsh-app-check", "infsh-run"} {
		page, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil || !strings.Contains(string(page), strings.ToUpper(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

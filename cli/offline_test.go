package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kept returns the files in a folder of kept answers.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+cacheSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// While the server is away, the last answer is used if that was asked for, with a
// warning, and only as the answer to the same question by the same credential.
func TestTheLastAnswerIsUsedWhileTheServerIsAway(t *testing.T) {
	var asked []map[string]any
	answering := runServer(t, deployed, resolved, &asked)
	away := ""
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away != "" {
			reply(w, away)
			return
		}
		answering.ServeHTTP(w, r)
	}))
	dir := filepath.Join(t.TempDir(), "cache")
	manifest := writeManifest(t, seedManifest)
	app := []string{"run", "--app", "acme/summarizer", "--offline-cache", dir, "--", "true"}
	here := []string{"run", "-f", manifest, "--offline-cache", dir, "--", "true"}
	w.run(app...).want(t, ExitOK)
	w.run(here...).want(t, ExitOK)
	if len(kept(t, dir)) != 2 || len(w.launched) != 2 {
		t.Fatalf("kept %v, started %d times", kept(t, dir), len(w.launched))
	}
	for _, file := range kept(t, dir) {
		info, err := os.Stat(file)
		text, _ := os.ReadFile(file)
		if err != nil || info.Mode().Perm() != 0o600 || strings.Contains(string(text), canary) || strings.Contains(string(text), "OPENAI") {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}

	for _, status := range []string{"502 ", "500 {}"} {
		away = status
		for _, args := range [][]string{app, here} {
			w.launched = nil
			w.run(args...).want(t, ExitOK, "warning: the server is away", "still the old one")
			if len(w.launched) != 1 || w.launched[0].Secrets[0].Value.Reveal() != canary {
				t.Fatalf("started %d times", len(w.launched))
			}
		}
	}
	none := func(why string, args ...string) {
		t.Helper()
		w.launched = nil
		if r := w.run(args...); r.code == ExitOK || len(w.launched) != 0 || !strings.Contains(r.err, why) || strings.Contains(r.err, canary) {
			t.Errorf("%q: exit code %d, started %d times, %s", args, r.code, len(w.launched), r.err)
		}
	}
	none("", "run", "--app", "acme/summarizer", "--", "true")
	none("no answer was kept", "run", "--app", "acme/summarizer@v2", "--offline-cache", dir, "--", "true")
	none("no answer was kept", "run", "--app", "acme/other", "--offline-cache", dir, "--", "true")
	none("no answer was kept", "run", "--app", "acme/summarizer", "--team", "beta", "--offline-cache", dir, "--", "true")
	none("--max-stale allows 1ns", "run", "--app", "acme/summarizer", "--offline-cache", dir, "--max-stale", "1ns", "--", "true")
	none("no answer was kept", "run", "-f", writeManifest(t, seedManifest+"    - key: MORE\n"), "--offline-cache", dir, "--", "true")
	w.env["INFSH_API_KEY"] = strings.Replace(testKey, "infsh_0", "infsh_9", 1)
	none("another credential", app...)
	w.env["INFSH_API_KEY"] = testKey

	// Another answer in its place, and a changed one, are refused.
	files := kept(t, dir)
	first, _ := os.ReadFile(files[0])
	second, _ := os.ReadFile(files[1])
	_ = os.WriteFile(files[0], second, 0o600)
	_ = os.WriteFile(files[1], first, 0o600)
	none("damaged", app...)
	none("damaged", here...)
	_ = os.WriteFile(files[0], first[:20], 0o600)
	first[len(first)-1] ^= 1
	_ = os.WriteFile(files[1], first, 0o600)
	none("damaged", app...)
	none("damaged", here...)

	// A server that answers is never overruled, and a refusal ends what is kept.
	away = ""
	w.run(app...).want(t, ExitOK)
	for reason, refusal := range map[string]string{
		"requirements not met": `412 {"title":"requirements_not_met","status":412,"detail":"OPENAI_API_KEY is not granted"}`,
		"revoked":              problem(401, "not_signed_in", "this key was revoked"),
	} {
		away = ""
		w.run(app...).want(t, ExitOK)
		before := len(kept(t, dir))
		away = refusal
		none(reason, app...)
		if after := len(kept(t, dir)); after != before-1 {
			t.Errorf("%s: %d answers are kept after a refusal, %d before", reason, after, before)
		}
	}

	// A logout deletes all.
	away = ""
	w.run(app...).want(t, ExitOK)
	w.run("logout").want(t, ExitOK)
	if left := kept(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for _, args := range [][]string{{"--offline-cache", filepath.Join(dir, "a\nb")}, {"--watch", "--offline-cache", dir}, {"--max-stale", "1h"}, {"--offline-cache", dir, "--max-stale", "0s"}, {"--offline-cache", dir, "--max-stale", "721h"}} {
		w.run(append(append([]string{"run", "--app", "a/b"}, args...), "--", "true")...).want(t, ExitUsage, "--offline-cache")
	}
}

// Others could put their answers into a folder that they may write.
func TestAFolderThatOthersWriteKeepsNoAnswers(t *testing.T) {
	var asked []map[string]any
	w := newWorld(t, runServer(t, deployed, resolved, &asked))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	w.run("run", "--app", "acme/summarizer", "--offline-cache", dir, "--", "true").want(t, ExitFailure, "can be written by others")
}

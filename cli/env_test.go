package cli

import (
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"infsh/envvar"
	"infsh/redact"
)

// Whoever reads a format gets each value byte for byte.
func TestEveryFormatGivesTheValuesBack(t *testing.T) {
	values := map[string]string{
		"PLAIN": canary, "QUOTES": `it's "quoted" \n \ and $HOME $(id) ` + "`id`", "LINES": "-----BEGIN\nabc'def\n-----END\n", "HASH": "a # b", "EMPTYISH": "=", "UNICODE": "käse – 🧀",
		"CR": "a'\rb", "MARKUP": "<a&b>",
	}
	var secrets []redact.Needle
	for key, value := range values {
		secrets = append(secrets, redact.Needle{Key: key, Value: redact.NewValue(value)})
	}
	same := func(format string, got map[string]string) {
		t.Helper()
		for key, want := range values {
			if got[key] != want {
				t.Errorf("%s: %s is %q, want %q", format, key, got[key], want)
			}
		}
	}
	write := func(format string) string {
		t.Helper()
		text, err := envFormats[format]("acme/my_app", secrets)
		if err != nil {
			t.Fatal(format, err)
		}
		return text
	}

	got := map[string]string{}
	pairs, err := envvar.ParseDotenv(strings.NewReader(write("dotenv")))
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range pairs {
		got[string(pair.Key)] = pair.Value.Reveal()
	}
	same("dotenv", got)

	got = map[string]string{}
	if err := json.Unmarshal([]byte(write("json")), &got); err != nil {
		t.Fatal(err)
	}
	same("json", got)

	got = map[string]string{}
	out, err := exec.Command("sh", "-c", write("shell")+"env -0").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range strings.Split(string(out), "\x00") {
		key, value, _ := strings.Cut(entry, "=")
		got[key] = value
	}
	same("shell", got)

	got = map[string]string{}
	var object struct {
		Kind     string
		Metadata struct{ Name string }
		Data     map[string]string
	}
	if err := yaml.Unmarshal([]byte(write("k8s")), &object); err != nil || object.Kind != "Secret" || object.Metadata.Name != "my-app" {
		t.Fatalf("%+v, %v", object, err)
	}
	for key, text := range object.Data {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Error(key, err)
		}
		got[key] = string(value)
	}
	same("k8s", got)

	if _, err := envFormats["docker"]("acme/app", secrets); err == nil || strings.Contains(err.Error(), "abc") {
		t.Errorf("docker: %v", err)
	}
	text, err := envFormats["docker"]("acme/app", []redact.Needle{{Key: "A", Value: redact.NewValue(` "x" $y `)}})
	if err != nil || text != "A= \"x\" $y \n" {
		t.Errorf("docker: %q, %v", text, err)
	}
}

func TestEnvPrintsWhatARunWouldGet(t *testing.T) {
	var asked []map[string]any
	w := newWorld(t, runServer(t, "500 {}", resolved, &asked))
	r := w.run("env", "--app", "acme/summarizer@v3", "--format", "json")
	r.want(t, ExitOK)
	if !strings.Contains(r.out, canary) || r.err != "" || asked[0]["version"] != "v3" {
		t.Errorf("stdout %q, stderr %q, asked %v", r.out, r.err, asked)
	}
	w.run("env", "--app", "a/b", "--format", "xml").want(t, ExitUsage, "dotenv, json, k8s, shell")
}

// Several readers of .env files take \' for a quote within single quotes, and would
// find the next value's lines to be assignments: A is x'...B=', and PATH is set.
func TestNoValueBreaksOutOfItsLine(t *testing.T) {
	for _, value := range []string{`x\`, `x\\`, `it's\`, `\`} {
		text, err := envFormats["dotenv"]("acme/app", []redact.Needle{{Key: "A", Value: redact.NewValue(value)}, {Key: "B", Value: redact.NewValue("\nPATH=evil\n#")}})
		if err == nil || !strings.Contains(err.Error(), "A ends in a backslash") || strings.Contains(err.Error(), value) {
			t.Errorf("%q is written as %q, %v", value, text, err)
		}
	}
}

// What the server sends as a name is none until it is checked: a shell would run it.
func TestANameIsNoCommand(t *testing.T) {
	for _, name := range []string{"A=1; touch owned; B", "A\nB", "PATH", "LD_PRELOAD", "INFSH_API_KEY", ""} {
		sent, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		var asked []map[string]any
		w := newWorld(t, runServer(t, "500 {}", `{"app":"acme/summarizer","version":"v3","env":{`+string(sent)+`:"`+canary+`"},"secrets":[],"missing_optional":[]}`, &asked))
		for format := range envFormats {
			r := w.run("env", "--app", "acme/summarizer", "--format", format)
			if r.code != ExitFailure || r.out != "" || strings.Contains(r.err, canary) {
				t.Errorf("%s, name %q: exit code %d, stdout %q, stderr %q", format, name, r.code, r.out, r.err)
			}
		}
	}
}

// A dry run names what the command would get, and starts nothing.
func TestADryRunNamesWhatARunWouldGet(t *testing.T) {
	var asked []map[string]any
	w := newWorld(t, runServer(t, "500 {}", resolved, &asked))
	r := w.run("run", "--dry-run", "--app", "acme/summarizer", "--", "true")
	r.want(t, ExitOK, "DATABASE_URL is optional and not there")
	if len(w.launched) != 0 || strings.Contains(r.out+r.err, canary) || !strings.Contains(r.out, "OPENAI_API_KEY") || !strings.Contains(r.out, "version 1") {
		t.Errorf("started %d times, stdout %q, stderr %q", len(w.launched), r.out, r.err)
	}
	w.run("run", "--dry-run", "-f", writeManifest(t, seedManifest)).want(t, ExitOK)
}

package manifest_test

import (
	"strings"
	"testing"

	"infsh/manifest"
)

// A misspelt declaration is an error, and not an app without its secrets;
// fields that are merely unknown stay out of the way.
func TestMisspeltFields(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a letter is missing", "name: a\nrequirments:\n  secrets:\n    - key: OPENAI_API_KEY\n", "app.yaml:2: the field"},
		{"upper case", "name: a\nSecrets:\n  - key: OPENAI_API_KEY\n", "did you mean secrets?"},
		{"the singular", "name: a\nrequirements:\n  secret:\n    - key: OPENAI_API_KEY\n", "app.yaml:3: the field"},
		{"two letters swapped", "name: a\nintergations:\n  - key: google.sheets\n", "did you mean integrations?"},
		{"an unknown field", "name: a\nresources:\n  ram: 1\nsections: {}\nenv: {}\n", ""},
		{"beside the right one", "name: a\nsecrets:\n  - key: OPENAI_API_KEY\nsecret: {}\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := manifest.Parse("app.yaml", []byte(c.text))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

package redact

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
)

// minMember is the length in bytes from which on a member of a JSON object is
// masked by itself.
const minMember = 12

// secretName is the name of a member that holds a secret, as the credential files
// of services have it: private_key, refresh_token, clientSecret, apiKey.
var secretName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(secret|token|passw|private_?key|api_?key|access_?key|credential)`)
})

// members returns the texts in a JSON object, at any depth, that are secrets by
// their names. An app prints them without the object around them, and decoded. An
// address is none, whatever its name.
func members(value string) (texts []string) {
	if !strings.HasPrefix(strings.TrimSpace(value), "{") {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(value)))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil {
		return nil
	}
	var visit func(name string, v any)
	visit = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				visit(name, inner)
			}
		case []any:
			for _, inner := range v {
				visit(name, inner)
			}
		case string:
			text := trimBreaks(v)
			if len(text) >= minMember && !weak(text) && secretName().MatchString(name) &&
				!strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") {
				texts = append(texts, text)
			}
		}
	}
	visit("", object)
	return texts
}

package federation

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"infsh/redact"
)

// A condition that is accepted fits its own values and no look-alikes of them,
// whatever the values are.
func FuzzCondition(f *testing.F) {
	for _, seed := range [][3]string{
		{"sub", "repo:acme/*", "repo:acme-evil/app"}, {"repository", "acme/app", "acme/app "}, {"/a/b~1c", "x", "X"}, {"ref", "*", "a"}, {"x", "a:*", "a:"},
		{"kubernetes.io", "é", "é"}, {"/", "\"", "\\"}, {"sub", "repo:acme/*", "repo:acme/"}, {"\u202e", "a", "b"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, claim, value, other string) {
		c := Condition{Claim: claim, Type: String, Values: []string{value}}
		if c.check() != nil {
			return
		}
		path, err := c.path()
		if err != nil {
			t.Fatal("a condition was accepted that leads nowhere")
		}
		claims := func(text any) Claims {
			var v any = text
			for i := len(path) - 1; i > 0; i-- {
				v = map[string]any{path[i]: v}
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return Claims{path[0]: jsontext.Value(b)}
		}
		own, wild := value, false
		if prefix, ok := strings.CutSuffix(value, "*"); ok {
			own, wild = prefix+"x", true
			if last := prefix[len(prefix)-1]; last != ':' && last != '/' {
				t.Fatalf("%q ends in the middle of a name", value)
			}
		}
		if !c.fits(claims(own)) {
			t.Errorf("%q does not fit %q", value, own)
		}
		want := other == value && !wild || wild && strings.HasPrefix(other, value[:len(value)-1]) && len(other) >= len(value)
		// What is no text in UTF-8 is another one in JSON.
		if strings.ToValidUTF8(other, "\uFFFD") == other && c.fits(claims(other)) != want {
			t.Errorf("%q and %q: fits is %v", value, other, !want)
		}
		for _, not := range []any{[]string{own}, map[string]any{own: own}, nil, true, 1} {
			if c.fits(claims(not)) {
				t.Errorf("%q fits %v", value, not)
			}
		}
		if _, err := ParseConditions(claim + " = " + value); err != nil && !strings.Contains(claim+value, "\n") {
			t.Errorf("a line with = is refused: %v", err)
		}
	})
}

// Whatever is sent as a token, reading it ends, and what is read is bounded.
func FuzzToken(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	for _, seed := range []string{
		"", "..", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIiwiZXhwIjoxODAwMDAwMDYwfQ.AAAA", "eyJhbGciOiJSUzI1NiJ9\n.e30.AAAA",
		"eyJhbGciOiJSUzI1NiIsImNyaXQiOlsiYjY0Il19.e30.AAAA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parse(redact.NewValue(text), now)
		if err != nil {
			if len(text) > 12 && strings.Contains(err.Error(), text) {
				t.Error("the error repeats the token")
			}
			return
		}
		if got.claims.text("iss") == "" || got.expires.Before(now.Add(-leeway)) || got.expires.After(now.Add(maxLifetime+leeway)) {
			t.Errorf("%q was accepted", text)
		}
		if _, ok := got.verify(nil); ok {
			t.Error("no key verified it")
		}
	})
}

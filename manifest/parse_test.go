package manifest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"infsh/envvar"
)

func keysOf(m *Manifest) (keys []string) {
	for _, s := range m.Secrets {
		keys = append(keys, string(s.Key))
	}
	for _, i := range m.Integrations {
		keys = append(keys, i.Key)
	}
	return keys
}

func TestParseAccepts(t *testing.T) {
	tests := map[string]struct {
		yaml string
		want []string
	}{
		"no requirements":        {"name: a\n", nil},
		"no name":                {"secrets: [{key: A}]\n", []string{"A"}},
		"top level":              {"secrets:\n- key: A\nintegrations:\n- key: x.tweet.read\n", []string{"A", "x.tweet.read"}},
		"under requirements":     {"requirements:\n  secrets:\n  - key: A\n  integrations:\n  - key: google.sheets\n", []string{"A", "google.sheets"}},
		"both, in file order":    {"requirements:\n  secrets:\n  - key: B\nsecrets:\n- key: A\n", []string{"B", "A"}},
		"requirements null":      {"name: a\nrequirements: null\n", nil},
		"requirements empty":     {"name: a\nrequirements:\nsecrets:\nintegrations: ~\n", nil},
		"lists empty":            {"name: a\nrequirements: {secrets: [], integrations: null}\n", nil},
		"quoted key":             {"secrets:\n- key: \"NO\"\n- key: 'YES'\n- key: !!str ON\n", []string{"NO", "YES", "ON"}},
		"case differs":           {"secrets:\n- key: API_X\n- key: api_x\n", []string{"API_X", "api_x"}},
		"same word in two lists": {"secrets: [{key: x}]\nintegrations: [{key: x}]\n", []string{"x", "x"}},
		"byte order mark":        {"\ufeffsecrets:\n- key: A\n", []string{"A"}},
		"CRLF":                   {"secrets:\r\n- key: A\r\n  optional: true\r\n", []string{"A"}},
		"document marks":         {"%YAML 1.1\n---\nsecrets:\n- key: A\n...\n", []string{"A"}},
		"unknown fields":         {"env: {PATH: x}\nresources: [1, 2, {a: b}]\n? [odd]\n: 1\nsecrets:\n- key: A\n  hint: 5\n  tags: []\n", []string{"A"}},
		"an anchor alone":        {"env: &e {a: b}\nsecrets:\n- key: A\n", []string{"A"}},
		"delivery env":           {"secrets:\n- key: A\n  delivery: env\n", []string{"A"}},
		"description null":       {"description:\nnamespace: ~\nsecrets:\n- key: A\n  description:\n", []string{"A"}},
		"tab within a line":      {"secrets:\n- key:\tA\t# comment\n", []string{"A"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Parse("app.yaml", []byte(tt.yaml))
			if err != nil {
				t.Fatal(err)
			}
			if got := keysOf(m); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v; want %v", got, tt.want)
			}
		})
	}
}

func TestOptionalIsAYAMLBoolean(t *testing.T) {
	m, err := Parse("app.yaml", []byte("secrets:\n- {key: A, optional: true}\n- {key: B, optional: False}\n- {key: C}\n- {key: D, optional: TRUE}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, false, true} {
		if got := m.Secrets[i].Optional; got != want {
			t.Errorf("%s is optional: %v; want %v", m.Secrets[i].Key, got, want)
		}
	}
}

func TestParseRefusesWithTheLine(t *testing.T) {
	const keyA = "secrets:\n- key: A\n" // two lines
	tests := map[string]struct{ yaml, want string }{
		// Words that YAML takes for something else.
		"key NO":            {"secrets:\n- key: NO\n", `2: key: NO can mean true or false in YAML; if text is meant, put it in quotes: key: "NO"`},
		"key y":             {"secrets:\n- key: y\n", "2: key: y can mean true or false"},
		"key true":          {"secrets:\n- key: true\n", `2: key: "true" is true or false in YAML; if text is meant, put it in quotes`},
		"key number":        {"secrets:\n- key: 12\n", `2: key: "12" is a number`},
		"key date":          {"secrets:\n- key: 2026-11-23\n", `2: key: "2026-11-23" is a date`},
		"key null":          {"secrets:\n- description: x\n  key:\n", "3: key has no value"},
		"key NULL":          {"secrets:\n- key: NULL\n", `2: key: "NULL" means no value in YAML; if text is meant, put it in quotes`},
		"key binary":        {"secrets:\n- key: !!binary QQ==\n", `2: key is a value with the tag "!!binary"`},
		"key list":          {"secrets:\n- key: [A]\n", "2: key is a list; it must be text"},
		"key missing":       {"secrets:\n- description: x\n", `2: the entry has no "key"`},
		"key in capitals":   {"secrets:\n- KEY: A\n", `2: the entry has no "key"`},
		"name number":       {"name: 12\n", `1: name: "12" is a number`},
		"description off":   {"description: off\n", "1: description: off can mean true or false"},
		"optional text":     {keyA + "  optional: \"false\"\n", `3: optional is "false"; write true or false, without quotes`},
		"optional no":       {keyA + "  optional: no\n", `3: optional is "no"; write true or false`},
		"optional number":   {keyA + "  optional: 0\n", `3: optional is "0"`},
		"optional null":     {keyA + "  optional:\n", "3: optional is nothing"},
		"optional list":     {keyA + "  optional: [true]\n", "3: optional is a list"},
		"secrets mapping":   {"secrets:\n  A: sk-canary\n", "2: secrets is a group of fields; it must be a list"},
		"secrets text":      {"secrets: A\n", "1: secrets is text; it must be a list"},
		"secrets bare name": {"secrets:\n- OPENAI_API_KEY\n", `2: the entry is text; write it as "- key: OPENAI_API_KEY"`},
		"secrets null item": {"secrets:\n-\n", "2: the entry is nothing"},
		"requirements list": {"requirements:\n- torch\n", "2: requirements is a list"},
		"integration bare":  {"integrations: [google.sheets]\n", `1: the entry is text; write it as "- key: google.sheets"`},

		// Declared twice.
		"twice in one list":    {"secrets:\n- key: A\n- key: B\n- key: A\n", "4: A is declared twice, on lines 2 and 4"},
		"twice in two forms":   {"secrets:\n- key: A\nrequirements:\n  secrets:\n  - key: A\n", "5: A is declared twice, on lines 2 and 5"},
		"integration twice":    {"integrations:\n- key: a.b\n- key: a.b\n", "3: a.b is declared twice, on lines 2 and 3"},
		"field twice":          {keyA + "name: x\nsecrets:\n- key: B\n", `4: "secrets" stands here for the second time, after line 1`},
		"field twice quoted":   {"name: x\n\"name\": y\n", `2: "name" stands here for the second time, after line 1`},
		"field twice in entry": {keyA + "  key: B\n", `3: "key" stands here for the second time, after line 2`},
		"unknown field twice":  {"env:\n  a: 1\n  a: 2\n", `3: "a" stands here for the second time`},

		// Names.
		"bad name":            {"secrets:\n- key: OPENAI-API-KEY\n", `2: the name has, after "OPENAI", '-'; write an underscore`},
		"name with a break":   {"secrets:\n- key: \"A\\n\"\n", `2: the name ends with a line break, after "A"`},
		"empty name":          {"secrets:\n- key: \"\"\n", "2: the name is missing"},
		"refused name":        {keyA + "- key: LD_PRELOAD\n", "3: LD_PRELOAD is not allowed: it tells the dynamic loader"},
		"reserved name":       {"secrets:\n- key: infsh_token\n", "2: infsh_token is not allowed"},
		"bad integration":     {"integrations:\n- key: Google Sheets\n", `2: "Google Sheets" names no integration`},
		"integration no key":  {"integrations:\n- optional: true\n", `2: the entry has no "key"`},
		"integration no bool": {"integrations:\n- key: a.b\n  optional: \"true\"\n", `3: optional is "true"`},
		"integration text":    {"integrations:\n- key: a.b\n  description: [x]\n", "3: description is a list"},
		"integration number":  {"integrations:\n- key: a.b\n  scopes: [1]\n", `3: the entry of scopes: "1" is a number`},
		"integration scopes":  {"integrations:\n- key: a.b\n  scopes: a\n", "3: scopes is text; it must be a list"},
		"bad namespace":       {"namespace: Acme Inc\n", `1: namespace "Acme Inc" is not allowed`},
		"bad app name":        {"name: ../x\n", `1: name "../x" is not allowed`},
		"long app name":       {"name: " + strings.Repeat("a", 65) + "\n", `1: name "aaaa`},
		"integration secret":  {"integrations:\n- key: a.b\n  secrets: [PATH]\n", "3: PATH is not allowed"},
		"integration scope":   {"integrations:\n- key: a.b\n  scopes:\n  - \"a b\"\n", `4: "a b" is not a scope`},
		"scope twice":         {"integrations:\n- key: a.b\n  scopes: [c, c]\n", `3: "c" stands twice in scopes`},
		"a value":             {keyA + "  value: canary\n", "3: a manifest never holds a secret's value"},
		"delivery file":       {keyA + "  delivery: file\n", `3: A: delivery "file" is not supported yet`},
		"delivery broker":     {keyA + "  delivery: broker\n", `3: A: delivery "broker" is not supported yet`},
		"delivery list":       {keyA + "  delivery: [env]\n", "3: delivery is a list; it must be text"},
		"delivery odd":        {keyA + "  delivery: fax\n", `3: A: delivery "fax" is unknown`},
		"long description":    {keyA + "  description: " + strings.Repeat("é", 501) + "\n", "3: the description is longer than 500 characters"},
		"escape in text":      {keyA + "  description: \"\\e[31m\"\n", "3: description contains the control character U+001B"},
		"NUL in text":         {"description: \"a\\0\"\n", "1: description contains the control character U+0000"},
		"a name to quote":     {"name: \"\\u202e\\e[31m\"\n", "1: name contains the control character U+001B"},
		"a direction to turn": {"name: \"\\u202egnp\"\n", `1: name "\u202egnp" is not allowed`},

		// The file as a whole.
		"empty":              {"", "1: the file is empty"},
		"comments only":      {"# nothing\n\n", "1: the file is empty"},
		"null":               {"\nnull\n", "1: the file is empty"},
		"only a mark":        {"---\n", "1: the file is empty"},
		"a list":             {"- key: A\n", "1: the file is a list"},
		"text":               {"hello\n", "1: the file is text"},
		"two documents":      {"name: a\n---\nname: b\n", "2: a second document starts here"},
		"an empty second":    {"name: a\n---\n", "2: a second document starts here"},
		"alias":              {"a: &x 1\nb: *x\n", "2: *x refers to another place in the file"},
		"alias as the list":  {"env: &x [{key: A}]\nsecrets: *x\n", "2: *x refers"},
		"merge":              {"secrets:\n- <<: {key: A}\n", `2: "<<" merges`},
		"alias to itself":    {"a: &x [*x]\n", "1: *x refers"},
		"unknown alias":      {"a: *x\n", "1: this is not YAML: unknown anchor 'x' referenced"},
		"bomb":               {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nsecrets: *c\n", "2: *a refers"},
		"tab":                {"name: a\nsecrets:\n\t- key: A\n", "3: the line is indented with a tab"},
		"tab after spaces":   {"secrets:\n  - key: A\n  \tdescription: x\n  bad\n", "3: the line is indented with a tab"},
		"later document":     {"name: a\n---\n\"\n", "this is not YAML: a quote is never closed"},
		"open bracket":       {"name: a\nsecrets: [\n", "2: this is not YAML: something is missing here"},
		"open brace":         {"name: a\nenv: {b\nsecrets: []\n", "this is not YAML: fields in {braces} are not closed"},
		"open quote":         {"name: \"a\n", "1: this is not YAML: a quote is never closed"},
		"out of line":        {"name: a\nsecrets:\n  - key: A\n bad\n", "4: this is not YAML: this line does not continue what stands above"},
		"indented too far":   {"secrets:\n- key: A\n   optional: true\n", "3: this is not YAML: a colon is out of place"},
		"no colon":           {"name: a\nsecrets\nkernel: x\n", "this is not YAML: a colon is missing"},
		"at sign":            {"name: a\nb: @x\n", "2: this is not YAML: text that starts with @"},
		"two kinds":          {"name: a\n- b\n", "2: this is not YAML: this line does not continue what stands above"},
		"not UTF-8":          {"name: a\ndescription: \xff\n", "2: the line is not valid UTF-8"},
		"UTF-16":             {"\xff\xfen\x00", "1: the line is not valid UTF-8"},
		"raw escape":         {"name: a\n# \x1b[31m\n", "2: the line contains the control character U+001B"},
		"raw NUL":            {"name: a\x00\n", "1: the line contains the control character U+0000"},
		"too large":          {"name: a\n#" + strings.Repeat("x", MaxBytes), "1: the file is larger than 1024 KiB"},
		"too deep":           {strings.Repeat("[", 100_000), "exceeded max depth"},
		"too many":           {"secrets:\n" + manyKeys(MaxRequirements+1), "258: this is requirement number 257; an app can have 256"},
		"too many in both":   {"integrations:\n- key: a.b\nsecrets:\n" + manyKeys(MaxRequirements), "this is requirement number 257"},
		"too many scopes":    {"integrations:\n- key: a.b\n  scopes: [" + strings.Repeat("x,", MaxScopes+1) + "]\n", "3: scopes has more than 64 entries"},
		"long integration":   {"integrations:\n- key: " + strings.Repeat("a", 129) + "\n", "names no integration"},
		"tag out of nowhere": {"name: !foo a\n", `1: name is a value with the tag "!foo"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Parse("app.yaml", []byte(tt.yaml))
			var mistake *Error
			if !errors.As(err, &mistake) || m != nil {
				t.Fatalf("got %v, %v; want an *Error", m, err)
			}
			if !strings.HasPrefix(err.Error(), fmt.Sprintf("app.yaml:%d: ", mistake.Line)) {
				t.Errorf("%q does not start with the file and line", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %q\nwant %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%q shows a value", err)
			}
			requireInert(t, err)
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "- key: K%d\n", i)
	}
	return b.String()
}

func TestTheMostRequirementsAreRead(t *testing.T) {
	m, err := Parse("app.yaml", []byte("secrets:\n"+manyKeys(MaxRequirements)))
	if err != nil || len(m.Secrets) != MaxRequirements {
		t.Errorf("%d requirements give %v", MaxRequirements, err)
	}
}

func TestDescriptionsAreKeptAsTheyAre(t *testing.T) {
	const text = "<script>alert(1)</script>\t=cmd() “é” \u202e\nsecond line"
	m, err := Parse("app.yaml", fmt.Appendf(nil, "description: %q\nsecrets:\n- key: A\n  description: %q\n", text, text))
	if err != nil {
		t.Fatal(err)
	}
	if m.Description != text || m.Secrets[0].Description != text {
		t.Errorf("got %q and %q; want %q", m.Description, m.Secrets[0].Description, text)
	}
}

func TestRiskyNamesAreReportedNotRefused(t *testing.T) {
	m, err := Parse("app.yaml", []byte("secrets:\n- key: OPENAI_API_KEY\n- key: OPENAI_BASE_URL\n- key: HTTPS_PROXY\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []SecretRequirement{{Key: "OPENAI_BASE_URL", Line: 3}, {Key: "HTTPS_PROXY", Line: 4}}
	if got := m.Risky(); !reflect.DeepEqual(got, want) {
		t.Errorf("Risky() = %v; want %v", got, want)
	}
}

// requireInert checks that a message can go to any terminal, page or log.
func requireInert(t *testing.T, err error) {
	t.Helper()
	for _, r := range err.Error() {
		if r < ' ' || r > '~' {
			t.Fatalf("the message %q contains %U", err, r)
		}
	}
	if len(err.Error()) > 500 {
		t.Fatalf("the message has %d bytes: %.100q", len(err.Error()), err)
	}
}

func FuzzManifestParse(f *testing.F) {
	for _, s := range []string{
		"", "name: a\n", "secrets:\n- key: A\n  optional: true\n", "requirements:\n  secrets:\n  - {key: A}\nsecrets: [{key: A}]\n",
		"integrations:\n- key: x.y\n  scopes: [a]\n  secrets: [B]\n", "secrets:\n- key: NO\n", "a: &x [*x]\n", "<<: {}\n", "---\n---\n",
		"\tname: a\n", "{", "? [a]\n: b\n", "name: !!binary aGk=\n", "\ufeffname: a\r\n", "key: |\n  x\n", "secrets:\n- key: LD_X\n",
		"name: \"\\0\"\n", "- a\n", "requirements: null\n", "optional: 2001-01-01\n", "a: \u2028b\n", "%TAG ! x\n--- !a\n", "!!!: x", "name: 0o7",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("app.yaml", data)
		// YAML counts more line breaks than LF.
		lines := 2 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029")
		if err != nil {
			var mistake *Error
			if !errors.As(err, &mistake) || mistake.Line < 1 || mistake.Line > lines {
				t.Fatalf("%#v for a file of at most %d lines", err, lines)
			}
			requireInert(t, err)
			return
		}
		seen := map[string]bool{}
		for _, s := range m.Secrets {
			key, err := envvar.ParseKey(string(s.Key))
			if err != nil || key.Permit(true) != nil || seen[string(key)] || s.Line < 1 || s.Line > lines {
				t.Fatalf("%+v was accepted", s)
			}
			seen[string(key)] = true
		}
		if len(m.Secrets)+len(m.Integrations) > MaxRequirements {
			t.Fatal("too many requirements were accepted")
		}
		for _, s := range []string{m.Name, m.Namespace} {
			if s != "" && !slugPattern().MatchString(s) {
				t.Fatalf("the name %q was accepted", s)
			}
		}
		if again, err := Parse("app.yaml", data); err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("read twice, it is %+v and %+v, %v", m, again, err)
		}
	})
}

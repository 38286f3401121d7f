package envvar

import (
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// plain is a Pair with its value in the open.
type plain struct {
	line       int
	key, value string
}

func reveal(pairs []Pair) []plain {
	var out []plain
	for _, p := range pairs {
		out = append(out, plain{p.Line, string(p.Key), p.Value.Reveal()})
	}
	return out
}

func TestParseDotenv(t *testing.T) {
	tests := map[string]struct {
		file string
		want []plain
	}{
		"plain":             {"A=1\nB=2\n", []plain{{1, "A", "1"}, {2, "B", "2"}}},
		"no final newline":  {"A=1", []plain{{1, "A", "1"}}},
		"empty":             {"", nil},
		"comments only":     {"# one\n\n   # two\n\t\n", nil},
		"windows":           {"\ufeffA=1\r\n# x\r\nB=\"x\r\ny\"\r\nC=3\r\n", []plain{{1, "A", "1"}, {3, "B", "x\ny"}, {5, "C", "3"}}},
		"export and spaces": {"export A=1\n\texport\t B = 2 \nexport=3\n", []plain{{1, "A", "1"}, {2, "B", "2"}, {3, "export", "3"}}},
		"nothing expands":   {"A=$HOME/${X}`id`$(id)\nB=\"$HOME\"\n", []plain{{1, "A", "$HOME/${X}`id`$(id)"}, {2, "B", "$HOME"}}},
		"equals in a value": {"A=b=c==\n", []plain{{1, "A", "b=c=="}}},
		"inner quotes":      {`A=it's "so"` + "\n", []plain{{1, "A", `it's "so"`}}},
		"backslashes":       {`A=c:\new\t` + "\n", []plain{{1, "A", `c:\new\t`}}},
		"comment after":     {"A=1 # one\nB=2\t# two\nC=3#4\nD=#5\n", []plain{{1, "A", "1"}, {2, "B", "2"}, {3, "C", "3#4"}, {4, "D", "#5"}}},
		"comment in quotes": {"A='x # y' # z\nB=\"x # y\"\n", []plain{{1, "A", "x # y"}, {2, "B", "x # y"}}},
		"single quotes":     {`A='a\nb"c$d\'` + "\n", []plain{{1, "A", `a\nb"c$d\`}}},
		"double quotes":     {`A="a\n\"b\"\t\\\$\` + "`" + `\d\'"`, []plain{{1, "A", "a\n\"b\"\t\\$`\\d\\'"}}},
		"several lines":     {"A='x\n\ny'\nB=\"" + pem + "\"\nC=3\n", []plain{{1, "A", "x\n\ny"}, {4, "B", pem}, {8, "C", "3"}}},
		"case differs":      {"a=1\nA=2\n", []plain{{1, "a", "1"}, {2, "A", "2"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pairs, err := ParseDotenv(strings.NewReader(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if got := reveal(pairs); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v; want %+v", got, tt.want)
			}
		})
	}
}

func TestParseDotenvNamesTheLineAndNeverTheValue(t *testing.T) {
	tests := map[string]struct{ file, want string }{
		"no equals":          {"A=1\ncanary\n", `line 2: the line has no "="`},
		"yaml":               {"A: canary\n", `line 1: the line has no "="`},
		"bare export":        {"export canary\n", `line 1: the line has no "="`},
		"bad name":           {"A=1\n\nca-nary=x\n", `line 3: what stands before "=" is not a name`},
		"no name":            {"=canary\n", `line 1: what stands before "=" is not a name`},
		"lines of a PEM":     {"A=-----BEGIN canary-----\ncanary/canary+canary==\n", `line 2: what stands before "=" is not a name`},
		"empty value":        {"A=canary\nB=\n", "line 2: B: the value is empty"},
		"value at the end":   {"A=canary\nB= ", "line 2: B: the value is empty"},
		"only a comment":     {"A= # canary\n", "line 1: A: the value is empty"},
		"empty quotes":       {`A=""`, "line 1: A: the value is empty"},
		"open double quote":  {"B=1\nA=\"canary\nC=2\n", "line 2: A: the quote that opens here is never closed"},
		"open single quote":  {"A='canary\n", "line 1: A: the quote that opens here is never closed"},
		"text after a quote": {"A='x\ny'canary\n", "line 2: A: text follows the closing quote"},
		"shell joins":        {`A='it'\''canary'`, "line 1: A: text follows the closing quote"},
		"comment too close":  {`A="x"#canary`, "line 1: A: text follows the closing quote"},
		"backtick":           {"A=`canary`\n", "line 1: A: the value starts with a backtick"},
		"twice":              {"A=1\nB=2\nexport A=canary\n", "line 3: A is set already on line 1"},
		"twice the same":     {"A=canary\nA=canary\n", "line 2: A is set already on line 1"},
		"space kept":         {"A=\" canary\"\n", "line 1: A: the value starts with a space; remove it, or set it on its own with infsh secrets set A --verbatim"},
		"lone CR":            {"A=canary\r", "line 1: A: the value ends with a line break"},
		"NUL":                {"A=1\nB=canary\x00\n", "line 2: the line contains a NUL byte"},
		"not UTF-8":          {"A=1\nB=canary\xff\n", "line 2: the line is not valid UTF-8"},
		"UTF-16":             {"\xff\xfeA\x00=\x00", "line 1: the line is not valid UTF-8"},
		"long value":         {"A=" + strings.Repeat("canary", 20000), "line 1: A: the value is larger than 65536 bytes"},
		"long file":          {strings.Repeat("#canary\n", MaxDotenvBytes/8) + "#", "line 1: the file is larger than 4 MiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pairs, err := ParseDotenv(strings.NewReader(tt.file))
			var invalid *DotenvError
			if !errors.As(err, &invalid) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("got %v; want %q", err, tt.want)
			}
			if pairs != nil {
				t.Error("pairs are returned with an error")
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the message shows the value: %q", err)
			}
			requireInert(t, err)
		})
	}
}

func TestParseDotenvHandsOnReadErrors(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("A=1\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := ParseDotenv(broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v; want the reader's error", err)
	}
}

// quote writes a value so that ParseDotenv must read the same one.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", `\r`).Replace(value) + `"`
}

func FuzzParseDotenv(f *testing.F) {
	for _, s := range []string{
		"", "A=1", "export A='x'\n", "A=\"a\\nb\" # c\n", "A='x\ny'\nB=2\n", "\ufeffA=1\r\n", "A=`x`", "A=\"", "=",
		"A=1\nA=2\n", "A= #\n", "A=\x00", "A=\xff", "A='a'b", "\\", "A=\"\\", "A=\r", "# c", "export ", pem, "A=\"" + pem + "\"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		pairs, err := ParseDotenv(strings.NewReader(file))
		lines := strings.Count(file, "\n") + 1
		if err != nil {
			var invalid *DotenvError
			if !errors.As(err, &invalid) || invalid.Line < 1 || invalid.Line > lines {
				t.Fatalf("%#v for a file of %d lines", err, lines)
			}
			requireInert(t, err)
		}
		line := 0
		for _, p := range pairs {
			if p.Line <= line || p.Line > lines {
				t.Fatalf("%s is said to stand on line %d of %d", p.Key, p.Line, lines)
			}
			line = p.Line
			if _, err := ParseKey(string(p.Key)); err != nil {
				t.Fatal(err)
			}
			if _, err := ParseValue(p.Value.Reveal(), false); err != nil {
				t.Fatal(err)
			}
		}

		// Any storable value survives being written in quotes and read again.
		if v, err := ParseValue(file, false); err == nil {
			again, err := ParseDotenv(strings.NewReader("A=" + quote(v.Reveal()) + "\nB=2\n"))
			if err != nil || len(again) != 2 || !again[0].Value.Equal(v) {
				t.Fatalf("%q is read as %+v, %v", file, reveal(again), err)
			}
		}
	})
}

// All lines that are wrong are told together, and no line that may be a part of
// a value gives a name.
func TestLookAtDotenv(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		keys  string
		lines string
	}{
		"nothing wrong":      {"A=1\nb=2\n", "A b", ""},
		"several":            {"A=1\nnonsense\nB=2\nA=3\n9C=4\nD=5\nE=\nF='x' y\nG=6\n", "A B D G", "2 4 5 7 8"},
		"an open quote":      {"A=1\nB=\"line one\nSECOND=part\n", "A", "2"},
		"a key in base64":    {"A=-----BEGIN KEY-----\nMIIEvQIBADANBg\nabcDEF0=\nQWERTYuiop==\n-----END KEY-----\nB=2\n", "A B", "2 3 4 5"},
		"a backtick":         {"A=`one\ntwo=2\n`\nB=2\n", "B", "1 2 3"},
		"only names in caps": {"oops\nlower=1\nUPPER=1\nexport UPPER_2=1\n", "UPPER UPPER_2", "1 2"},
	} {
		pairs, wrong, err := LookAtDotenv(strings.NewReader(c.text))
		var keys, lines []string
		for _, p := range pairs {
			keys = append(keys, string(p.Key))
		}
		for _, w := range wrong {
			lines = append(lines, strconv.Itoa(w.Line))
		}
		if err != nil || strings.Join(keys, " ") != c.keys || strings.Join(lines, " ") != c.lines {
			t.Errorf("%s: keys %q, wrong lines %q, %v; want %q and %q", name, keys, lines, err, c.keys, c.lines)
		}
	}
	if _, wrong, err := LookAtDotenv(strings.NewReader(strings.Repeat("x\n", 1000))); err != nil || len(wrong) != 100 {
		t.Errorf("of a file that is none, %d lines are told: %v", len(wrong), err)
	}
	if _, _, err := LookAtDotenv(strings.NewReader("A=1\x00\n")); err == nil {
		t.Error("NUL is taken")
	}
}

// In a sheet, each heading has keys of its own, and a key without a value is left
// as it is. A heading within quotes is a part of the value.
func TestLookAtSheet(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		pairs string
		lines string
	}{
		"no heading":        {"A=1\nB=\n", "/A /B-", ""},
		"headings":          {"A=1\n[acme]\nA=2\nB= # none\n\t[ beta ] # and more\nA=''\n", "/A acme/A acme/B- beta/A-", ""},
		"twice under one":   {"[acme]\nA=1\n[beta]\nA=1\n[acme]\nA=2\n", "acme/A beta/A", "6"},
		"within quotes":     {"A='x\n[acme]\ny'\nB=1\n", "/A /B", ""},
		"an equals sign":    {"[acme]=1\nA=1\n", "/A", "1"},
		"cut off":           {"[acme\nA=1\n", "/A", "1"},
		"wrong and headed":  {"[acme]\nnonsense\nA=1\n", "acme/A", "2"},
		"an empty headline": {"[]\nA=1\n", "/A", ""},
	} {
		pairs, wrong, err := LookAtSheet(strings.NewReader(c.text))
		var found, lines []string
		for _, p := range pairs {
			one := p.Heading + "/" + string(p.Key)
			if p.Left {
				one += "-"
			}
			found = append(found, one)
		}
		for _, w := range wrong {
			lines = append(lines, strconv.Itoa(w.Line))
		}
		if err != nil || strings.Join(found, " ") != c.pairs || strings.Join(lines, " ") != c.lines {
			t.Errorf("%s: %q, wrong lines %q, %v; want %q and %q", name, found, lines, err, c.pairs, c.lines)
		}
	}
	if pairs, _ := ParseDotenv(strings.NewReader("[acme]\nA=1\n")); pairs != nil {
		t.Error("a .env file has headings")
	}
}

package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func needles(values ...string) []Needle {
	var list []Needle
	for i, v := range values {
		list = append(list, Needle{Key: fmt.Sprintf("K%d", i), Value: NewValue(v)})
	}
	return list
}

func TestUnionOfOverlapsIsMasked(t *testing.T) {
	for name, test := range map[string]struct {
		values []string
		text   string
		want   string
		hits   map[string]int
	}{
		"one":                   {[]string{"s3cret-value"}, "a s3cret-value b", "a [redacted:K0] b", map[string]int{"K0": 1}},
		"alone":                 {[]string{"s3cret-value"}, "s3cret-value", "[redacted:K0]", map[string]int{"K0": 1}},
		"twice, touching":       {[]string{"s3cret-value"}, "s3cret-values3cret-value", "[redacted:K0][redacted:K0]", map[string]int{"K0": 2}},
		"prefix of another":     {[]string{"abcdefgh", "abcdefghijkl"}, "-abcdefghijkl-abcdefghijk-", "-[redacted:K1]-[redacted:K0]ijk-", map[string]int{"K0": 1, "K1": 1}},
		"suffix of another":     {[]string{"efghijkl", "abcdefghijkl"}, "-abcdefghijkl-", "-[redacted:K1]-", map[string]int{"K1": 1}},
		"inside of another":     {[]string{"password-1", "db://u:password-1@h/x"}, "db://u:password-1@h/x", "[redacted:K1]", map[string]int{"K1": 1}},
		"overlap":               {[]string{"abcdefgh12", "gh12345678"}, "-abcdefgh12345678-", "-[redacted:K0,K1]-", map[string]int{"K0": 1, "K1": 1}},
		"overlap of itself":     {[]string{"abcabcabc"}, "abcabcabcabcabc", "[redacted:K0]", map[string]int{"K0": 1}},
		"chain":                 {[]string{"aaaabbbb", "bbbbcccc", "ccccdddd"}, "aaaabbbbccccdddd", "[redacted:K0,K1,K2]", map[string]int{"K0": 1, "K1": 1, "K2": 1}},
		"broken off, then real": {[]string{"aaaaaaab"}, "aaaaaaaaaaab", "aaaa[redacted:K0]", map[string]int{"K0": 1}},
		"at its end broken off": {[]string{"s3cret-value"}, "s3cret-valu", "s3cret-valu", map[string]int{}},
		"same value twice":      {[]string{"s3cret-value", "s3cret-value"}, "s3cret-value", "[redacted:K0]", map[string]int{"K0": 1}},
		"weak":                  {[]string{"true", "prod", "1234567", "production"}, "true prod 1234567 production", "true prod 1234567 production", map[string]int{}},
		"no needles":            {nil, "anything", "anything", map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			set := Compile(needles(test.values...))
			for size := 1; size <= len(test.text); size++ {
				var out bytes.Buffer
				w := set.NewWriter(&out, WithKeys())
				for at := 0; at < len(test.text); at += size {
					if _, err := io.WriteString(w, test.text[at:min(at+size, len(test.text))]); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if out.String() != test.want {
					t.Errorf("in writes of %d: %q, not %q", size, out.String(), test.want)
				}
				if hits := w.Hits(); !reflect.DeepEqual(hits, test.hits) {
					t.Errorf("in writes of %d: hits %v, not %v", size, hits, test.hits)
				}
			}
		})
	}
}

// What cannot become a secret any more is passed on by the Write that brought it.
func TestOnlyALivePartialMatchIsHeldBack(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, needles("s3cret-value"))
	for _, step := range []struct{ write, passed string }{
		{"Password: ", "Password: "},
		{"s3cr", ""},
		{"et-", ""},
		{"no ", "s3cret-no "},
		{"s3cret-value", "[redacted]"},
		{"\n", "\n"},
		{"s3cret-s3cret-valu", "s3cret-"},
		{"", ""},
		{"e.", "[redacted]."},
	} {
		out.Reset()
		if n, err := io.WriteString(w, step.write); n != len(step.write) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if out.String() != step.passed {
			t.Errorf("%q passed %q, not %q", step.write, out.String(), step.passed)
		}
	}
}

func TestCloseFlushesAndEndsTheStream(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, needles("s3cret-value"))
	fmt.Fprint(w, "s3cret-val")
	for range 2 {
		if err := w.Close(); err != nil || out.String() != "s3cret-val" {
			t.Errorf("Close: %v, passed %q", err, out.String())
		}
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a closed Writer took a write")
	}
}

// After a failed write it is not known what the reader has; nothing more is sent.
func TestAnErrorOfTheUnderlyingWriterStays(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	writer.Close()
	w := NewWriter(writer, needles("s3cret-value"))
	for range 2 {
		if _, err := io.WriteString(w, "text"); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write: %v", err)
		}
	}
	if err := w.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}

func TestWeak(t *testing.T) {
	for value, weak := range map[string]bool{
		"": true, "1": true, "true": true, "prod": true, "Production": true, "staging": true, "localhost": true,
		"1234567": true, "short\n\n\n": true, "         ": true, "12345678": false, "sk-12345": false,
		"a\nb\nc\nd\ne": false,
	} {
		if got := Weak(NewValue(value)); got != weak {
			t.Errorf("Weak(%q) is %v", value, got)
		}
	}
}

func TestBytesWithoutSecretsPassUnchanged(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	set := Compile(needles(testKeys(10)...))
	size := 64 << 20
	switch {
	case os.Getenv("INFSH_TORTURE") != "":
		size = 1 << 30
	case testing.Short() || raceEnabled:
		size = 4 << 20
	}
	piece := make([]byte, 100_003)
	var out bytes.Buffer
	w := set.NewWriter(&out)
	for size > 0 {
		random.Read(piece)
		before := len(w.text) - w.pending
		held := bytes.Clone(w.text[w.pending:])
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		want := append(held, piece...)
		got := append(out.Bytes(), w.text[w.pending:]...)
		if !bytes.Equal(got, want) {
			t.Fatalf("changed after %d held bytes", before)
		}
		out.Reset()
		size -= len(piece)
	}
}

// A stream that is one endless partial match, or match, takes no more memory
// than another.
func TestMemoryIsBoundedByTheLongestForm(t *testing.T) {
	values := needles(strings.Repeat("a", 40), strings.Repeat("a", 40)+"b", "aaaaaaaaaac")
	set := Compile(values)
	w := set.NewWriter(io.Discard)
	piece := bytes.Repeat([]byte("a"), 8<<10)
	for range 500 {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if limit := len(piece) + 2*set.automaton.max + wrapContext; cap(w.text) > 4*limit || len(w.found) > set.automaton.max {
		t.Errorf("after a long stream, %d bytes of text and %d matches are held", cap(w.text), len(w.found))
	}
	if err := w.Close(); err != nil || w.Hits()["K0"] != 1 {
		t.Errorf("Close: %v, hits %v", err, w.Hits())
	}
}

func TestASetServesSeveralWriters(t *testing.T) {
	set := Compile(needles("s3cret-value"))
	var one, two bytes.Buffer
	a, b := set.NewWriter(&one), set.NewWriter(&two, WithKeys())
	fmt.Fprint(a, "1 s3cret-")
	fmt.Fprint(b, "2 s3cret-")
	fmt.Fprint(a, "value")
	fmt.Fprint(b, "other")
	if a.Close() != nil || b.Close() != nil || one.String() != "1 [redacted]" || two.String() != "2 s3cret-other" {
		t.Errorf("%q and %q", one.String(), two.String())
	}
}

// testKeys returns keys such as services give them out.
func testKeys(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	prefixes := []string{"sk-proj-", "hf_", "ghp_", "xoxb-", "AKIA", "", "AIza", "fal-", "r8_", "SG."}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = prefixes[i%len(prefixes)] + randomText(random, 32+random.IntN(16), alphanumeric)
	}
	return keys
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func randomText(random *rand.Rand, n int, from string) string {
	runes := []rune(from)
	var b strings.Builder
	for b.Len() < n {
		b.WriteRune(runes[random.IntN(len(runes))])
	}
	return b.String()
}

// The longest values that a team can store cost megabytes, not gigabytes, and are
// still found in the common forms.
func TestALongValueIsFoundAtABoundedCost(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	value := "k" + randomText(random, 64<<10, "abcABC019 '\"\\<>&$%+/=?#@:;ß€😀") + "z"
	set := Compile(needles(value))
	if n := len(set.automaton.nodes); n > 5_000_000 {
		t.Errorf("the automaton has %d states", n)
	}
	for _, text := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%q", value), url.QueryEscape(value)} {
		if got := masked(set, text, []int{1000}); len(got) > len(Mask)+2 {
			t.Errorf("%.20s… became %.20s…", text, got)
		}
	}
}

// A secret that is added, to none or to others, is masked from there on, and
// what was held back for another is not lost.
func TestASecretMayBeAddedToAStream(t *testing.T) {
	for name, before := range map[string][]Needle{"to none": nil, "to others": {{"OLD", NewValue("s3cret-old-value")}}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			set := Compile(before)
			w := set.NewWriter(&out, WithKeys())
			fmt.Fprint(w, "rotated-value s3cret-o")
			if err := w.Add(Needle{"NEW", NewValue("rotated-value")}, Needle{"ALSO", NewValue("old-value and more")}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(w, strings.NewReader("ld-value, rotated-value, \x1b[1mrotated\x1b[0m-value, rotat")); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			want := "rotated-value s3cret-old-value, [redacted:NEW], \x1b[1m[redacted:NEW]\x1b[0m, rotat"
			if before != nil {
				want = strings.Replace(want, "s3cret-old-value", "[redacted:OLD]", 1)
			}
			if out.String() != want {
				t.Errorf("%q, not %q", out.String(), want)
			}
			if hits := w.Hits(); hits["NEW"] != 2 || hits["OLD"] != len(before) {
				t.Errorf("hits %v", hits)
			}
		})
	}
}

// Copying a stream into a Writer masks as writing it does, whatever the reads.
func TestReadingMasksAsWritingDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	keys := testKeys(5)
	set := Compile(needles(append(keys, strings.Repeat("long ", 3000))...))
	var b strings.Builder
	for b.Len() < 1<<20 {
		key := append(keys, strings.Repeat("long ", 3000))[r.IntN(6)]
		b.WriteString([]string{key, key[:r.IntN(len(key))], randomText(r, r.IntN(5000), " abc\n")}[r.IntN(3)])
	}
	want := masked(set, b.String(), nil)
	for _, reader := range []io.Reader{strings.NewReader(b.String()), iotest.HalfReader(strings.NewReader(b.String())), iotest.DataErrReader(strings.NewReader(b.String()))} {
		var out bytes.Buffer
		w := set.NewWriter(&out)
		n, err := io.Copy(w, struct{ io.Reader }{reader})
		if err != nil || n != int64(b.Len()) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Error("masked otherwise")
		}
	}
}

// failing is a writer that fails after so many bytes.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// What a large read gave is written beside the next read; that it could not be is
// told soon, and stays.
func TestReadingEndsWhereWritingFails(t *testing.T) {
	text := strings.Repeat("a line without secrets\n", 1<<16)
	for _, left := range []int{0, 100 << 10} {
		w := NewWriter(&failing{left: left}, needles("s3cret-value"))
		n, err := w.ReadFrom(strings.NewReader(text))
		if !errors.Is(err, io.ErrClosedPipe) || n > int64(left)+3*maxPiece {
			t.Errorf("after %d bytes: %d read, %v", left, n, err)
		}
		if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Close: %v", err)
		}
	}
	// The last read's write may fail as well.
	w := NewWriter(&failing{}, needles("s3cret-value"))
	if n, err := w.ReadFrom(strings.NewReader(text[:maxPiece])); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%d read, %v", n, err)
	}
}

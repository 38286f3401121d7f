package redact

import (
	"strings"
	"testing"
)

// Whatever the needles, the text and the cuts, the stream is masked exactly as
// the slow reference masks the whole.
func FuzzWriter(f *testing.F) {
	line := strings.Repeat("QUJD", 15)
	f.Add("s3cret-value", "", "", "a s3cret-value b", []byte{1})
	f.Add("abcdefgh12", "gh12345678", "12345678ab", "-abcdefgh12345678ab-", []byte{3, 1, 7})
	f.Add("aaaaaaaa", "aaaaaaaab", "baaaaaaaa", "baaaaaaaaaaaaaaabaaaaaaaa", []byte{2})
	f.Add("line one\nline two\n", "db://u:p%40ssw0rd@h/x", "a'b\"c<d>&\\e f", "line one\r\nline two p@ssw0rd a'\\''b\"c<d>&\\e f", []byte{5, 1})
	f.Add("0123456789abcdef0123456789", "", "", line+"MDEy\nMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=", []byte{64, 1, 2})
	f.Add("0123456789abcdef0123456789", "", "", line+"0123\r\n   456789abcdef0123456789\r", []byte{65, 1, 1})
	f.Add(strings.Repeat("0123", 60), "", "", strings.Repeat("0123", 16)+"\n"+strings.Repeat("0123", 16)+"\n"+strings.Repeat("0123", 30), []byte{9})
	f.Add("s3cret-value", "", "", "a \x1b[31ms3c\x1b[01;31m\x1b[Kret\x1b[0m-value b \x1b[", []byte{4, 1})
	f.Add("s3cret-value", "https://x.example/s3cret", "12345678", "\x1b]8;;https://x.example/s3cret-value\x1b\\s3cret\x1b]8;;\a-value s3c\x1b[12345678mret-value\x1b", []byte{2, 30})
	f.Add("a b\x1b[0mcdefgh", "bcdefghi", "", "a b\x1b[0mcdefghi bc\x1b(Bdefghi bcde\x1bcfghi a \x1b[mb\x1b[0mcdefgh", []byte{1})
	f.Add("0123456789abcdef0123456789", "", "", line+"MDEy\x1b[0m\r\n \x1b[1mMzQ1Njc4OWFi\x1b[mY2RlZjAxMjM0NTY3ODk=", []byte{70, 1, 2})
	f.Add("0123456789abcdef0123456789", "", "", line+`0123\r\n   456789abcdef0123456789 `+line+`0123\r\x456789abcdef`, []byte{65, 1, 1})
	f.Add("s3cret-value", "0ms3cret-", "", "s3cret-\x1b]0;s3cret-value\x1b[1mvalue \x1b[0ms3cret-\x1b]8;;\as3cret-value\rs3c\x1b(Bret-\x1b\x1b[mvalue", []byte{20, 3, 1})
	f.Fuzz(func(t *testing.T, a, b, c, text string, cuts []byte) {
		if len(a)+len(b)+len(c) > 2000 || len(text) > 5000 {
			return
		}
		list := needles(a, b, c)
		set := Compile(list)
		lengths := make([]int, len(cuts))
		for i, cut := range cuts {
			lengths[i] = int(cut) + 1
		}
		whole := masked(set, text, nil)
		if got := masked(set, text, lengths); got != whole {
			t.Fatalf("cut by %v:\n%q\nin one write:\n%q", lengths, got, whole)
		}
		want := reference(text, list)
		if !agrees(whole, want, text, list) {
			t.Fatalf("text %q\ngave      %q\nreference %q", text, whole, want)
		}
		// Text of the needles themselves, which random text rarely has.
		embedded := text + a + text + b + c
		if got, want := masked(set, embedded, lengths), reference(embedded, list); !agrees(got, want, embedded, list) {
			t.Fatalf("text %q\ngave      %q\nreference %q", embedded, got, want)
		}
	})
}

// agrees reports that what a Writer gave is what the reference says.
func agrees(got, want, text string, list []Needle) bool {
	for _, needle := range list {
		// What is kept of the sequences is another thing if they are a needle's.
		if value := trim(trimBreaks(needle.Value.Reveal())); strings.ContainsRune(value, esc) {
			return weak(value) || !strings.Contains(strings.ReplaceAll(got, Mask, "\x00"), value)
		}
	}
	return got == want || mixed(text, list) && !leaks(got, list)
}

// leaks reports that a needle stands in what a Writer gave, as it is or for who
// looks at it in a terminal.
func leaks(got string, list []Needle) bool {
	got = strings.ReplaceAll(got, Mask, "\x00")
	seen, _ := lifted(got)
	return contains(got, list) || contains(seen, list)
}

// mixed reports a text that the reference reads otherwise: needles have line
// breaks and the text has wraps, so that a form may be found across one line
// break that is its own and another that is a wrap.
func mixed(text string, list []Needle) bool {
	text = withoutControls(text)
	if joined, _ := lifted(text); joined == text {
		return false
	}
	for _, needle := range list {
		if strings.ContainsAny(needle.Value.Reveal(), "\r\n \t\\") {
			return true
		}
	}
	return false
}

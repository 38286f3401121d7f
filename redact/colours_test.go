package redact

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// Logs in colours, with values and near misses in them that sequences interrupt
// anywhere, or that stand in links, are masked as the reference masks them,
// however they are cut.
func TestColouredLogsAreMaskedAsTheReferenceDoes(t *testing.T) {
	groups := 60
	switch {
	case os.Getenv("INFSH_TORTURE") != "":
		groups = 5000
	case testing.Short() || raceEnabled:
		groups = 10
	}
	logs := string(colouredText(1 << 20))
	for group := range groups {
		r := rand.New(rand.NewPCG(23, uint64(group)))
		values := testKeys(1 + r.IntN(6))
		switch group % 4 { // shorter values make smaller windows
		case 1:
			values = append(values, "hunter2-8")
		case 2:
			values = append(values, "postgres://app:p%40ssw0rd-1@db/app", "eighteen-bytes-long")
		}
		list := needles(values...)
		set := Compile(list)
		text := colouredSoup(r, logs, list)
		want := reference(text, list)
		for _, lengths := range [][]int{nil, {1 + r.IntN(3)}, {1 + r.IntN(300), 1 + r.IntN(50)}, {300 + r.IntN(3000)}} {
			got := masked(set, text, lengths)
			if got != want {
				at := samePrefix([]byte(got), []byte(want))
				from := max(0, at-40)
				t.Fatalf("group %d, values %q, cut by %v: after %d bytes, it goes on with\n%.200q, not\n%.200q", group, values, lengths, at, got[from:], want[from:])
			}
		}
	}
}

// colouredSoup is a piece of the logs with forms of the needles in it, or what is
// nearly one.
func colouredSoup(r *rand.Rand, logs string, list []Needle) string {
	var b strings.Builder
	for range 1 + r.IntN(8) {
		from := r.IntN(len(logs) - 3000)
		b.WriteString(logs[from : from+r.IntN([]int{30, 300, 3000}[r.IntN(3)])])
		all := patterns(list[r.IntN(len(list))].Value.Reveal())
		form := all[r.IntN(len(all))].text
		switch r.IntN(8) {
		case 0, 1:
			form = form[:r.IntN(len(form))]
		case 2:
			form = form[r.IntN(len(form)):]
		case 3:
			form = strings.Repeat("Ab1+", 5+r.IntN(20)) + form
			form = wrap(form, 64+r.IntN(20), []string{"\n", "\r\n", `\n`, "\n    "}[r.IntN(4)])
		}
		sequences := controls
		if r.IntN(4) == 0 {
			link := "\x1b]8;;https://example.com/" + form[:r.IntN(len(form)+1)] + "\x1b\\"
			sequences = []string{link, link + "\x1b[0m", "\x1b[" + strings.Trim(form, "ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZabcdef-_+/=%:@. \r\n\t\\") + "m"}
		}
		for many := 1 + r.IntN(20); len(form) > 0; {
			n := min(len(form), 1+r.IntN(many))
			b.WriteString(form[:n])
			form = form[n:]
			for range r.IntN(3) {
				b.WriteString(sequences[r.IntN(len(sequences))])
			}
		}
	}
	return b.String()
}

// A value that sequences interrupt is masked alike wherever the stream is cut into
// three writes.
func TestColouredValuesAreMaskedHoweverTheyAreCut(t *testing.T) {
	list := needles("s3cret-value-of-some-length-1234", "0mtoken-of-another")
	set := Compile(list)
	for _, text := range []string{
		"a \x1b[1ms3cret-va\x1b[31m\x1b[Klue-of-some-\x1b]8;;x\x1b\\length-1234\x1b[0m b",
		"\x1b[0mtoken-of-another \x1b[\x1b[0mtoken-of-\x1b(Banother\x1b[m",
		"\x1b]8;;https://h/s3cret-value-of-some-length-1234\as3cret-\x1b]8;;\avalue-of-some-length-1234",
		"s3cret-\x1b]0;broken\x1b[1mvalue-of-some-length-1234 \x1b]0;s3cret-value\x1b[1m-of-some-length-1234",
	} {
		want := reference(text, list)
		for first := range len(text) + 1 {
			for second := range len(text) - first + 1 {
				if got := masked(set, text, []int{first, second, len(text)}); got != want {
					t.Fatalf("%q, cut at %d and %d, became\n%q, not\n%q", text, first, first+second, got, want)
				}
			}
		}
	}
}

// A stream that begins a value and then has nothing but sequences is not held.
func TestSequencesWithoutEndAreNotHeld(t *testing.T) {
	set := Compile(needles("s3cret-value"))
	var out strings.Builder
	w := set.NewWriter(&out)
	text := "s3cr" + strings.Repeat("\x1b[0m", 100<<10)
	for at := 0; at < len(text); at += 1000 {
		if _, err := w.Write([]byte(text[at:min(at+1000, len(text))])); err != nil {
			t.Fatal(err)
		}
	}
	if held := len(text) - out.Len(); held > maxGaps+2000 || cap(w.text) > 8*maxGaps || cap(w.stream.gaps) > 8*maxGaps || cap(w.stream.lifted) > 8*maxGaps {
		t.Errorf("%d bytes are held back, with room for %d, %d sequences and %d shown", held, cap(w.text), cap(w.stream.gaps), cap(w.stream.lifted))
	}
	if err := w.Close(); err != nil || out.String() != text {
		t.Errorf("%d bytes became %d: %v", len(text), out.Len(), err)
	}
}

// Where a long control string proves to be none, what was passed on of it stays
// passed on: a line in it that is wrapped is told when it is too late.
func TestAControlStringThatIsNoneMayHoldWraps(t *testing.T) {
	value := "b1abb11b1babQUJDREVGR0hJSktMTU5P"
	list := needles(value)
	set := Compile(list)
	text := strings.Repeat("x", 70) + "\x1b]8;;" + strings.Repeat("x", 70) + value[:12] + `\n` + value[12:] + "\r" + value[:9] + "\x1b[m" + value[9:]
	want := reference(text, list)
	for first := range len(text) + 1 {
		if got := masked(set, text, []int{first, 1, len(text)}); got != want {
			t.Fatalf("cut at %d, %q became\n%q, not\n%q", first, text, got, want)
		}
	}
}

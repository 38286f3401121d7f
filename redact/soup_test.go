package redact

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Texts made of parts of needles, control sequences, whole and broken, and
// encoders' breaks are masked, however they are cut, as the reference masks them.
func TestSoupIsMaskedAsTheReferenceDoes(t *testing.T) {
	for group := range samples() / 20 {
		r := rand.New(rand.NewPCG(21, uint64(group)))
		list := needles(soupNeedle(r), soupNeedle(r), soupNeedle(r))
		set := Compile(list)
		for range 5 {
			text := soup(r, list)
			lengths := []int{1 + r.IntN(3), 1 + r.IntN(80), 1 + r.IntN(20)}
			got, want := masked(set, text, lengths), reference(text, list)
			if !agrees(got, want, text, list) {
				t.Fatalf("group %d, needles %q %q %q, cut by %v:\n%q\ngave      %q\nreference %q", group,
					list[0].Value.Reveal(), list[1].Value.Reveal(), list[2].Value.Reveal(), lengths, text, got, want)
			}
		}
	}
}

// soupNeedle is of few different characters, so that needles overlap each other
// and themselves.
func soupNeedle(r *rand.Rand) string {
	const long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/0123456789"
	switch r.IntN(8) {
	case 0:
		return long[:20+r.IntN(50)]
	case 1:
		return randomText(r, 8+r.IntN(5), "ab\x1b[m1")
	case 2:
		return "a" + randomText(r, 8+r.IntN(5), "ab'\" \\\n") + "b"
	}
	return randomText(r, 8+r.IntN(5), "ab1")
}

func soup(r *rand.Rand, list []Needle) string {
	var b strings.Builder
	for range 1 + r.IntN(12) {
		value := list[r.IntN(len(list))].Value.Reveal()
		all := patterns(value)
		if len(all) > 0 && r.IntN(2) == 0 {
			value = all[r.IntN(len(all))].text
		}
		from := r.IntN(len(value))
		switch r.IntN(10) {
		case 0:
			b.WriteString(value)
		case 1, 2:
			b.WriteString(value[:from])
		case 3, 4:
			b.WriteString(value[from:])
		case 5:
			b.WriteString(value[from:min(len(value), from+1)])
		case 6:
			b.WriteString([]string{"\x1b", "\x1b[", "\x1b]8;;", "\a", "\x1b\\", "m", " ", "\r"}[r.IntN(8)])
		case 7:
			b.WriteString([]string{"\n", "\r\n", `\n`, `\r\n`, "\n   ", " ", "\r", `\r`, `\`}[r.IntN(9)])
		case 8:
			b.WriteString(strings.Repeat("x", 60+r.IntN(10)))
		default:
			b.WriteString(controls[r.IntN(len(controls))])
		}
	}
	return b.String()
}

// Texts that are nearly needles everywhere are left to the automaton alone, in
// parts, and are masked as the reference masks them.
func TestDenseTextIsMaskedAsTheReferenceDoes(t *testing.T) {
	key := testKeys(1)[0]
	all := needles(key, strings.Repeat("ab", 10), strings.Repeat("a", 30)+"b", strings.Repeat("a", 3000)+"c")
	for group := range 40 {
		list := all[:3+group/20] // the last half with one too long for the parts
		set := Compile(list)
		r := rand.New(rand.NewPCG(22, uint64(group)))
		var b strings.Builder
		for b.Len() < 40<<10 {
			value := list[r.IntN(len(list))].Value.Reveal()
			switch r.IntN(12) {
			case 0:
				b.WriteString(value)
			case 1:
				b.WriteString(value[r.IntN(len(value)):])
			default:
				b.WriteString(value[:min(len(value)-1, 1+r.IntN(60))])
			}
			if group%2 == 0 && r.IntN(3) == 0 {
				b.WriteString(randomText(r, r.IntN(100), alphanumeric))
			}
		}
		text := b.String()
		want := reference(text, list)
		for _, lengths := range [][]int{nil, {32 << 10}, {5000, 3}} {
			if got := masked(set, text, lengths); got != want {
				at := samePrefix([]byte(got), []byte(want))
				t.Fatalf("group %d, cut by %v: after %d bytes, it goes on with\n%.200q, not\n%.200q", group, lengths, at, got[at:], want[at:])
			}
		}
	}
}

package redact

import (
	"bytes"
	"strings"
)

// reference masks a whole text the slow and simple way: it looks for each
// pattern at each position, in the text and in the text without its wraps, and
// replaces the union.
func reference(text string, needles []Needle) string {
	covered := make([]int, len(text)) // 0: no; n: by a region that began n-1 bytes before
	begins := make([]bool, len(text)+1)
	joined, origin := unwrapped(text)
	var spans [][2]int
	for _, needle := range needles {
		for _, form := range patterns(needle.Value.Reveal()) {
			p := form.text
			for at := 0; ; at++ {
				i := strings.Index(text[at:], p)
				if i < 0 {
					break
				}
				at += i
				spans = append(spans, [2]int{at, at + len(p)})
			}
			for at := 0; ; at++ {
				i := strings.Index(joined[at:], p)
				if i < 0 {
					break
				}
				at += i
				spans = append(spans, [2]int{origin[at], origin[at+len(p)-1] + 1})
			}
		}
	}
	for _, span := range spans {
		begins[span[0]] = true
		for i := span[0]; i < span[1]; i++ {
			covered[i]++
		}
	}
	// Regions that only touch are two: count a boundary where no span crosses.
	crossed := make([]bool, len(text)+1)
	for _, span := range spans {
		for i := span[0] + 1; i < span[1]; i++ {
			crossed[i] = true
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case covered[i] == 0:
			out.WriteByte(text[i])
		case !crossed[i] && begins[i]:
			out.WriteString(Mask)
		}
	}
	return out.String()
}

// unwrapped returns text without its wraps, and where each byte was.
func unwrapped(text string) (string, []int) {
	var joined []byte
	var origin []int
	run := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		lineBreak := c == '\n' || strings.HasPrefix(text[i:], "\r\n")
		if lineBreak && run >= wrapColumns {
			if c == '\r' {
				i++
			}
			for i+1 < len(text) && (text[i+1] == ' ' || text[i+1] == '\t') {
				i++
			}
			run = 0
			continue
		}
		if run++; !encoded[c] {
			run = 0
		}
		joined, origin = append(joined, c), append(origin, i)
	}
	return string(joined), origin
}

// masked writes text in pieces of the given lengths, over and over.
func masked(set *Set, text string, lengths []int, opts ...Option) string {
	var out bytes.Buffer
	w := set.NewWriter(&out, opts...)
	for i := 0; len(text) > 0; i++ {
		n := len(text)
		if len(lengths) > 0 {
			n = min(n, lengths[i%len(lengths)])
		}
		if _, err := w.Write([]byte(text[:n])); err != nil {
			panic(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.String()
}

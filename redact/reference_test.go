package redact

import (
	"bytes"
	"regexp"
	"strings"
)

// reference masks a whole text the slow and simple way: it looks for each
// pattern at each position, in the text, in the text without control sequences, and
// in that without wraps, and replaces the union.
func reference(text string, needles []Needle) string {
	covered := make([]int, len(text)) // 0: no; n: by a region that began n-1 bytes before
	begins := make([]bool, len(text)+1)
	var spans [][2]int
	find := func(text string, origin []int) {
		for _, needle := range needles {
			for _, form := range patterns(needle.Value.Reveal()) {
				p := form.text
				for at := 0; ; at++ {
					i := strings.Index(text[at:], p)
					if i < 0 {
						break
					}
					at += i
					spans = append(spans, [2]int{origin[at], origin[at+len(p)-1] + 1})
				}
			}
		}
	}
	origin := make([]int, len(text))
	for i := range origin {
		origin[i] = i
	}
	find(text, origin)
	joined, origin, _ := shown(text)
	find(joined, origin)
	find(lifted(text))
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
	var kept []string
	sequences := make(map[int]int)
	for i := 0; i < len(text); i++ {
		if n := len(controlSequence.FindString(text[i:])); n > 0 {
			sequences[i] = n
			i += n - 1
		}
	}
	region := -1
	for i := range len(text) {
		if covered[i] == 0 || !crossed[i] && begins[i] {
			out.WriteString(strings.Join(kept, ""))
			kept, region = nil, -1
		}
		if covered[i] == 0 {
			out.WriteByte(text[i])
			continue
		}
		if region < 0 {
			region = i
			out.WriteString(Mask)
		}
		// A control sequence that the region covers follows after the mask.
		if n := sequences[i]; n > 0 && n <= maxKept && crossed[i] && !contains(text[i:i+n], needles) {
			whole := true
			for j := i; j < i+n; j++ {
				whole = whole && covered[j] > 0 && (crossed[j] || !begins[j])
			}
			if whole && len(strings.Join(kept, ""))+n > maxAllKept {
				kept = nil
			}
			if whole {
				kept = append(kept, text[i:i+n])
			}
		}
	}
	out.WriteString(strings.Join(kept, ""))
	return out.String()
}

// shown returns text without its control sequences, and where each byte was; and
// which are of sequences that are none: there no wraps are looked for.
func shown(text string) (string, []int, map[int]bool) {
	var joined []byte
	var origin []int
	broken := make(map[int]bool)
	for i := 0; i < len(text); i++ {
		if n := len(controlSequence.FindString(text[i:])); n > 0 {
			i += n - 1
			continue
		}
		for j := range len(brokenSequence.FindString(text[i:])) {
			broken[i+j] = true
		}
		joined, origin = append(joined, text[i]), append(origin, i)
	}
	return string(joined), origin, broken
}

// lifted returns what is shown of text without its wraps, and where each byte was.
func lifted(text string) (string, []int) {
	text, places, broken := shown(text)
	var joined []byte
	var origin []int
	run, blanks := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if n := len(encoderBreak.FindString(text[i:])); n > 0 && run >= wrapColumns && !broken[places[i]] {
			if run += n; isBlank(text[i+n-1]) {
				run = 0
			}
			i += n - 1
			blanks = true
			continue
		}
		if blanks = blanks && isBlank(c); blanks {
			run = 0
			continue
		}
		if run++; c < '+' || c > 0x7f {
			run = 0
		}
		joined, origin = append(joined, c), append(origin, places[i])
	}
	return string(joined), origin
}

var (
	controlSequence = regexp.MustCompile(`^\x1b(?s:\[[ -?]*[@-~]|[\]PX^_][^\x00-\x1f]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\` + "`" + `a-~])`)
	brokenSequence  = regexp.MustCompile(`^\x1b(?s:\[[ -?]*|[\]PX^_][^\x00-\x1f]*|[ -/]*)`)
	encoderBreak    = regexp.MustCompile(`^(?:[ \t\r\n]|\\[nr])[ \t\r\n]*`)
)

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

func contains(text string, needles []Needle) bool {
	for _, needle := range needles {
		for _, p := range patterns(needle.Value.Reveal()) {
			if strings.Contains(text, p.text) {
				return true
			}
		}
	}
	return false
}

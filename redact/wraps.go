package redact

// Encoders break lines after 64 (PEM), 76 (MIME) or more characters, wherever the
// secret then is. A character counts as such a break where at least wrapColumns
// characters of an encoding stand before it; ordinary lines have a space or a
// colon there, and are not held.
const wrapColumns = 64

// wrapContext is how much of the past is needed to see how long the line is.
const wrapContext = wrapColumns + 1

// encoded are the characters of base64 in both alphabets, and so of hex.
var encoded = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

// breaks are the characters that a break begins with: a line break, as it is or
// written \n or \r\n, or a blank instead of one.
var breaks = byteSet("\n\r\\ \t")

func byteSet(of string) (set [256]bool) {
	for _, c := range []byte(of) {
		set[c] = true
	}
	return set
}

// wraps appends the positions of the breaks in text[from:]. run is how many
// characters of an encoding stand before text[from].
//
// It looks at the last of wrapColumns characters first, so that it sees few of
// those of an ordinary text.
func wraps(text []byte, from, run int, found []int) []int {
	start := from - min(run, wrapColumns) // of the run, seemingly
	for {
		last := start + wrapColumns - 1
		if last >= len(text) {
			return found
		}
		i := last
		for i >= from && i >= start && encoded[text[i]] {
			i--
		}
		if i >= from && i >= start {
			start = i + 1
			continue
		}
		end := last + 1
		for end < len(text) && encoded[text[end]] {
			end++
		}
		if end == len(text) {
			return found
		}
		if breaks[text[end]] {
			found = append(found, end)
		}
		start = end + 1
	}
}

// breakPhase is how far the beginning of a break has been read.
type breakPhase int

const (
	breakOpen breakPhase = iota // more must come
	breakRead                   // only blanks may come
	breakNone                   // it was none
)

// readBreak tells what the text is the beginning of.
func readBreak(text []byte) breakPhase {
	for _, whole := range []string{"\n", "\r\n", `\n`, `\r\n`, " ", "\t"} {
		if string(text) == whole {
			return breakRead
		}
		if len(text) < len(whole) && string(text) == whole[:len(text)] {
			return breakOpen
		}
	}
	return breakNone
}

// unwrapped returns text without what its stream is looked through for where it
// is wrapped: a value may have such breaks itself.
func unwrapped(text string) string {
	var joined []byte
	done := 0
	for _, start := range wraps([]byte(text), 0, 0, nil) {
		end := start + 1
		for end < len(text) && readBreak([]byte(text[start:end])) == breakOpen {
			end++
		}
		if readBreak([]byte(text[start:end])) != breakRead {
			continue
		}
		for end < len(text) && isBlank(text[end]) {
			end++
		}
		joined = append(joined, text[done:start]...)
		done = end
	}
	return string(append(joined, text[done:]...))
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

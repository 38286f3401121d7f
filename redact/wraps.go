package redact

import (
	"bytes"
	"encoding/binary"
)

// Encoders break lines after 64 (PEM), 76 (MIME) or more characters, wherever the
// secret then is. White space, a written \n or \r counts as such a break where
// at least wrapColumns characters stand before it without white space, quotes,
// control characters or any beyond ASCII. Ordinary lines have a word or less
// there, and are not held.
const wrapColumns = 64

// wrapContext is how much of the past is needed to see how long the line is.
const wrapContext = wrapColumns + 1

// firstDense is the first character, '+', of those that lines of encoded text
// consist of: up to 0x7f.
const firstDense = '+'

func isDense(c byte) bool { return c >= firstDense && c < 0x80 }

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// Of each denseStep characters, the first denseBlock are looked at together:
// wrapColumns in a row have a whole block in them, wherever they begin.
const (
	denseBlock = 24
	denseStep  = wrapColumns + 1 - denseBlock
)

// allDense reports that text[:denseBlock] is dense. In each byte of eight, the
// difference or the byte itself has its highest bit if it is not.
func allDense(text []byte) bool {
	const each, highest = 0x0101010101010101, 0x8080808080808080
	const first = firstDense * each
	text = text[:denseBlock]
	a, b, c := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:]), binary.LittleEndian.Uint64(text[16:])
	return ((a-first)|a|(b-first)|b|(c-first)|c)&highest == 0
}

// wraps appends the positions of the breaks in text[from:]. run is how many
// dense characters stand before text[from].
func wraps(text []byte, from, run int, found []int) []int {
	start, at := from-run, from
	for {
		// text[start:at] is dense.
		for at+denseBlock <= len(text) && allDense(text[at:]) {
			at += denseBlock
		}
		for at < len(text) && isDense(text[at]) {
			at++
		}
		if at-start >= wrapColumns {
			for i := max(start+wrapColumns, from); i < at; i++ {
				next := bytes.IndexByte(text[i:at], '\\')
				if next < 0 {
					break
				}
				i += next
				found = append(found, i)
			}
			if at < len(text) && isBlank(text[at]) {
				found = append(found, at)
			}
		}
		// The next stretch has a dense block.
		at++
		for at+denseBlock <= len(text) && !allDense(text[at:]) {
			at += denseStep
		}
		if at+denseBlock > len(text) {
			return found
		}
		start = at
		for start > from && isDense(text[start-1]) {
			start--
		}
	}
}

// unwrapped returns text without what its stream is looked through for where it
// is wrapped: a value may have such breaks itself.
func unwrapped(text string) string {
	var joined []byte
	done := 0
	for _, at := range wraps([]byte(text), 0, 0, nil) {
		end := at
		if text[at] == '\\' {
			if at+1 == len(text) || text[at+1] != 'n' && text[at+1] != 'r' {
				continue
			}
			end += 2
		}
		for end < len(text) && isBlank(text[end]) {
			end++
		}
		joined = append(joined, text[done:at]...)
		done = end
	}
	if done == 0 {
		return text
	}
	return string(append(joined, text[done:]...))
}

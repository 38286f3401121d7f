package redact

import (
	"bytes"
	"encoding/binary"
	"strings"
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
// wrapColumns in a row have a whole block in them, wherever they begin, and half
// of the others on one side of it.
const (
	denseBlock = 24
	denseStep  = wrapColumns + 1 - denseBlock
	denseSide  = (wrapColumns - denseBlock) / 2 / 8 * 8
)

const (
	eachByte    = 0x0101010101010101
	highestBits = 0x80 * eachByte
)

// sparse has one of the highestBits set if the eight bytes are not all dense: in
// each byte, the difference or the byte itself has its highest bit then.
func sparse(text []byte) uint64 {
	eight := binary.LittleEndian.Uint64(text)
	return eight - firstDense*eachByte | eight
}

func allDense(text []byte) bool {
	text = text[:denseBlock]
	return (sparse(text)|sparse(text[8:])|sparse(text[16:]))&highestBits == 0
}

// denseSides reports that one side of the block is dense as far as it must be.
func denseSides(text []byte, at int) bool {
	after := at + denseBlock
	if after+denseSide > len(text) || at < denseSide {
		return true
	}
	return (sparse(text[after:])|sparse(text[after+8:]))&highestBits == 0 ||
		(sparse(text[at-8:])|sparse(text[at-16:]))&highestBits == 0
}

// nextDense returns the position of the next block that is dense, or -1.
func nextDense(text []byte, at int) int {
	for {
		rest := text[min(at, len(text)):]
		for len(rest) >= denseStep && !allDense(rest) {
			rest = rest[denseStep:]
		}
		at = len(text) - len(rest)
		if len(rest) < denseBlock || len(rest) < denseStep && !allDense(rest) {
			return -1
		}
		if denseSides(text, at) {
			return at
		}
		at += denseStep
	}
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
		if at = nextDense(text, at+1); at < 0 {
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
	if len(text) <= wrapColumns || !strings.ContainsAny(text, "\\ \t\n\r") {
		return text
	}
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

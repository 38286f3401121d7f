package redact

import (
	"encoding/binary"
	"math/bits"
)

// shiftTable finds the positions at which a pattern may start (Wu and Manber,
// 1994). It looks at the last bytes of a window as long as the shortest pattern
// (at most maxWindow), and passes over as many positions as no pattern has these
// bytes at.
type shiftTable struct {
	shift  []uint8 // by hash of a block: by how much the window may move; 0: a pattern may start with it
	drop   uint    // bits to drop from the hash
	window int
}

const (
	// block is 4 bytes: of 3, base64 has too few to tell a thousand secrets apart.
	block     = 4
	maxWindow = 32
	// A table has room for this many times its blocks, so that it is mostly
	// empty, up to 1 MiB, which caches hold.
	spread       = 8
	minTableBits = 12
	maxTableBits = 20
)

func newShiftTable(patterns []pattern) shiftTable {
	window := maxWindow
	for _, p := range patterns {
		window = min(window, len(p.text))
	}
	blocks := len(patterns) * (window - block + 1)
	size := min(max(bits.Len(uint(blocks*spread)), minTableBits), maxTableBits)
	t := shiftTable{shift: make([]uint8, 1<<size), drop: uint(32 - size), window: window}
	for i := range t.shift {
		t.shift[i] = uint8(window - block + 1)
	}
	for _, p := range patterns {
		for last := block - 1; last < window; last++ {
			h := t.hash([]byte(p.text[last-block+1 : last+1]))
			t.shift[h] = min(t.shift[h], uint8(window-1-last))
		}
	}
	return t
}

// hashFactor is 2^32 divided by the golden ratio (Knuth's multiplicative hash).
const hashFactor = 0x9E3779B1

func (t *shiftTable) hash(text []byte) uint32 {
	return binary.LittleEndian.Uint32(text) * hashFactor >> t.drop
}

// longest returns the length that a beginning of a pattern, shorter than the
// window, has at most at the end of the text: its last block is not farther from
// the pattern's beginning than the shift says.
func (t *shiftTable) longest(text []byte) int {
	if len(text) < block {
		return len(text)
	}
	return t.window - int(t.shift[t.hash(text[len(text)-block:])])
}

// candidates are positions at which a pattern may start, in ascending order.
type candidates [4][]int32

// candidates finds the positions in [from, to), unless there are many more than
// limit of them; then it gives up and returns false. The text must hold each of
// their windows: to+window-1 <= len(text).
//
// It looks through four parts of the text in turns. Each step waits for what
// the one before reads from memory, and so the four wait at the same time.
func (t *shiftTable) candidates(text []byte, from, to, limit int, found *candidates) bool {
	const minPart = 64
	for i := range found {
		found[i] = found[i][:0]
	}
	// Positions are those of the windows' last blocks from here on.
	reach := t.window - block
	from, to = from+reach, to+reach
	part := (to - from) / 4
	if part < minPart {
		found[0] = t.pass(text, from, to, found[0])
		return true
	}
	table, drop := t.shift, t.drop&31
	a, b, c, d := from, from+part, from+2*part, from+3*part
	endA, endB, endC, endD := b, c, d, to
	for a < endA && b < endB && c < endC && d < endD {
		byA := int(table[binary.LittleEndian.Uint32(text[a:])*hashFactor>>drop])
		byB := int(table[binary.LittleEndian.Uint32(text[b:])*hashFactor>>drop])
		byC := int(table[binary.LittleEndian.Uint32(text[c:])*hashFactor>>drop])
		byD := int(table[binary.LittleEndian.Uint32(text[d:])*hashFactor>>drop])
		if byA == 0 {
			found[0] = append(found[0], int32(a-reach))
			byA = 1
		}
		if byB == 0 {
			found[1] = append(found[1], int32(b-reach))
			byB = 1
		}
		if byC == 0 {
			found[2] = append(found[2], int32(c-reach))
			byC = 1
		}
		if byD == 0 {
			if found[3] = append(found[3], int32(d-reach)); len(found[3]) > limit/4 {
				return false
			}
			byD = 1
		}
		a, b, c, d = a+byA, b+byB, c+byC, d+byD
	}
	found[0] = t.pass(text, a, endA, found[0])
	found[1] = t.pass(text, b, endB, found[1])
	found[2] = t.pass(text, c, endC, found[2])
	found[3] = t.pass(text, d, endD, found[3])
	return len(found[0])+len(found[1])+len(found[2])+len(found[3]) <= limit
}

// pass is candidates for one part, whose bounds are positions of last blocks.
func (t *shiftTable) pass(text []byte, at, end int, found []int32) []int32 {
	for at < end {
		by := int(t.shift[t.hash(text[at:])])
		if by == 0 {
			found = append(found, int32(at-(t.window-block)))
			by = 1
		}
		at += by
	}
	return found
}

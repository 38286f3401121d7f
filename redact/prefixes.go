package redact

import (
	"encoding/binary"
	"math/bits"
)

// prefixTable tells of a position whether a pattern stands there, or begins there
// and goes on after the text. It reads less memory for that than the automaton,
// which need only look where this says yes; but it looks at overlapping texts
// over and over, so that the caller must bound its work.
type prefixTable struct {
	texts  []byte  // all patterns, sorted
	starts []int32 // of each in texts, and the end of all
	slots  []slot  // by the hash of a pattern's first window bytes
	drop   uint    // bits to drop from the hash
	window int
}

// slot leads to the first of the patterns with the same first bytes.
type slot struct {
	tag   uint32 // the rest of the hash
	first int32  // index of the pattern from 1 on; 0: empty
}

func newPrefixTable(sorted []pattern, window int) prefixTable {
	size := bits.Len(uint(2 * len(sorted)))
	t := prefixTable{starts: make([]int32, 1, len(sorted)+1), slots: make([]slot, 1<<size), drop: uint(64 - size), window: window}
	for i, p := range sorted {
		t.texts = append(t.texts, p.text...)
		t.starts = append(t.starts, int32(len(t.texts)))
		if i > 0 && p.text[:window] == sorted[i-1].text[:window] {
			continue
		}
		hash := t.hash([]byte(p.text[:window]))
		at := int(hash >> t.drop)
		for t.slots[at].first != 0 {
			at = (at + 1) % len(t.slots)
		}
		t.slots[at] = slot{tag: uint32(hash), first: int32(i + 1)}
	}
	return t
}

// hash is of the first and the last 8 bytes of a window, which is as long at
// least.
func (t *prefixTable) hash(text []byte) uint64 {
	const factor = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	first, last := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[t.window-8:])
	hash := (first*factor ^ last) * factor
	return hash ^ hash>>32
}

// begins reports that a pattern stands at the beginning of text, which is at
// least a window long, or that all of text is the beginning of one. It also
// returns how many bytes it compared.
func (t *prefixTable) begins(text []byte) (bool, int) {
	hash := t.hash(text)
	compared := 0
	for at := int(hash >> t.drop); t.slots[at].first != 0; at = (at + 1) % len(t.slots) {
		if t.slots[at].tag != uint32(hash) {
			continue
		}
		for i := int(t.slots[at].first); i < len(t.starts); i++ {
			p := t.texts[t.starts[i-1]:t.starts[i]]
			same := samePrefix(p, text)
			if compared += same; same == len(p) || same == len(text) {
				return true, compared
			}
			if same < t.window {
				break
			}
		}
	}
	return false, compared
}

package redact

import (
	"encoding/binary"
	"math/bits"
)

const esc = 0x1b

// maxSequence bounds a control sequence, and so what is held for one that a
// stream only begins. Links (OSC 8) hold a URL.
const maxSequence = 4 << 10

// sequence reads one control sequence of a terminal (ECMA-48, and xterm's
// operating system commands): CSI for colours and erasing, OSC for links and
// titles, other control strings, and the short escapes.
type sequence struct {
	phase  seqPhase
	length int
}

type seqPhase int

const (
	seqNone      seqPhase = iota
	seqEscape             // after ESC
	seqShort              // after ESC and intermediate bytes
	seqCSI                // after ESC [
	seqString             // after ESC ] and the like, until BEL or ESC \
	seqStringEnd          // after an ESC in that
	seqDone
	seqBroken // the last byte looked at belongs to no sequence
	seqAgain  // neither does it, but the ESC before it begins another
)

// begin starts a sequence, whose ESC has been read.
func (s *sequence) begin() { *s = sequence{phase: seqEscape} }

// open reports that a sequence is being read.
func (s *sequence) open() bool { return s.phase != seqNone }

// read takes in what of text belongs to the sequence, and returns how much that
// is: all of it, unless the phase is seqDone, seqBroken or seqAgain then.
func (s *sequence) read(text []byte) int {
	for i := 0; i < len(text); i++ {
		if s.phase == seqString {
			// Most of a link is looked at by eight bytes.
			n := printable(text[i:min(len(text), max(i, i+maxSequence-s.length))])
			s.length += n
			if i += n; i == len(text) {
				break
			}
		}
		s.phase = s.next(text[i])
		s.length++
		if s.phase < seqDone && s.length > maxSequence {
			s.phase = seqBroken
		}
		switch s.phase {
		case seqDone:
			return i + 1
		case seqBroken, seqAgain:
			return i
		}
	}
	return len(text)
}

// printable returns how many bytes a text begins with that are 0x20 or more, less
// up to seven.
func printable(text []byte) int {
	n := 0
	for ; n+8 <= len(text); n += 8 {
		eight := binary.LittleEndian.Uint64(text[n:])
		if (eight-0x20*eachByte)&^eight&highestBits != 0 {
			break
		}
	}
	return n
}

func (s *sequence) next(c byte) seqPhase {
	switch s.phase {
	case seqEscape:
		switch {
		case c == '[':
			return seqCSI
		case c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_':
			return seqString
		}
		fallthrough
	case seqShort:
		switch {
		case c >= 0x20 && c <= 0x2f:
			return seqShort
		case c >= 0x30 && c <= 0x7e:
			return seqDone
		}
	case seqCSI:
		switch {
		case c >= 0x20 && c <= 0x3f:
			return seqCSI
		case c >= 0x40 && c <= 0x7e:
			return seqDone
		}
	case seqString:
		switch {
		case c == '\a':
			return seqDone
		case c == esc:
			return seqStringEnd
		case c >= 0x20:
			return seqString
		}
	case seqStringEnd:
		if c == '\\' {
			return seqDone
		}
		return seqAgain
	}
	return seqBroken
}

// usual returns the length of the control sequence with which the eight bytes
// begin, if it is ESC [, up to five other bytes and a last one. Else it returns 0.
func usual(eight uint64) int {
	// Where a byte is not from 0x20 to 0x3f, some of these bits are set.
	end := bits.TrailingZeros64((eight^0x20*eachByte)&(0xe0*eachByte)>>16<<16) &^ 7
	if last := byte(eight >> (end & 63)); uint16(eight) != '['<<8|esc || last-0x40 >= 0x3f {
		return 0
	}
	return end/8 + 1
}

// short returns the length of the control sequence at the beginning of text, if it
// ends there, and 0 if there is none. Else it returns -1.
func short(text []byte) int {
	var s sequence
	s.begin()
	n := s.read(text[1:])
	switch s.phase {
	case seqDone:
		return n + 1
	case seqBroken, seqAgain:
		return 0
	}
	return -1
}

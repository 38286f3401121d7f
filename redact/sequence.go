package redact

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
)

// begin starts a sequence, whose ESC has been read.
func (s *sequence) begin() { *s = sequence{phase: seqEscape} }

// open reports that a sequence is being read.
func (s *sequence) open() bool { return s.phase != seqNone }

// read takes in what of text belongs to the sequence, and returns how much that
// is: all of it, unless the phase is seqDone or seqBroken then.
func (s *sequence) read(text []byte) int {
	for i, c := range text {
		s.phase = s.next(c)
		s.length++
		if s.phase != seqDone && s.length > maxSequence {
			s.phase = seqBroken
		}
		switch s.phase {
		case seqDone:
			return i + 1
		case seqBroken:
			return i
		}
	}
	return len(text)
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
	}
	return seqBroken
}

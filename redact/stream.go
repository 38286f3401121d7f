package redact

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
)

// stream looks through one stream, given in pieces, as a terminal shows it and as
// it is. The two differ where control sequences stand. Far from one, a match may
// not reach over it, and the text is looked through where it is. Near one, what
// is shown is lifted out, into a text of its own (see lift). What begins in a
// sequence is found by the way (see hidden).
type stream struct {
	automaton *automaton
	shown     scanner // over what is shown
	hidden    hidden
	raw       scanner // its run over the text as it is, where a pattern has an ESC

	sequence sequence // the control sequence that is being read
	began    int64    // where it begins
	read     []byte   // what was read of it

	lifting bool
	lifted  []byte // what is shown, from wrapContext before what is new
	fresh   int    // where in it that begins
	gaps    []gap  // the sequences, as far back as a match or a region may reach
	taken   int    // how many of them take and forget have been through
	removed int64  // the last position in the stream, less that in what is shown
	ended   int64  // where the last sequence ended
	live    int64  // what the last scan returned

	escape int // the next ESC at or after the last position that was asked about
}

const (
	// Where no sequence follows for long, lifting may end.
	long = 512
	// maxLift is how much is looked through at a time, so that caches still have
	// what has been lifted out.
	maxLift = 16 << 10
)

func newStream(a *automaton) stream {
	return stream{automaton: a, shown: scanner{automaton: a}, raw: scanner{automaton: a}, hidden: hidden{automaton: a, from: -1}}
}

// scan reads text[from:]; text[:from] is what it read before, back to the
// earliest live position and at least wrapContext bytes, as far as there are
// so many. base is the position of text[0] in the stream. It appends what it
// found to matches and returns the earliest position of a match that is not
// complete yet (the end of the text if there is none).
func (s *stream) scan(text []byte, from int, base int64, matches []match) ([]match, int64) {
	s.escape = -1
	s.taken = max(0, s.taken-s.trim(0, s.live))
	s.hidden.resume(from, base)
	before := len(s.gaps)
	for at := from; at < len(text); {
		if !s.lifting {
			next := s.nextEscape(text, at)
			matches = s.plain(text[:next], at, base, matches)
			if at = next; at < len(text) {
				s.startLifting(text, at)
			}
			continue
		}
		at, matches = s.lift(text, at, base, matches)
		s.lifting = !s.apart(base + int64(at))
		if len(matches) == 0 {
			s.trim(before, s.shownLive(base+int64(at)))
		}
	}
	end, passed := base+int64(len(text)), s.live
	matches, s.live = s.hidden.end(text, s.sequence.phase == seqStringEnd, base, matches)
	s.live = min(s.live, s.shownLive(end))
	if s.automaton.esc && s.lifting {
		s.live = min(s.live, end-int64(s.automaton.live(s.raw.state)))
	}
	s.live = max(s.live, passed)
	return matches, s.live
}

// nextEscape returns the position of the next ESC, or the text's end.
func (s *stream) nextEscape(text []byte, at int) int {
	if s.escape < at {
		s.escape = len(text)
		if i := bytes.IndexByte(text[at:], esc); i >= 0 {
			s.escape = at + i
		}
	}
	return s.escape
}

// plain looks through text[at:], which is far from sequences.
func (s *stream) plain(text []byte, at int, base int64, matches []match) []match {
	if at == len(text) {
		return matches
	}
	found := len(matches)
	matches = s.shown.scan(text, at, base-s.removed, matches)
	for i := range matches[found:] {
		m := &matches[found+i]
		m.start, m.end = m.start+s.removed, m.end+s.removed
	}
	return matches
}

func (s *stream) startLifting(text []byte, at int) {
	s.lifting = true
	s.lifted = append(s.lifted[:0], text[max(0, at-wrapContext):at]...)
	s.raw.state, s.raw.rest, s.raw.rested = s.shown.state, 0, 0
}

// apart reports that the last sequence is so far before the position that
// nothing which is being looked at reaches back to it.
func (s *stream) apart(position int64) bool {
	since := position - s.ended
	return !s.sequence.open() && since >= wrapContext && since >= int64(s.automaton.nodes[s.shown.state].depth) &&
		s.shown.second.start(s.automaton, position-s.removed) >= s.ended-s.removed &&
		(!s.automaton.esc || since >= int64(s.automaton.nodes[s.raw.state].depth))
}

// lift looks through a stretch of the text from at on, and returns where it ends.
func (s *stream) lift(text []byte, at int, base int64, matches []match) (int, []match) {
	if drop := len(s.lifted) - wrapContext; drop > 0 {
		s.lifted = s.lifted[:copy(s.lifted, s.lifted[drop:])]
	}
	s.fresh = len(s.lifted)
	start, to := at, min(at+maxLift, len(text))
	for at < to || at < len(text) && s.sequence.open() {
		if s.sequence.open() {
			at, matches = s.readSequence(text, at, base, matches)
			continue
		}
		next := s.nextEscape(text, at)
		if next-at >= long {
			to = min(to, at+2*wrapContext)
		}
		if next >= to {
			s.lifted = append(s.lifted, text[at:to]...)
			at = to
			break
		}
		if end, found := s.liftShort(text, at, to, base, matches); end > at {
			at, matches = end, found
			continue
		}
		s.lifted = append(s.lifted, text[at:next]...)
		matches = s.hidden.look(text, next, base, matches)
		at = next + 1
		s.hidden.begin(at, open)
		s.sequence.begin()
		s.began, s.read = base+int64(next), append(s.read[:0], esc)
	}
	if s.automaton.esc {
		matches = s.raw.run(text, start, at, base, matches)
	}
	end := base + int64(at)
	if s.sequence.open() {
		end = s.began
	}
	return at, s.search(end, true, matches)
}

// search looks through what is new of what is shown, up to the position in the
// stream, for wraps as well or not.
func (s *stream) search(end int64, wraps bool, matches []match) []match {
	base, found := end-s.removed-int64(len(s.lifted)), len(matches)
	if wraps {
		matches = s.shown.scan(s.lifted, s.fresh, base, matches)
	} else {
		matches = s.shown.both(s.lifted, s.fresh, len(s.lifted), base, matches)
	}
	s.fresh = len(s.lifted)
	known := matches[found:]
	matches = matches[:found]
	for _, m := range known {
		// What stood in a sequence that proved to be none may have been found, and
		// passed on, when it was taken for one.
		m.start, m.end = max(s.position(m.start), s.live), s.position(m.end-1)+1
		if m.start < m.end {
			matches = append(matches, m)
		}
	}
	return matches
}

// liftShort does what lift does, as far as there are short sequences with not too
// much between them, and at least to the position to. The last bytes of the text
// are left. It looks for the sequences in 64 bytes at a time, so that one
// does not wait for another, and has few branches: where sequences stand is hardly
// foreseen.
func (s *stream) liftShort(text []byte, at, to int, base int64, matches []match) (int, []match) {
	const many, overlap = 64, 32
	if s.hidden.resumed && s.hidden.from >= 0 {
		return at, matches
	}
	s.lifted = slices.Grow(s.lifted, to-at+2*many+overlap)
	lifted, from := s.lifted[:cap(s.lifted)], len(s.lifted)
	gaps, removed := s.gaps, s.removed
	// Where the inside of the last sequence begins, if what is hidden in it may
	// matter.
	t := &s.automaton.skip
	body, window := s.hidden.from, t.window
	if body < 0 {
		body = len(text)
	}
	if s.automaton.esc {
		window = len(text)
	}
	i := at
lift:
	for ; i < to && i+many+overlap <= len(text) && i-at < long; i += many {
		for escapes := escapesIn((*[many]byte)(text[i:])); escapes != 0; escapes &= escapes - 1 {
			next := i + bits.TrailingZeros64(escapes)
			if next < at {
				continue // in a sequence
			}
			eight := binary.LittleEndian.Uint64(text[next:])
			length := usual(eight)
			if length == 0 {
				if c := byte(eight >> 8); byte(eight) != esc || c < 0x20 || c > 0x7e {
					continue // text
				}
				if length = short(text[next : next+overlap]); length < 0 {
					i = next
					break lift
				}
				if length == 0 {
					continue
				}
			}
			if n := next - at; n <= overlap {
				// More than is shown is copied, and what follows overwrites it.
				*(*[overlap]byte)(lifted[from:]) = *(*[overlap]byte)(text[at:])
				from += n
			} else {
				from += copy(lifted[from:], text[at:next])
			}
			if next-body >= window && int(t.shift[t.hash(text[body+window-block:])]) < at-body {
				s.hidden.begin(body, at)
				matches = s.hidden.look(text, next, base, matches)
			}
			at = next + length
			body = next + 1
			position := base + int64(next)
			gaps = append(gaps, gap{position, position + int64(length), position - removed})
			removed += int64(length)
		}
	}
	if len(gaps) > len(s.gaps) {
		s.hidden.begin(body, at)
		s.gaps, s.removed, s.ended = gaps, removed, base+int64(at)
	}
	if at < i {
		from += copy(lifted[from:], text[at:i])
		at = i
	}
	s.lifted = s.lifted[:from]
	return at, matches
}

// escapesIn returns which of 64 bytes are ESC. Where one is 0x1a after an ESC, it
// may be said to be one.
func escapesIn(text *[64]byte) uint64 {
	return escapesIn8(text[:8]) | escapesIn8(text[8:16])<<8 | escapesIn8(text[16:24])<<16 | escapesIn8(text[24:32])<<24 |
		escapesIn8(text[32:40])<<32 | escapesIn8(text[40:48])<<40 | escapesIn8(text[48:56])<<48 | escapesIn8(text[56:])<<56
}

func escapesIn8(text []byte) uint64 {
	eight := binary.LittleEndian.Uint64(text) ^ esc*eachByte
	// The highest bit of each byte that is 0, and these put together.
	return ((eight - eachByte) &^ eight & highestBits) >> 7 * 0x0102040810204080 >> 56
}

// readSequence reads on in a control sequence. One that proves to be none is text,
// in which no wraps are looked for: what begins there is held only in so far as
// hidden holds it.
func (s *stream) readSequence(text []byte, at int, base int64, matches []match) (int, []match) {
	n := s.sequence.read(text[at:])
	s.read = append(s.read, text[at:at+n]...)
	at += n
	position := base + int64(at)
	switch s.sequence.phase {
	case seqDone:
		s.hidden.close(at)
		s.leaveOut(s.began, position)
	case seqBroken:
		s.hidden.drop()
		matches = s.asText(s.read, position, matches)
	case seqAgain:
		s.hidden.begin(at, open)
		matches = s.asText(s.read[:len(s.read)-1], position-1, matches)
		s.sequence.begin()
		s.began, s.read = position-1, append(s.read[:0], esc)
		return at, matches
	default:
		return at, matches
	}
	s.sequence.phase = seqNone
	return at, matches
}

// asText says that what was read of a sequence, up to the position, is shown.
func (s *stream) asText(read []byte, end int64, matches []match) []match {
	matches = s.search(s.began, true, matches)
	s.lifted = append(s.lifted, read...)
	return s.search(end, false, matches)
}

// leaveOut says that this is a sequence, which is not shown.
func (s *stream) leaveOut(start, end int64) {
	s.gaps = append(s.gaps, gap{start, end, start - s.removed})
	s.removed += end - start
	s.ended = end
}

// shownEnd returns how much has been shown when the stream was read up to the
// position.
func (s *stream) shownEnd(position int64) int64 {
	if s.sequence.open() {
		position = s.began
	}
	return position - s.removed
}

// position returns where in the stream a position in what is shown is.
func (s *stream) position(shown int64) int64 {
	if len(s.gaps) == 0 {
		return shown + s.removed
	}
	return position(s.gaps, shown)
}

// shownLive returns the earliest position of a match in what is shown that is
// not complete yet.
func (s *stream) shownLive(end int64) int64 {
	shown := s.shownEnd(end)
	for {
		live := s.shown.live(shown)
		if live == shown {
			return end
		}
		start := s.position(live)
		if end-start <= shown-live+maxGaps {
			return start
		}
		// A stream of nothing but sequences would be held.
		if s.shown.second.start(s.automaton, shown) <= live {
			s.shown.second.stop()
		} else {
			s.shown.state = s.automaton.nodes[s.shown.state].fail
		}
	}
}

// trim forgets the sequences, but for the first, that end at the position or
// before: nothing reaches back to them any more. It returns how many.
func (s *stream) trim(first int, live int64) int {
	left := s.gaps[first:]
	drop := sort.Search(len(left), func(i int) bool { return left[i].end > live })
	s.gaps = s.gaps[:first+copy(left, left[drop:])]
	return drop
}

// take returns the sequences that end at the position or before and that it or
// forget have not been through yet.
func (s *stream) take(to int64) []gap {
	left := s.gaps[s.taken:]
	n := sort.Search(len(left), func(i int) bool { return left[i].end > to })
	s.taken += n
	return left[:n]
}

// forget passes over the sequences that begin before the position.
func (s *stream) forget(to int64) {
	left := s.gaps[s.taken:]
	s.taken += sort.Search(len(left), func(i int) bool { return left[i].start >= to })
}

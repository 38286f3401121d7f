package redact

import (
	"bytes"
)

// match is an occurrence of a needle: positions in the stream, end exclusive.
type match struct {
	start, end int64
	kind       kind
}

// scanner runs an automaton over one stream, given in pieces. It sees encoded
// text that is wrapped, too (see wrapped).
type scanner struct {
	automaton *automaton
	state     int32
	wrapped   wrapped
	breaks    []int

	candidates []int32
	rest       int // how much of the text is still left to the automaton alone
	rested     int // how much was at the last time
}

// scan reads text[from:]; text[:from] is what it read before, back to the
// earliest live position and at least wrapContext bytes, as far as there are
// so many. base is the position of text[0] in the stream. It appends what it
// found to matches and returns the earliest position of a match that is not
// complete yet (the end of the text if there is none).
func (s *scanner) scan(text []byte, from int, base int64, matches []match) ([]match, int64) {
	s.breaks = wrapBreaks(text, from, s.breaks[:0])
	at := from
	for _, next := range s.breaks {
		matches = s.run(text, at, next, base, matches)
		matches = s.wrapped.run(s.automaton, text, at, next, base, matches)
		s.wrapped.skip(text, next, base, s.state)
		matches = s.run(text, next, next+1, base, matches)
		at = next + 1
	}
	matches = s.run(text, at, len(text), base, matches)
	matches = s.wrapped.run(s.automaton, text, at, len(text), base, matches)

	end := base + int64(len(text))
	live := end - int64(s.automaton.live(s.state))
	return matches, min(live, s.wrapped.live(s.automaton, end))
}

const (
	// shallow is the depth of a state up to which it costs less to look at its
	// bytes again through the shifts than to go on with the automaton.
	shallow = 3
	// stretch is how many positions are looked through at a time for candidates.
	stretch = 8 << 10
	// Where there are more candidates than one in crowded positions, the shifts
	// pay no more: the next text is left to the automaton alone.
	crowded = 32
	// maxRest bounds for how much of it.
	maxRest = 64 << 10
)

// run looks for matches in text[from:to].
func (s *scanner) run(text []byte, from, to int, base int64, matches []match) []match {
	a := s.automaton
	text = text[:to]
	i := from
	for i < to {
		// From a shallow state on, or where none is left, the shifts say where
		// the automaton must look.
		if s.rest > 0 {
			end := min(to, i+s.rest)
			s.rest -= end - i
			i, matches = s.walk(text, i, end, end, base, matches)
			continue
		}
		start := i - int(a.nodes[s.state].depth)
		if start < i-shallow {
			i, matches = s.walk(text, i, to, start, base, matches)
			continue
		}
		end := min(to-a.skip.window+1, start+stretch)
		if end <= start {
			// No window fits any more.
			_, matches = s.walk(text, i, to, to, base, matches)
			break
		}
		s.candidates = a.skip.candidates(text, start, end, s.candidates[:0])
		if len(s.candidates) > stretch/crowded {
			s.rested = min(max(2*s.rested, stretch), maxRest)
			s.rest = s.rested
			continue
		}
		s.rested = 0
		i, matches = s.visit(text, i, start, end, base, matches)
	}
	return matches
}

// visit runs the automaton from each candidate on that it has not passed, and
// returns the position at which to go on: at or after end.
func (s *scanner) visit(text []byte, i, start, end int, base int64, matches []match) (int, []match) {
	a := s.automaton
	for _, candidate := range s.candidates {
		c := int(candidate)
		if c < i-int(a.nodes[s.state].depth) {
			continue
		}
		if c > i {
			i, s.state = c, 0
		}
		i, matches = s.walk(text, i, len(text), c, base, matches)
	}
	if depth := int(a.nodes[s.state].depth); depth <= shallow && i-depth < end {
		i, s.state = end, 0
	}
	return i, matches
}

// walk runs the automaton over text[i:end], and stops before that where its
// state is shallow and begins after the position start.
func (s *scanner) walk(text []byte, i, end, start int, base int64, matches []match) (int, []match) {
	a, state := s.automaton, s.state
	text = text[:end]
	for i < len(text) {
		n := &a.nodes[state]
		if n.run > 0 {
			along := a.follow(state, text[i:])
			i += along
			state += int32(along)
			if along < int(n.run) {
				if i == len(text) {
					break
				}
				state = a.next(a.nodes[state].fail, text[i])
				i++
			}
		} else {
			state = a.next(state, text[i])
			i++
		}
		n = &a.nodes[state]
		if n.end != 0 {
			found := a.ends[n.end]
			stop := base + int64(i)
			matches = append(matches, match{start: stop - int64(found.length), end: stop, kind: found.kind})
		}
		if n.depth <= shallow && i-int(n.depth) > start {
			break
		}
	}
	s.state = state
	return i, matches
}

// Encoders break lines after 64 (PEM), 76 (MIME) or more characters, wherever the
// secret then is. wrapped continues the scan over such breaks as if they were
// not there: the break, and blanks that indent the next line. An end of a line
// counts as one where at least wrapColumns characters of an encoding stand
// before it; ordinary lines have a space or a colon there, and are not held.
const wrapColumns = 64

// wrapContext is how much of the past is needed to see how long the line is.
const wrapContext = wrapColumns + 1

// wrapBreaks returns the positions of the breaks in text[from:]. For CR LF it is
// the CR.
func wrapBreaks(text []byte, from int, found []int) []int {
	// A CR that ended the last piece was taken for a break, so the LF after it
	// follows no run and is none. At the end of this piece the same is done.
	at := from
	for at < len(text) {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			break
		}
		at += n
		position := at
		if position > from && text[position-1] == '\r' {
			position--
		}
		if wrapsAt(text[:position]) {
			found = append(found, position)
		}
		at++
	}
	if last := len(text) - 1; last >= from && text[last] == '\r' && wrapsAt(text[:last]) {
		found = append(found, last)
	}
	return found
}

func wrapsAt(text []byte) bool {
	for run := 0; run < wrapColumns; run++ {
		if run == len(text) || !encoded[text[len(text)-1-run]] {
			return false
		}
	}
	return true
}

// encoded are the characters of base64 in both alphabets, and so of hex.
var encoded = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		set[c] = true
	}
	return set
}()

// wrapped is a second run of the automaton, which skips wraps. It lives while it
// holds something from before the last wrap; else the first run sees the same.
type wrapped struct {
	state int32
	gaps  []gap // what was skipped, as far back as the state reaches; none: not alive
	phase phase
}

type gap struct{ start, end int64 }

type phase int

const (
	inText   phase = iota
	inIndent       // after a line break
	inBreak        // after a CR that an LF must follow
)

// skip starts a gap at text[at], a wrap. state is the first run's.
func (w *wrapped) skip(text []byte, at int, base int64, state int32) {
	if len(w.gaps) == 0 {
		if state == 0 {
			return
		}
		w.state = state
	}
	position := base + int64(at)
	w.gaps = append(w.gaps, gap{position, position + 1})
	w.phase = inIndent
	if text[at] == '\r' {
		w.phase = inBreak
	}
}

func (w *wrapped) run(a *automaton, text []byte, from, to int, base int64, matches []match) []match {
	for i := from; i < to && len(w.gaps) > 0; i++ {
		position, c := base+int64(i), text[i]
		last := &w.gaps[len(w.gaps)-1]
		switch {
		case w.phase == inBreak && c != '\n':
			// The CR was a character of the text after all.
			w.gaps = w.gaps[:len(w.gaps)-1]
			w.state = a.next(w.state, '\r')
			w.phase = inText
			if w.prune(a, position); len(w.gaps) == 0 {
				return matches
			}
		case w.phase == inBreak:
			last.end++
			w.phase = inIndent
			continue
		case w.phase == inIndent && (c == ' ' || c == '\t'):
			last.end++
			continue
		}
		w.phase = inText
		w.state = a.next(w.state, c)
		if found := a.nodes[w.state].end; found != 0 {
			e := a.ends[found]
			matches = append(matches, match{start: w.back(position+1, int(e.length)), end: position + 1, kind: e.kind})
		}
		w.prune(a, position+1)
	}
	return matches
}

// back returns the position of the n-th character before end, gaps not counted.
func (w *wrapped) back(end int64, n int) int64 {
	for i := len(w.gaps) - 1; i >= 0 && n > 0; i-- {
		after := int(end - w.gaps[i].end)
		if after >= n {
			break
		}
		n -= after
		end = w.gaps[i].start
	}
	return end - int64(n)
}

// prune forgets the gaps that the state does not reach back over.
func (w *wrapped) prune(a *automaton, end int64) {
	start := w.back(end, int(a.nodes[w.state].depth))
	for len(w.gaps) > 0 && w.gaps[0].start < start {
		w.gaps = w.gaps[1:]
	}
	if len(w.gaps) == 0 {
		w.gaps = nil
	}
}

// live returns the earliest position of a match that is not complete yet.
func (w *wrapped) live(a *automaton, end int64) int64 {
	if len(w.gaps) == 0 {
		return end
	}
	// A gap at the end has no character after it.
	if live := a.live(w.state); live > 0 {
		return w.back(end, live)
	}
	return end
}

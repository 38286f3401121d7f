package redact

// match is an occurrence of a needle: positions in the stream, end exclusive.
type match struct {
	start, end int64
	kind       kind
}

// scanner runs an automaton over one text, given in pieces, and a second time
// where an encoder's line breaks stand in it that are to be looked through (see
// gapped).
type scanner struct {
	automaton *automaton
	state     int32
	second    gapped
	wraps     []int

	candidates candidates
	rest       int // how much of the text is still left to the automaton alone
	rested     int // how much was at the last time
}

// scan reads text[from:]; text[:from] is what it read before, at least
// wrapContext bytes, as far as there are so many. base is the position of text[0]
// in the whole. It appends what it found to matches.
func (s *scanner) scan(text []byte, from int, base int64, matches []match) []match {
	at := from
	s.wraps = wraps(text, at, denseBefore(text, at), s.wraps[:0])
	for _, next := range s.wraps {
		matches = s.both(text, at, next, base, matches)
		matches = s.second.skip(s.automaton, text[next], base+int64(next), s.state, matches)
		matches = s.run(text, next, next+1, base, matches)
		at = next + 1
	}
	return s.both(text, at, len(text), base, matches)
}

// live returns the earliest position of a match that is not complete yet, which
// is end, that of the text's end, if there is none.
func (s *scanner) live(end int64) int64 {
	return min(end-int64(s.automaton.live(s.state)), s.second.live(s.automaton, end))
}

// both runs the automaton over text[from:to] for both runs.
func (s *scanner) both(text []byte, from, to int, base int64, matches []match) []match {
	matches = s.run(text, from, to, base, matches)
	return s.second.run(s.automaton, text, from, to, base, matches)
}

// denseBefore returns how many dense characters (at most wrapColumns) stand
// before text[at].
func denseBefore(text []byte, at int) int {
	run := 0
	for run < wrapColumns && run < at && isDense(text[at-run-1]) {
		run++
	}
	return run
}

const (
	// shallow is the depth of a state up to which it costs less to look at its
	// bytes again through the shifts than to go on with the automaton.
	shallow = 3
	// stretch is how many positions are looked through at a time for candidates.
	stretch = 8 << 10
	// Where there are more candidates than one in crowded positions, the shifts
	// pay no more: the next text is left to the automaton alone.
	crowded = 16
	// The same where more than this many times the positions is compared.
	maxCompared = 2
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
			matches = s.walkAll(text, i, end, base, matches)
			i = end
			continue
		}
		start := i - int(a.nodes[s.state].depth)
		if start < i-shallow {
			i, matches = s.walk(text, i, to, start, base, matches)
			continue
		}
		end := min(to-a.skip.window+1, start+stretch)
		if end <= start {
			// No window fits any more: what begins here does not end here.
			if last := to - a.skip.longest(text); last > i {
				i, s.state = last, 0
			}
			_, matches = s.walk(text, i, to, to, base, matches)
			break
		}
		if !a.skip.candidates(text, start, end, stretch/crowded, &s.candidates) {
			s.leave()
			continue
		}
		i, matches = s.visit(text, i, start, end, base, matches)
	}
	return matches
}

// leave leaves the next text to the automaton alone, each time twice as much.
func (s *scanner) leave() {
	s.rested = min(max(2*s.rested, stretch), maxRest)
	s.rest = s.rested
}

// visit runs the automaton from each candidate on at which a pattern begins and
// which it has not passed, and returns the position at which to go on: at or
// after end, unless so much was compared that the automaton alone is to go on.
func (s *scanner) visit(text []byte, i, start, end int, base int64, matches []match) (int, []match) {
	a, compared := s.automaton, 0
	for _, part := range s.candidates {
		for _, candidate := range part {
			c := int(candidate)
			if c < i-int(a.nodes[s.state].depth) {
				continue
			}
			begins, n := a.begins.begins(text[c:])
			if compared += n; compared > maxCompared*stretch {
				if c > i {
					i, s.state = c, 0
				}
				s.leave()
				return i, matches
			}
			if !begins {
				continue
			}
			if c > i {
				i, s.state = c, 0
			}
			i, matches = s.walk(text, i, len(text), c, base, matches)
		}
	}
	if depth := int(a.nodes[s.state].depth); depth <= shallow && i-depth < end {
		i, s.state = end, 0
	}
	s.rested = 0
	return i, matches
}

// walk runs the automaton over text[i:end], and stops before that where its
// state is shallow and begins after the position start.
func (s *scanner) walk(text []byte, i, end, start int, base int64, matches []match) (int, []match) {
	a, state := s.automaton, s.state
	text = text[:end]
	for i < len(text) {
		state, i = a.step(state, text, i)
		n := &a.nodes[state]
		if n.end != 0 {
			matches = append(matches, a.match(n, base+int64(i)))
		}
		if n.depth <= shallow && i-int(n.depth) > start {
			break
		}
	}
	s.state = state
	return i, matches
}

// lane is a part of a text with a state of its own.
type lane struct {
	i, end int
	state  int32
}

// minLane is the least text for a lane; it is also many times the longest
// pattern, since each lane goes on into the next for at most that.
const minLane = 512

// walkAll runs the automaton over text[i:end], in four parts in turns: each waits
// for what it reads from memory, and so they wait at the same time. A part
// begins as if nothing had been before it; the part before goes on into it until
// its state holds nothing from before it either. From there on the two agree.
func (s *scanner) walkAll(text []byte, i, end int, base int64, matches []match) []match {
	a := s.automaton
	part := (end - i) / 4
	if part < max(minLane, 2*a.max) {
		_, matches = s.walk(text, i, end, end, base, matches)
		return matches
	}
	text = text[:end]
	lanes := [4]lane{{i, i + part, s.state}, {i + part, i + 2*part, 0}, {i + 2*part, i + 3*part, 0}, {i + 3*part, end, 0}}
	for lanes[0].i < lanes[0].end && lanes[1].i < lanes[1].end && lanes[2].i < lanes[2].end && lanes[3].i < lanes[3].end {
		for k := range lanes {
			l := &lanes[k]
			l.state, l.i = a.step(l.state, text, l.i)
			if n := &a.nodes[l.state]; n.end != 0 {
				matches = append(matches, a.match(n, base+int64(l.i)))
			}
		}
	}
	last := lanes[3]
	for k := range lanes {
		l := &lanes[k]
		for l.i < end && l.i-int(a.nodes[l.state].depth) < l.end {
			l.state, l.i = a.step(l.state, text, l.i)
			if n := &a.nodes[l.state]; n.end != 0 {
				matches = append(matches, a.match(n, base+int64(l.i)))
			}
		}
		if l.i == end && l.i-int(a.nodes[l.state].depth) < l.end {
			last = *l
			break
		}
	}
	s.state = last.state
	return matches
}

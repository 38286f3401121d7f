package redact

import "sort"

// gapped is a second run of the automaton, which passes over gaps in the text:
// the breaks of an encoder's lines. It lives while it holds something from before
// the last gap; else the first run sees the same. So text without gaps costs
// nothing.
type gapped struct {
	state int32
	read  int64 // how many characters, since it lives
	gaps  []gap // as far back as the state reaches; none: not alive
	phase phase
}

// gap is a stretch of the stream, and how many characters were read before it.
type gap struct {
	start, end int64
	read       int64
}

type phase int

const (
	inText   phase = iota
	inBreak        // after a backslash, which may prove to be no line break
	inBlanks       // in a line break, or after a written one
)

// maxGaps bounds the gaps in a match: what a stream of nothing else makes the
// Writer hold.
const maxGaps = 16 << 10

// skip starts a gap at the position, with the character c, the beginning of a
// break. state is the first run's.
func (g *gapped) skip(a *automaton, c byte, position int64, state int32, matches []match) []match {
	if g.phase == inBreak {
		matches = g.putBack(a, matches)
	}
	if len(g.gaps) == 0 {
		if state == 0 {
			return matches
		}
		g.state, g.read = state, 0
	}
	g.gaps = append(g.gaps, gap{position, position + 1, g.read})
	if g.phase = inBlanks; c == '\\' {
		g.phase = inBreak
	}
	return matches
}

// stop ends the run, until it is needed again.
func (g *gapped) stop() {
	g.gaps, g.phase = nil, inText
}

// run reads text[from:to].
func (g *gapped) run(a *automaton, text []byte, from, to int, base int64, matches []match) []match {
	for i := from; i < to && len(g.gaps) > 0; i++ {
		position, c := base+int64(i), text[i]
		last := &g.gaps[len(g.gaps)-1]
		if g.phase == inBlanks && isBlank(c) {
			last.end++
			continue
		}
		if g.phase == inBreak {
			if c == 'n' || c == 'r' {
				last.end++
				g.phase = inBlanks
				continue
			}
			if matches = g.putBack(a, matches); len(g.gaps) == 0 {
				return matches
			}
		}
		g.phase = inText
		matches = g.take(a, c, position, matches)
	}
	return matches
}

// putBack reads as text the backslash that seemed to begin a gap.
func (g *gapped) putBack(a *automaton, matches []match) []match {
	last := len(g.gaps) - 1
	position := g.gaps[last].start
	g.gaps, g.phase = g.gaps[:last], inText
	return g.take(a, '\\', position, matches)
}

// take reads one character.
func (g *gapped) take(a *automaton, c byte, position int64, matches []match) []match {
	if len(g.gaps) == 0 {
		return matches
	}
	g.state = a.next(g.state, c)
	g.read++
	n := &a.nodes[g.state]
	if n.end != 0 {
		e := a.ends[n.end]
		matches = append(matches, match{start: g.position(g.read - int64(e.length)), end: position + 1, kind: e.kind})
	}
	// Gaps that the state does not reach back over are forgotten.
	for len(g.gaps) > 0 && g.gaps[0].read <= g.read-int64(n.depth) {
		g.gaps = g.gaps[1:]
	}
	if len(g.gaps) == 0 {
		g.stop()
	}
	return matches
}

// position returns where in the stream the n-th character is.
func (g *gapped) position(n int64) int64 { return position(g.gaps, n) }

// position returns where the n-th character read is, of a text with these gaps.
func position(gaps []gap, n int64) int64 {
	after := sort.Search(len(gaps), func(i int) bool { return gaps[i].read > n })
	if after == 0 {
		return gaps[0].start - (gaps[0].read - n)
	}
	return gaps[after-1].end + n - gaps[after-1].read
}

// start returns the position from which on it holds something, or end.
func (g *gapped) start(a *automaton, end int64) int64 {
	if len(g.gaps) == 0 {
		return end
	}
	return g.position(g.read - int64(a.nodes[g.state].depth))
}

// live returns the earliest position of a match that is not complete yet.
func (g *gapped) live(a *automaton, end int64) int64 {
	if len(g.gaps) == 0 {
		return end
	}
	live := a.live(g.state)
	if live == 0 {
		return end
	}
	start := g.position(g.read - int64(live))
	if end-start > int64(live)+maxGaps {
		g.stop()
		return end
	}
	return start
}

package redact

import "sort"

// gapped is a second run of the automaton, which passes over gaps in the text:
// breaks of an encoder's lines, and control sequences. It lives while it holds
// something from before the last gap; else the first run sees the same. So text
// without gaps costs nothing, and what stands in a gap is found as well.
type gapped struct {
	state int32
	read  int64 // how many characters, since it lives
	gaps  []gap // as far back as the state reaches; none: not alive
	phase phase
	after phase // what a control sequence interrupts

	// lifted are the control sequences that it passed over, in their order. The
	// Writer takes them away.
	lifted []gap
}

// gap is a stretch of the stream, and how many characters were read before it.
type gap struct {
	start, end int64
	read       int64
}

type phase int

const (
	inText     phase = iota
	inBreak          // after a backslash, which may prove to be no line break
	inBlanks         // in a line break, or after a written one
	inSequence       // until resume or stop
)

// maxGaps bounds the gaps in a match: what a stream of nothing else makes the
// Writer hold.
const maxGaps = 16 << 10

// skip starts a gap at the position, with the character c: ESC, or the beginning
// of a break. state is the first run's.
func (g *gapped) skip(a *automaton, c byte, position int64, state int32, matches []match) []match {
	if g.phase == inBreak {
		matches = g.putBack(a, matches)
	}
	g.after = g.phase
	if len(g.gaps) == 0 {
		if state == 0 {
			return matches
		}
		g.state, g.read = state, 0
	}
	g.gaps = append(g.gaps, gap{position, position + 1, g.read})
	switch c {
	case esc:
		g.phase = inSequence
	case '\\':
		g.phase = inBreak
	default:
		g.phase = inBlanks
	}
	return matches
}

// extend says that the control sequence goes on up to the position.
func (g *gapped) extend(position int64) {
	if len(g.gaps) > 0 {
		g.gaps[len(g.gaps)-1].end = position
	}
}

// resume says that the control sequence has ended.
func (g *gapped) resume() {
	if len(g.gaps) > 0 {
		g.lifted = append(g.lifted, g.gaps[len(g.gaps)-1])
		g.phase = g.after
	}
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
func (g *gapped) position(n int64) int64 {
	after := sort.Search(len(g.gaps), func(i int) bool { return g.gaps[i].read > n })
	if after == 0 {
		return g.gaps[0].start - (g.gaps[0].read - n)
	}
	return g.gaps[after-1].end + n - g.gaps[after-1].read
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

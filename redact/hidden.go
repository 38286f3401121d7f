package redact

import "math"

// hidden finds what begins in a control sequence, after its ESC, and goes on
// after it or not. Since the patterns have no ESC (else see stream.raw), it ends
// before the next one: where sequences are as near to each other as in most
// coloured text, there is too little between them.
type hidden struct {
	automaton *automaton
	state     int32
	from, to  int   // the inside of the last sequence in the text, from -1: there is none
	until     int64 // position of to, where the text before ended
	resumed   bool  // state is of what stood before from
	half      bool  // what stands there is the ESC with which the text before ended
}

// open is the end of a sequence that is not seen yet.
const open = math.MaxInt

// begin says where the inside of a sequence begins and ends.
func (h *hidden) begin(from, to int) {
	if !h.automaton.esc {
		h.from, h.to, h.resumed = from, to, false
	}
}

// close says where the sequence ends.
func (h *hidden) close(to int) { h.to = to }

// drop says that it was none.
func (h *hidden) drop() { h.from = -1 }

// look looks for what begins in the last sequence and ends before text[end], an
// ESC.
func (h *hidden) look(text []byte, end int, base int64, matches []match) []match {
	from := h.from
	h.from = -1
	if from < 0 || !h.resumed && !h.mayBegin(text, from, min(h.to, end), end) {
		return matches
	}
	_, matches = h.walk(text, from, end, base, matches)
	return matches
}

// mayBegin reports that a pattern may begin in text[from:to] and end before end.
func (h *hidden) mayBegin(text []byte, from, to, end int) bool {
	t := &h.automaton.skip
	reach := t.window - block
	for at := from + reach; at < to+reach && at+block <= end; {
		by := int(t.shift[t.hash(text[at:])])
		if by == 0 {
			return true
		}
		at += by
	}
	return false
}

// walk runs the automaton over text[from:end] for as long as something may have
// begun in the sequence, and reports whether that is so at the end.
func (h *hidden) walk(text []byte, from, end int, base int64, matches []match) (bool, []match) {
	a, state := h.automaton, int32(0)
	if h.resumed {
		state = h.state
	}
	text = text[:end]
	for i := from; ; {
		n := &a.nodes[state]
		if i-int(n.depth) >= h.to {
			return false, matches
		}
		if i >= end {
			h.state = state
			return true, matches
		}
		if state, i = a.step(state, text, i); a.nodes[state].end != 0 {
			matches = append(matches, a.match(&a.nodes[state], base+int64(i)))
		}
	}
}

// end is look at the text's end, where what has begun may go on. With half, the
// last byte is an ESC in a control string, which it ends or breaks off: then the
// string was text that is shown, and what has begun there goes on as well. end
// returns the position of the earliest match that is not complete yet.
func (h *hidden) end(text []byte, half bool, base int64, matches []match) ([]match, int64) {
	if h.from < 0 {
		return matches, base + int64(len(text))
	}
	to := len(text)
	if half {
		to--
	}
	h.half = half
	alive := false
	if alive, matches = h.walk(text, h.from, to, base, matches); !alive {
		h.from = -1
		return matches, base + int64(len(text))
	}
	h.resumed, h.until = true, math.MaxInt64
	if h.to != open {
		h.until = base + int64(h.to)
	}
	return matches, base + int64(to-h.automaton.live(h.state))
}

// resume says that the text goes on, from there.
func (h *hidden) resume(from int, base int64) {
	if h.from < 0 {
		return
	}
	if h.half {
		from--
	}
	h.from, h.to = from, open
	if h.until != math.MaxInt64 {
		h.to = int(h.until - base)
	}
}

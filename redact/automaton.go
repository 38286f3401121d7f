package redact

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// An automaton finds every occurrence of a set of patterns (Aho and Corasick,
// 1975), in front of which shifts over blocks of bytes (Wu and Manber, 1994)
// pass over text in which no pattern can start. The shifts make ordinary text
// fast; the automaton keeps the time linear in any text.
//
// It is immutable after newAutomaton: all streams share one.
type automaton struct {
	nodes []node
	// labels[id] is the last byte of the node's prefix. They stand apart, so that
	// a straight run of nodes is compared as a string.
	labels []byte
	ends   []end        // what node.end points into, from 1
	rows   [][256]int32 // resolved transitions of nodes with many children
	root   *[256]int32  // rows[0]
	skip   shiftTable
	begins prefixTable
	max    int  // bytes of the longest pattern
	esc    bool // there is an ESC in a pattern
}

// node is a state: a prefix of a pattern, of which the stream so far ends in
// the longest. Nodes are numbered in the depth-first order of the sorted
// patterns, so that a node's first child is the next node: the tail of a
// pattern is a straight run through memory.
type node struct {
	fail    int32 // the longest proper suffix that is a prefix of a pattern
	sibling int32 // the parent's next child, or 0
	end     int32 // the longest pattern that ends here, or 0
	row     int32 // in rows, or rowNone, or rowLeaf
	depth   int32 // length of the prefix
	// run is how many of the nodes after this one are each the only child of the
	// one before; where a pattern ends, a run ends too.
	run int32
}

const (
	rowNone = -1 // children are found by their labels
	rowLeaf = -2 // no children

	// From how many children on a node has a row (of 1 KiB).
	rowChildren = 6
)

type end struct {
	length int32
	kind   kind
}

// pattern is a byte string to find, and what it is to be counted as.
type pattern struct {
	text string
	kind kind
}

// newAutomaton builds the automaton in time linear in the patterns' total
// length, after sorting them. Of equal patterns the lowest needle counts. All
// must be MinLength long or longer.
func newAutomaton(patterns []pattern) *automaton {
	slices.SortFunc(patterns, func(a, b pattern) int {
		if c := strings.Compare(a.text, b.text); c != 0 {
			return c
		}
		return int(a.kind.needle - b.kind.needle)
	})
	patterns = slices.CompactFunc(patterns, func(a, b pattern) bool { return a.text == b.text })

	a := &automaton{ends: make([]end, 1)}
	var shifts sync.WaitGroup
	shifts.Go(func() {
		a.skip = newShiftTable(patterns)
		a.begins = newPrefixTable(patterns, a.skip.window)
	})
	a.addPrefixes(patterns)
	a.link()
	shifts.Wait()
	return a
}

// addPrefixes makes the trie. Since the patterns are sorted, each adds one run
// of nodes after its longest common prefix with the one before.
func (a *automaton) addPrefixes(patterns []pattern) {
	total, previous := 1, ""
	for _, p := range patterns {
		total += len(p.text) - commonPrefix(previous, p.text)
		previous = p.text
		a.max = max(a.max, len(p.text))
		a.esc = a.esc || strings.IndexByte(p.text, esc) >= 0
	}
	a.nodes = make([]node, 1, total)
	a.labels = make([]byte, 1, total)
	a.nodes[0].row = rowLeaf

	path := make([]int32, 1, a.max+1) // path[d]: the node of depth d on the last pattern's way
	previous = ""
	for _, p := range patterns {
		shared := commonPrefix(previous, p.text)
		older := int32(0) // the child of the branching node that was the last one so far
		if shared < len(previous) {
			older = path[shared+1]
		}
		path = path[:shared+1]
		for depth := shared; depth < len(p.text); depth++ {
			id := int32(len(a.nodes))
			if older != 0 {
				a.nodes[older].sibling = id
				older = 0
			}
			a.nodes[path[depth]].row = rowNone
			a.nodes = append(a.nodes, node{depth: int32(depth + 1), row: rowLeaf})
			a.labels = append(a.labels, p.text[depth])
			path = append(path, id)
		}
		a.nodes[path[len(p.text)]].end = int32(len(a.ends))
		a.ends = append(a.ends, end{length: int32(len(p.text)), kind: p.kind})
		previous = p.text
	}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// link sets the failure links and the rows, breadth first: a link leads to a
// lesser depth, where all is set already.
func (a *automaton) link() {
	queue := make([]int32, 1, len(a.nodes))
	for head := 0; head < len(queue); head++ {
		id := queue[head]
		n := &a.nodes[id]
		if n.end == 0 && id != 0 {
			n.end = a.nodes[n.fail].end
		}
		children := 0
		if n.row != rowLeaf {
			for child := id + 1; child != 0; child = a.nodes[child].sibling {
				children++
				queue = append(queue, child)
				if id != 0 {
					a.nodes[child].fail = a.next(n.fail, a.labels[child])
				}
			}
		}
		if id == 0 || children >= rowChildren {
			a.addRow(id)
		}
	}
	a.root = &a.rows[0]
	a.measureRuns()
}

// measureRuns goes backwards, since a run includes that of its next node.
func (a *automaton) measureRuns() {
	for id := len(a.nodes) - 2; id >= 0; id-- {
		n, child := &a.nodes[id], &a.nodes[id+1]
		if n.row == rowLeaf || child.sibling != 0 {
			continue
		}
		n.run = 1
		if child.end == 0 {
			n.run += child.run
		}
	}
}

func (a *automaton) addRow(id int32) {
	var row [256]int32
	n := &a.nodes[id]
	if id != 0 {
		for c := range row {
			row[c] = a.next(n.fail, byte(c))
		}
	}
	if n.row != rowLeaf {
		for child := id + 1; child != 0; child = a.nodes[child].sibling {
			row[a.labels[child]] = child
		}
	}
	n.row = int32(len(a.rows))
	a.rows = append(a.rows, row)
}

// next returns the state after one more byte. The links that a stream follows
// are at most as many as its bytes.
func (a *automaton) next(state int32, c byte) int32 {
	for {
		n := &a.nodes[state]
		if n.row >= 0 {
			return a.rows[n.row][c]
		}
		if n.row == rowNone {
			for child := state + 1; child != 0; child = a.nodes[child].sibling {
				if a.labels[child] == c {
					return child
				}
			}
		}
		state = n.fail
	}
}

// step returns the state after one more byte of the text from i on, or after
// several of them in which no pattern ends, and the position after them.
func (a *automaton) step(state int32, text []byte, i int) (int32, int) {
	run := int(a.nodes[state].run)
	if run == 0 {
		return a.next(state, text[i]), i + 1
	}
	along := a.follow(state, text[i:])
	i += along
	state += int32(along)
	if along == run || i == len(text) {
		return state, i
	}
	return a.next(a.nodes[state].fail, text[i]), i + 1
}

// match returns the longest pattern that ends at the node, and the position.
func (a *automaton) match(n *node, position int64) match {
	found := a.ends[n.end]
	return match{start: position - int64(found.length), end: position, kind: found.kind}
}

// follow goes along the straight run after the state for as long as the text
// is the same, and returns how far that was.
func (a *automaton) follow(state int32, text []byte) int {
	return samePrefix(a.labels[state+1:][:a.nodes[state].run], text)
}

// samePrefix returns for how many bytes two texts are the same.
func samePrefix(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		if differ := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); differ != 0 {
			return i + bits.TrailingZeros64(differ)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// live returns the length of the longest end of the stream that may still
// become a pattern, or a longer one.
func (a *automaton) live(state int32) int {
	for a.nodes[state].row == rowLeaf {
		state = a.nodes[state].fail
	}
	return int(a.nodes[state].depth)
}

// finds reports that a pattern stands in the text.
func (a *automaton) finds(text []byte) bool {
	state := int32(0)
	for _, c := range text {
		if state = a.next(state, c); a.nodes[state].end != 0 {
			return true
		}
	}
	return false
}

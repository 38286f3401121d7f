package redact

import (
	"math/bits"
	"slices"
	"strings"
)

// An automaton finds every occurrence of a set of patterns (Aho and Corasick,
// 1975), in front of which shifts over blocks of bytes (Wu and Manber, 1994)
// pass over text in which no pattern can start. The shifts make ordinary text
// fast; the automaton keeps the time linear in any text.
//
// It is immutable after newAutomaton: all streams share one.
type automaton struct {
	nodes []node
	ends  []end        // what node.end points into, from 1
	rows  [][256]int32 // resolved transitions of nodes with many children
	root  *[256]int32  // rows[0]
	skip  shiftTable
	max   int // bytes of the longest pattern
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
	label   byte  // its last byte
}

const (
	rowNone = -1 // children are found by their labels
	rowLeaf = -2 // no children

	// From how many children on a node has a row (of 1 KiB).
	rowChildren = 6
)

type end struct {
	length int32
	needle int32
}

// pattern is a byte string to find and the index of the needle it is a form of.
type pattern struct {
	text   string
	needle int32
}

// newAutomaton builds the automaton in time linear in the patterns' total
// length, after sorting them. Of equal patterns the lowest needle counts. All
// must be MinLength long or longer.
func newAutomaton(patterns []pattern) *automaton {
	slices.SortFunc(patterns, func(a, b pattern) int {
		if c := strings.Compare(a.text, b.text); c != 0 {
			return c
		}
		return int(a.needle - b.needle)
	})
	patterns = slices.CompactFunc(patterns, func(a, b pattern) bool { return a.text == b.text })

	a := &automaton{ends: make([]end, 1)}
	a.addPrefixes(patterns)
	a.link()
	a.skip = newShiftTable(patterns)
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
	}
	a.nodes = make([]node, 1, total)
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
			a.nodes = append(a.nodes, node{label: p.text[depth], depth: int32(depth + 1), row: rowLeaf})
			path = append(path, id)
		}
		a.nodes[path[len(p.text)]].end = int32(len(a.ends))
		a.ends = append(a.ends, end{length: int32(len(p.text)), needle: p.needle})
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
					a.nodes[child].fail = a.next(n.fail, a.nodes[child].label)
				}
			}
		}
		if id == 0 || children >= rowChildren {
			a.addRow(id)
		}
	}
	a.root = &a.rows[0]
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
			row[a.nodes[child].label] = child
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
				if a.nodes[child].label == c {
					return child
				}
			}
		}
		state = n.fail
	}
}

// live returns the length of the longest end of the stream that may still
// become a pattern, or a longer one.
func (a *automaton) live(state int32) int {
	for a.nodes[state].row == rowLeaf {
		state = a.nodes[state].fail
	}
	return int(a.nodes[state].depth)
}

// shiftTable tells how far a pattern's start must be away. It looks at the last
// bytes of a window as long as the shortest pattern (at most maxWindow).
type shiftTable struct {
	shift  []uint8 // by hash of a block: by how much the window may move; 0: a pattern may start with it
	drop   uint    // bits to drop from the hash
	window int
}

const (
	block     = 3
	maxWindow = 16
)

func newShiftTable(patterns []pattern) shiftTable {
	window := maxWindow
	for _, p := range patterns {
		window = min(window, len(p.text))
	}
	blocks := len(patterns) * (window - block + 1)
	size := min(max(bits.Len(uint(blocks)*8), 12), 18)
	t := shiftTable{shift: make([]uint8, 1<<size), drop: uint(32 - size), window: window}
	for i := range t.shift {
		t.shift[i] = uint8(window - block + 1)
	}
	for _, p := range patterns {
		for last := block - 1; last < window; last++ {
			h := t.hash(p.text[last-2], p.text[last-1], p.text[last])
			t.shift[h] = min(t.shift[h], uint8(window-1-last))
		}
	}
	return t
}

func (t *shiftTable) hash(x, y, z byte) uint32 {
	return (uint32(x) | uint32(y)<<8 | uint32(z)<<16) * 0x9E3779B1 >> t.drop
}

// from returns the first position from start on at which a pattern may start,
// as far as the window sees, or one less than a window before the text's end.
func (t *shiftTable) from(text []byte, start int) (position int, candidate bool) {
	last := start + t.window - 1
	for last < len(text) {
		by := t.shift[t.hash(text[last-2], text[last-1], text[last])]
		if by == 0 {
			return last - t.window + 1, true
		}
		last += int(by)
	}
	return last - t.window + 1, false
}

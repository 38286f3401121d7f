package redact

import (
	"cmp"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Set is a compiled list of needles. Any number of Writers may share it.
type Set struct {
	needles   []Needle
	automaton *automaton // nil: nothing to look for
}

// Compile prepares needles for searching: some 50 ms, and 13 MB kept, for a
// thousand typical keys. Weak needles (see [Weak]) are left out. A value that two
// needles have counts for the first.
func Compile(needles []Needle) *Set {
	s := &Set{needles: slices.Clone(needles)}
	all := slices.Concat(inParallel(len(s.needles), func(i int) []pattern {
		var list []pattern
		for _, p := range patterns(s.needles[i].Value.Reveal()) {
			list = append(list, pattern{text: p.text, kind: kind{needle: int32(i), form: p.form}})
		}
		return list
	})...)
	if len(all) > 0 {
		s.automaton = newAutomaton(all)
	}
	return s
}

// inParallel returns f of each number below n, in their order.
func inParallel[T any](n int, f func(int) T) []T {
	results := make([]T, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+15)/16) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				results[i] = f(int(i))
			}
		})
	}
	workers.Wait()
	return results
}

// Option changes how a Writer masks.
type Option func(*Writer)

// WithKeys names the secret in its mask: [redacted:KEY], and with commas in
// between where several overlap.
func WithKeys() Option {
	return func(w *Writer) { w.withKeys = true }
}

// Writer masks secrets in what is written through it. Each stretch of the
// stream that secrets cover, in any of the forms that the package lists, becomes
// one mask, however the stream is cut into writes. All else passes unchanged, and
// at once: held back is only an end of the stream that may be the start of a
// secret, until it proves to be one or not, or the Writer is closed. Time does
// not release it, since a slow program would leak by that.
//
// A Writer holds no more than the longest form, and works in time linear in the
// stream. It may be used by several goroutines; each Write is then masked as a
// part of the one stream.
type Writer struct {
	mu       sync.Mutex
	out      io.Writer
	set      *Set
	withKeys bool

	stream  stream
	text    []byte // context that was passed on, then what is held back
	pending int    // where in text the latter begins
	base    int64  // position of text[0] in the stream
	found   []match
	region  region
	masked  []byte
	counts  findings
	err     error

	beside chan error // the result of a write that runs beside what comes next
	spare  []byte     // for masked then
}

// region is a stretch that matches cover, which may still grow.
type region struct {
	open  bool
	start int64
	end   int64
	kinds []kind // one of each needle
	kept  []byte // the control sequences in it
}

// NewWriter returns a Writer that passes on to w, at least once per Write that
// has something to pass on. To mask several streams, use [Compile] once.
func NewWriter(w io.Writer, needles []Needle, opts ...Option) *Writer {
	return Compile(needles).NewWriter(w, opts...)
}

// NewWriter returns a Writer that masks the needles of the set.
func (s *Set) NewWriter(w io.Writer, opts ...Option) *Writer {
	writer := &Writer{out: w, set: s, stream: newStream(s.automaton), counts: make(findings)}
	for _, opt := range opts {
		opt(writer)
	}
	return writer
}

// maxPiece bounds what is scanned and held at once when a Write is larger.
const maxPiece = 64 << 10

var errClosed = errors.New("write to a closed redact.Writer")

// Write takes all of p, or returns the error of the underlying writer, which
// stays: the mask could not be put where it belongs any more.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if w.set.automaton == nil {
		if w.err = w.join(); w.err != nil {
			return 0, w.err
		}
		return w.out.Write(p)
	}
	for done := 0; done < len(p); {
		piece := p[done:min(done+maxPiece, len(p))]
		from := len(w.text)
		w.text = append(w.text, piece...)
		text := w.text
		if w.err = w.take(from, false); w.err != nil {
			return done, w.err
		}
		w.text = append(text[:0], w.text...)
		done += len(piece)
	}
	return len(p), nil
}

// take looks through w.text[from:], and passes on what it can, beside what comes
// next if that may be.
func (w *Writer) take(from int, beside bool) error {
	var live int64
	w.found, live = w.stream.scan(w.text, from, w.base, w.found)
	if err := w.release(live, beside); err != nil {
		return err
	}
	if drop := w.pending - wrapContext; drop > 0 {
		w.text = w.text[drop:]
		w.pending -= drop
		w.base += int64(drop)
	}
	return nil
}

// write passes p on. Beside what comes next, p must stay as it is until the next
// write, or join.
func (w *Writer) write(p []byte, beside bool) error {
	if err := w.join(); err != nil {
		return err
	}
	if !beside {
		_, err := w.out.Write(p)
		return err
	}
	done := make(chan error, 1)
	w.beside = done
	go func() {
		_, err := w.out.Write(p)
		done <- err
	}()
	return nil
}

// join waits for the write that runs, if one does.
func (w *Writer) join() error {
	if w.beside == nil {
		return nil
	}
	err := <-w.beside
	w.beside = nil
	return err
}

// Add makes the Writer mask more secrets from here on, such as one that was
// rotated meanwhile. What has been passed on already stays as it is; what is held
// back is looked through again. It compiles, so that writes wait for it (see
// [Compile]). Other Writers of the Set are not changed.
func (w *Writer) Add(needles ...Needle) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	// Those of before keep their numbers.
	w.set = Compile(slices.Concat(w.set.needles, needles))
	w.stream, w.found = newStream(w.set.automaton), w.found[:0]
	if w.set.automaton != nil {
		w.err = w.take(w.pending, false)
	}
	return w.err
}

// besideFrom is how much must be read at once for it to be written beside the
// next read: who prints so much will print on, and hear of an error soon.
const besideFrom = 16 << 10

// ReadFrom writes all that it reads from r, until the end or an error. It is what
// [io.Copy] calls, and the fastest way through a Writer: text without secrets is
// not copied in memory, and while much is read, the underlying writer has what was
// read before.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	// What is held from before goes in front of what is read.
	const front = 4 << 10
	buf, other := make([]byte, front+maxPiece), []byte(nil)
	total := int64(0)
	for {
		n, err := r.Read(buf[front:])
		total += int64(n)
		if n > 0 {
			busy, err := w.takeBuffer(buf[:front+n], front)
			if err != nil {
				return total, err
			}
			if busy {
				if other == nil {
					other = make([]byte, len(buf))
				}
				buf, other = other, buf
			}
		}
		if err != nil {
			if joined := w.end(); joined != nil {
				return total, joined
			}
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
	}
}

// end waits for the write that runs.
func (w *Writer) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.join(); w.err == nil {
		w.err = err
		return err
	}
	return nil
}

// takeBuffer does what Write does with buf[from:], in buf itself if what is held
// fits before it. It reports whether buf is being written still.
func (w *Writer) takeBuffer(buf []byte, from int) (bool, error) {
	w.mu.Lock()
	if w.err != nil || w.set.automaton == nil || len(w.text) > from {
		w.mu.Unlock()
		_, err := w.Write(buf[from:])
		return false, err
	}
	defer w.mu.Unlock()
	held, start, running := w.text, from-len(w.text), w.beside
	copy(buf[start:], held)
	w.text = buf[start:]
	w.err = w.take(len(held), len(buf)-from >= besideFrom)
	w.text = append(held[:0], w.text...)
	return w.beside != nil && w.beside != running, w.err
}

// Close passes on what is held back; no secret is in it. It does not close the
// underlying writer. Later writes fail; closing again does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		if errors.Is(w.err, errClosed) {
			return nil
		}
		return w.err
	}
	err := w.release(w.base+int64(len(w.text)), false)
	w.err = errClosed
	if err != nil {
		w.err = err
	}
	return err
}

// Findings returns how many masks were put so far, for each key and form, ordered
// by them; after [Writer.Close], of the whole stream. Where matches overlap, each
// key counts once, by the form that begins first; one inside of another (a
// password in its connection string) does not.
func (w *Writer) Findings() []Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts.list(w.set.needles)
}

// Hits returns how many masks were put for each key so far: [Writer.Findings],
// whatever the form.
func (w *Writer) Hits() map[string]int {
	hits := make(map[string]int)
	for _, f := range w.Findings() {
		hits[f.Key] += f.Count
	}
	return hits
}

// release passes on the stream up to the position live, at and after which all
// matches to come will start.
func (w *Writer) release(live int64, beside bool) error {
	slices.SortFunc(w.found, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end), cmp.Compare(a.kind.needle, b.kind.needle))
	})
	masked := w.masked[:0]
	passed := w.base + int64(w.pending)
	pass := func(to int64) {
		if to > passed {
			masked = append(masked, w.text[passed-w.base:to-w.base]...)
			passed = to
		}
		w.stream.forget(passed)
	}
	cover := func() {
		passed = max(passed, min(w.region.end, live))
		w.keep(passed)
	}
	if w.region.open {
		cover()
	}
	final := 0
	for final < len(w.found) && w.found[final].start < live {
		m := w.found[final]
		final++
		if w.region.open && m.start >= w.region.end {
			masked = w.mask(masked)
		}
		if !w.region.open {
			pass(m.start)
			w.region = region{open: true, start: m.start, kinds: w.region.kinds[:0], kept: w.region.kept[:0]}
		}
		if m.end > w.region.end {
			w.region.end = m.end
			if !slices.ContainsFunc(w.region.kinds, func(k kind) bool { return k.needle == m.kind.needle }) {
				w.region.kinds = append(w.region.kinds, m.kind)
			}
			cover()
		}
	}
	w.found = slices.Delete(w.found, 0, final)
	if w.region.open && w.region.end <= live {
		masked = w.mask(masked)
	}
	var err error
	if len(masked) == 0 && !w.region.open {
		// The usual case, without copying.
		if clear := w.text[passed-w.base : live-w.base]; len(clear) > 0 {
			err = w.write(clear, beside)
		}
		passed = live
		w.stream.forget(live)
	} else {
		if !w.region.open {
			pass(live)
		}
		if len(masked) > 0 {
			if err = w.write(masked, beside); beside {
				masked, w.spare = w.spare, masked
			}
		}
	}
	w.masked = masked
	w.pending = int(live - w.base)
	return err
}

// mask closes the region.
func (w *Writer) mask(to []byte) []byte {
	w.region.open = false
	keys := make([]string, 0, 1)
	for _, k := range w.region.kinds {
		if key := w.set.needles[k.needle].Key; !slices.Contains(keys, key) {
			keys = append(keys, key)
			w.counts[k]++
		}
	}
	if w.withKeys {
		to = append(to, "[redacted:"...)
		to = append(to, strings.Join(keys, ",")...)
		to = append(to, ']')
	} else {
		to = append(to, Mask...)
	}
	for _, k := range w.region.kinds {
		if strings.ContainsRune(w.set.needles[k.needle].Value.Reveal(), esc) {
			// They may be the value's own.
			return to
		}
	}
	return append(to, w.region.kept...)
}

// Control sequences that stood in what a mask covers follow after it, so that a
// colour which ends there ends. Longer ones than maxKept (links, titles) do not,
// and of more than maxAllKept in one mask the first.
const (
	maxKept    = 32
	maxAllKept = 16 * maxKept
)

// keep takes the control sequences before the position into the region.
func (w *Writer) keep(to int64) {
	for _, at := range w.stream.take(to) {
		if at.start <= w.region.start || at.start < w.base || at.end-at.start > maxKept {
			continue
		}
		text := w.text[at.start-w.base : at.end-w.base]
		if w.set.automaton.finds(text) {
			continue
		}
		if len(w.region.kept)+len(text) > maxAllKept {
			w.region.kept = w.region.kept[:0]
		}
		w.region.kept = append(w.region.kept, text...)
	}
}

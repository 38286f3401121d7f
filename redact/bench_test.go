package redact

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// logText is what services print: times, levels, words, numbers, ids, JSON.
func logText(size int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	words := strings.Fields("request completed user session started fetching model tokens cache miss connecting retry in database query https://api.example.com/v1/chat/completions status path duration error warning upload image/png application/json")
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "2026-11-23T14:%02d:%02d.%03dZ INFO  [%x] ", r.IntN(60), r.IntN(60), r.IntN(1000), r.Uint32())
		for range 4 + r.IntN(10) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "{\"id\":\"%016x\",\"ms\":%d,\"trace\":\"%s\"}\n", r.Uint64(), r.IntN(5000), randomText(r, 22, alphanumeric))
	}
	return b.Bytes()[:size]
}

// colouredText is such text as loggers print on a terminal: with the time dimmed, the
// level and the names of fields in colours.
func colouredText(size int) []byte {
	const dim, green, cyan, reset = "\x1b[2m", "\x1b[32m", "\x1b[36m", "\x1b[0m"
	paint := strings.NewReplacer("2026-", dim+"2026-", "Z INFO ", "Z"+reset+" "+green+"INFO"+reset+" ",
		`{"id":`, `{`+cyan+`"id"`+reset+`:`, `"ms":`, cyan+`"ms"`+reset+`:`, `"trace":`, cyan+`"trace"`+reset+`:`)
	return []byte(paint.Replace(string(logText(size))))[:size]
}

// adversarialText has nothing but near misses of the needles.
func adversarialText(size int, keys []string) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		key := keys[i%len(keys)]
		b.WriteString(key[:len(key)-4-i%8])
	}
	return b.Bytes()[:size]
}

// pipes are what a stream goes through: written on one end, drained on the other.
type pipes struct {
	in, out *os.File
	written chan []byte
	drained chan int
}

func newPipes(b *testing.B) *pipes {
	in, source, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	sink, out, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	p := &pipes{in: in, out: out, written: make(chan []byte), drained: make(chan int, 4096)}
	go func() {
		for text := range p.written {
			_, _ = source.Write(text)
		}
		source.Close()
	}()
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := sink.Read(buf)
			if err != nil {
				close(p.drained)
				return
			}
			p.drained <- n
		}
	}()
	return p
}

// through times how long text takes through copy. What is drained must be as
// long as the text: no secret is in it.
func (p *pipes) through(b *testing.B, text []byte, copy func(io.Writer, io.Reader) error) time.Duration {
	done := make(chan error, 1)
	start := time.Now()
	p.written <- text
	go func() { done <- copy(p.out, io.LimitReader(p.in, int64(len(text)))) }()
	for left := len(text); left > 0; {
		left -= <-p.drained
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// plainCopy is io.Copy without splice(2), with a buffer of the given size.
func plainCopy(size int) func(io.Writer, io.Reader) error {
	buf := make([]byte, size)
	return func(to io.Writer, from io.Reader) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{to}, from, buf)
		return err
	}
}

// floors are the ratios that are aimed at, by the number of secrets. Coloured logs
// have those of logs.
var floors = map[string]map[int]float64{
	"log":         {1: 0.8, 10: 0.8, 100: 0.55, 1000: 0.4},
	"coloured":    {1: 0.8, 10: 0.8, 100: 0.55, 1000: 0.4},
	"adversarial": {1: 0.3, 10: 0.3, 100: 0.3, 1000: 0.3},
}

// BenchmarkPipe sends 200 MB from pipe to pipe, in pieces which three ways take in
// turns, so that what else the machine does falls upon all alike: io.Copy as it
// is by itself, with 32 KiB; with a buffer of the Writer's size; and through a
// Writer. It reports the medians of the pieces: to-copy, whose floor is beside
// it, and to-large-copy.
func BenchmarkPipe(b *testing.B) {
	const pieces, piece = 25, 8 << 20
	logs := map[string][]byte{"log": logText(pieces * piece), "coloured": colouredText(pieces * piece)}
	for _, n := range []int{1, 10, 100, 1000} {
		keys := testKeys(n)
		set := Compile(needles(keys...))
		for _, name := range []string{"log", "coloured", "adversarial"} {
			b.Run(fmt.Sprintf("%s/secrets=%d", name, n), func(b *testing.B) {
				near := adversarialText(piece, keys)
				p := newPipes(b)
				defer func() {
					close(p.written)
					p.out.Close()
					p.in.Close()
				}()
				usual, large := plainCopy(32<<10), plainCopy(maxPiece)
				masking := func(to io.Writer, from io.Reader) error {
					w := set.NewWriter(to)
					if _, err := io.Copy(w, from); err != nil {
						return err
					}
					return w.Close()
				}
				var toUsual, toLarge, speed []float64
				for b.Loop() {
					for i := range pieces {
						text := near
						if log := logs[name]; log != nil {
							text = log[i*piece:][:piece]
						}
						// The first that reads a piece brings it into the caches.
						var took [3]float64
						for j := range took {
							way := (i + j) % len(took)
							took[way] = p.through(b, text, []func(io.Writer, io.Reader) error{usual, large, masking}[way]).Seconds()
						}
						toUsual = append(toUsual, took[0]/took[2])
						toLarge = append(toLarge, took[1]/took[2])
						speed = append(speed, float64(len(text))/1e6/took[2])
					}
				}
				b.ReportMetric(median(toUsual), "to-copy")
				b.ReportMetric(floors[name][n], "floor")
				b.ReportMetric(median(toLarge), "to-large-copy")
				b.ReportMetric(median(speed), "MB/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// BenchmarkWriter is the work of the Writer alone.
func BenchmarkWriter(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		keys := testKeys(n)
		set := Compile(needles(keys...))
		for name, text := range map[string][]byte{"log": logText(8 << 20), "coloured": colouredText(8 << 20), "adversarial": adversarialText(8<<20, keys)} {
			b.Run(fmt.Sprintf("%s/secrets=%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					w := set.NewWriter(io.Discard)
					for at := 0; at < len(text); at += 32 << 10 {
						_, _ = w.Write(text[at:min(at+32<<10, len(text))])
					}
					_ = w.Close()
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		list := needles(testKeys(n)...)
		b.Run(fmt.Sprintf("secrets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var set *Set
			for b.Loop() {
				set = Compile(list)
			}
			a := set.automaton
			b.ReportMetric(float64(len(a.nodes)*int(unsafe.Sizeof(node{}))+len(a.rows)*1024+len(a.skip.shift)+len(a.labels))/1e6, "MB-kept")
		})
	}
}

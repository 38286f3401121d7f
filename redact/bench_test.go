package redact

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
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

// adversarialText makes every window a candidate: near misses of the needles.
func adversarialText(size int, keys []string) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		key := keys[i%len(keys)]
		b.WriteString(key[:len(key)-1-i%8])
	}
	return b.Bytes()[:size]
}

// copied times a copy of text from one pipe to another through filter.
func copied(b *testing.B, text []byte, filter func(io.Writer) io.Writer) time.Duration {
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		_, _ = inWrite.Write(text)
		inWrite.Close()
	}()
	drained := make(chan struct{})
	go func() {
		buf := make([]byte, 64<<10)
		for {
			if _, err := outRead.Read(buf); err != nil {
				close(drained)
				return
			}
		}
	}()
	start := time.Now()
	dst := filter(outWrite)
	// A buffer of the size that the Writer has, and no splice(2).
	if _, err := io.CopyBuffer(dst, onlyReader{inRead}, make([]byte, maxPiece)); err != nil {
		b.Fatal(err)
	}
	if c, ok := dst.(io.Closer); ok {
		_ = c.Close()
	}
	outWrite.Close()
	<-drained
	inRead.Close()
	return time.Since(start)
}

// onlyWriter hides *os.File's Close and ReadFrom.
type onlyWriter struct{ io.Writer }

// onlyReader hides its WriteTo.
type onlyReader struct{ io.Reader }

// BenchmarkPipe reports, as copy-ratio, the throughput from pipe to pipe against
// that of a plain copy, measured alternately in the same run.
func BenchmarkPipe(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		keys := testKeys(n)
		set := Compile(needles(keys...))
		for name, text := range map[string][]byte{"log": logText(8 << 20), "adversarial": adversarialText(8<<20, keys)} {
			b.Run(fmt.Sprintf("%s/secrets=%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				var plain, masking time.Duration
				for b.Loop() {
					plain += copied(b, text, func(w io.Writer) io.Writer { return onlyWriter{w} })
					masking += copied(b, text, func(w io.Writer) io.Writer { return set.NewWriter(w) })
				}
				b.ReportMetric(plain.Seconds()/masking.Seconds(), "copy-ratio")
				b.ReportMetric(float64(len(text))*float64(b.N)/1e6/masking.Seconds(), "masked-MB/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkWriter is the work of the Writer alone.
func BenchmarkWriter(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		keys := testKeys(n)
		set := Compile(needles(keys...))
		for name, text := range map[string][]byte{"log": logText(8 << 20), "adversarial": adversarialText(8<<20, keys)} {
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
			b.ReportMetric(float64(len(a.nodes)*24+len(a.rows)*1024+len(a.skip.shift)+len(a.labels))/1e6, "MB-kept")
		})
	}
}

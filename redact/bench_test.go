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

// colouredText is what loggers and build tools print on a terminal: lines of
// several styles, as zerolog, pino-pretty, logrus, structlog, Rust's tracing, cargo,
// Rails, access logs and docker compose print them: a sequence each 17 bytes.
func colouredText(size int) []byte {
	r := rand.New(rand.NewPCG(7, 8))
	words := strings.Fields("request completed user session started fetching model tokens cache miss connecting retry in database query https://api.example.com/v1/chat/completions status path duration error warning upload image/png application/json")
	message := func(n int) string {
		var list []string
		for range n {
			list = append(list, words[r.IntN(len(words))])
		}
		return strings.Join(list, " ")
	}
	clock := func() string { return fmt.Sprintf("%02d:%02d:%02d", r.IntN(24), r.IntN(60), r.IntN(60)) }
	level := func() int { return []int{0, 0, 0, 0, 1, 2}[r.IntN(6)] }
	styles := []func(b *bytes.Buffer){
		func(b *bytes.Buffer) { // zerolog
			l := level()
			fmt.Fprintf(b, "\x1b[90m2026-11-23T%sZ\x1b[0m \x1b[%dm%s\x1b[0m \x1b[1m%s\x1b[0m \x1b[36mid=\x1b[0m%016x \x1b[36mms=\x1b[0m%d \x1b[36mtrace=\x1b[0m%s\n",
				clock(), []int{32, 33, 31}[l], []string{"INF", "WRN", "ERR"}[l], message(3+r.IntN(6)), r.Uint64(), r.IntN(5000), randomText(r, 22, alphanumeric))
		},
		func(b *bytes.Buffer) { // pino-pretty
			l := level()
			fmt.Fprintf(b, "[%s.%03d] \x1b[%dm%s\x1b[39m (%d): \x1b[36m%s\x1b[39m\n    \x1b[35mreq\x1b[39m: {\n      \"id\": %d,\n      \"url\": \"/%s\"\n    }\n    \x1b[35mresponseTime\x1b[39m: %d\n",
				clock(), r.IntN(1000), []int{32, 33, 31}[l], []string{"INFO", "WARN", "ERROR"}[l], r.IntN(90000), message(3+r.IntN(6)), r.IntN(1e6), randomText(r, 22, alphanumeric), r.IntN(5000))
		},
		func(b *bytes.Buffer) { // logrus
			l := level()
			fmt.Fprintf(b, "\x1b[%dm%s\x1b[0m[%04d] %-44s \x1b[%dmid\x1b[0m=%x \x1b[%dmpath\x1b[0m=/v1/%s \x1b[%dmstatus\x1b[0m=%d\n",
				[]int{36, 33, 31}[l], []string{"INFO", "WARN", "ERRO"}[l], r.IntN(10000), message(2+r.IntN(6)), []int{36, 33, 31}[l], r.Uint64(), []int{36, 33, 31}[l], words[r.IntN(len(words))], []int{36, 33, 31}[l], 200+r.IntN(300))
		},
		func(b *bytes.Buffer) { // structlog
			fmt.Fprintf(b, "\x1b[2m2026-11-23 %s\x1b[0m [\x1b[32m\x1b[1minfo     \x1b[0m] \x1b[1m%-30s\x1b[0m [\x1b[0m\x1b[1m\x1b[34mapp.%s\x1b[0m]\x1b[0m \x1b[36muser\x1b[0m=\x1b[35m%s\x1b[0m \x1b[36mms\x1b[0m=\x1b[35m%d\x1b[0m\n",
				clock(), message(2+r.IntN(4)), words[r.IntN(10)], randomText(r, 12, alphanumeric), r.IntN(5000))
		},
		func(b *bytes.Buffer) { // tracing
			fmt.Fprintf(b, "\x1b[2m2026-11-23T%s.%06dZ\x1b[0m \x1b[32m INFO\x1b[0m \x1b[1mrequest\x1b[0m\x1b[1m{\x1b[0m\x1b[3mmethod\x1b[0m\x1b[2m=\x1b[0mGET \x1b[3muri\x1b[0m\x1b[2m=\x1b[0m/v1/%s\x1b[1m}\x1b[0m\x1b[2m:\x1b[0m \x1b[2mapp::http\x1b[0m\x1b[2m:\x1b[0m %s \x1b[3mlatency\x1b[0m\x1b[2m=\x1b[0m%d ms\n",
				clock(), r.IntN(1e6), randomText(r, 22, alphanumeric), message(3+r.IntN(6)), r.IntN(5000))
		},
		func(b *bytes.Buffer) { // cargo
			fmt.Fprintf(b, "\x1b[0m\x1b[0m\x1b[1m\x1b[32m   Compiling\x1b[0m %s v%d.%d.%d (/home/app/src/%s)\n", words[r.IntN(10)], r.IntN(3), r.IntN(30), r.IntN(300), message(1))
		},
		func(b *bytes.Buffer) { // gin
			fmt.Fprintf(b, "[GIN] 2026/11/23 - %s |\x1b[97;42m %d \x1b[0m| %8.3fms | %15s |\x1b[97;44m GET     \x1b[0m \"/v1/%s?id=%x\"\n",
				clock(), 200+r.IntN(300), r.Float64()*100, "10.1.2.3", words[r.IntN(10)], r.Uint64())
		},
		func(b *bytes.Buffer) { // uvicorn
			fmt.Fprintf(b, "\x1b[32mINFO\x1b[0m:     10.1.2.3:%d - \"\x1b[1mGET /v1/%s?id=%x HTTP/1.1\x1b[0m\" \x1b[32m200 OK\x1b[0m\n",
				r.IntN(60000), words[r.IntN(10)], r.Uint64())
		},
		func(b *bytes.Buffer) { // Rails
			fmt.Fprintf(b, "  \x1b[1m\x1b[36mSession Load (%.1fms)\x1b[0m  \x1b[1m\x1b[34mSELECT \"sessions\".* FROM \"sessions\" WHERE \"sessions\".\"token\" = $1 LIMIT $2\x1b[0m  [[\"token\", \"%s\"], [\"LIMIT\", 1]]\n",
				r.Float64()*10, randomText(r, 22, alphanumeric))
		},
		func(b *bytes.Buffer) { // docker compose
			fmt.Fprintf(b, "\x1b[36mweb-1  | \x1b[0m{\"time\":\"2026-11-23T%sZ\",\"level\":\"info\",\"msg\":\"%s\",\"id\":\"%016x\",\"ms\":%d}\n",
				clock(), message(3+r.IntN(6)), r.Uint64(), r.IntN(5000))
		},
	}
	var b bytes.Buffer
	for b.Len() < size {
		styles[r.IntN(len(styles))](&b)
	}
	return b.Bytes()[:size]
}

// glitterText has a sequence every few characters, as rainbows of letters and
// progress bars do, and is of near misses of the needles.
func glitterText(size int, keys []string) []byte {
	near, r := adversarialText(size/2, keys), rand.New(rand.NewPCG(7, 9))
	var b bytes.Buffer
	for b.Len() < size {
		n := 1 + r.IntN(6)
		fmt.Fprintf(&b, "\x1b[%dm%s", []int{0, 1, 31, 36, 90}[r.IntN(5)], near[:n])
		near = near[n:]
	}
	return b.Bytes()[:size]
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
	"glitter":     {1: 0.3, 10: 0.3, 100: 0.3, 1000: 0.3},
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
		for _, name := range []string{"log", "coloured", "adversarial", "glitter"} {
			b.Run(fmt.Sprintf("%s/secrets=%d", name, n), func(b *testing.B) {
				var text []byte
				switch name {
				case "adversarial":
					text = adversarialText(piece, keys)
				case "glitter":
					text = glitterText(piece, keys)
				}
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
		for name, text := range map[string][]byte{"log": logText(8 << 20), "coloured": colouredText(8 << 20), "adversarial": adversarialText(8<<20, keys), "glitter": glitterText(8<<20, keys)} {
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

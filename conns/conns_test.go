package conns

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// serve serves under a limit: at /held a request is worked on until it is
// released, elsewhere it is answered once its body has come.
func serve(t *testing.T, most int) (l *Limit, address string, held, release chan struct{}) {
	t.Helper()
	l, held, release = New(most, 0), make(chan struct{}, most), make(chan struct{})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ConnContext: l.ConnContext, Handler: l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/held" {
			held <- struct{}{}
			<-release
		}
		_, _ = io.WriteString(w, "done")
	}))}
	go func() { _ = s.Serve(l.Listener(inner)) }()
	t.Cleanup(func() { _ = s.Close() })
	return l, inner.Addr().String(), held, release
}

// dial connects from one of the addresses of the loopback network.
func dial(t *testing.T, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ask(c net.Conn, path string) error {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	return err
}

func answered(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	return err == nil && res.StatusCode == http.StatusOK
}

func closed(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := c.Read(make([]byte, 1))
	timeout, ok := err.(net.Error)
	return err != nil && !(ok && timeout.Timeout())
}

// Whoever holds all connections pushes out their own oldest one, in whatever
// way it waits, and keeps nobody out.
func TestAFloodPushesOutItself(t *testing.T) {
	for name, begin := range map[string]string{
		"silent":       "",
		"slow headers": "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"slow body":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow",
	} {
		t.Run(name, func(t *testing.T) {
			const most = 8
			l, address, _, _ := serve(t, most)
			// A client that came first, and is idle between two requests.
			first := dial(t, "127.0.0.2", address)
			if err := ask(first, "/"); err != nil || !answered(first) {
				t.Fatal("the first client is not answered")
			}
			var flood []net.Conn
			for range 5 * most {
				c := dial(t, "127.0.0.3", address)
				_, _ = io.WriteString(c, begin)
				flood = append(flood, c)
			}
			for i := range 20 {
				c := dial(t, fmt.Sprintf("127.0.0.%d", 10+i), address)
				if err := ask(c, "/"); err != nil || !answered(c) {
					t.Fatalf("client %d is kept out", i)
				}
				_ = c.Close()
			}
			if err := ask(first, "/"); err != nil || !answered(first) {
				t.Error("the first client lost its connection")
			}
			if !closed(flood[0]) {
				t.Error("the oldest connection of the flood is still open")
			}
			if n := l.Open(); n > most {
				t.Errorf("%d connections are open", n)
			}
			if l.Closed() < 4*most {
				t.Errorf("%d connections were counted as closed", l.Closed())
			}
		})
	}
}

// While all of a flood is worked on, what comes after it does not take the
// place of somebody else, who alone waits.
func TestAFloodThatIsWorkedOnPushesOutNobody(t *testing.T) {
	const most = 4
	_, address, held, release := serve(t, most)
	patient := dial(t, "127.0.0.2", address)
	if err := ask(patient, "/"); err != nil || !answered(patient) {
		t.Fatal("the first client is not answered")
	}
	for range most - 1 {
		if err := ask(dial(t, "127.0.0.3", address), "/held"); err != nil {
			t.Fatal(err)
		}
		<-held
	}
	for range most {
		if c := dial(t, "127.0.0.3", address); !closed(c) {
			t.Error("there was room for one more")
		}
	}
	if err := ask(patient, "/"); err != nil || !answered(patient) {
		t.Error("a client that waited between two requests lost its place")
	}
	close(release)
}

// While all are worked on a new client waits for the first place.
func TestAPlaceIsWaitedFor(t *testing.T) {
	const most = 2
	_, address, held, release := serve(t, most)
	for range most {
		if err := ask(dial(t, "127.0.0.2", address), "/held"); err != nil {
			t.Fatal(err)
		}
		<-held
	}
	c := dial(t, "127.0.0.3", address)
	if err := ask(c, "/"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(patience/4, func() { close(release) })
	if !answered(c) {
		t.Error("it lost its place in the queue")
	}
}

// A request that is worked on is finished, however many want its place.
func TestWorkIsNotPushedOut(t *testing.T) {
	const most = 4
	l, address, held, release := serve(t, most)
	var working []net.Conn
	for range most {
		c := dial(t, "127.0.0.2", address)
		if err := ask(c, "/held"); err != nil {
			t.Fatal(err)
		}
		<-held
		working = append(working, c)
	}
	for range most {
		if c := dial(t, "127.0.0.3", address); !closed(c) {
			t.Error("there was room for one more")
		}
	}
	close(release)
	for _, c := range working {
		if !answered(c) {
			t.Error("a request was not finished")
		}
	}
	// The places are free again.
	c := dial(t, "127.0.0.3", address)
	if err := ask(c, "/"); err != nil || !answered(c) {
		t.Error("nobody is served afterwards")
	}
	for _, c := range append(working, c) {
		_ = c.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); l.Open() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are counted as open", l.Open())
		}
	}
}

// Streams keep nobody out, have a bound of their own, and are not closed for
// others; when one ends its connection is one of the others again.
func TestStreams(t *testing.T) {
	const most, streams = 8, 3
	l := New(most, streams)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	more := make(chan struct{})
	s := &http.Server{ConnContext: l.ConnContext, Handler: l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stream" {
			return
		}
		end, ok := l.Stream(r.Context())
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer end()
		_ = http.NewResponseController(w).Flush()
		select {
		case <-more:
		case <-r.Context().Done():
		}
	}))}
	go func() { _ = s.Serve(l.Listener(inner)) }()
	t.Cleanup(func() { _ = s.Close() })
	address := inner.Addr().String()

	var going []net.Conn
	for range streams {
		c := dial(t, "127.0.0.2", address)
		if err := ask(c, "/stream"); err != nil || !answered(c) {
			t.Fatal("a stream does not begin")
		}
		going = append(going, c)
	}
	refused := dial(t, "127.0.0.2", address)
	if err := ask(refused, "/stream"); err != nil || answered(refused) {
		t.Error("one stream more than there may be is answered")
	}
	for range 3 * most {
		_ = dial(t, "127.0.0.3", address)
	}
	c := dial(t, "127.0.0.4", address)
	if err := ask(c, "/"); err != nil || !answered(c) {
		t.Error("beside all streams and a flood nobody is served")
	}
	if l.Streams() != streams || l.Open() > most {
		t.Errorf("%d streams go on, and %d other connections", l.Streams(), l.Open())
	}
	_ = going[0].Close()
	for deadline := time.Now().Add(10 * time.Second); l.Streams() != streams-1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a stream whose client is gone is still counted")
		}
	}
	again := dial(t, "127.0.0.2", address)
	if err := ask(again, "/stream"); err != nil || !answered(again) {
		t.Error("the place of a stream that ended is not free")
	}
	for range streams {
		more <- struct{}{}
	}
	for deadline := time.Now().Add(10 * time.Second); l.Streams() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("streams that ended are still counted")
		}
	}
	if l.Open() > most {
		t.Errorf("%d connections are open", l.Open())
	}
	_, _ = io.ReadFull(going[1], make([]byte, len("0\r\n\r\n"))) // the end of its answer
	if err := ask(going[1], "/"); err != nil || !answered(going[1]) {
		t.Error("the connection of a stream that ended serves no more")
	}
}

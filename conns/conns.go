// Package conns bounds the open connections of a server, so that a flood of
// them neither uses up its descriptors and memory nor keeps others out.
//
// A Limit counts the connections of all listeners that it wraps. When it is
// full, a new connection takes the place of an old one: of the address that has
// the most connections, the one that has been waiting for its client the
// longest. A connection waits for its client before a request, while the
// headers and the body arrive, while the answer is not taken, and between
// requests; one whose request is being worked on is never closed. If no
// connection waits, the new one does, for up to a second, until one has ended or
// waits; then it is closed. It is closed at once if only connections of
// addresses wait that have fewer than its own.
//
// A stream, whose answer goes on for hours, is not among those: while it goes on
// its connection is counted apart, within a bound of its own, and never closed to
// make room. Only what its client has proved a right to may be one.
//
// Whoever holds many idle or slow connections so pushes out their own first.
// Behind a proxy all connections have the proxy's address, which changes
// nothing but that the longest waiting one of all goes.
package conns

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a new connection waits for a place while all others are
// worked on. The ones behind it stay with the operating system meanwhile.
const patience = time.Second

// Limit bounds connections. Use New.
type Limit struct {
	max, maxStreams int
	refused         atomic.Int64

	mu      sync.Mutex
	open    map[*conn]struct{}
	from    map[netip.Addr]int // open connections by address
	streams int
}

// New makes a Limit of so many connections, and of so many more that are streams.
func New(most, streams int) *Limit {
	return &Limit{max: most, maxStreams: streams, open: map[*conn]struct{}{}, from: map[netip.Addr]int{}}
}

// Max is how many connections may be open.
func (l *Limit) Max() int { return l.max }

// Open is how many connections are open.
func (l *Limit) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// MaxStreams is how many streams may go on.
func (l *Limit) MaxStreams() int { return l.maxStreams }

// Streams is how many streams go on.
func (l *Limit) Streams() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streams
}

// Stream counts the connection of a request as a stream, until end is called by
// the request's handler; ok is false if there are too many.
func (l *Limit) Stream(ctx context.Context) (end func(), ok bool) {
	c, counted := ctx.Value(contextKey{}).(*conn)
	if !counted {
		return func() {}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams >= l.maxStreams {
		return nil, false
	}
	l.streams++
	l.forget(c)
	return func() { l.endStream(c) }, true
}

// endStream counts a connection among the others again, where it takes the place
// of one that waits if they are too many.
func (l *Limit) endStream(c *conn) {
	l.mu.Lock()
	l.streams--
	var victim *conn
	if !c.closed {
		if len(l.open) >= l.max {
			if victim = l.victim(); victim != nil {
				l.refused.Add(1)
				l.forget(victim)
			}
		}
		l.add(c)
	}
	l.mu.Unlock()
	if victim != nil {
		_ = victim.Close()
	}
}

// add counts a connection; the mutex is held.
func (l *Limit) add(c *conn) {
	l.open[c] = struct{}{}
	l.from[c.from]++
}

// Closed is how many connections were closed to make room, or for want of it.
func (l *Limit) Closed() int64 { return l.refused.Load() }

// Listener wraps a listener. The server on it must have the Limit's ConnContext
// and Handler.
func (l *Limit) Listener(inner net.Listener) net.Listener { return listener{inner, l} }

type listener struct {
	net.Listener
	limit *Limit
}

func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		kept, busy := l.limit.admit(c)
		for end := time.Now().Add(patience); busy && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
			kept, busy = l.limit.admit(c)
		}
		if kept != nil {
			return kept, nil
		}
		l.limit.refused.Add(1)
		_ = c.Close()
	}
}

// conn is a counted connection.
type conn struct {
	net.Conn
	limit *Limit
	from  netip.Addr
	// waiting is since when it waits for its client; zero while a request is
	// worked on. Guarded by the Limit's mutex.
	waiting time.Time
	closed  bool // guarded likewise
	once    sync.Once
}

// Write waits for the client to take what is written.
func (c *conn) Write(p []byte) (int, error) {
	before := c.since(time.Now())
	defer c.since(before)
	return c.Conn.Write(p)
}

// Close closes the connection and takes it out of the count.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.limit.mu.Lock()
		defer c.limit.mu.Unlock()
		c.closed = true
		c.limit.forget(c)
	})
	return c.Conn.Close()
}

// forget takes a connection out of the count; the mutex is held.
func (l *Limit) forget(c *conn) {
	if _, ok := l.open[c]; !ok {
		return
	}
	delete(l.open, c)
	if l.from[c.from]--; l.from[c.from] == 0 {
		delete(l.from, c.from)
	}
}

// admit counts a connection, or returns nil if there is no room for it: busy
// says that all others are worked on.
func (l *Limit) admit(inner net.Conn) (kept net.Conn, busy bool) {
	c := &conn{Conn: inner, limit: l, from: addressOf(inner), waiting: time.Now()}
	l.mu.Lock()
	var victim *conn
	if len(l.open) >= l.max {
		if victim = l.victim(); victim == nil || l.from[victim.from] < l.from[c.from] {
			l.mu.Unlock()
			return nil, victim == nil
		}
		l.refused.Add(1)
		l.forget(victim)
	}
	l.add(c)
	l.mu.Unlock()
	if victim != nil {
		_ = victim.Close()
	}
	return c, false
}

// victim is the connection that goes: of the addresses with the most
// connections that of the longest wait. The mutex is held.
func (l *Limit) victim() (found *conn) {
	for c := range l.open {
		if c.waiting.IsZero() {
			continue
		}
		if found == nil || l.from[c.from] > l.from[found.from] || l.from[c.from] == l.from[found.from] && c.waiting.Before(found.waiting) {
			found = c
		}
	}
	return found
}

// addressOf is the peer's address, or the /64 of an IPv6 one, from which one
// subscriber can choose.
func addressOf(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}

type contextKey struct{}

// ConnContext is for http.Server: it lets Handler find the connection.
func (l *Limit) ConnContext(ctx context.Context, c net.Conn) context.Context {
	if counted, ok := c.(*conn); ok {
		return context.WithValue(ctx, contextKey{}, counted)
	}
	return ctx
}

// Handler tells the Limit what the server works on.
func (l *Limit) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(contextKey{}).(*conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		c.work()
		defer c.wait()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &body{r.Body, c}
		}
		next.ServeHTTP(w, r)
	})
}

func (c *conn) work() { c.since(time.Time{}) }
func (c *conn) wait() { c.since(time.Now()) }

// since sets since when the connection waits, and returns what it was before.
func (c *conn) since(t time.Time) (before time.Time) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	before, c.waiting = c.waiting, t
	return before
}

// body waits for its client while it is read.
type body struct {
	io.ReadCloser
	conn *conn
}

func (b *body) Read(p []byte) (int, error) {
	b.conn.wait()
	defer b.conn.work()
	return b.ReadCloser.Read(p)
}

package dbtest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between a program and PostgreSQL, and fails as networks do. It
// knows the protocol so far that a test can choose the moment.
type Proxy struct {
	tb       testing.TB
	listener net.Listener

	mu       sync.Mutex
	upstream [2]string // network and address; empty: connections are refused
	conns    map[*proxied]struct{}
	onQuery  func(query string) Fault
	messages int
	hung     chan struct{} // closed when traffic flows again; nil while it does
}

// Fault is what happens to a message on its way to the server.
type Fault int

const (
	// Pass hands it on.
	Pass Fault = iota
	// CutBefore ends the connection, and the server never sees the message.
	CutBefore
	// CutAfter ends the connection when the server has answered, and the
	// client never sees the answer.
	CutAfter
)

// proxied is one connection through the proxy.
type proxied struct {
	client, server net.Conn
	mu             sync.Mutex
	swallow        bool
}

// NewProxy starts a proxy before the server of a database, and returns it with
// the URL of that database through it.
func NewProxy(tb testing.TB, databaseURL string) (*Proxy, string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{tb: tb, listener: l, conns: map[*proxied]struct{}{}}
	p.Lead(databaseURL)
	go p.serve()
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
		p.Flow()
		p.Cut()
	})
	u, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatal(err)
	}
	u.Host = l.Addr().String()
	u.RawQuery = "sslmode=disable"
	return p, u.String()
}

// Lead names the server that new connections lead to; none refuses them.
func (p *Proxy) Lead(databaseURL string) {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if databaseURL == "" {
		p.upstream = [2]string{}
		return
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		p.tb.Fatal(err)
	}
	host, port := u.Hostname(), u.Port()
	if q := u.Query(); q.Has("host") {
		host, port = q.Get("host"), q.Get("port")
	}
	if port == "" {
		port = "5432"
	}
	p.upstream = [2]string{"tcp", net.JoinHostPort(host, port)}
	if filepath.IsAbs(host) {
		p.upstream = [2]string{"unix", filepath.Join(host, ".s.PGSQL."+port)}
	}
}

// OnQuery decides about each statement that a client sends: its text, as it
// stands in a simple query or is prepared.
func (p *Proxy) OnQuery(decide func(query string) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onQuery = decide
}

// CutAt ends the connection before the nth message that clients send from now
// on, and all later ones; 0 ends none. It returns how many there were before.
func (p *Proxy) CutAt(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.messages
	p.messages = 0
	p.onQuery = nil
	if n > 0 {
		p.onQuery = func(string) Fault {
			if p.messages >= n {
				return CutBefore
			}
			return Pass
		}
	}
	return before
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close()
	}
}

// Hang holds all traffic, as a host that vanished does: nothing is refused,
// and nothing answers.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hung == nil {
		p.hung = make(chan struct{})
	}
}

// Flow ends Hang; what was sent meanwhile arrives.
func (p *Proxy) Flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hung != nil {
		close(p.hung)
		p.hung = nil
	}
}

func (p *Proxy) flowing() {
	p.mu.Lock()
	hung := p.hung
	p.mu.Unlock()
	if hung != nil {
		<-hung
	}
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.connect(client)
	}
}

func (p *Proxy) connect(client net.Conn) {
	p.flowing()
	p.mu.Lock()
	upstream := p.upstream
	p.mu.Unlock()
	if upstream[0] == "" {
		_ = client.Close()
		return
	}
	server, err := net.Dial(upstream[0], upstream[1])
	if err != nil {
		_ = client.Close()
		return
	}
	c := &proxied{client: client, server: server}
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _ = p.forth(c); c.close() })
	both.Go(func() { _ = p.back(c); c.close() })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (c *proxied) close() { _ = errors.Join(c.client.Close(), c.server.Close()) }

// forth hands on what the client sends, message by message. The first one has
// no type.
func (p *Proxy) forth(c *proxied) error {
	for first := true; ; first = false {
		head := make([]byte, 5)
		if first {
			head = head[:4]
		}
		if _, err := io.ReadFull(c.client, head); err != nil {
			return err
		}
		message := make([]byte, int(binary.BigEndian.Uint32(head[len(head)-4:]))-4)
		if _, err := io.ReadFull(c.client, message); err != nil {
			return err
		}
		p.flowing()
		fault := p.decide(first, head[0], message)
		if fault == CutBefore {
			return errors.New("cut")
		}
		if fault == CutAfter {
			c.mu.Lock()
			c.swallow = true
			c.mu.Unlock()
		}
		if _, err := c.server.Write(append(head, message...)); err != nil {
			return err
		}
	}
}

func (p *Proxy) decide(first bool, kind byte, message []byte) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages++
	if p.onQuery == nil {
		return Pass
	}
	text := ""
	switch {
	case first:
	case kind == 'Q':
		text = strings.TrimRight(string(message), "\x00")
	case kind == 'P':
		_, after, _ := strings.Cut(string(message), "\x00")
		text, _, _ = strings.Cut(after, "\x00")
	}
	return p.onQuery(text)
}

func (p *Proxy) back(c *proxied) error {
	b := make([]byte, 32<<10)
	for {
		n, err := c.server.Read(b)
		if err != nil {
			return err
		}
		p.flowing()
		c.mu.Lock()
		swallow := c.swallow
		c.mu.Unlock()
		if swallow {
			return errors.New("cut")
		}
		if _, err := c.client.Write(b[:n]); err != nil {
			return err
		}
	}
}

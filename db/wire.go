package db

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// dialer makes the connections of one session: its own, and later short ones
// that cancel a statement.
type dialer struct {
	net net.Dialer
	// patience is that of a connection that is being made.
	patience time.Duration
	// made is the session's own connection once connected is set; until then
	// the one to the host that is tried.
	made      *patientConn
	connected atomic.Bool
}

// own returns the session's connection, after which all others only cancel.
func (d *dialer) own() *patientConn {
	d.connected.Store(true)
	return d.made
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p := &patientConn{Conn: c}
	p.patience.Store(int64(d.patience))
	if !d.connected.Load() {
		d.made = p
	}
	return p, nil
}

// patientConn gives up when nothing comes for as long as its patience: a host
// that vanished sends nothing that would end the wait. lib/pq reads only while
// it waits for an answer.
type patientConn struct {
	net.Conn
	patience atomic.Int64 // nanoseconds; 0 sets no deadline
}

// wait sets the patience; 0 waits for ever.
func (c *patientConn) wait(patience time.Duration) {
	c.patience.Store(int64(patience))
	if patience == 0 {
		_ = c.SetDeadline(time.Time{})
	}
}

func (c *patientConn) Read(b []byte) (int, error) {
	if p := c.patience.Load(); p > 0 {
		if err := c.SetReadDeadline(time.Now().Add(time.Duration(p))); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

func (c *patientConn) Write(b []byte) (int, error) {
	if p := c.patience.Load(); p > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(time.Duration(p))); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

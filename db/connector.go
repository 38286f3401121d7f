package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// connector makes sessions, and follows what becomes of the database: whether
// it is reached through a pooler, and when a primary has become another's
// standby.
type connector struct {
	cfg    pq.Config
	limits limits

	// pooled says that statements of one session may reach several sessions of
	// the server, as with pgbouncer in transaction mode: nothing set or
	// prepared in a session lasts.
	pooled atomic.Bool
	// generation counts how often the database was found to be lost or to
	// refuse writes. Sessions of an earlier one are not used again.
	generation atomic.Int64
}

// unhurried returns a context whose transactions have no time limits: for a
// backup, which reads everything, and for what holds a lock meanwhile.
func unhurried(ctx context.Context) context.Context {
	return context.WithValue(ctx, unhurriedKey{}, true)
}

type unhurriedKey struct{}

func isUnhurried(ctx context.Context) bool { return ctx.Value(unhurriedKey{}) != nil }

// connectError says that no session could be made, so that nothing was done.
type connectError struct{ cause error }

func (e *connectError) Error() string { return "connect: " + e.cause.Error() }
func (e *connectError) Unwrap() error { return e.cause }

func (c *connector) Driver() driver.Driver { return pq.Driver{} }

// Connect makes a session with the first host that answers and, where the URL
// says so, takes writes.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	s, err := c.connect(ctx, c.pooled.Load())
	if errors.Is(err, errPooler) {
		if s, err = c.connect(ctx, true); err == nil {
			c.pooled.Store(true)
		}
	}
	if err != nil {
		return nil, &connectError{err}
	}
	return s, nil
}

// turn gives up all sessions that there are.
func (c *connector) turn() { c.generation.Add(1) }

// errPooler says that a session did not get what it asked for at its start.
var errPooler = errors.New("a pooler stands before the database")

// marker is a parameter of no meaning. Only a session of our own has the value
// that it was started with: a pooler refuses the parameter or leaves it out.
const marker = "infsh.session"

func (c *connector) connect(ctx context.Context, pooled bool) (*session, error) {
	generation := c.generation.Load()
	cfg, mark := c.cfg.Clone(), rand.Text()
	if pooled {
		// A statement then goes in one message, and needs no second one that
		// might reach another session.
		cfg.BinaryParameters = true
	} else {
		cfg.Runtime[marker] = mark
		for name, limit := range c.limits.parameters() {
			cfg.Runtime[name] = limit
		}
	}
	pqConnector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, err
	}
	d := &dialer{patience: c.limits.connect}
	pqConnector.Dialer(d)
	conn, err := pqConnector.Connect(ctx)
	if err != nil {
		if !pooled && refusesParameter(err) {
			return nil, errPooler
		}
		return nil, err
	}
	inner, ok := conn.(pqConn)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connection is not as expected"), conn.Close())
	}
	if !pooled {
		if got, err := ask(ctx, inner, "SELECT current_setting('"+marker+"', true)"); err != nil || got != mark {
			return nil, errors.Join(err, errPooler, conn.Close())
		}
	}
	wire := d.own()
	wire.wait(c.limits.patience())
	return newSession(inner, c, wire, generation, pooled), nil
}

// parameters are the limits as the server reads them, in milliseconds.
func (l limits) parameters() map[string]string {
	ms := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
	return map[string]string{
		"statement_timeout": ms(l.statement), "lock_timeout": ms(l.lock), "idle_in_transaction_session_timeout": ms(l.idle),
	}
}

// refusesParameter reports whether the other side does not know a parameter
// that PostgreSQL knows. Of several hosts each has an error.
func refusesParameter(err error) bool {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			if refusesParameter(e) {
				return true
			}
		}
		return false
	}
	if inner := errors.Unwrap(err); inner != nil {
		return refusesParameter(inner)
	}
	code, ok := postgresCode(err)
	return ok && (code == pqerror.ProtocolViolation || code == pqerror.UndefinedObject || code == pqerror.InvalidParameterValue)
}

// ask reads one text.
func ask(ctx context.Context, c driver.QueryerContext, query string) (string, error) {
	rows, err := c.QueryContext(ctx, query, nil)
	if err != nil {
		return "", err
	}
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return "", errors.Join(err, rows.Close())
	}
	var s sql.NullString
	return s.String, errors.Join(s.Scan(row[0]), rows.Close())
}

package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"infsh/db"
)

// template is the migrated database that each test's own is a copy of: a copy
// takes a tenth of the time of a migration.
const template = "infsh_template"

// cluster is a running PostgreSQL server.
type cluster struct {
	// base is its URL; the path, which names the database, is replaced.
	base *url.URL
	stop func() error

	// strategy copies a template's files instead of logging each of their pages,
	// where the server can do that (PostgreSQL 15).
	strategy string

	mu   sync.Mutex
	next int
	// dropping are the databases that nobody waits for to be gone: it takes
	// longer than most tests.
	dropping sync.WaitGroup
	dropped  []error
}

var (
	starting sync.Mutex
	started  *cluster
	failed   error
)

// Main runs a package's tests and stops the PostgreSQL server that they used.
// The server is the one that INFSH_TEST_POSTGRES names as a postgres:// URL,
// whose user may create databases; else one is started for the package, on a
// private socket and as an unprivileged user, and removed at the end.
func Main(m *testing.M) int {
	code := m.Run()
	starting.Lock()
	defer starting.Unlock()
	if started != nil {
		started.dropping.Wait()
		if err := errors.Join(append(started.dropped, started.stop())...); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			return max(code, 1)
		}
	}
	return code
}

func running() (*cluster, error) {
	starting.Lock()
	defer starting.Unlock()
	if started == nil && failed == nil {
		started, failed = begin()
	}
	return started, failed
}

func begin() (*cluster, error) {
	c := &cluster{stop: func() error { return nil }}
	if given := os.Getenv("INFSH_TEST_POSTGRES"); given != "" {
		u, err := url.Parse(given)
		if err != nil {
			return nil, errors.New("INFSH_TEST_POSTGRES is not a URL")
		}
		c.base = u
	} else {
		var err error
		if c.base, c.stop, err = startServer(false); err != nil {
			return nil, err
		}
	}
	if err := c.makeTemplate(context.Background()); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) url(database string) string {
	u := *c.base
	u.Path = "/" + database
	return u.String()
}

// admin runs a statement outside any test's database.
func (c *cluster) admin(ctx context.Context, statement string) error {
	conn, err := sqlx.ConnectContext(ctx, "postgres", c.url("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, statement)
	return errors.Join(err, conn.Close())
}

func (c *cluster) makeTemplate(ctx context.Context) error {
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + template, "CREATE DATABASE " + template} {
		if err := c.admin(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	conn, err := sqlx.ConnectContext(ctx, "postgres", c.url("postgres"))
	if err != nil {
		return err
	}
	var version int
	if err := errors.Join(conn.GetContext(ctx, &version, "SELECT current_setting('server_version_num')::int"), conn.Close()); err != nil {
		return err
	}
	if version >= 150000 {
		c.strategy = " STRATEGY FILE_COPY"
	}
	d, err := db.OpenPostgres(ctx, c.url(template))
	if err != nil {
		return err
	}
	return errors.Join(d.Migrate(ctx), d.Close())
}

// database makes a copy of a template. Its drop does not wait for the database
// to be gone.
func (c *cluster) database(ctx context.Context, template string) (url string, drop func(), err error) {
	c.mu.Lock()
	c.next++
	name := fmt.Sprintf("infsh_test_%d_%d", os.Getpid(), c.next)
	c.mu.Unlock()
	if err := c.admin(ctx, "CREATE DATABASE "+name+c.strategy+" TEMPLATE "+template); err != nil {
		return "", nil, fmt.Errorf("make a database: %w", err)
	}
	return c.url(name), func() {
		c.dropping.Go(func() {
			if err := c.admin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.dropped = append(c.dropped, err)
			}
		})
	}, nil
}

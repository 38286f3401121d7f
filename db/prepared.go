package db

import (
	"context"
	"database/sql/driver"
	"errors"
)

const (
	// maxPrepared bounds the statements that a connection keeps: each takes
	// memory at the database. Statements whose text has a list's length in it
	// would otherwise add up.
	maxPrepared = 96
	maxSeen     = 512
)

// statements are those that one connection has prepared. A statement is
// prepared when it comes a second time; seen has those that came once.
type statements struct {
	prepared map[string]driver.Stmt
	seen     map[string]struct{}
}

func newStatements() statements {
	return statements{prepared: map[string]driver.Stmt{}, seen: map[string]struct{}{}}
}

// find returns the prepared form of a query, or nil for one that is sent as it
// is.
func (s *statements) find(ctx context.Context, conn driver.ConnPrepareContext, query string, args []driver.NamedValue) (driver.Stmt, error) {
	if stmt, ok := s.prepared[query]; ok {
		return stmt, nil
	}
	// Without arguments it may be several statements in one, or BEGIN.
	if len(args) == 0 || len(s.prepared) >= maxPrepared {
		return nil, nil
	}
	if _, again := s.seen[query]; !again {
		if len(s.seen) >= maxSeen {
			clear(s.seen)
		}
		s.seen[query] = struct{}{}
		return nil, nil
	}
	stmt, err := conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	delete(s.seen, query)
	s.prepared[query] = stmt
	return stmt, nil
}

func (s *statements) close() error {
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	clear(s.prepared)
	return errors.Join(errs...)
}

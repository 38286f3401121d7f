package db

import (
	"context"
	"errors"
	"time"

	"infsh/audit"
)

const (
	// maxGroup is the most entries in one group, and in one statement, whose
	// parameters either database must be able to take.
	maxGroup = 256
	// groupTimeout bounds one commit with its repetitions, and so how long an
	// entry that was taken up is waited for.
	groupTimeout = 20 * time.Second
)

// committer appends audit entries of concurrent callers in one commit (group
// commit): while one group is synced to disk, the next one gathers. There is
// one at a time, since two would wait for each other's chains.
type committer struct {
	groups *groups[audit.Entry, struct{}]
}

// newCommitter makes a committer; commit writes a group, all or nothing.
func newCommitter(commit func(context.Context, []audit.Entry) error) *committer {
	g := newGroups(maxGroup, 1, func(ctx context.Context, entries []audit.Entry) ([]struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, groupTimeout)
		defer cancel()
		return make([]struct{}, len(entries)), commit(ctx, entries)
	})
	g.binding = true
	return &committer{g}
}

// append returns when the entry is durable, or is not written.
func (c *committer) append(ctx context.Context, e audit.Entry) error {
	_, err := c.groups.do(ctx, e)
	if errors.Is(err, errClosing) || errors.Is(err, errTooMany) {
		return auditFailed(err)
	}
	return err
}

// length is how many entries wait.
func (c *committer) length() int { return c.groups.length() }

// close refuses new entries and returns when those that wait are written.
func (c *committer) close() { c.groups.close() }

// appendGroup commits entries together.
func (d *DB) appendGroup(ctx context.Context, entries []audit.Entry) error {
	err := d.record(ctx, func(q querier) error {
		*q.entries = entries
		return nil
	})
	if err != nil {
		return auditFailed(err)
	}
	return nil
}

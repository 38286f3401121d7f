package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"infsh/audit"
	"infsh/problem"
)

// appendAudit adds an entry to the transaction. It is chained and written at
// the transaction's end, by chain.
func appendAudit(_ context.Context, q querier, e audit.Entry) error {
	if q.entries == nil {
		return errors.New("an audit entry in a transaction that only reads")
	}
	*q.entries = append(*q.entries, named(e))
	return nil
}

// AppendAudit appends one entry on its own, in a commit that it shares with
// others; see committer. It is durable when AppendAudit returns nil.
//
// Errors: problem.Unavailable, and that of ctx if ctx ended before the entry
// was taken up, in which case it is not written. Once taken up it is waited
// for, so a nil after the end of ctx is true. After an error it may be in the
// log nonetheless, if the connection broke during the commit.
func (d *DB) AppendAudit(ctx context.Context, e audit.Entry) error {
	if j := joinedIn(ctx); j != nil {
		j.deferred = append(j.deferred, e)
		return nil
	}
	return d.committer.append(ctx, named(e))
}

// named gives an entry its id and time.
func named(e audit.Entry) audit.Entry {
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	return e
}

const entryColumns = "team_id, seq, id, at, actor_kind, actor_id, actor_name, credential_id, action, target, outcome, reason, remote_addr, request_id, run_id, versions, hash"

// chain appends entries to the chains of their teams; it is the only writer of
// the audit log. It is the last thing that a transaction does: the heads are
// locked for the time of the commit alone, or for that of a transaction that
// locks nothing else, and in the order of the teams, so that two instances wait
// for each other and never in a circle.
func chain(ctx context.Context, q querier, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	teams := make([]string, len(entries))
	for i, e := range entries {
		teams[i] = e.Storable().TeamID
	}
	// They may be locked already, by a transaction that began with it.
	heads := *q.heads
	if heads == nil {
		var err error
		if heads, _, err = lockHeads(ctx, q, teams); err != nil {
			return auditFailed(err)
		}
		*q.heads = heads
	}
	rows := make([]auditRow, len(entries))
	for i, e := range entries {
		var err error
		head, locked := heads[teams[i]]
		if !locked {
			return auditFailed(fmt.Errorf("the chain of team %q was not locked", teams[i]))
		}
		e, head = head.Next(e)
		heads[teams[i]] = head
		if rows[i], err = rowOf(e, head); err != nil {
			return auditFailed(err)
		}
	}
	write := appendSQLite
	if q.dialect == postgresDialect {
		write = appendPostgres
	}
	for some := range slices.Chunk(rows, maxGroup) {
		if err := write(ctx, q, some); err != nil {
			return auditFailed(err)
		}
	}
	return nil
}

// appendSQLite writes row by row, in statements whose text is always the same:
// there is no way to the database that a longer one would save.
func appendSQLite(ctx context.Context, q querier, rows []auditRow) error {
	last := map[string]auditRow{}
	for _, r := range rows {
		_, err := q.exec(ctx, "INSERT INTO audit_entries ("+entryColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", r.values()...)
		if err != nil {
			return err
		}
		last[r.TeamID] = r
	}
	for _, r := range last {
		if _, err := q.exec(ctx, "UPDATE audit_chains SET seq = ?, hash = ? WHERE team_id = ?", r.Seq, r.Hash, r.TeamID); err != nil {
			return err
		}
	}
	return nil
}

// appendPostgres writes all rows, and the heads, in one statement, whose text is
// the same for any number of them.
func appendPostgres(ctx context.Context, q querier, rows []auditRow) error {
	_, err := q.exec(ctx, `WITH entry AS MATERIALIZED (
			SELECT * FROM `+entryLists+`
		), appended AS (
			INSERT INTO audit_entries (`+entryColumns+`) SELECT `+entryColumns+` FROM entry
		), last AS (
			SELECT DISTINCT ON (team_id) team_id, seq, hash FROM entry ORDER BY team_id, seq DESC
		)
		UPDATE audit_chains SET seq = last.seq, hash = last.hash FROM last WHERE audit_chains.team_id = last.team_id`, listsOf(rows)...)
	return err
}

// entryLists are entries as PostgreSQL takes them: a list of each column.
const entryLists = `unnest(?::text[], ?::bigint[], ?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[],
	?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bytea[]) AS entry(` + entryColumns + `)`

// listsOf are the parameters of entryLists.
func listsOf(rows []auditRow) []any {
	values := make([][]any, len(rows))
	for i, r := range rows {
		values[i] = r.values()
	}
	lists := make([]any, len(values[0]))
	for column, first := range values[0] {
		switch first.(type) {
		case string:
			lists[column] = pq.StringArray(columnOf[string](values, column))
		case int64:
			lists[column] = pq.Int64Array(columnOf[int64](values, column))
		case []byte:
			lists[column] = pq.ByteaArray(columnOf[[]byte](values, column))
		}
	}
	return lists
}

func columnOf[T any](rows [][]any, column int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = r[column].(T)
	}
	return out
}

// lockHeads locks the ends of the chains of teams, and makes those that are
// missing. It also reads the teams' revisions, as they were when it was asked.
func lockHeads(ctx context.Context, q querier, teams []string) (heads map[string]audit.Head, revisions map[string]int64, err error) {
	teams = distinct(slices.Clone(teams))
	heads, revisions = make(map[string]audit.Head, len(teams)), make(map[string]int64, len(teams))
	for _, missing := teams, false; ; missing = true {
		err := q.each(ctx, `SELECT c.team_id, c.seq, c.hash, COALESCE(r.revision, 0)
			FROM `+q.wanted("team_id")+` CROSS JOIN audit_chains c LEFT JOIN team_revisions r ON r.team_id = c.team_id
			WHERE c.team_id = w.team_id ORDER BY c.team_id`+q.forUpdate("c"), q.lists([][]string{teams}), func(scan func(...any) error) error {
			var r headRow
			var revision int64
			if err := scan(&r.TeamID, &r.Seq, &r.Hash, &revision); err != nil {
				return err
			}
			if revision > 0 {
				revisions[r.TeamID] = revision
			}
			head, err := r.head()
			heads[r.TeamID] = head
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if missing || len(heads) == len(teams) {
			break
		}
		for _, team := range teams {
			if _, ok := heads[team]; ok {
				continue
			}
			var zero audit.Hash
			if _, err := q.exec(ctx, "INSERT INTO audit_chains (team_id, seq, hash) VALUES (?, 0, ?) ON CONFLICT DO NOTHING", team, zero[:]); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(heads) != len(teams) {
		return nil, nil, fmt.Errorf("%w: it went away", errDamagedHead)
	}
	return heads, revisions, nil
}

// auditFailed says that the log can't be written, which undoes what was to be
// recorded: nothing happens that is not in the log.
func auditFailed(cause error) error {
	if e := new(problem.Error); errors.As(cause, &e) && e.Code == problem.Unavailable {
		return cause
	}
	return &problem.Error{
		Code: problem.Unavailable, Detail: "The audit log can't be written, so nothing was done. Try again.",
		Cause: fmt.Errorf("write the audit log: %w", cause),
	}
}

// errDamagedHead stops a chain for good: to go on from a head that somebody
// made up would hide what was there.
var errDamagedHead = errors.New("the head of an audit chain is damaged; see infsh admin audit verify")

type headRow struct {
	TeamID string `db:"team_id"`
	Seq    int64  `db:"seq"`
	Hash   []byte `db:"hash"`
}

func (r headRow) head() (audit.Head, error) {
	h := audit.Head{Seq: r.Seq}
	if copy(h.Hash[:], r.Hash) != len(h.Hash) || len(r.Hash) != len(h.Hash) || r.Seq < 0 {
		return audit.Head{}, fmt.Errorf("%w: that of team %q", errDamagedHead, r.TeamID)
	}
	return h, nil
}

type auditRow struct {
	Seq          int64  `db:"seq"`
	ID           string `db:"id"`
	TeamID       string `db:"team_id"`
	At           int64  `db:"at"`
	ActorKind    string `db:"actor_kind"`
	ActorID      string `db:"actor_id"`
	ActorName    string `db:"actor_name"`
	CredentialID string `db:"credential_id"`
	Action       string `db:"action"`
	Target       string `db:"target"`
	Outcome      string `db:"outcome"`
	Reason       string `db:"reason"`
	RemoteAddr   string `db:"remote_addr"`
	RequestID    string `db:"request_id"`
	RunID        string `db:"run_id"`
	Versions     string `db:"versions"`
	Hash         []byte `db:"hash"`
}

// rowOf is an entry as it is stored; head is the chain's end with it.
func rowOf(e audit.Entry, head audit.Head) (auditRow, error) {
	versions, err := json.Marshal(e.Versions)
	return auditRow{
		Seq: e.Seq, ID: e.ID, TeamID: e.TeamID, At: e.At.UnixMicro(), ActorKind: e.ActorKind, ActorID: e.ActorID, ActorName: e.ActorName,
		CredentialID: e.CredentialID, Action: e.Action, Target: e.Target, Outcome: string(e.Outcome), Reason: e.Reason,
		RemoteAddr: e.RemoteAddr, RequestID: e.RequestID, RunID: e.RunID, Versions: string(versions), Hash: head.Hash[:],
	}, err
}

// values are in the order of entryColumns.
func (r auditRow) values() []any {
	return []any{
		r.TeamID, r.Seq, r.ID, r.At, r.ActorKind, r.ActorID, r.ActorName, r.CredentialID, r.Action, r.Target,
		r.Outcome, r.Reason, r.RemoteAddr, r.RequestID, r.RunID, r.Versions, r.Hash,
	}
}

func (r auditRow) link() (audit.Link, error) {
	e := audit.Entry{
		Seq: r.Seq, ID: r.ID, At: time.UnixMicro(r.At).UTC(), TeamID: r.TeamID, ActorKind: r.ActorKind, ActorID: r.ActorID, ActorName: r.ActorName,
		CredentialID: r.CredentialID, Action: r.Action, Target: r.Target, Outcome: audit.Outcome(r.Outcome), Reason: r.Reason,
		RemoteAddr: r.RemoteAddr, RequestID: r.RequestID, RunID: r.RunID,
	}
	broken := &audit.Broken{TeamID: r.TeamID, Seq: r.Seq, ID: r.ID, Reason: "it was changed: its list of versions is not as infsh writes it"}
	if err := json.Unmarshal([]byte(r.Versions), &e.Versions); err != nil {
		return audit.Link{}, broken
	}
	// The hash covers what the list says. This covers how it is written.
	if again, err := json.Marshal(e.Versions); err != nil || string(again) != r.Versions {
		return audit.Link{}, broken
	}
	return audit.Link{Entry: e, Hash: r.Hash}, nil
}

// LastAllowed implements audit.Store.
func (d *DB) LastAllowed(ctx context.Context, team, action, target string) (at time.Time, err error) {
	err = d.view(ctx, func(q querier) error {
		var us int64
		err := q.get(ctx, &us, `SELECT at FROM audit_entries WHERE team_id = ? AND action = ? AND target = ? AND outcome = 'allowed'
			ORDER BY seq DESC LIMIT 1`, team, action, target)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		at = fromMicros(us)
		return err
	})
	return at, err
}

// AuditSnapshot runs fn on the log at one moment, while others append to it.
func (d *DB) AuditSnapshot(ctx context.Context, fn func(audit.Snapshot) error) error {
	return d.look(unhurried(ctx), func(q querier) error { return fn(auditSnapshot{q}) })
}

type auditSnapshot struct{ q querier }

func (s auditSnapshot) Chains(ctx context.Context) ([]audit.Chain, error) {
	var rows []struct {
		TeamID string `db:"team_id"`
		Name   string `db:"username"`
	}
	err := s.q.list(ctx, &rows, `SELECT c.team_id, COALESCE(t.username, '') AS username
		FROM (SELECT team_id FROM audit_chains UNION SELECT team_id FROM audit_entries UNION SELECT id FROM teams) AS c
		LEFT JOIN teams t ON t.id = c.team_id
		ORDER BY username, c.team_id`)
	if err != nil {
		return nil, fmt.Errorf("list the chains of the audit log: %w", err)
	}
	chains := make([]audit.Chain, len(rows))
	for i, r := range rows {
		chains[i] = audit.Chain{TeamID: r.TeamID, TeamName: r.Name}
	}
	return chains, nil
}

func (s auditSnapshot) Head(ctx context.Context, team string) (audit.Head, bool, error) {
	var row headRow
	err := s.q.get(ctx, &row, "SELECT team_id, seq, hash FROM audit_chains WHERE team_id = ?", team)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Head{}, false, nil
	}
	if err != nil {
		return audit.Head{}, false, fmt.Errorf("read the head of an audit chain: %w", err)
	}
	// A damaged head is one that no chain has.
	head, err := row.head()
	if err != nil {
		head = audit.Head{Seq: row.Seq}
	}
	return head, true, nil
}

func (s auditSnapshot) Page(ctx context.Context, team string, from int64, since time.Time, limit int) ([]audit.Link, error) {
	var rows []auditRow
	query, args := "SELECT "+entryColumns+" FROM audit_entries WHERE team_id = ? AND seq >= ?", []any{team, from}
	if !since.IsZero() {
		query, args = query+" AND at >= ?", append(args, since.UnixMicro())
	}
	if err := s.q.list(ctx, &rows, query+" ORDER BY seq LIMIT ?", append(args, limit)...); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	links := make([]audit.Link, 0, len(rows))
	for _, r := range rows {
		l, err := r.link()
		if err != nil {
			return links, err
		}
		links = append(links, l)
	}
	return links, nil
}

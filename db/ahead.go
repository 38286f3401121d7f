package db

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"infsh/audit"
	"infsh/secret"
	"infsh/webhook"
)

const (
	// maxHeads bounds the ends of chains that are remembered, which take some 250
	// bytes each.
	maxHeads = 100_000
	// contendedFor is how long a chain is locked first, after another instance was
	// found to write to it too.
	contendedFor = time.Second
)

// seenHead is the end of a chain as it was last seen, of use after a moment.
type seenHead struct {
	audit.Head
	after time.Time
}

// saw remembers the end of a chain.
func (d *DB) saw(team string, head audit.Head) {
	seen, _ := d.heads.Peek(team)
	seen.Head = head
	d.heads.Add(team, seen)
}

// ahead is a run whose entry was made before anything was asked: from what it
// was answered before, and from where its team's chain ended. It is true if both
// are still so.
type ahead struct {
	place      int
	disclosure *secret.Disclosure
	row        auditRow
}

// recordAhead records those runs that are answered as before, on PostgreSQL, in
// one statement that commits itself: instead of four round trips it takes one,
// and the chains are locked for less time. For each team the statement asks
// whether the revision and the end of the chain are the expected ones, and
// writes the team's entries only then. So nothing of it depends on what this
// instance believes: an entry stands in its place of the chain, or nowhere.
//
// It completes the answers that it can, and returns the places of the others,
// which are to be asked for. If the connection was lost, it is not known whether
// those that are unsure were written.
func (d *DB) recordAhead(ctx context.Context, wanted []recordQuery, out []answer[*secret.Disclosure]) (rest []int, unsure []ahead, err error) {
	for i := range wanted {
		rest = append(rest, i)
	}
	if d.connector == nil || d.connector.pooled.Load() {
		// A pooler keeps no limits beyond a transaction, and this has none.
		return rest, nil, nil
	}
	runs, teams, err := d.guess(wanted)
	if err != nil || len(runs) == 0 {
		return rest, nil, err
	}
	moved, err := d.appendAhead(ctx, runs, teams)
	if errors.Is(err, errBusy) {
		return nil, nil, failure(ctx, err)
	}
	if err != nil {
		for _, t := range teams {
			d.heads.Remove(t.id)
		}
		if lost(err) {
			d.connector.turn()
		}
		if !answered(err) && !errors.As(err, new(*connectError)) {
			unsure = runs
		}
		return rest, unsure, nil
	}
	for _, t := range teams {
		if moved[t.id] {
			d.heads.Add(t.id, seenHead{after: time.Now().Add(contendedFor)})
			continue
		}
		d.saw(t.id, t.after)
	}
	for _, r := range runs {
		if !moved[r.row.TeamID] {
			out[r.place].value = r.disclosure
			rest = slices.DeleteFunc(rest, func(i int) bool { return i == r.place })
		}
	}
	return rest, nil, nil
}

// expected is how a team's revision and the end of its chain must be, and how
// the chain ends afterwards.
type expected struct {
	id            string
	revision      int64
	before, after audit.Head
}

// guess makes the entries of the runs that were answered before, and whose
// team's chain is known.
func (d *DB) guess(wanted []recordQuery) (runs []ahead, teams []*expected, err error) {
	byID, now := map[string]*expected{}, time.Now()
	for i, w := range wanted {
		disclosure, revision, ok := d.disclosures.last(w.runQuery)
		if !ok || w.begun.Revision != 0 && w.begun.Revision != revision || w.begun.Holds(disclosure) {
			continue
		}
		e := secret.Concluded(w.begun.Entry, disclosure, nil)
		if _, _, event := webhook.EventOf(e); event {
			continue
		}
		t := byID[e.TeamID]
		if t == nil {
			seen, ok := d.heads.Get(e.TeamID)
			if !ok || now.Before(seen.after) {
				continue
			}
			t = &expected{id: e.TeamID, revision: revision, before: seen.Head, after: seen.Head}
			byID[e.TeamID], teams = t, append(teams, t)
		}
		if t.revision != revision {
			continue
		}
		e, t.after = t.after.Next(e)
		row, err := rowOf(e, t.after)
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, ahead{i, disclosure, row})
	}
	// In the order in which all lock them.
	slices.SortFunc(teams, func(a, b *expected) int { return strings.Compare(a.id, b.id) })
	return runs, teams, nil
}

// appendAhead writes the entries of those teams that are as expected, and
// returns the others. What another holds it does not wait for.
func (d *DB) appendAhead(ctx context.Context, runs []ahead, teams []*expected) (moved map[string]bool, err error) {
	rows := make([]auditRow, len(runs))
	for i, r := range runs {
		rows[i] = r.row
	}
	var ids pq.StringArray
	var revisions, seqs, lasts pq.Int64Array
	var hashes, ends pq.ByteaArray
	for _, t := range teams {
		ids, revisions = append(ids, t.id), append(revisions, t.revision)
		seqs, hashes = append(seqs, t.before.Seq), append(hashes, t.before.Hash[:])
		lasts, ends = append(lasts, t.after.Seq), append(ends, t.after.Hash[:])
	}
	conn, err := d.connection(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// It can't be cancelled, for what Commit says; the connection's patience ends
	// it. It is committed when the last row was read.
	found, err := conn.QueryContext(context.WithoutCancel(ctx), aheadStatement, append(listsOf(rows), ids, revisions, seqs, hashes, lasts, ends)...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	moved = map[string]bool{}
	for found.Next() {
		var team string
		if err := found.Scan(&team); err != nil {
			return nil, err
		}
		moved[team] = true
	}
	return moved, found.Err()
}

// aheadStatement reads the revisions in its own snapshot, which is of a moment
// after the runs were asked for, and the ends of the chains when they are
// locked. So what it finds unchanged is so.
var aheadStatement = sqlx.Rebind(sqlx.DOLLAR, `WITH entry AS MATERIALIZED (
		SELECT * FROM `+entryLists+`
	), team AS MATERIALIZED (
		SELECT * FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::bytea[], ?::bigint[], ?::bytea[])
			AS team(team_id, revision, seq, hash, last_seq, last_hash)
	), held AS MATERIALIZED (
		SELECT c.team_id, team.last_seq, team.last_hash
		FROM team CROSS JOIN audit_chains c CROSS JOIN team_revisions r
		WHERE c.team_id = team.team_id AND c.seq = team.seq AND c.hash = team.hash
			AND r.team_id = team.team_id AND r.revision = team.revision
		FOR UPDATE OF c SKIP LOCKED
	), moved AS (
		UPDATE audit_chains SET seq = held.last_seq, hash = held.last_hash FROM held WHERE audit_chains.team_id = held.team_id
	), appended AS (
		INSERT INTO audit_entries (`+entryColumns+`) SELECT `+entryColumns+` FROM entry WHERE team_id IN (SELECT team_id FROM held)
	)
	SELECT team_id FROM team WHERE team_id NOT IN (SELECT team_id FROM held)`)

// writtenAhead returns those of the runs whose entry stands in the log, by their
// places. Their chains are locked and have moved if they were written, and are
// about to move if they weren't: what may still be under way of the lost
// connection then finds them changed, and writes nothing.
func writtenAhead(ctx context.Context, q querier, unsure []ahead) (map[int]*secret.Disclosure, error) {
	if len(unsure) == 0 {
		return nil, nil
	}
	columns := make([][]string, 3)
	for _, r := range unsure {
		for c, text := range []string{r.row.TeamID, strconv.FormatInt(r.row.Seq, 10), hex.EncodeToString(r.row.Hash)} {
			columns[c] = append(columns[c], text)
		}
	}
	written := map[int]*secret.Disclosure{}
	return written, q.each(ctx, `SELECT w.n FROM `+q.wanted("team_id", "seq", "hash")+` CROSS JOIN audit_entries e
		WHERE e.team_id = w.team_id AND e.seq = CAST(w.seq AS BIGINT) AND e.hash = decode(w.hash, 'hex')`,
		q.lists(columns), func(scan func(...any) error) error {
			var n int64
			if err := scan(&n); err != nil {
				return err
			}
			r := unsure[q.place(n)]
			written[r.place] = r.disclosure
			return nil
		})
}

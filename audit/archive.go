package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Chain names one chain of the log.
type Chain struct {
	// TeamID is empty for the entries without a team: those of persons whom
	// nobody could identify, and of the operator.
	TeamID string
	// TeamName is the team's username now; empty if the team is gone.
	TeamName string
}

// Snapshot is the whole log at one moment.
type Snapshot interface {
	// Chains returns all chains, sorted by name and id: those with entries,
	// those with a head, and that of every team, each of which has written at
	// least the entry of its own making.
	Chains(ctx context.Context) ([]Chain, error)
	// Head returns the stored head; ok is false if there is none.
	Head(ctx context.Context, team string) (head Head, ok bool, err error)
	// Page returns the entries from the given number on that are not older
	// than since, in the order of their numbers, up to limit. At an entry that
	// can't be read it returns those before it and a *Broken.
	Page(ctx context.Context, team string, from int64, since time.Time, limit int) ([]Link, error)
}

// pageLength is how many entries are in memory at once.
const pageLength = 1000

// walk visits a chain's entries in the order of their numbers, from the lowest
// that anybody can put there.
func walk(ctx context.Context, s Snapshot, team string, since time.Time, visit func(Link) error) error {
	for from := int64(math.MinInt64); ; {
		page, err := s.Page(ctx, team, from, since, pageLength)
		for _, l := range page {
			if err := visit(l); err != nil {
				return err
			}
			from = l.Seq + 1
		}
		if err != nil || len(page) < pageLength || from == math.MinInt64 {
			return err
		}
	}
}

// Verify checks one chain from its first entry to its head, which it returns;
// kept is a head of it that was kept elsewhere, or the zero Head. The error is a
// *Broken that names the first bad entry, or that of the Snapshot.
func Verify(ctx context.Context, s Snapshot, team string, kept Head) (Head, error) {
	v := NewVerifier(team, kept)
	if err := walk(ctx, s, team, time.Time{}, v.Add); err != nil {
		return Head{}, err
	}
	head, ok, err := s.Head(ctx, team)
	if err != nil {
		return Head{}, err
	}
	return v.End(head, ok)
}

// line is an exported entry. Its names are stable: they are documented in
// docs/format.md, together with how the hash is computed from them.
type line struct {
	TeamID       string       `json:"team_id"`
	Team         string       `json:"team"`
	Seq          int64        `json:"seq"`
	ID           string       `json:"id"`
	At           string       `json:"at"`
	ActorKind    string       `json:"actor_kind"`
	ActorID      string       `json:"actor_id"`
	ActorName    string       `json:"actor_name"`
	CredentialID string       `json:"credential_id"`
	Action       string       `json:"action"`
	Target       string       `json:"target"`
	Outcome      Outcome      `json:"outcome"`
	Reason       string       `json:"reason"`
	RemoteAddr   string       `json:"remote_addr"`
	RequestID    string       `json:"request_id"`
	RunID        string       `json:"run_id"`
	Versions     []KeyVersion `json:"versions"`
	Hash         string       `json:"hash"`
}

// exportTime is RFC 3339 in UTC with all six digits, so that it sorts as text.
const exportTime = "2006-01-02T15:04:05.000000Z"

// Export writes the entries of one chain that are not older than since as JSON
// lines in printable ASCII, whatever the entries hold. It does not verify them.
func Export(ctx context.Context, s Snapshot, w io.Writer, chain Chain, since time.Time) error {
	out := bufio.NewWriter(w)
	err := walk(ctx, s, chain.TeamID, since, func(l Link) error {
		b, err := encodeLine(l, chain.TeamName)
		if err != nil {
			return err
		}
		_, err = out.Write(b)
		return err
	})
	return errors.Join(err, out.Flush())
}

// encodeLine is an entry as an exported line.
func encodeLine(l Link, teamName string) ([]byte, error) {
	b, err := json.Marshal(line{
		TeamID: l.TeamID, Team: teamName, Seq: l.Seq, ID: l.ID, At: l.At.UTC().Format(exportTime),
		ActorKind: l.ActorKind, ActorID: l.ActorID, ActorName: l.ActorName, CredentialID: l.CredentialID,
		Action: l.Action, Target: l.Target, Outcome: l.Outcome, Reason: l.Reason,
		RemoteAddr: l.RemoteAddr, RequestID: l.RequestID, RunID: l.RunID, Versions: l.Versions,
		Hash: fmt.Sprintf("%x", l.Hash),
	})
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", l.Seq, err)
	}
	return append(printable(b), '\n'), nil
}

// printable writes everything that is not printable ASCII as \u escapes. In
// JSON it can only stand within strings. encoding/json leaves DEL, the C1
// control characters and those that turn the direction of writing, all of
// which a terminal obeys.
func printable(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case r >= ' ' && r <= '~':
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

package audit

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"infsh/problem"
	"infsh/team"
)

// Filter says which entries of a log are wanted. The zero Filter wants all.
type Filter struct {
	// Key is the name of a secret: what was done to it, who received it and in
	// which version, and what printed it.
	Key string
	// App is namespace/name.
	App string
	// Person is a part of an address.
	Person string
	// Kind is an act, such as secret.reveal, or what stands before the dot, which
	// is all acts of that kind.
	Kind    string
	Outcome Outcome
	// From is the first moment, and Until the first one after.
	From, Until time.Time
}

// IsZero reports that all entries are wanted.
func (f Filter) IsZero() bool { return f == Filter{} }

var kindPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]{1,40}(\.[a-z_]{1,40})?$`) })

// longestTerm is in bytes.
const longestTerm = 800

// check refuses what no entry can have, and what a database can't be asked for.
func (f Filter) check() error {
	for name, term := range map[string]string{"key": f.Key, "app": f.App, "person": f.Person} {
		if len(term) > longestTerm || strings.ToValidUTF8(term, "") != term || strings.ContainsRune(term, 0) {
			return problem.Invalid(name, "it must be at most %d bytes of text", longestTerm)
		}
	}
	if f.Kind != "" && !kindPattern().MatchString(f.Kind) {
		return problem.Invalid("kind", "it must be the name of an act, such as secret.reveal, or of a kind of acts, such as secret")
	}
	switch f.Outcome {
	case "", Allowed, Denied, Failed, Unchanged:
	default:
		return problem.Invalid("outcome", "it must be allowed, unchanged, denied or failed")
	}
	if !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until) {
		return problem.Invalid("until", "it must not be before the first day")
	}
	return nil
}

// MaxScan is how many entries one request reads before it answers with what it has.
//
// A log has indexes for what is asked of it while apps start, and none for the
// filters: each would be one more that every resolve writes to. So a search reads
// backwards, by the index that the chain needs anyway, and says how far it came.
const MaxScan = 100_000

// Found is a page of entries, the newest first.
type Found struct {
	Entries []Entry
	// Next is the number to go on before, 0 at the end.
	Next int64
	// SearchedTo is the time of the entry that the search came to before it had
	// a whole page; it is zero if the page is whole, or the last one.
	SearchedTo time.Time
}

// Search returns the entries of the team's log that the filter wants, from those
// before the number, or the newest if it is 0.
//
// Errors: problem.InvalidField, and those of Guard.
func (s *Service) Search(ctx context.Context, actor team.Actor, f Filter, before int64) (Found, error) {
	if err := Guard(ctx, s.store, actor, team.ReadAudit, ""); err != nil {
		return Found{}, err
	}
	if err := f.check(); err != nil {
		return Found{}, err
	}
	first, end, err := s.store.Span(ctx, actor.TeamID(), f.From, f.Until)
	if err != nil {
		return Found{}, err
	}
	if before > 0 {
		end = min(end, before)
	}
	to := max(first, end-s.reach)
	links, err := s.store.Search(ctx, actor.TeamID(), f, to, end, PageSize+1)
	if err != nil {
		return Found{}, err
	}
	var out Found
	for _, l := range links[:min(len(links), PageSize)] {
		out.Entries = append(out.Entries, l.Entry)
	}
	switch {
	case len(links) > PageSize:
		out.Next = links[PageSize-1].Seq
	case to > first:
		out.Next = to
		out.SearchedTo, err = s.store.At(ctx, actor.TeamID(), to)
	}
	return out, err
}

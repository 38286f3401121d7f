package audit

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"infsh/problem"
	"infsh/team"
)

// Format is how a filtered export is written.
type Format string

const (
	// CSV is for spreadsheets.
	CSV Format = "csv"
	// JSONLines has the lines of `infsh admin audit export`, of which docs/format.md
	// tells.
	JSONLines Format = "jsonl"
)

// FilteredExport is an export that the log has an entry of, and that is not
// written yet.
type FilteredExport struct {
	store      Store
	actor      team.Actor
	filter     Filter
	format     Format
	first, end int64
	reach      int64
}

// Export begins an export of what the filter wants, up to the present end of the
// log. Its own entry is durable when it returns.
//
// Errors: problem.InvalidField, and those of Guard.
func (s *Service) Export(ctx context.Context, actor team.Actor, f Filter, format Format) (*FilteredExport, error) {
	if err := Guard(ctx, s.store, actor, team.ExportAudit, ""); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	if format != CSV && format != JSONLines {
		return nil, problem.Invalid("format", "it must be csv or jsonl")
	}
	first, end, err := s.store.Span(ctx, actor.TeamID(), f.From, f.Until)
	if err != nil {
		return nil, err
	}
	if err := Record(ctx, s.store, By(actor, team.ExportAudit, string(format)+f.by(), Allowed)); err != nil {
		return nil, err
	}
	return &FilteredExport{store: s.store, actor: actor, filter: f, format: format, first: first, end: end, reach: s.reach}, nil
}

// by names what a filter asks about. What it asks for may be anything that
// somebody has typed, and is not kept.
func (f Filter) by() string {
	var by []string
	for _, one := range []struct {
		name string
		set  bool
	}{
		{"key", f.Key != ""}, {"app", f.App != ""}, {"person", f.Person != ""}, {"kind", f.Kind != ""},
		{"outcome", f.Outcome != ""}, {"time", !f.From.IsZero() || !f.Until.IsZero()},
	} {
		if one.set {
			by = append(by, one.name)
		}
	}
	if len(by) == 0 {
		return ""
	}
	return ", filtered by " + strings.Join(by, ", ")
}

// exportedAtOnce is how many entries are in memory at once.
const exportedAtOnce = 500

// Write writes the entries, the newest first. Between what it reads it holds
// nothing of the database, so a slow reader is in nobody's way.
func (x *FilteredExport) Write(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 32<<10)
	write := x.writeLine
	if x.format == CSV {
		cells := csv.NewWriter(out)
		if err := cells.Write(csvHead); err != nil {
			return err
		}
		cells.Flush()
		write = func(out io.Writer, l Link) error {
			if err := cells.Write(csvRow(l, x.actor.TeamName())); err != nil {
				return err
			}
			cells.Flush()
			return cells.Error()
		}
	}
	for end := x.end; end > x.first; {
		from := max(x.first, end-x.reach)
		links, err := x.store.Search(ctx, x.actor.TeamID(), x.filter, from, end, exportedAtOnce)
		if err != nil {
			return err
		}
		for _, l := range links {
			if err := write(out, l); err != nil {
				return err
			}
		}
		if end = from; len(links) == exportedAtOnce {
			end = links[len(links)-1].Seq
		}
	}
	return out.Flush()
}

func (x *FilteredExport) writeLine(out io.Writer, l Link) error {
	b, err := encodeLine(l, x.actor.TeamName())
	if err != nil {
		return err
	}
	_, err = out.Write(b)
	return err
}

var csvHead = []string{
	"at", "team", "seq", "actor_name", "actor_kind", "action", "target", "outcome", "reason", "versions",
	"run_id", "remote_addr", "credential_id", "actor_id", "request_id", "id",
}

func csvRow(l Link, teamName string) []string {
	versions := make([]string, len(l.Versions))
	for i, v := range l.Versions {
		versions[i] = fmt.Sprintf("%s %d", v.Key, v.Version)
	}
	row := []string{
		l.At.UTC().Format(exportTime), teamName, strconv.FormatInt(l.Seq, 10), l.ActorName, l.ActorKind, l.Action, l.Target, string(l.Outcome), l.Reason, strings.Join(versions, ", "),
		l.RunID, l.RemoteAddr, l.CredentialID, l.ActorID, l.RequestID, l.ID,
	}
	for i := range row {
		row[i] = inert(row[i])
	}
	return row
}

// startsFormula finds what a spreadsheet may take for the start of a formula: at
// the start of a cell, and behind what it may take for the start of one, where it
// is set to another separator than the comma.
var startsFormula = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(^|[;,|"'])( *)([=+\-@＝＋－＠])`) })

// inert is a text as a cell that no program obeys. An apostrophe goes before what
// a spreadsheet would compute, and what a terminal would act on is written as
// \u and its number.
func inert(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || unicode.IsSpace(r) && r != ' ' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return startsFormula().ReplaceAllString(b.String(), "$1$2'$3")
}

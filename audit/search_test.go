package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/team"
)

func person(role team.Role) team.Actor {
	return team.NewActor(team.Identity{Kind: team.Session, UserID: "ada-id", Email: "ada@example.com", TeamID: "acme-id", TeamName: "acme", Role: role})
}

// logOf is a database with acme's log of these entries, numbered from 1, and the
// same in that of another team.
func logOf(t *testing.T, d *dbtest.Database, entries ...audit.Entry) (*audit.Service, team.Actor) {
	t.Helper()
	actor := person(team.Admin)
	for i, e := range entries {
		if e.Outcome == "" {
			e.Outcome = audit.Allowed
		}
		for _, in := range []string{actor.TeamID(), "beta-id"} {
			e.TeamID, e.ID = in, fmt.Sprintf("%s-%d", in, i+1)
			if err := d.AppendAudit(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	return audit.NewService(d), actor
}

func numbers(entries []audit.Entry) (out []int64) {
	for _, e := range entries {
		if e.TeamID == "acme-id" {
			out = append(out, e.Seq)
		} else {
			out = append(out, -e.Seq)
		}
	}
	return out
}

// Each filter finds what it names, in the team's own log alone.
func TestSearchFilters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		s, owner := logOf(t, d,
			audit.Entry{At: day, Action: "secret.set", Target: "A_KEY", ActorName: "Ada@example.com"},
			audit.Entry{At: day.AddDate(0, 0, 1), Action: "app.resolve", Target: "acme/app", ActorName: "mia@example.com", Versions: []audit.KeyVersion{{Key: "A_KEY", Version: 1}, {Key: "AAA_KEY", Version: 1}}},
			audit.Entry{At: day.AddDate(0, 0, 1), Action: "app.resolve", Target: "acme/app2", Versions: []audit.KeyVersion{{Key: "NAME=A_KEY", Version: 1}}},
			audit.Entry{At: day.AddDate(0, 0, 2), Action: "app.resolve", Target: "acme/app", Outcome: audit.Failed, Reason: "requirements_not_met"},
			audit.Entry{At: day.AddDate(0, 0, 2), Action: "grant.allow", Target: "acme/app A_KEY"},
			audit.Entry{At: day.AddDate(0, 0, 3), Action: "app.printed", Target: "acme/app", Reason: "version 3 printed A_KEY 2 times (raw 2)"},
			audit.Entry{At: day.AddDate(0, 0, 3), Action: "secret.scan", Target: "B_KEY, A_KEY, C_KEY"},
			audit.Entry{At: day.AddDate(0, 0, 4), Action: "secret.set", Target: "MY_A_KEY", Outcome: audit.Denied},
			audit.Entry{At: day.AddDate(0, 0, 4), Action: "secret.set", Target: "a_key"},
			audit.Entry{At: day.AddDate(0, 0, 5), Action: "secret.set_all", Target: "100% _", Outcome: audit.Unchanged, Versions: []audit.KeyVersion{{Key: "A_KEY=OTHER", Version: 1}}},
		)
		from, until := day.AddDate(0, 0, 1), day.AddDate(0, 0, 3)
		for _, c := range []struct {
			f    audit.Filter
			want []int64
		}{
			{audit.Filter{}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
			{audit.Filter{Key: "A_KEY"}, []int64{10, 7, 6, 5, 3, 2, 1}},
			{audit.Filter{Key: "NAME"}, []int64{3}},
			{audit.Filter{Key: "%"}, nil},
			{audit.Filter{App: "acme/app"}, []int64{6, 5, 4, 2}},
			{audit.Filter{Person: "ADA"}, []int64{1}},
			{audit.Filter{Person: "@example"}, []int64{2, 1}},
			{audit.Filter{Kind: "secret"}, []int64{10, 9, 8, 7, 1}},
			{audit.Filter{Kind: "secret.set"}, []int64{9, 8, 1}},
			{audit.Filter{Outcome: audit.Failed}, []int64{4}},
			{audit.Filter{From: from}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2}},
			{audit.Filter{Until: until}, []int64{5, 4, 3, 2, 1}},
			{audit.Filter{From: from, Until: until, App: "acme/app"}, []int64{5, 4, 2}},
			{audit.Filter{From: day.AddDate(1, 0, 0)}, nil},
			{audit.Filter{Until: day.AddDate(-1, 0, 0)}, nil},
		} {
			found, err := s.Search(t.Context(), owner, c.f, 0)
			if got := numbers(found.Entries); err != nil || !slices.Equal(got, c.want) || found.Next != 0 {
				t.Errorf("%+v finds %v, %v, and goes on before %d; want %v", c.f, got, err, found.Next, c.want)
			}
		}
		for _, bad := range []audit.Filter{{Key: "\x00"}, {App: "\xff"}, {Person: strings.Repeat("x", 801)}, {Kind: "Secret"}, {Kind: "secret.set OR 1"}, {Outcome: "maybe"}, {From: until, Until: from}} {
			if _, err := s.Search(t.Context(), owner, bad, 0); !errors.Is(err, problem.InvalidField) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

// A search goes on where it stopped, says how far it looked, and finds each
// entry once.
func TestSearchIsBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		entries := make([]audit.Entry, 130)
		for i := range entries {
			entries[i] = audit.Entry{At: noon.Add(time.Duration(i) * time.Minute), Action: "app.resolve", Target: "acme/app"}
		}
		entries[3].Action, entries[100].Action = "secret.set", "secret.set"
		s, owner := logOf(t, d, entries...)

		var pages [][]int64
		for before := int64(0); ; {
			found, err := s.Search(t.Context(), owner, audit.Filter{}, before)
			if err != nil || !found.SearchedTo.IsZero() {
				t.Fatal(found.SearchedTo, err)
			}
			pages = append(pages, numbers(found.Entries))
			if before = found.Next; before == 0 {
				break
			}
		}
		if len(pages) != 3 || len(pages[0]) != audit.PageSize || len(pages[2]) != 30 || pages[2][29] != 1 {
			t.Errorf("the pages are %v", pages)
		}

		s.SetReach(40)
		var got []int64
		var looked []time.Time
		for before := int64(0); ; {
			found, err := s.Search(t.Context(), owner, audit.Filter{Kind: "secret"}, before)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, numbers(found.Entries)...)
			if before = found.Next; before == 0 {
				break
			}
			looked = append(looked, found.SearchedTo)
		}
		want := []time.Time{entries[90].At, entries[50].At, entries[10].At}
		if !slices.Equal(got, []int64{101, 4}) || !slices.EqualFunc(looked, want, func(a, b time.Time) bool { return a.Equal(b.Truncate(time.Microsecond)) }) {
			t.Errorf("found %v, and looked back to %v", got, looked)
		}
	})
}

// The days are counted from all entries, however many requests that takes, and
// go on with what came since.
func TestRunsPerDay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		now := time.Date(2026, 3, 30, 1, 0, 0, 0, time.UTC)
		at := func(days int) time.Time { return now.AddDate(0, 0, -days) }
		resolve := func(days int, o audit.Outcome) audit.Entry {
			return audit.Entry{At: at(days), Action: "app.resolve", Target: "acme/app", Outcome: o}
		}
		s, owner := logOf(t, d, resolve(31, audit.Allowed), resolve(30, audit.Allowed), resolve(29, audit.Allowed), resolve(29, audit.Failed), resolve(2, audit.Denied),
			audit.Entry{At: at(2), Action: "app.check"}, resolve(0, audit.Allowed), resolve(0, audit.Allowed))
		s.SetReach(3)
		var got audit.RunDays
		for i := range 5 {
			var err error
			if got, err = s.RunsPerDay(t.Context(), owner, now); err != nil {
				t.Fatal(err)
			}
			if i == 0 && (!got.CountedTo.Equal(at(2)) || got.Days[29].Allowed != 2 || got.Days[0].Allowed != 0) {
				t.Errorf("at first %+v", got)
			}
		}
		check := func(got audit.RunDays, today int64) {
			t.Helper()
			if len(got.Days) != 30 || !got.CountedTo.IsZero() {
				t.Fatalf("got %+v", got)
			}
			for i, day := range got.Days {
				want := map[int]audit.RunDay{0: {Allowed: 1, Refused: 1}, 27: {Refused: 1}, 29: {Allowed: today}}[i]
				if want.Day = time.Date(2026, 3, 1+i, 0, 0, 0, 0, time.UTC); day != want {
					t.Errorf("day %d is %+v", i, day)
				}
			}
		}
		check(got, 2)
		more := resolve(0, audit.Allowed)
		more.TeamID, more.ID = owner.TeamID(), "more"
		if err := d.AppendAudit(t.Context(), more); err != nil {
			t.Fatal(err)
		}
		got, err := s.RunsPerDay(t.Context(), owner, now)
		if err != nil {
			t.Fatal(err)
		}
		check(got, 3)
	})
}

// An export has what is filtered and is in the log itself; in a spreadsheet or a
// terminal nothing in it does anything.
func TestFilteredExport(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) {
		hostile := []string{"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "x;=1+1", `"=1`, "a,@b", "＝1", "\u202e=1", "\x1b]52;c;x\a", "a\nb", "OPENAI_API_KEY", "é <script>"}
		var entries []audit.Entry
		for _, text := range hostile {
			entries = append(entries, audit.Entry{At: noon, Action: "app.resolve", Target: text, ActorName: text, Reason: text, RemoteAddr: text, RunID: text, CredentialID: text, Versions: []audit.KeyVersion{{Key: text, Version: 7}}})
		}
		entries = append(entries, audit.Entry{At: noon, Action: "secret.set", Target: "NOT_THIS"})
		s, owner := logOf(t, d, entries...)
		s.SetReach(7)
		export := func(format audit.Format) string {
			t.Helper()
			x, err := s.Export(t.Context(), owner, audit.Filter{Kind: "app"}, format)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := x.Write(t.Context(), &out); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}

		text := export(audit.CSV)
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202e' }) {
			t.Errorf("control characters are in %q", text)
		}
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(rows) != 1+len(hostile) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, separator := range ",;|" {
			other := csv.NewReader(strings.NewReader(text))
			other.Comma, other.LazyQuotes, other.FieldsPerRecord = separator, true, -1
			read, err := other.ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range read {
				for _, cell := range row {
					if cell = strings.TrimLeft(cell, ` "`); cell != "" && strings.ContainsAny(cell[:1], "=+-@") || strings.HasPrefix(cell, "＝") {
						t.Errorf("with %c, a cell is %q", separator, cell)
					}
				}
			}
		}
		if last := rows[2]; last[6] != "OPENAI_API_KEY" || last[9] != "OPENAI_API_KEY 7" || last[0] != "2026-03-01T12:00:00.123456Z" {
			t.Errorf("a row is %q", last)
		}

		lines := strings.Split(strings.TrimSuffix(export(audit.JSONLines), "\n"), "\n")
		if len(lines) != len(hostile) {
			t.Fatalf("%d lines", len(lines))
		}
		for i, line := range lines {
			var l struct{ Target, Hash, Team string }
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.Target != hostile[len(hostile)-1-i] || len(l.Hash) != 64 || l.Team != "acme" {
				t.Errorf("line %d is %s: %v", i, line, err)
			}
		}

		found, err := s.Search(t.Context(), owner, audit.Filter{Kind: "audit.export"}, 0)
		if err != nil || len(found.Entries) != 2 || found.Entries[0].Target != "jsonl, filtered by kind" {
			t.Errorf("the log says %+v, %v", found.Entries, err)
		}
		if _, err := s.Export(t.Context(), owner, audit.Filter{}, "xml"); !errors.Is(err, problem.InvalidField) {
			t.Errorf("an export as xml: %v", err)
		}
		if _, err := s.Export(t.Context(), person(team.Member), audit.Filter{}, audit.CSV); !errors.Is(err, problem.TeamRoleRequired) {
			t.Errorf("a member's export: %v", err)
		}
	})
}

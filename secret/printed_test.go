package secret_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// X10: what an app printed stands in its team's activity, in counts and no more;
// only keys that it declares can be named, by whoever may run it.
func TestWhatAnAppPrintedIsInTheActivity(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.deploy(t, w.owner, "mine", required("OPENAI_API_KEY"))
		w.deploy(t, w.owner, "mine", required("OPENAI_API_KEY"), required("FAL_KEY"))
		err := w.secrets.RecordPrinted(t.Context(), w.member, secret.Run{App: "mine", RunID: "run-1"}, []secret.Finding{
			{Key: "OPENAI_API_KEY", Form: "raw", Count: 1}, {Key: "INFSH_API_KEY", Form: "raw", Count: 1},
			{Key: "OPENAI_API_KEY", Form: "base64", Count: 1}, {Key: "OPENAI_API_KEY", Form: "raw", Count: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
		entries := found.Entries
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"version 2 printed OPENAI_API_KEY 3 times (base64 1, raw 2)", "version 2 printed INFSH_API_KEY 1 time (raw 1)"} {
			if e := entries[i]; e.Action != string(team.ReportPrinted) || e.Target != "acme/mine" || e.Reason != want || e.RunID != "run-1" || e.ActorID != w.member.UserID() {
				t.Errorf("the entry is %+v, want %s", e, want)
			}
		}

		// A form is one of those that are known, so that it can't be a value, a message
		// or megabytes of names.
		var forms []secret.Finding
		for i := range 300 {
			forms = append(forms, secret.Finding{Key: "FAL_KEY", Form: fmt.Sprintf("a3f9c07e51d2-was-approved-%d", i), Count: 2})
		}
		forms = append(forms, secret.Finding{Key: "FAL_KEY", Form: "hex", Count: 1})
		if err := w.secrets.RecordPrinted(t.Context(), w.member, secret.Run{App: "mine"}, forms); err != nil {
			t.Fatal(err)
		}
		if found, err = w.log.Search(t.Context(), w.owner, audit.Filter{}, 0); err != nil || found.Entries[0].Reason != "version 2 printed FAL_KEY 601 times (hex 1, other 600)" {
			t.Errorf("the entry is %+v, %v", found.Entries[0], err)
		}

		finding := func(key, form string, count int64) []secret.Finding {
			return []secret.Finding{{Key: "OPENAI_API_KEY", Form: "raw", Count: 1}, {Key: key, Form: form, Count: count}}
		}
		many := make([]secret.Finding, 2049)
		for i := range many {
			many[i] = secret.Finding{Key: "FAL_KEY", Form: "raw", Count: 1}
		}
		before := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'app.printed'")
		for name, findings := range map[string][]secret.Finding{
			"an undeclared key": finding("sk-1234567890abcdef", "raw", 1), "no key": finding("", "raw", 1), "a form that is text": finding("FAL_KEY", "sk-1234 567890", 1),
			"no form": finding("FAL_KEY", "", 1), "a long form": finding("FAL_KEY", strings.Repeat("x", 33), 1), "no count": finding("FAL_KEY", "raw", 0),
			"a negative count": finding("FAL_KEY", "raw", -1), "a huge count": finding("FAL_KEY", "raw", 1<<62), "nothing": nil, "too many": many,
		} {
			err := w.secrets.RecordPrinted(t.Context(), w.member, secret.Run{App: "acme/mine"}, findings)
			if !errors.Is(err, problem.InvalidField) || strings.Contains(err.Error(), "sk-1234") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, app := range []string{"acme/missing", "beta/mine"} {
			if err := w.secrets.RecordPrinted(t.Context(), w.member, secret.Run{App: app}, finding("FAL_KEY", "raw", 1)); !errors.Is(err, problem.NotFound) {
				t.Errorf("%s: %v", app, err)
			}
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'app.printed'"); n != before {
			t.Errorf("%d entries were written by refused reports", n-before)
		}
		bound := team.NewActor(team.Identity{
			Kind: team.Key, UserID: w.owner.UserID(), TeamID: w.owner.TeamID(), TeamName: "acme", Role: team.Owner,
			Scopes: team.Scopes{team.ScopeAppsExecute}, App: team.AppBinding{ID: "app", Name: "acme/other"},
		})
		if err := w.secrets.RecordPrinted(t.Context(), bound, secret.Run{App: "acme/mine"}, finding("FAL_KEY", "raw", 1)); !errors.Is(err, problem.ScopeRequired) {
			t.Errorf("a key of another app: %v", err)
		}
	})
}

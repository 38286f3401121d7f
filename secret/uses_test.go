package secret_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"infsh/app"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
)

func (w *world) uses(t testing.TB, key string) secret.Uses {
	t.Helper()
	uses, err := w.secrets.Uses(t.Context(), w.member, key)
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

// told is each use in a line.
func told(uses secret.Uses) (out []string) {
	for _, u := range uses.Uses {
		line := fmt.Sprintf("%s v%d %s optional=%t %s %s", u.App, u.Current, u.As, u.Optional, u.Grant, u.Without)
		for _, h := range u.Holders {
			line += fmt.Sprintf("; v%d has %d", h.AppVersion, h.Received.Version)
			if !h.Holds() {
				line += " no more"
			}
			if h.Before.Seq > 0 {
				line += fmt.Sprintf(" after %d", h.Before.Version)
			}
		}
		out = append(out, line)
	}
	return out
}

func (w *world) mustUse(t testing.TB, key string, want ...string) secret.Uses {
	t.Helper()
	uses := w.uses(t, key)
	if got := told(uses); !slices.Equal(got, want) {
		t.Errorf("%s is used by\n%s\nwant\n%s", key, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return uses
}

// Before a key is rotated or deleted it is known whose next run needs it, and
// afterwards whose last run had which version.
func TestUses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "the first value, aaaa")
		w.mustUse(t, "OPENAI_API_KEY")
		first := w.deploy(t, w.owner, "web", required("OPENAI_API_KEY"))
		w.deploy(t, w.owner, "report", optional("OPENAI_API_KEY"))
		w.deploy(t, w.owner, "stuck", required("OPENAI_API_KEY"), required("NO_SUCH_KEY"))
		w.deploy(t, w.member, "asking", required("OPENAI_API_KEY"))
		bound := w.deploy(t, w.owner, "bound", required("MODEL_KEY"))
		if _, err := w.apps.Approve(t.Context(), w.owner, bound.ID, []app.Approval{{Key: "MODEL_KEY", SourceKey: "OPENAI_API_KEY"}}); err != nil {
			t.Fatal(err)
		}
		// One that asks for it in a version that waits.
		w.deploy(t, w.owner, "later")
		w.deploy(t, w.member, "later", required("OPENAI_API_KEY"))
		uses := w.mustUse(t, "OPENAI_API_KEY",
			"acme/asking v1 OPENAI_API_KEY optional=false waiting same",
			"acme/bound v1 MODEL_KEY optional=false granted fails",
			"acme/later v1 OPENAI_API_KEY optional=false waiting same",
			"acme/report v1 OPENAI_API_KEY optional=true granted goes_on",
			"acme/stuck v1 OPENAI_API_KEY optional=false granted same",
			"acme/web v1 OPENAI_API_KEY optional=false granted fails")
		if f := uses.Failing(); len(f) != 2 || f[0].App != "acme/bound" || f[1].App != "acme/web" {
			t.Errorf("failing are %+v", f)
		}
		counts, err := w.secrets.CountUses(t.Context(), w.member, []envvar.Key{"OPENAI_API_KEY", "MODEL_KEY"})
		if err != nil || counts["OPENAI_API_KEY"] != 4 || counts["MODEL_KEY"] != 0 {
			t.Errorf("counted are %v: %v", counts, err)
		}

		run := func(name, version string) {
			t.Helper()
			if _, err := w.secrets.Resolve(t.Context(), w.member, secret.Run{App: name, Version: version, RunID: "run-of-" + name}); err != nil {
				t.Fatal(err)
			}
		}
		run("web", "")
		run("report", "")
		run("bound", "")
		w.set(t, w.owner, "OPENAI_API_KEY", "the second value, bbbb")
		run("bound", "")
		w.deploy(t, w.owner, "web", required("OPENAI_API_KEY"), optional("FAL_KEY"))
		run("web", "")
		run("web", first.Current.ID)
		run("web", "")
		uses = w.mustUse(t, "OPENAI_API_KEY",
			"acme/asking v1 OPENAI_API_KEY optional=false waiting same",
			"acme/bound v1 MODEL_KEY optional=false granted fails; v1 has 2 after 1",
			"acme/later v1 OPENAI_API_KEY optional=false waiting same",
			"acme/report v1 OPENAI_API_KEY optional=true granted goes_on; v1 has 1",
			"acme/stuck v1 OPENAI_API_KEY optional=false granted same",
			"acme/web v2 OPENAI_API_KEY optional=false granted fails; v2 has 2; v1 has 2 after 1")
		old := uses.HoldOld()
		if len(old) != 1 || old[0].App != "acme/report" || old[0].Holders[0].Received.RunID != "run-of-report" || uses.OldLast().IsZero() {
			t.Errorf("the old value is with %+v, last given at %s", old, uses.OldLast())
		}
		if u := uses.Uses[5]; u.LastRun.AppVersion != 2 || u.LastRun.RunID != "run-of-web" {
			t.Errorf("the last run of web is %+v", u.LastRun)
		}

		// What its last run did not receive, nobody has of it; and apps that are
		// gone may still run.
		if _, err := w.secrets.Delete(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil {
			t.Fatal(err)
		}
		run("report", "")
		if _, err := w.secrets.Uses(t.Context(), w.member, "OPENAI_API_KEY"); !errors.Is(err, problem.SecretNotFound) {
			t.Errorf("the uses of a deleted key: %v", err)
		}
		w.set(t, w.owner, "OPENAI_API_KEY", "the third value, cccc")
		for _, u := range w.uses(t, "OPENAI_API_KEY").Uses {
			if len(u.Holders) > 0 {
				t.Errorf("%s has version %d of a key that was made anew", u.App, u.Holders[0].Received.Version)
			}
		}
		run("report", "")
		run("web", "")
		if err := w.apps.Delete(t.Context(), w.owner, first.ID); err != nil {
			t.Fatal(err)
		}
		w.deploy(t, w.owner, "report")
		run("report", "")
		got := told(w.uses(t, "OPENAI_API_KEY"))
		if i := slices.Index(got, "acme/web v0  optional=false  same; v2 has 1"); i < 0 {
			t.Errorf("a deleted app that ran is not told: %v", got)
		}
		if i := slices.Index(got, "acme/report v2  optional=false  same; v1 has 1"); i < 0 {
			t.Errorf("an app that declares it no more is not told: %v", got)
		}
		if _, err := w.secrets.Uses(t.Context(), w.stranger, "OPENAI_API_KEY"); !errors.Is(err, problem.SecretNotFound) {
			t.Errorf("another team's key: %v", err)
		}
	})
}

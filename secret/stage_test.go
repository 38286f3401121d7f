package secret_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
)

func (w *world) stage(t testing.TB, key, value string) secret.Written {
	t.Helper()
	v := redact.NewValue(value)
	mode := secret.Create
	if _, err := w.secrets.Get(t.Context(), w.owner, key); err == nil {
		mode = secret.Change
	}
	written, err := w.secrets.Set(t.Context(), w.owner, mode, secret.Write{Key: key, Value: &v, Stage: true})
	if err != nil {
		t.Fatalf("stage %s: %v", key, err)
	}
	return written
}

// states names the kept versions, the newest first.
func (w *world) states(t testing.TB, key string) string {
	t.Helper()
	history, err := w.secrets.History(t.Context(), w.member, key)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, v := range history {
		out = append(out, fmt.Sprintf("%d %s", v.Number, v.State))
	}
	return strings.Join(out, ", ")
}

func (w *world) lastEntry(t testing.TB) audit.Entry {
	t.Helper()
	found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
	entries := found.Entries
	if err != nil || len(entries) == 0 {
		t.Fatalf("no activity: %v", err)
	}
	return entries[0]
}

// A staged value is used once it is activated, and not before; activating the
// other version is the way back, and makes no version.
func TestStageAndActivate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.deploy(t, w.owner, "summarizer", required("OPENAI_API_KEY"))
		given := func(want string) {
			t.Helper()
			env, err := w.resolve(t, w.owner, "summarizer")
			if err != nil || env["OPENAI_API_KEY"] != want {
				t.Errorf("the app gets %q, not %q: %v", env["OPENAI_API_KEY"], want, err)
			}
			if _, value, err := w.secrets.Reveal(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil || value.Reveal() != want {
				t.Errorf("reveal does not give %q: %v", want, err)
			}
		}
		w.set(t, w.owner, "OPENAI_API_KEY", "the first value, aaaa")
		staged := w.stage(t, "OPENAI_API_KEY", "the second value, bbbb")
		if staged.Stored != 2 || staged.Version != 1 || staged.StagedVersion != 2 || !strings.HasSuffix(staged.Masked, "aaaa") {
			t.Errorf("staging gave %+v", staged)
		}
		if e := w.lastEntry(t); e.Action != "secret.stage" || e.Outcome != audit.Allowed || !slices.Equal(e.Versions, []audit.KeyVersion{{Key: "OPENAI_API_KEY", Version: 2}}) {
			t.Errorf("the log says %+v", e)
		}
		given("the first value, aaaa")
		if got := w.states(t, "OPENAI_API_KEY"); got != "2 staged, 1 active" {
			t.Errorf("history: %s", got)
		}

		activated, err := w.secrets.Activate(t.Context(), w.admin, "OPENAI_API_KEY", 2)
		if err != nil || activated.Version != 2 || activated.StagedVersion != 0 || activated.Unchanged || !strings.HasSuffix(activated.Masked, "bbbb") || activated.UpdatedBy != "admin@acme.example" {
			t.Errorf("activating gave %+v, %v", activated, err)
		}
		given("the second value, bbbb")
		again, err := w.secrets.Activate(t.Context(), w.admin, "OPENAI_API_KEY", 2)
		if err != nil || !again.Unchanged {
			t.Errorf("activating what is in use: %+v, %v", again, err)
		}
		if e := w.lastEntry(t); e.Action != "secret.activate" || e.Outcome != audit.Unchanged {
			t.Errorf("the log says %+v", e)
		}

		if _, err := w.secrets.Activate(t.Context(), w.admin, "OPENAI_API_KEY", 1); err != nil {
			t.Fatal(err)
		}
		given("the first value, aaaa")
		if got := w.states(t, "OPENAI_API_KEY"); got != "2 superseded, 1 active" {
			t.Errorf("history: %s", got)
		}
		// Numbers are never given twice.
		if written := w.set(t, w.owner, "OPENAI_API_KEY", "the third value"); written.Version != 3 {
			t.Errorf("the next version is %d", written.Version)
		}
		for _, number := range []int64{0, -1, 4, 99} {
			if _, err := w.secrets.Activate(t.Context(), w.owner, "OPENAI_API_KEY", number); !errors.Is(err, problem.InvalidField) {
				t.Errorf("activate version %d: %v", number, err)
			}
		}
	})
}

// The value that is set already makes no version. It is audited as a set that
// changed nothing; a description that comes with it is stored.
func TestTheSameValueMakesNoVersion(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "the first value")
		same := w.set(t, w.admin, "OPENAI_API_KEY", "the first value")
		if !same.Unchanged || same.Stored != 1 || same.Version != 1 || same.UpdatedBy != "owner@acme.example" {
			t.Errorf("the same value gave %+v", same)
		}
		if e := w.lastEntry(t); e.Action != "secret.set" || e.Outcome != audit.Unchanged || e.ActorName != "admin@acme.example" || e.Versions[0].Version != 1 {
			t.Errorf("the log says %+v", e)
		}
		value, text := redact.NewValue("the first value"), "For GPT-4"
		described, err := w.secrets.Set(t.Context(), w.admin, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &value, Description: &text})
		if err != nil || !described.Unchanged || described.Description != text || described.Version != 1 {
			t.Errorf("the same value with a description gave %+v, %v", described, err)
		}
		if e := w.lastEntry(t); e.Outcome != audit.Allowed {
			t.Errorf("a new description is in the log as %s", e.Outcome)
		}

		// Staging what is in use, or what was staged last, stores nothing.
		if staged := w.stage(t, "OPENAI_API_KEY", "the first value"); !staged.Unchanged || staged.Stored != 1 || staged.StagedVersion != 0 {
			t.Errorf("staging the value in use gave %+v", staged)
		}
		w.stage(t, "OPENAI_API_KEY", "the second value")
		if staged := w.stage(t, "OPENAI_API_KEY", "the second value"); !staged.Unchanged || staged.Stored != 2 {
			t.Errorf("staging the staged value gave %+v", staged)
		}
		// To set the staged value is to use it.
		if set := w.set(t, w.owner, "OPENAI_API_KEY", "the second value"); set.Unchanged || set.Version != 3 {
			t.Errorf("setting the staged value gave %+v", set)
		}
		if got := w.states(t, "OPENAI_API_KEY"); got != "3 active, 2 staged, 1 superseded" {
			t.Errorf("history: %s", got)
		}

		// A version that does not open can be replaced.
		dbtest.Exec(t, w.db, "UPDATE secret_versions SET value = hint WHERE version = 3")
		if set := w.set(t, w.owner, "OPENAI_API_KEY", "the second value"); set.Unchanged || set.Version != 4 {
			t.Errorf("setting over a damaged version gave %+v", set)
		}
		if _, err := w.secrets.Activate(t.Context(), w.owner, "OPENAI_API_KEY", 3); !errors.Is(err, secret.ErrCorrupt) {
			t.Errorf("a damaged version was activated: %v", err)
		}
	})
}

// A key that is staged alone exists, and no app receives it: for a run, a
// check and a reveal it is not set, and the answer says what to do.
func TestOnlyStaged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.deploy(t, w.owner, "summarizer", required("OPENAI_API_KEY"))
		w.deploy(t, w.owner, "tolerant", optional("OPENAI_API_KEY"))
		staged := w.stage(t, "OPENAI_API_KEY", "the staged value, aaaa")
		if staged.Version != 0 || staged.StagedVersion != 1 || staged.Stored != 1 {
			t.Errorf("staging gave %+v", staged)
		}
		list, err := w.secrets.List(t.Context(), w.member)
		if err != nil || len(list) != 1 || list[0].Version != 0 || list[0].StagedVersion != 1 || !strings.HasSuffix(list[0].Masked, "aaaa") {
			t.Errorf("the list is %+v, %v", list, err)
		}
		_, err = w.resolve(t, w.owner, "summarizer")
		var unmet *secret.Unmet
		if !errors.As(err, &unmet) || unmet.Items[0].StagedVersion != 1 || !strings.Contains(err.Error(), "version 1 is staged") {
			t.Errorf("the run's error is %v", err)
		}
		if env, err := w.resolve(t, w.owner, "tolerant"); err != nil || len(env) != 0 {
			t.Errorf("an optional key gave %d values, %v", len(env), err)
		}
		if _, _, err := w.secrets.Reveal(t.Context(), w.owner, "OPENAI_API_KEY"); !errors.Is(err, problem.SecretNotFound) || !strings.Contains(err.Error(), "staged") {
			t.Errorf("reveal: %v", err)
		}
		v := redact.NewValue("x")
		if _, err := w.secrets.Set(t.Context(), w.owner, secret.Create, secret.Write{Key: "OPENAI_API_KEY", Value: &v}); !errors.Is(err, problem.Conflict) {
			t.Errorf("it was created a second time: %v", err)
		}
		if _, err := w.secrets.Rollback(t.Context(), w.owner, "OPENAI_API_KEY", 1); !errors.Is(err, problem.InvalidField) {
			t.Errorf("rollback to what was never in use: %v", err)
		}
		// Another name is no near miss of it, as it is not set.
		report, err := w.secrets.Check(t.Context(), w.member, secret.Checked{Requirements: []secret.Requirement{required("OPENAI_APIKEY")}})
		if err != nil || len(report.Items[0].NearMisses) != 0 {
			t.Errorf("the check proposes %+v, %v", report.Items, err)
		}
		if unused, err := w.secrets.Unused(t.Context(), w.member, secret.Checked{}); err != nil || len(unused) != 0 {
			t.Errorf("unused: %v, %v", unused, err)
		}

		// An import and a set use their value at once.
		results, written, err := w.secrets.Import(t.Context(), w.owner, secret.Import{Items: []secret.ImportItem{{Key: "OPENAI_API_KEY", Value: redact.NewValue("imported")}}})
		if err != nil || !written || results[0].Status != secret.ImportNew {
			t.Fatalf("import: %+v, %v", results, err)
		}
		if env, err := w.resolve(t, w.owner, "summarizer"); err != nil || env["OPENAI_API_KEY"] != "imported" {
			t.Errorf("the app gets %q, %v", env["OPENAI_API_KEY"], err)
		}
		if got := w.states(t, "OPENAI_API_KEY"); got != "2 active, 1 staged" {
			t.Errorf("history: %s", got)
		}
		if _, err := w.secrets.Delete(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM secret_versions"); n != 0 {
			t.Errorf("%d versions outlive their secret", n)
		}
	})
}

// Ten versions are kept, and the one in use is among them however old it is.
func TestTheVersionInUseIsKept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "the value in use")
		for i := 2; i <= 15; i++ {
			w.stage(t, "OPENAI_API_KEY", fmt.Sprintf("staged value %d", i))
		}
		history, err := w.secrets.History(t.Context(), w.owner, "OPENAI_API_KEY")
		if err != nil || len(history) != secret.KeptVersions || history[0].Number != 15 || history[8].Number != 7 || history[9].Number != 1 {
			t.Fatalf("kept: %s, %v", w.states(t, "OPENAI_API_KEY"), err)
		}
		if _, value, err := w.secrets.Reveal(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil || value.Reveal() != "the value in use" {
			t.Errorf("the value in use is gone: %v", err)
		}
		if _, err := w.secrets.Activate(t.Context(), w.owner, "OPENAI_API_KEY", 9); err != nil {
			t.Fatal(err)
		}
		w.set(t, w.owner, "OPENAI_API_KEY", "the next value")
		if got := w.states(t, "OPENAI_API_KEY"); !strings.HasPrefix(got, "16 active, 15 staged") || !strings.Contains(got, "9 superseded") || !strings.HasSuffix(got, "7 staged") {
			t.Errorf("kept: %s", got)
		}
	})
}

// Whoever sets, stages and activates at once gets versions that are dense and
// unique, and one of them is in use.
func TestConcurrentStaging(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "first")
		const writers, each = 6, 8
		made := make(chan int64, writers*each)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				for j := range each {
					v := redact.NewValue(fmt.Sprintf("value %d of %d", j, i))
					written, err := w.secrets.Set(t.Context(), w.owner, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &v, Stage: rand.IntN(2) == 0})
					if err != nil {
						t.Error(err)
						return
					}
					made <- written.Stored
					if _, err := w.secrets.Activate(t.Context(), w.owner, "OPENAI_API_KEY", written.Stored); err != nil && !errors.Is(err, problem.InvalidField) {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		close(made)
		var numbers []int64
		for n := range made {
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		for i, n := range numbers {
			if n != int64(i+2) {
				t.Fatalf("the versions are %v", numbers)
			}
		}
		if got := w.states(t, "OPENAI_API_KEY"); strings.Count(got, "active") != 1 {
			t.Errorf("history: %s", got)
		}
	})
}

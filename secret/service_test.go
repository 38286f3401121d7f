package secret_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"infsh/app"
	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
	"infsh/team"
)

// world is a database with two teams: acme, whose owner, admin and member are
// known, and beta with an owner.
type world struct {
	db      *dbtest.Database
	kek     *envelope.KEK
	secrets *secret.Service
	apps    *app.Service
	log     *audit.Service

	owner, admin, member, stranger team.Actor
}

func newWorld(t testing.TB, d *dbtest.Database) *world {
	t.Helper()
	kek, err := envelope.CreateKEKFile(filepath.Join(t.TempDir(), "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: d, kek: kek, secrets: secret.NewService(d.Secrets(), kek), apps: app.NewService(d.Apps()), log: audit.NewService(d)}
	acme, beta := dbtest.Team(t, d, kek, "acme"), dbtest.Team(t, d, kek, "beta")
	w.owner = dbtest.Actor(t, d, acme, "owner@acme.example", team.Owner)
	w.admin = dbtest.Actor(t, d, acme, "admin@acme.example", team.Admin)
	w.member = dbtest.Actor(t, d, acme, "member@acme.example", team.Member)
	w.stranger = dbtest.Actor(t, d, beta, "owner@beta.example", team.Owner)
	return w
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Database) { test(t, newWorld(t, d)) })
}

func (w *world) set(t testing.TB, actor team.Actor, key, value string) secret.Written {
	t.Helper()
	v := redact.NewValue(value)
	mode := secret.Create
	if _, err := w.secrets.Get(t.Context(), actor, key); err == nil {
		mode = secret.Change
	}
	written, err := w.secrets.Set(t.Context(), actor, mode, secret.Write{Key: key, Value: &v})
	if err != nil {
		t.Fatalf("set %s: %v", key, err)
	}
	return written
}

func (w *world) deploy(t testing.TB, actor team.Actor, name string, reqs ...secret.Requirement) app.App {
	t.Helper()
	done, err := w.apps.Deploy(t.Context(), actor, app.Registration{Name: name, Requirements: reqs})
	if err != nil {
		t.Fatalf("deploy %s: %v", name, err)
	}
	return done.App
}

func required(key string) secret.Requirement {
	return secret.Requirement{Kind: secret.KindSecret, Key: key}
}

func optional(key string) secret.Requirement {
	return secret.Requirement{Kind: secret.KindSecret, Key: key, Optional: true}
}

func (w *world) resolve(t testing.TB, actor team.Actor, name string) (map[string]string, error) {
	t.Helper()
	resolved, err := w.secrets.Resolve(t.Context(), actor, secret.Run{App: name})
	env := map[string]string{}
	for _, in := range resolved.Env {
		env[string(in.Key)] = in.Value.Reveal()
	}
	return env, err
}

// What goes in comes out byte for byte, in a new version each time; the last
// ten are kept.
func TestVersions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for i := 1; i <= 13; i++ {
			written := w.set(t, w.owner, "OPENAI_API_KEY", fmt.Sprintf("value number %d", i))
			if written.Version != int64(i) {
				t.Fatalf("write %d made version %d", i, written.Version)
			}
		}
		_, value, err := w.secrets.Reveal(t.Context(), w.owner, "OPENAI_API_KEY")
		if err != nil || value.Reveal() != "value number 13" {
			t.Fatalf("the current value is not the last one: %v", err)
		}
		history, err := w.secrets.History(t.Context(), w.member, "OPENAI_API_KEY")
		if err != nil {
			t.Fatal(err)
		}
		if len(history) != secret.KeptVersions || history[0].Number != 13 || history[9].Number != 4 || history[0].State != secret.Active || history[0].CreatedBy != "owner@acme.example" {
			t.Errorf("history is %+v", history)
		}

		rolled, err := w.secrets.Rollback(t.Context(), w.admin, "OPENAI_API_KEY", 5)
		if err != nil {
			t.Fatal(err)
		}
		_, value, err = w.secrets.Reveal(t.Context(), w.owner, "OPENAI_API_KEY")
		if err != nil || value.Reveal() != "value number 5" || rolled.Version != 14 {
			t.Errorf("rollback to 5 gave version %d: %v", rolled.Version, err)
		}
		for _, gone := range []int64{3, 14, 99, 0, -1} {
			if _, err := w.secrets.Rollback(t.Context(), w.admin, "OPENAI_API_KEY", gone); !errors.Is(err, problem.InvalidField) {
				t.Errorf("rollback to %d: %v", gone, err)
			}
		}
	})
}

// A description alone makes no version; a value alone keeps the description.
func TestChangePartsOfASecret(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		text := "For GPT-4 API calls"
		if _, err := w.secrets.Set(t.Context(), w.owner, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Description: &text}); err != nil {
			t.Fatal(err)
		}
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-another-value-wxyz")
		got, err := w.secrets.Get(t.Context(), w.owner, "OPENAI_API_KEY")
		if err != nil || got.Version != 2 || got.Description != text || got.Masked != "••••••••wxyz" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// Rights as in the contract: a member sees the masked list; owner and admin
// write and reveal; a stranger's team has nothing of it (Z1).
func TestRights(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		ctx := t.Context()
		value := redact.NewValue("another")
		acts := map[string]func(team.Actor) error{
			"list": func(a team.Actor) error {
				list, err := w.secrets.List(ctx, a)
				if err == nil && len(list) == 0 {
					return problem.SecretNotFound
				}
				return err
			},
			"get":     func(a team.Actor) error { _, err := w.secrets.Get(ctx, a, "OPENAI_API_KEY"); return err },
			"history": func(a team.Actor) error { _, err := w.secrets.History(ctx, a, "OPENAI_API_KEY"); return err },
			"reveal":  func(a team.Actor) error { _, _, err := w.secrets.Reveal(ctx, a, "OPENAI_API_KEY"); return err },
			"set": func(a team.Actor) error {
				_, err := w.secrets.Set(ctx, a, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &value})
				return err
			},
			"rollback": func(a team.Actor) error { _, err := w.secrets.Rollback(ctx, a, "OPENAI_API_KEY", 1); return err },
			"stage": func(a team.Actor) error {
				_, err := w.secrets.Set(ctx, a, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &value, Stage: true})
				return err
			},
			"activate": func(a team.Actor) error { _, err := w.secrets.Activate(ctx, a, "OPENAI_API_KEY", 1); return err },
			"import": func(a team.Actor) error {
				_, _, err := w.secrets.Import(ctx, a, secret.Import{DryRun: true, Items: []secret.ImportItem{{Key: "A_KEY", Value: value}}})
				return err
			},
			"delete": func(a team.Actor) error { _, err := w.secrets.Delete(ctx, a, "OPENAI_API_KEY"); return err },
		}
		read, write := []string{"list", "get", "history"}, []string{"reveal", "activate", "set", "stage", "rollback", "import", "delete"}
		for _, name := range read {
			if err := acts[name](w.member); err != nil {
				t.Errorf("a member can't %s: %v", name, err)
			}
		}
		for _, name := range write {
			if err := acts[name](w.member); !errors.Is(err, problem.TeamRoleRequired) {
				t.Errorf("a member may %s: %v", name, err)
			}
		}
		for _, name := range append(read, "reveal", "set", "stage", "activate", "rollback", "delete") {
			if err := acts[name](w.stranger); !errors.Is(err, problem.SecretNotFound) {
				t.Errorf("another team's owner gets %v from %s, not the answer for a key that does not exist", err, name)
			}
			if err := acts[name](team.Actor{}); !errors.Is(err, problem.NotSignedIn) {
				t.Errorf("nobody may %s: %v", name, err)
			}
		}
		for _, name := range write {
			if err := acts[name](w.admin); err != nil {
				t.Errorf("an admin can't %s: %v", name, err)
			}
		}
	})
}

// A denial is in the log, with what was denied and not with a value.
func TestDenialsAreAudited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		if _, _, err := w.secrets.Reveal(t.Context(), w.member, "OPENAI_API_KEY"); err == nil {
			t.Fatal("a member revealed a secret")
		}
		found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
		entries := found.Entries
		if err != nil {
			t.Fatal(err)
		}
		last := entries[0]
		if last.Action != string(team.RevealSecret) || last.Outcome != audit.Denied || last.ActorName != "member@acme.example" || last.Target != "OPENAI_API_KEY" || last.Reason != "team_role_required" {
			t.Errorf("the last entry is %+v", last)
		}
		if set := entries[1]; set.Action != string(team.SetSecret) || set.Outcome != audit.Allowed || len(set.Versions) != 1 || set.Versions[0].Version != 1 {
			t.Errorf("the set's entry is %+v", set)
		}
		if others, err := w.log.Search(t.Context(), w.stranger, audit.Filter{}, 0); err != nil || len(others.Entries) != 0 {
			t.Errorf("another team sees %d entries, %v (U7)", len(others.Entries), err)
		}
	})
}

// The app receives what it declares and what is set, and nothing else; if a
// required one is missing it receives nothing.
func TestResolve(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.set(t, w.owner, "STRIPE_SECRET_KEY", "sk_live_not_declared")
		w.deploy(t, w.owner, "summarise", required("OPENAI_API_KEY"), optional("DATABASE_URL"))

		env, err := w.resolve(t, w.member, "acme/summarise")
		if err != nil || len(env) != 1 || env["OPENAI_API_KEY"] != "sk-1234567890abcdef" {
			t.Fatalf("resolved %d keys: %v", len(env), err)
		}

		w.deploy(t, w.owner, "greedy", required("OPENAI_API_KEY"), required("ANTHROPIC_API_KEY"), required("REPLICATE_API_TOKEN"))
		env, err = w.resolve(t, w.member, "acme/greedy")
		var unmet *secret.Unmet
		if !errors.As(err, &unmet) || len(env) != 0 || len(unmet.Items) != 2 {
			t.Errorf("a run with two keys missing got %d keys: %v", len(env), err)
		}

		if _, err := w.resolve(t, w.stranger, "acme/summarise"); !errors.Is(err, problem.NotFound) {
			t.Errorf("another team's app: %v", err)
		}
		foreign := err
		_, err = w.resolve(t, w.stranger, "acme/nothing")
		if foreign == nil || err == nil || !errors.Is(err, problem.NotFound) {
			t.Errorf("an unknown app: %v", err)
		}

		found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
		entries := found.Entries
		if err != nil {
			t.Fatal(err)
		}
		outcomes := map[audit.Outcome]int{}
		for _, e := range entries {
			if e.Action == string(team.ResolveApp) {
				outcomes[e.Outcome]++
			}
		}
		if outcomes[audit.Allowed] != 1 || outcomes[audit.Failed] != 1 {
			t.Errorf("the log has %v", outcomes)
		}
	})
}

// An app that declares nothing receives nothing, and an integration gives no
// secret that has the same name.
func TestResolveOfAnAppWithoutSecrets(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "openai", "sk-1234567890abcdef")
		w.deploy(t, w.owner, "app")
		w.deploy(t, w.owner, "integrated", secret.Requirement{Kind: secret.KindIntegration, Key: "openai", Optional: true})
		for _, name := range []string{"acme/app", "acme/integrated"} {
			if env, err := w.resolve(t, w.member, name); err != nil || len(env) != 0 {
				t.Errorf("%s resolved %d keys: %v", name, len(env), err)
			}
		}
	})
}

// The versions of an app never change: a new declaration is a new version, an
// old one can be asked for, by its id or number, and the same content is the same version (R5).
func TestVersionsOfAnAppArePinned(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.set(t, w.owner, "FAL_KEY", "fal-1234567890abcdef")
		first := w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"))
		second := w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"), required("FAL_KEY"))
		again := w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"), required("FAL_KEY"))
		if first.Current.ID == second.Current.ID || second.Current.ID != again.Current.ID || second.Current.Number != 2 {
			t.Fatalf("versions %+v, %+v, %+v", first.Current, second.Current, again.Current)
		}
		for version, want := range map[string]app.App{first.Current.ID: first, "1": first, "2": second} {
			keys := int(want.Current.Number)
			run := secret.Run{App: "acme/app", Version: version}
			resolved, err := w.secrets.Resolve(t.Context(), w.member, run)
			if err != nil || len(resolved.Env) != keys || resolved.VersionID != want.Current.ID {
				t.Errorf("version %s resolves to %d keys: %v", version, len(resolved.Env), err)
			}
			if v, report, err := w.secrets.CheckVersion(t.Context(), w.member, run.App, version); err != nil || v.ID != want.Current.ID || len(report.Items) != keys {
				t.Errorf("version %s is checked as %s: %v", version, v.ID, err)
			}
		}
		if _, err := w.secrets.Resolve(t.Context(), w.member, secret.Run{App: "acme/app", Version: "no-such-version"}); !errors.Is(err, problem.NotFound) {
			t.Errorf("a version that does not exist: %v", err)
		}
	})
}

// R9: a pair that is changed in one import is never handed out mixed.
func TestAResolveSeesOneSnapshot(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := func(n int) secret.Import {
			return secret.Import{Overwrite: true, Items: []secret.ImportItem{
				{Key: "AWS_ACCESS_KEY_ID", Value: redact.NewValue(fmt.Sprintf("AKIA%012d", n))},
				{Key: "AWS_SECRET_ACCESS_KEY", Value: redact.NewValue(fmt.Sprintf("secret-%012d", n))},
			}}
		}
		if _, written, err := w.secrets.Import(t.Context(), w.owner, pair(0)); err != nil || !written {
			t.Fatalf("import: %v, %v", written, err)
		}
		w.deploy(t, w.owner, "app", required("AWS_ACCESS_KEY_ID"), required("AWS_SECRET_ACCESS_KEY"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			for n := 1; ; n++ {
				if _, _, err := w.secrets.Import(ctx, w.owner, pair(n)); err != nil {
					if ctx.Err() != nil {
						err = nil
					}
					done <- err
					return
				}
			}
		}()
		resolves := 300
		if os.Getenv("INFSH_TORTURE") != "" {
			resolves = 1000
		}
		for range resolves {
			env, err := w.resolve(t, w.member, "acme/app")
			if err != nil {
				t.Fatal(err)
			}
			if id, key := strings.TrimPrefix(env["AWS_ACCESS_KEY_ID"], "AKIA"), strings.TrimPrefix(env["AWS_SECRET_ACCESS_KEY"], "secret-"); id != key {
				t.Fatalf("a mixed pair: id of round %s with the secret of round %s", id, key)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Many writers of one key lose nothing: versions are dense.
func TestConcurrentWriters(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "the first value")
		const writers, each = 8, 12
		versions := make(chan int64, writers*each)
		errs := make(chan error, writers*each)
		for i := range writers {
			go func() {
				for n := range each {
					v := redact.NewValue(fmt.Sprintf("writer %d, write %d", i, n))
					written, err := w.secrets.Set(t.Context(), w.owner, secret.Change, secret.Write{Key: "OPENAI_API_KEY", Value: &v})
					versions <- written.Version
					errs <- err
				}
			}()
		}
		var got []int64
		for range writers * each {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
			got = append(got, <-versions)
		}
		slices.Sort(got)
		for i, v := range got {
			if v != int64(i+2) {
				t.Fatalf("versions are not dense: %v", got)
			}
		}
	})
}

// "Secret not found" comes with the checks that the program can make: the case,
// the other name of the same credential, and the caller's other team.
func TestNearMisses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "openai_api_key", "sk-1234567890abcdef")
		w.set(t, w.owner, "HUGGINGFACE_TOKEN", "hf_1234567890abcdef")
		w.set(t, w.stranger, "FAL_KEY", "fal-1234567890abcdef")
		// The owner of acme belongs to beta too; the member does not.
		dbtest.Join(t, w.db, w.stranger.TeamID(), w.owner.UserID(), team.Member)
		w.deploy(t, w.owner, "app", required("OPENAI_API_KEY"), required("HF_TOKEN"), required("FAL_KEY"))

		_, err := w.resolve(t, w.owner, "acme/app")
		for _, want := range []string{
			"OPENAI_API_KEY is required and not set in team acme", "openai_api_key is set",
			"HUGGINGFACE_TOKEN is set", "FAL_KEY is required", "It is set in your team beta, and this run uses acme",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the owner is not told %q: %v", want, err)
			}
		}
		_, err = w.resolve(t, w.member, "acme/app")
		if err == nil || strings.Contains(err.Error(), "beta") {
			t.Errorf("a member of acme alone is told of beta: %v", err)
		}
		// A key with fewer scopes than its maker learns nothing beyond its team.
		limited := team.NewActor(team.Identity{
			Kind: team.Key, UserID: w.owner.UserID(), TeamID: w.owner.TeamID(), TeamName: "acme", Role: team.Owner,
			Scopes: team.Scopes{team.ScopeAppsExecute, team.ScopeAppsRead, team.ScopeSecretsRead},
		})
		_, err = w.resolve(t, limited, "acme/app")
		if !errors.Is(err, problem.RequirementsNotMet) || strings.Contains(err.Error(), "beta") {
			t.Errorf("a limited key of acme is told of beta: %v", err)
		}
		_, err = w.secrets.Get(t.Context(), w.owner, "OPENAI_API_KEY")
		if !errors.Is(err, problem.SecretNotFound) || !strings.Contains(err.Error(), "openai_api_key is set") {
			t.Errorf("get of the wrong case: %v", err)
		}
	})
}

// The check makes the same decision as the run, and knows what nobody uses.
func TestCheckAgreesWithResolve(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.set(t, w.owner, "FORGOTTEN_API_KEY", "nobody-declares-it")
		reqs := []secret.Requirement{
			required("OPENAI_API_KEY"), optional("DATABASE_URL"),
			{Kind: secret.KindIntegration, Key: "google.sheets", Optional: true},
		}
		report, err := w.secrets.Check(t.Context(), w.member, secret.Checked{Requirements: reqs})
		if err != nil || !report.Satisfied() {
			t.Fatalf("check: %v %+v", err, report)
		}
		unused, err := w.secrets.Unused(t.Context(), w.member, secret.Checked{Requirements: reqs})
		if err != nil || len(unused) != 1 || unused[0] != "FORGOTTEN_API_KEY" {
			t.Errorf("unused are %v, %v", unused, err)
		}
		w.deploy(t, w.owner, "app", reqs...)
		if _, err := w.resolve(t, w.member, "acme/app"); err != nil {
			t.Errorf("the check is satisfied, and the run is not: %v", err)
		}

		reqs[2].Optional = false
		report, err = w.secrets.Check(t.Context(), w.member, secret.Checked{Requirements: reqs})
		if err != nil || report.Satisfied() {
			t.Errorf("a required integration, which nobody can connect yet, satisfies: %v", err)
		}
		w.deploy(t, w.owner, "app", reqs...)
		if _, err := w.resolve(t, w.member, "acme/app"); !errors.Is(err, problem.RequirementsNotMet) {
			t.Errorf("the run does not agree: %v", err)
		}
	})
}

// An import is all or nothing.
func TestImport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		item := func(key, value string) secret.ImportItem {
			return secret.ImportItem{Key: key, Value: redact.NewValue(value)}
		}
		statuses := func(rs []secret.ImportResult) (out []secret.ImportStatus) {
			for _, r := range rs {
				out = append(out, r.Status)
			}
			return out
		}
		ctx := t.Context()
		for _, c := range []struct {
			name    string
			in      secret.Import
			want    []secret.ImportStatus
			written bool
		}{
			{"a dry run writes nothing", secret.Import{DryRun: true, Items: []secret.ImportItem{item("NEW_API_KEY", "a value")}}, []secret.ImportStatus{secret.ImportNew}, false},
			{"one refused name stops all", secret.Import{Items: []secret.ImportItem{item("NEW_API_KEY", "a value"), item("LD_PRELOAD", "/tmp/x.so")}}, []secret.ImportStatus{secret.ImportNew, secret.ImportRefused}, false},
			{"one that exists stops all", secret.Import{Items: []secret.ImportItem{item("NEW_API_KEY", "a value"), item("OPENAI_API_KEY", "another")}}, []secret.ImportStatus{secret.ImportNew, secret.ImportExists}, false},
			{"twice the same key stops all", secret.Import{Items: []secret.ImportItem{item("NEW_API_KEY", "a"), item("NEW_API_KEY", "b")}}, []secret.ImportStatus{secret.ImportNew, secret.ImportRefused}, false},
			{"overwriting writes new and changed", secret.Import{Overwrite: true, Items: []secret.ImportItem{item("NEW_API_KEY", "a value"), item("OPENAI_API_KEY", "another")}}, []secret.ImportStatus{secret.ImportNew, secret.ImportChanged}, true},
			{"the same again is unchanged", secret.Import{Items: []secret.ImportItem{item("NEW_API_KEY", "a value"), item("OPENAI_API_KEY", "another")}}, []secret.ImportStatus{secret.ImportUnchanged, secret.ImportUnchanged}, true},
		} {
			// What is told of values, written or not, stands in the log.
			looks := func() int {
				return dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE reason IN ('dry_run', 'nothing_written')")
			}
			before := looks()
			results, written, err := w.secrets.Import(ctx, w.owner, c.in)
			if !c.written && looks() != before+1 {
				t.Errorf("%s: what was told stands %d times in the log", c.name, looks()-before)
			}
			if err != nil || written != c.written || !slices.Equal(statuses(results), c.want) {
				t.Errorf("%s: %v, written %v, %v", c.name, statuses(results), written, err)
			}
			_, err = w.secrets.Get(ctx, w.owner, "NEW_API_KEY")
			if !c.written && !errors.Is(err, problem.SecretNotFound) {
				t.Errorf("%s: something was written", c.name)
			}
		}
		got, err := w.secrets.Get(ctx, w.owner, "OPENAI_API_KEY")
		if err != nil || got.Version != 2 {
			t.Errorf("version %d after an unchanged import: %v", got.Version, err)
		}
	})
}

// A row moved to another team, key or version, or changed, does not open.
func TestMovedRowsDoNotOpen(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-second-1234567890")
		w.set(t, w.owner, "FAL_KEY", "fal-1234567890abcdef")
		w.set(t, w.stranger, "OPENAI_API_KEY", "sk-of-another-team-1")
		reveal := func(a team.Actor) error {
			_, _, err := w.secrets.Reveal(t.Context(), a, "OPENAI_API_KEY")
			return err
		}
		const version2 = "(SELECT id FROM secrets WHERE key = 'OPENAI_API_KEY' AND team_id = '%s') AND version = 2"
		where := fmt.Sprintf(version2, w.owner.TeamID())
		current := dbtest.Value(t, w.db, "SELECT value FROM secret_versions WHERE secret_id = "+where)
		for _, c := range []struct{ name, from string }{
			{"of another version", "secret_id = (SELECT id FROM secrets WHERE key = 'OPENAI_API_KEY' AND team_id = '" + w.owner.TeamID() + "') AND version = 1"},
			{"of another key", "secret_id = (SELECT id FROM secrets WHERE key = 'FAL_KEY')"},
			{"of another team", "team_id = '" + w.stranger.TeamID() + "'"},
		} {
			moved := dbtest.Value(t, w.db, "SELECT value FROM secret_versions WHERE "+c.from)
			dbtest.Exec(t, w.db, "UPDATE secret_versions SET value = ? WHERE secret_id = "+where, moved)
			if err := reveal(w.owner); !errors.Is(err, secret.ErrCorrupt) {
				t.Errorf("the value %s opens: %v", c.name, err)
			}
		}
		dbtest.Exec(t, w.db, "UPDATE secret_versions SET value = ? WHERE secret_id = "+where, current)
		if err := reveal(w.owner); err != nil {
			t.Errorf("the value put back does not open: %v", err)
		}
	})
}

// Deleting a secret removes its ciphertexts.
func TestDeleteRemovesCiphertexts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-abcdef1234567890")
		if _, err := w.secrets.Delete(t.Context(), w.owner, "OPENAI_API_KEY"); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM secret_versions"); n != 0 {
			t.Errorf("%d ciphertexts are left", n)
		}
		if _, err := w.secrets.Delete(t.Context(), w.owner, "OPENAI_API_KEY"); !errors.Is(err, problem.SecretNotFound) {
			t.Errorf("deleting it again: %v", err)
		}
		// Z10: the same name again is a new secret, without the old history.
		if again := w.set(t, w.owner, "OPENAI_API_KEY", "sk-0000000000000000"); again.Version != 1 {
			t.Errorf("the new secret begins at version %d", again.Version)
		}
	})
}

// Names, values and descriptions are checked where they are set; every error
// stands at its field, and none repeats the value (V1, V4, V6).
func TestRefusedWrites(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const canary = "canary-value-7f3a"
		long := strings.Repeat("d", secret.MaxDescriptionLength+1)
		for _, c := range []struct {
			name, key, value, field string
			description             *string
		}{
			{name: "an empty name", key: "", value: canary, field: "key"},
			{name: "a dash", key: "a-b", value: canary, field: "key"},
			{name: "a lookalike", key: "ΟPENAI_API_KEY", value: canary, field: "key"},
			{name: "a shell function", key: "BASH_FUNC_x%%", value: canary, field: "key"},
			{name: "a name that loads code", key: "LD_PRELOAD", value: canary, field: "key"},
			{name: "a name of infsh's own", key: "infsh_token", value: canary, field: "key"},
			{name: "a risky name", key: "HTTPS_PROXY", value: canary, field: "key"},
			{name: "a NUL", key: "A_KEY", value: canary + "\x00", field: "value"},
			{name: "not UTF-8", key: "A_KEY", value: canary + "\xff", field: "value"},
			{name: "a space at the end", key: "A_KEY", value: canary + " ", field: "value"},
			{name: "no value", key: "A_KEY", value: "", field: "value"},
			{name: "too long", key: "A_KEY", value: canary + strings.Repeat("x", 65536), field: "value"},
			{name: "a long description", key: "A_KEY", value: canary, field: "description", description: &long},
		} {
			v := redact.NewValue(c.value)
			_, err := w.secrets.Set(t.Context(), w.owner, secret.Create, secret.Write{Key: c.key, Value: &v, Description: c.description})
			var p *problem.Error
			if !errors.As(err, &p) || p.Code != problem.InvalidField || len(p.Fields) != 1 || p.Fields[0].Name != c.field {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if strings.Contains(fmt.Sprintf("%+v %s", p, p.Fields[0].Message), canary) {
				t.Errorf("%s: the error repeats the value", c.name)
			}
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM secrets"); n != 0 {
			t.Errorf("%d secrets were stored", n)
		}
	})
}

// What can be no version's id is none, for every database, and what is asked for it
// stands in the log. PostgreSQL takes no text with a NUL character, and would make
// each of the runs that are asked for at the same time wait for a turn of its own.
func TestAVersionThatCanBeNoneIsNotFound(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.deploy(t, w.owner, "app")
		for _, version := range []string{"\x00", "\xff", "v3", "2", "01", "-1", strings.Repeat("a", 1<<16)} {
			run := secret.Run{App: "acme/app", Version: version}
			before := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'app.resolve' AND outcome = 'failed' AND reason = 'not_found'")
			if _, err := w.secrets.Resolve(t.Context(), w.member, run); !errors.Is(err, problem.NotFound) {
				t.Errorf("resolving %.10q: %v", version, err)
			}
			if n := dbtest.Count(t, w.db, "SELECT count(*) FROM audit_entries WHERE action = 'app.resolve' AND outcome = 'failed' AND reason = 'not_found'"); n != before+1 {
				t.Errorf("resolving %.10q left %d entries", version, n-before)
			}
			if _, err := w.secrets.RunState(t.Context(), w.member, run); !errors.Is(err, problem.NotFound) {
				t.Errorf("watching %.10q: %v", version, err)
			}
			if _, _, err := w.secrets.CheckVersion(t.Context(), w.member, run.App, version); !errors.Is(err, problem.NotFound) {
				t.Errorf("checking %.10q: %v", version, err)
			}
			if err := w.secrets.RecordPrinted(t.Context(), w.member, run, []secret.Finding{{Key: "INFSH_API_KEY", Form: "raw", Count: 1}}); !errors.Is(err, problem.NotFound) {
				t.Errorf("reporting on %.10q: %v", version, err)
			}
			if _, err := w.apps.ByID(t.Context(), w.member, version); !errors.Is(err, problem.NotFound) {
				t.Errorf("the app %.10q: %v", version, err)
			}
			if _, err := w.apps.ByName(t.Context(), w.member, version, version); !errors.Is(err, problem.NotFound) {
				t.Errorf("the app %.10q by name: %v", version, err)
			}
		}
	})
}

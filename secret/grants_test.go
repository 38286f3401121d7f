package secret_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"infsh/app"
	"infsh/audit"
	"infsh/db/dbtest"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

func (w *world) deploys(t testing.TB, actor team.Actor, reqs ...secret.Requirement) app.Deployment {
	t.Helper()
	done, err := w.apps.Deploy(t.Context(), actor, app.Registration{Name: "app", Requirements: reqs})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// acts returns how often the team's log has an allowed act on a target.
func (w *world) acts(t testing.TB, act team.Action, target string) (n int) {
	t.Helper()
	found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
	entries := found.Entries
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Action == string(act) && e.Target == target {
			n++
		}
	}
	return n
}

// What a member deploys gets no key that the team has not granted: a manifest
// is a claim. The run says who has to do what, and gives nothing.
func TestAMembersDeploymentWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		done := w.deploys(t, w.member, required("OPENAI_API_KEY"))
		if !slices.Equal(done.Waiting, []envvar.Key{"OPENAI_API_KEY"}) || len(done.Granted) > 0 || !done.IsCurrent() {
			t.Errorf("the deployment: %+v", done)
		}
		env, err := w.resolve(t, w.member, "acme/app")
		var unmet *secret.Unmet
		if !errors.As(err, &unmet) || len(env) > 0 || len(unmet.Items) != 1 || unmet.Items[0].State != secret.Waiting {
			t.Fatalf("the run: %v", err)
		}
		for _, want := range []string{"OPENAI_API_KEY", "waits for approval", "owner or admin of team acme", "acme/app"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		if got := unmet.Items[0].ActionURL(); got != "/settings/apps/acme/app" {
			t.Errorf("it leads to %s", got)
		}
		if _, err := w.apps.Approve(t.Context(), w.member, done.App.ID, []app.Approval{{Key: "OPENAI_API_KEY"}}); !errors.Is(err, problem.TeamRoleRequired) {
			t.Errorf("a member approves: %v", err)
		}
		if _, err := w.apps.Approve(t.Context(), w.stranger, done.App.ID, []app.Approval{{Key: "OPENAI_API_KEY"}}); !errors.Is(err, problem.NotFound) {
			t.Errorf("another team's owner approves: %v", err)
		}
		decision, err := w.apps.Approve(t.Context(), w.admin, done.App.ID, []app.Approval{{Key: "OPENAI_API_KEY"}})
		if err != nil || len(decision.Grants) != 1 || decision.Grants[0].DecidedBy != "admin@acme.example" || decision.Grants[0].RequestedBy != "member@acme.example" {
			t.Fatalf("approve: %+v, %v", decision, err)
		}
		if env, err := w.resolve(t, w.member, "acme/app"); err != nil || len(env) != 1 {
			t.Errorf("once it is approved: %d keys, %v", len(env), err)
		}
		for _, act := range []team.Action{team.AskGrant, team.AllowGrant} {
			if n := w.acts(t, act, "acme/app OPENAI_API_KEY"); n != 1 {
				t.Errorf("the log has %s %d times", act, n)
			}
		}
	})
}

// An owner's API key without the right to write secrets grants nothing either.
func TestAKeyForAppsAloneGrantsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		key := func(scopes ...team.Scope) team.Actor {
			return team.NewActor(team.Identity{Kind: team.Key, UserID: w.owner.UserID(), TeamID: w.owner.TeamID(), TeamName: "acme", Role: team.Owner, Scopes: scopes})
		}
		deployer := key(team.ScopeAppsWrite)
		done := w.deploys(t, deployer, required("OPENAI_API_KEY"))
		if len(done.Waiting) != 1 {
			t.Errorf("apps:write alone granted %v", done.Granted)
		}
		if _, err := w.apps.Approve(t.Context(), deployer, done.App.ID, []app.Approval{{Key: "OPENAI_API_KEY"}}); !errors.Is(err, problem.ScopeRequired) {
			t.Errorf("apps:write alone approves: %v", err)
		}
		// The same again with the right grants what waited.
		done = w.deploys(t, key(team.ScopeAppsWrite, team.ScopeSecretsWrite), required("OPENAI_API_KEY"))
		if done.Made || !slices.Equal(done.Granted, []envvar.Key{"OPENAI_API_KEY"}) || len(done.Waiting) > 0 {
			t.Errorf("with secrets:write: %+v", done)
		}
	})
}

// A later version that declares more waits behind the one that runs, and
// becomes current when its required keys are granted.
func TestALaterVersionWaitsBehindTheCurrentOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.set(t, w.owner, "STRIPE_SECRET_KEY", "sk_live_1234567890")
		first := w.deploys(t, w.owner, required("OPENAI_API_KEY"))
		second := w.deploys(t, w.member, required("OPENAI_API_KEY"), required("STRIPE_SECRET_KEY"))
		if second.IsCurrent() || second.App.Current.ID != first.Version.ID || second.App.PendingID != second.Version.ID {
			t.Errorf("version 2 is current: %+v", second)
		}
		if env, err := w.resolve(t, w.member, "acme/app"); err != nil || len(env) != 1 {
			t.Errorf("the older version: %d keys, %v", len(env), err)
		}
		run := secret.Run{App: "acme/app", Version: second.Version.ID}
		if _, err := w.secrets.Resolve(t.Context(), w.member, run); !errors.Is(err, problem.RequirementsNotMet) {
			t.Errorf("the waiting version runs: %v", err)
		}
		if _, err := w.apps.MakeCurrent(t.Context(), w.member, second.App.ID, second.Version.ID); !errors.Is(err, problem.Conflict) || !strings.Contains(fmt.Sprint(err), "STRIPE_SECRET_KEY") {
			t.Errorf("it is made current: %v", err)
		}
		// What waits as optional does not hold a version back.
		third := w.deploys(t, w.member, required("OPENAI_API_KEY"), optional("STRIPE_SECRET_KEY"))
		resolved, err := w.secrets.Resolve(t.Context(), w.member, secret.Run{App: "acme/app"})
		if !third.IsCurrent() || err != nil || len(resolved.Env) != 1 || !slices.Equal(resolved.MissingOptional, []string{"STRIPE_SECRET_KEY"}) {
			t.Errorf("an optional key waits: %+v, %v", resolved.MissingOptional, err)
		}
		w.deploys(t, w.member, required("OPENAI_API_KEY"), required("STRIPE_SECRET_KEY"))
		decision, err := w.apps.Approve(t.Context(), w.owner, first.App.ID, []app.Approval{{Key: "STRIPE_SECRET_KEY"}})
		if err != nil || !decision.Promoted || decision.App.Current.ID != second.Version.ID {
			t.Errorf("approved, and not current: %+v, %v", decision, err)
		}
		if env, err := w.resolve(t, w.member, "acme/app"); err != nil || len(env) != 2 {
			t.Errorf("the approved version: %d keys, %v", len(env), err)
		}
		if n := w.acts(t, team.MoveCurrent, "acme/app"); n != 1 {
			t.Errorf("the log has the move %d times", n)
		}
	})
}

// The next resolve obeys a revocation. Deploying is asking anew, and grants
// again what a writer of secrets deploys; a run that deploys by the way does not.
func TestRevoke(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		req := required("OPENAI_API_KEY")
		id := w.deploys(t, w.owner, req).App.ID
		revoke := func() {
			t.Helper()
			if _, err := w.apps.Revoke(t.Context(), w.admin, id, []string{"OPENAI_API_KEY"}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.resolve(t, w.owner, "acme/app"); !errors.Is(err, problem.RequirementsNotMet) || !strings.Contains(err.Error(), "revoked") {
				t.Errorf("after the revocation: %v", err)
			}
		}
		revoke()
		kept, err := w.apps.Deploy(t.Context(), w.owner, app.Registration{Name: "app", Requirements: []secret.Requirement{req}, KeepRevoked: true})
		if err != nil || len(kept.Granted) > 0 || !slices.Equal(kept.Revoked, []envvar.Key{"OPENAI_API_KEY"}) {
			t.Errorf("a run's deployment: %+v, %v", kept, err)
		}
		if done := w.deploys(t, w.owner, req); !slices.Equal(done.Regranted, []envvar.Key{"OPENAI_API_KEY"}) {
			t.Errorf("a writer's deployment: %+v", done)
		}
		if _, err := w.resolve(t, w.member, "acme/app"); err != nil {
			t.Errorf("granted again: %v", err)
		}
		revoke()
		if done := w.deploys(t, w.member, req); !slices.Equal(done.Waiting, []envvar.Key{"OPENAI_API_KEY"}) {
			t.Errorf("a member's deployment: %+v", done)
		}
		if _, err := w.apps.Revoke(t.Context(), w.owner, id, []string{"OPENAI_API_KEY"}); err != nil {
			t.Fatal(err)
		}
		if w.acts(t, team.RevokeGrant, "acme/app OPENAI_API_KEY") != 2 || w.acts(t, team.DenyGrant, "acme/app OPENAI_API_KEY") != 1 {
			t.Error("the log tells a denial from a revocation no more")
		}
	})
}

// A bound key has the declared name and the value of the team's key; the log
// names both, with the version of the team's.
func TestBind(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "HUGGINGFACE_TOKEN", "hf_first_1234567890")
		w.set(t, w.owner, "HUGGINGFACE_TOKEN", "hf_second_1234567890")
		id := w.deploys(t, w.owner, required("HF_TOKEN")).App.ID
		_, report, err := w.secrets.CheckVersion(t.Context(), w.member, "acme/app", "")
		if err != nil || report.Items[0].Binding() != "HUGGINGFACE_TOKEN" {
			t.Errorf("no binding is proposed: %+v, %v", report.Items, err)
		}
		bind := func(source string) error {
			_, err := w.apps.Approve(t.Context(), w.owner, id, []app.Approval{{Key: "HF_TOKEN", SourceKey: source}})
			return err
		}
		if err := bind("HUGGINGFACE_TOKN"); problem.CodeOf(err) != problem.InvalidField || !strings.Contains(fmt.Sprint(err), "HUGGINGFACE_TOKEN") {
			t.Errorf("bound to a key that is not set: %v", err)
		}
		if err := bind("HUGGINGFACE_TOKEN"); err != nil {
			t.Fatal(err)
		}
		env, err := w.resolve(t, w.member, "acme/app")
		if err != nil || len(env) != 1 || env["HF_TOKEN"] != "hf_second_1234567890" {
			t.Errorf("the run got %d keys: %v", len(env), err)
		}
		found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
		entries := found.Entries
		if err != nil || len(entries[0].Versions) != 1 || entries[0].Versions[0].Key != "HF_TOKEN=HUGGINGFACE_TOKEN" || entries[0].Versions[0].Version != 2 {
			t.Errorf("the log has %+v, %v", entries[0].Versions, err)
		}
		unused, err := w.secrets.Unused(t.Context(), w.owner, secret.Checked{})
		if err != nil || len(unused) != 0 {
			t.Errorf("unused are %v, %v", unused, err)
		}
		// It stays bound when the app is deployed again, and while the secret is away.
		w.deploys(t, w.owner, required("HF_TOKEN"), optional("FAL_KEY"))
		if _, err := w.secrets.Delete(t.Context(), w.owner, "HUGGINGFACE_TOKEN"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.resolve(t, w.member, "acme/app"); !errors.Is(err, problem.RequirementsNotMet) || !strings.Contains(err.Error(), "bound to HUGGINGFACE_TOKEN") {
			t.Errorf("without the team's key: %v", err)
		}
		w.set(t, w.owner, "HUGGINGFACE_TOKEN", "hf_third_1234567890")
		if env, err := w.resolve(t, w.member, "acme/app"); err != nil || env["HF_TOKEN"] != "hf_third_1234567890" {
			t.Errorf("with a new one: %v", err)
		}
		// Bound to its own name it is bound no more.
		w.set(t, w.owner, "HF_TOKEN", "hf_own_1234567890")
		if err := bind("HF_TOKEN"); err != nil {
			t.Fatal(err)
		}
		if env, err := w.resolve(t, w.member, "acme/app"); err != nil || env["HF_TOKEN"] != "hf_own_1234567890" {
			t.Errorf("bound to itself: %v", err)
		}
	})
}

// No key that no version declares can be granted, bound or revoked.
func TestOnlyDeclaredKeysAreGranted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "STRIPE_SECRET_KEY", "sk_live_1234567890")
		id := w.deploys(t, w.owner, required("OPENAI_API_KEY")).App.ID
		for _, key := range []string{"STRIPE_SECRET_KEY", "OPENAI_API_KEi", "", "LD_PRELOAD", "a\x1b[2J"} {
			_, approved := w.apps.Approve(t.Context(), w.owner, id, []app.Approval{{Key: key}})
			_, revoked := w.apps.Revoke(t.Context(), w.owner, id, []string{key})
			if problem.CodeOf(approved) != problem.InvalidField || problem.CodeOf(revoked) != problem.InvalidField {
				t.Errorf("%q: approve %v, revoke %v", key, approved, revoked)
			}
		}
		if _, err := w.apps.Approve(t.Context(), w.owner, id, nil); problem.CodeOf(err) != problem.InvalidField {
			t.Errorf("approve nothing: %v", err)
		}
		if n := dbtest.Count(t, w.db, "SELECT count(*) FROM app_grants"); n != 1 {
			t.Errorf("%d grants", n)
		}
	})
}

// Deleting an app deletes its grants: one of the same name starts anew.
func TestDeleteAnApp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		id := w.deploys(t, w.owner, required("OPENAI_API_KEY")).App.ID
		if err := w.apps.Delete(t.Context(), w.member, id); !errors.Is(err, problem.TeamRoleRequired) {
			t.Errorf("a member deletes: %v", err)
		}
		if err := w.apps.Delete(t.Context(), w.stranger, id); !errors.Is(err, problem.NotFound) {
			t.Errorf("another team's owner deletes: %v", err)
		}
		if err := w.apps.Delete(t.Context(), w.owner, id); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, w.db, "SELECT (SELECT count(*) FROM apps) + (SELECT count(*) FROM app_versions) + (SELECT count(*) FROM app_grants)"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		if _, err := w.resolve(t, w.owner, "acme/app"); !errors.Is(err, problem.NotFound) {
			t.Errorf("it still runs: %v", err)
		}
		if done := w.deploys(t, w.member, required("OPENAI_API_KEY")); len(done.Waiting) != 1 {
			t.Errorf("a grant came back: %+v", done)
		}
	})
}

// The same version with other content is a conflict, and changes nothing (R5).
func TestAVersionNeverChanges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.deploys(t, w.owner, required("OPENAI_API_KEY"))
		again := func(id string, reqs ...secret.Requirement) error {
			_, err := w.apps.Deploy(t.Context(), w.owner, app.Registration{Name: "app", Requirements: reqs, VersionID: id})
			return err
		}
		if err := again(first.Version.ID, required("OPENAI_API_KEY")); err != nil {
			t.Errorf("the same content: %v", err)
		}
		if err := again(first.Version.ID, required("OPENAI_API_KEY"), required("FAL_KEY")); !errors.Is(err, problem.Conflict) {
			t.Errorf("other content: %v", err)
		}
		if err := again("6f1c2f5e-0000-4000-8000-000000000000", required("FAL_KEY")); !errors.Is(err, problem.Conflict) {
			t.Errorf("an id of nothing: %v", err)
		}
		versions, err := w.apps.Versions(t.Context(), w.member, first.App.ID)
		if err != nil || len(versions) != 1 {
			t.Errorf("%d versions, %v", len(versions), err)
		}
		if v, err := w.apps.Version(t.Context(), w.member, first.App.ID, first.Version.ID); err != nil || v.Digest != first.Version.Digest {
			t.Errorf("the version: %v", err)
		}
		if _, err := w.apps.Version(t.Context(), w.stranger, first.App.ID, first.Version.ID); !errors.Is(err, problem.NotFound) {
			t.Errorf("another team's: %v", err)
		}
	})
}

// Moving current and changing the description leave the versions as they are.
func TestMakeCurrentAndUpdate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.deploys(t, w.owner, optional("OPENAI_API_KEY"))
		second := w.deploys(t, w.owner, optional("FAL_KEY"))
		moved, err := w.apps.MakeCurrent(t.Context(), w.member, first.App.ID, first.Version.ID)
		if err != nil || moved.Current.ID != first.Version.ID {
			t.Errorf("moved to %+v: %v", moved.Current, err)
		}
		if _, err := w.apps.MakeCurrent(t.Context(), w.member, first.App.ID, "no-such-version"); !errors.Is(err, problem.NotFound) {
			t.Errorf("no such version: %v", err)
		}
		description := "Makes short texts of long ones"
		updated, err := w.apps.Update(t.Context(), w.member, first.App.ID, app.Change{Description: &description})
		if err != nil || updated.Description != description || updated.Current.ID != first.Version.ID {
			t.Errorf("updated: %+v, %v", updated, err)
		}
		bad := "a\x1b[2J"
		if _, err := w.apps.Update(t.Context(), w.member, first.App.ID, app.Change{Description: &bad}); problem.CodeOf(err) != problem.InvalidField {
			t.Errorf("a description with an escape sequence: %v", err)
		}
		found, err := w.apps.ByID(t.Context(), w.member, first.App.ID)
		if err != nil || found.Description != description {
			t.Errorf("it is not stored: %v", err)
		}
		if second.Version.Number != 2 {
			t.Errorf("the second version has the number %d", second.Version.Number)
		}
	})
}

// The check of a manifest says what a deployment would bring.
func TestCheckBeforeYouRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		check := func(actor team.Actor, reqs ...secret.Requirement) secret.Report {
			t.Helper()
			report, err := w.secrets.Check(t.Context(), actor, secret.Checked{App: "app", Requirements: reqs})
			if err != nil || report.App != "acme/app" {
				t.Fatalf("check: %+v, %v", report, err)
			}
			return report
		}
		if r := check(w.owner, required("OPENAI_API_KEY")); !r.Satisfied() || r.Items[0].Grant.State != secret.GrantOnDeploy {
			t.Errorf("an owner, before the first deployment: %+v", r)
		}
		if r := check(w.member, required("OPENAI_API_KEY")); r.Satisfied() || r.Items[0].State != secret.NotGranted {
			t.Errorf("a member, before the first deployment: %+v", r)
		}
		w.deploys(t, w.member, required("OPENAI_API_KEY"), optional("FAL_KEY"))
		for _, actor := range []team.Actor{w.owner, w.member} {
			if r := check(actor, required("OPENAI_API_KEY"), optional("FAL_KEY")); r.Satisfied() || r.Items[0].State != secret.Waiting || r.Items[0].Version != 1 || r.Items[1].Blocks() {
				t.Errorf("while it waits: %+v", r)
			}
		}
	})
}

// Each step of the explanation says what is so, and what to do.
func TestWhy(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		w.set(t, w.owner, "HUGGINGFACE_TOKEN", "hf_1234567890")
		id := w.deploys(t, w.member, required("OPENAI_API_KEY"), optional("HF_TOKEN")).App.ID
		say := func(key string) string {
			t.Helper()
			d, err := w.secrets.Why(t.Context(), w.member, "acme/app", "", key)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, step := range d.Steps {
				fmt.Fprintln(&b, step.OK, step.Name, step.Text, step.Todo)
			}
			return b.String()
		}
		want := func(key string, parts ...string) {
			t.Helper()
			said := say(key)
			for _, part := range parts {
				if !strings.Contains(said, part) {
					t.Errorf("why %s does not say %q:\n%s", key, part, said)
				}
			}
		}
		want("OPENAI_API_KEY", "true declared declared in version 1 (digest ", "deployed by member@acme.example on ",
			"false granted waits for approval: asked for in version 1 by member@acme.example on ", "infsh app approve acme/app OPENAI_API_KEY", "true set OPENAI_API_KEY is set in team acme, at version 1")
		if _, err := w.apps.Approve(t.Context(), w.admin, id, []app.Approval{{Key: "OPENAI_API_KEY"}, {Key: "HF_TOKEN"}}); err != nil {
			t.Fatal(err)
		}
		want("OPENAI_API_KEY", "true granted granted by admin@acme.example on ", "true run ")
		want("HF_TOKEN", "as optional", "false set HF_TOKEN is not set in team acme; it is optional", "HUGGINGFACE_TOKEN is set", "--bind HF_TOKEN=HUGGINGFACE_TOKEN")
		want("openai_api_key", "false declared version 1", "does not declare it", "it declares OPENAI_API_KEY (differs only in case)", "infsh app deploy")
		if _, err := w.apps.Approve(t.Context(), w.admin, id, []app.Approval{{Key: "HF_TOKEN", SourceKey: "HUGGINGFACE_TOKEN"}}); err != nil {
			t.Fatal(err)
		}
		want("HF_TOKEN", "true bound bound to HUGGINGFACE_TOKEN", "true set HUGGINGFACE_TOKEN is set")
		want("HUGGINGFACE_TOKEN", "its value is given as HF_TOKEN")
		if _, err := w.apps.Revoke(t.Context(), w.owner, id, []string{"OPENAI_API_KEY"}); err != nil {
			t.Fatal(err)
		}
		want("OPENAI_API_KEY", "false granted revoked by owner@acme.example on ")
		want("HF_TOKEN", "false run the app does not run, and receives nothing, because of OPENAI_API_KEY")
		if _, err := w.secrets.Why(t.Context(), w.member, "acme/none", "", "OPENAI_API_KEY"); !errors.Is(err, problem.NotFound) {
			t.Errorf("an unknown app: %v", err)
		}
		if _, err := w.secrets.Why(t.Context(), w.stranger, "acme/app", "", "OPENAI_API_KEY"); !errors.Is(err, problem.NotFound) {
			t.Errorf("another team's app: %v", err)
		}
	})
}

// A version that was registered by a release without grants gets no key until
// it is granted.
func TestAVersionWithoutGrants(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.set(t, w.owner, "OPENAI_API_KEY", "sk-1234567890abcdef")
		id := w.deploys(t, w.owner, required("OPENAI_API_KEY")).App.ID
		dbtest.Exec(t, w.db, "DELETE FROM app_grants")
		if _, err := w.resolve(t, w.owner, "acme/app"); !errors.Is(err, problem.RequirementsNotMet) {
			t.Errorf("it runs: %v", err)
		}
		if _, err := w.apps.Approve(t.Context(), w.owner, id, []app.Approval{{Key: "OPENAI_API_KEY"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.resolve(t, w.owner, "acme/app"); err != nil {
			t.Errorf("once granted: %v", err)
		}
	})
}

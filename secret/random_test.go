package secret_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"infsh/app"
	"infsh/problem"
	"infsh/secret"
)

// universe are the keys of random worlds.
var universe = []string{"ALPHA_API_KEY", "BRAVO_API_KEY", "CAROL_API_KEY", "DELTA_API_KEY", "ECHO_API_KEY", "FOXTROT_API_KEY"}

// model is what a team and one app of it should be, written down as simply as
// the rules are told.
type model struct {
	set      map[string]string // values by key
	grants   map[string]modelGrant
	versions []modelVersion
	current  int
	pending  int // -1 if none
}

type modelGrant struct {
	state  secret.GrantState
	source string
}

type modelVersion struct {
	id   string
	reqs []secret.Requirement
}

// stopped reports whether a required key is not granted.
func (m *model) stopped(reqs []secret.Requirement) bool {
	return slices.ContainsFunc(reqs, func(r secret.Requirement) bool {
		return !r.Optional && m.grants[r.Key].state != secret.Granted
	})
}

// receives is declared ∩ granted ∩ set, and what of it is required and absent.
func (m *model) receives(reqs []secret.Requirement) (env map[string]string, absent []string) {
	env = map[string]string{}
	for _, r := range reqs {
		g := m.grants[r.Key]
		value, isSet := m.set[g.source]
		switch {
		case g.state == secret.Granted && isSet:
			env[r.Key] = value
		case !r.Optional:
			absent = append(absent, r.Key)
		}
	}
	return env, absent
}

func (m *model) deploy(writer bool, reqs []secret.Requirement) {
	runnable := len(m.versions) > 0 && !m.stopped(m.versions[m.current].reqs)
	at := slices.IndexFunc(m.versions, func(v modelVersion) bool { return fmt.Sprint(v.reqs) == fmt.Sprint(reqs) })
	if at < 0 {
		m.versions = append(m.versions, modelVersion{reqs: reqs})
		at = len(m.versions) - 1
	}
	for _, r := range reqs {
		g, asked := m.grants[r.Key]
		if !asked {
			g.source = r.Key
		}
		switch {
		case g.state == secret.Granted:
		case writer:
			g.state = secret.Granted
		default:
			g.state = secret.GrantWaiting
		}
		m.grants[r.Key] = g
	}
	if m.stopped(reqs) && runnable {
		m.pending = at
	} else {
		m.current, m.pending = at, -1
	}
}

func (m *model) promote() {
	if m.pending >= 0 && !m.stopped(m.versions[m.pending].reqs) {
		m.current, m.pending = m.pending, -1
	}
}

// rounds is how many random worlds are looked at on each database.
func rounds() int {
	if os.Getenv("INFSH_TORTURE") != "" {
		return 50_000
	}
	return 80
}

// R1: whatever is set, deleted, deployed, granted, bound and revoked, by whom
// and in which order, an app receives what its version declares, the team
// grants and has set, and nothing else; nothing at all if a required one is
// not there. The check and the explanation never differ from that.
func TestResolvedIsDeclaredAndGrantedAndSet(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := &randomWorld{world: w, rng: rand.New(rand.NewPCG(seed, 1)), model: model{set: map[string]string{}, grants: map[string]modelGrant{}, pending: -1}}
		for round := range rounds() {
			// A new app now and then, so that versions don't pile up.
			if round%100 == 0 {
				r.model.grants, r.model.versions, r.model.pending = map[string]modelGrant{}, nil, -1
				r.name, r.appID = fmt.Sprintf("app%d", round), ""
				r.deploy(t)
			}
			r.change(t)
			r.compare(t)
			if t.Failed() {
				t.Fatalf("in round %d of seed %d: %+v", round, seed, r.model)
			}
		}
	})
}

type randomWorld struct {
	*world
	rng         *rand.Rand
	model       model
	name, appID string
	writes      int
}

func (r *randomWorld) key() string { return universe[r.rng.IntN(len(universe))] }

func (r *randomWorld) change(t *testing.T) {
	ctx, m := t.Context(), &r.model
	switch r.rng.IntN(10) {
	case 0, 1:
		key := r.key()
		r.writes++
		value := fmt.Sprintf("value number %d", r.writes)
		r.set(t, r.owner, key, value)
		m.set[key] = value
	case 2:
		key := r.key()
		_, err := r.secrets.Delete(ctx, r.admin, key)
		if _, isSet := m.set[key]; isSet != (err == nil) {
			t.Errorf("delete %s: %v", key, err)
		}
		delete(m.set, key)
	case 3, 4, 5:
		r.deploy(t)
	case 6:
		approval := app.Approval{Key: r.key()}
		if r.rng.IntN(2) == 0 {
			approval.SourceKey = r.key()
		}
		g, asked := m.grants[approval.Key]
		_, sourceSet := m.set[approval.SourceKey]
		want := asked && (approval.SourceKey == "" || sourceSet)
		if _, err := r.apps.Approve(ctx, r.owner, r.appID, []app.Approval{approval}); (err == nil) != want {
			t.Errorf("approve %+v: %v", approval, err)
		}
		if want {
			g.state = secret.Granted
			if approval.SourceKey != "" {
				g.source = approval.SourceKey
			}
			m.grants[approval.Key] = g
			m.promote()
		}
	case 7:
		key := r.key()
		g, asked := m.grants[key]
		if _, err := r.apps.Revoke(ctx, r.admin, r.appID, []string{key}); (err == nil) != asked {
			t.Errorf("revoke %s: %v", key, err)
		}
		if asked {
			g.state = secret.GrantRevoked
			m.grants[key] = g
			m.promote()
		}
	case 8:
		// Who may not write secrets decides nothing.
		_, approved := r.apps.Approve(ctx, r.member, r.appID, []app.Approval{{Key: r.key()}})
		_, revoked := r.apps.Revoke(ctx, r.member, r.appID, []string{r.key()})
		if !errors.Is(approved, problem.TeamRoleRequired) || !errors.Is(revoked, problem.TeamRoleRequired) {
			t.Errorf("a member approves: %v, and revokes: %v", approved, revoked)
		}
	case 9:
		at := r.rng.IntN(len(m.versions))
		_, err := r.apps.MakeCurrent(ctx, r.member, r.appID, m.versions[at].id)
		refused := at != m.current && m.stopped(m.versions[at].reqs)
		if refused != errors.Is(err, problem.Conflict) || !refused && err != nil {
			t.Errorf("make version %d current: %v", at+1, err)
		}
		if !refused {
			m.current, m.pending = at, -1
		}
	}
}

func (r *randomWorld) deploy(t *testing.T) {
	var reqs []secret.Requirement
	for _, key := range universe {
		switch r.rng.IntN(5) {
		case 0:
			reqs = append(reqs, optional(key))
		case 1, 2:
			if _, isSet := r.model.set[key]; isSet || r.rng.IntN(4) == 0 {
				reqs = append(reqs, required(key))
			}
		}
	}
	actor, writer := r.member, r.rng.IntN(2) == 0
	if writer {
		actor = r.owner
	}
	r.model.deploy(writer, reqs)
	done, err := r.apps.Deploy(t.Context(), actor, app.Registration{Name: r.name, Requirements: reqs})
	if err != nil {
		t.Errorf("deploy: %v", err)
		return
	}
	r.appID = done.App.ID
	r.model.versions[done.Version.Number-1].id = done.Version.ID
}

func (r *randomWorld) compare(t *testing.T) {
	ctx, m, name := t.Context(), &r.model, "acme/"+r.name
	found, err := r.apps.ByID(ctx, r.member, r.appID)
	pending := ""
	if m.pending >= 0 {
		pending = m.versions[m.pending].id
	}
	if err != nil || found.Current.ID != m.versions[m.current].id || found.PendingID != pending {
		t.Errorf("current is version %d, and pending %q: %v", found.Current.Number, found.PendingID, err)
	}
	// The current one, and any other.
	r.compareVersion(t, name, "", m.versions[m.current].reqs)
	other := m.versions[r.rng.IntN(len(m.versions))]
	r.compareVersion(t, name, other.id, other.reqs)
}

func (r *randomWorld) compareVersion(t *testing.T, name, versionID string, reqs []secret.Requirement) {
	ctx := t.Context()
	want, absent := r.model.receives(reqs)
	got, err := r.secrets.Resolve(ctx, r.member, secret.Run{App: name, Version: versionID})
	env := map[string]string{}
	for _, in := range got.Env {
		env[string(in.Key)] = in.Value.Reveal()
	}
	var unmet *secret.Unmet
	switch {
	case len(absent) > 0:
		if !errors.As(err, &unmet) || len(got.Env) > 0 || len(got.MissingOptional) > 0 {
			t.Errorf("%v are required and absent; the run got %d keys: %v", absent, len(got.Env), err)
			return
		}
		var said []string
		for _, item := range unmet.Items {
			said = append(said, item.Key)
		}
		if !slices.Equal(said, absent) {
			t.Errorf("%v are required and absent; the run names %v", absent, said)
		}
		want = map[string]string{}
	case err != nil:
		t.Errorf("resolve: %v", err)
	case len(got.Env)+len(got.MissingOptional) != len(reqs):
		t.Errorf("of %d declared keys %d are given and %d missing", len(reqs), len(got.Env), len(got.MissingOptional))
	}
	if !maps.Equal(env, want) {
		t.Errorf("got %v, want %v", env, want)
	}
	_, report, err := r.secrets.CheckVersion(ctx, r.member, name, versionID)
	if err != nil || report.Satisfied() != (len(absent) == 0) {
		t.Errorf("the check says %v, the run says that %v are absent: %v", report.Satisfied(), absent, err)
	}
	for _, key := range universe {
		d, err := r.secrets.Why(ctx, r.member, name, versionID, key)
		_, received := env[key]
		if err != nil || d.Injected() != received {
			t.Errorf("%s is received: %v; why says %v: %+v, %v", key, received, d.Injected(), d.Steps, err)
		}
	}
	// The check of the same declarations as a manifest says no less, but for
	// what its reader would grant by deploying.
	report, err = r.secrets.Check(ctx, r.member, secret.Checked{App: r.name, Requirements: reqs})
	if err != nil || report.Satisfied() != (len(absent) == 0) {
		t.Errorf("the check of the manifest says %v, the run says that %v are absent: %v", report.Satisfied(), absent, err)
	}
}
